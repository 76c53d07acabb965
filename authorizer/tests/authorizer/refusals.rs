//! What must be refused, each for its own reason, and what must not be.

use authorizer::{JwkSet, Rejection, Verifier};
use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;

use crate::tokens::{
    ATTACKER_KEY, AUDIENCE, ISSUER, ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, header, jwks,
    signing_input, valid_token, with_claims, with_header, with_signature, without,
};

fn keys() -> JwkSet {
    let document = jwks(&[ISSUER_KEY.jwk(KID), NEXT_KEY.jwk("key-2")]);
    JwkSet::parse(document.to_string().as_bytes()).unwrap()
}

fn check(rows: Vec<(&str, String, Rejection)>) {
    let (verifier, keys) = (Verifier::new(ISSUER, AUDIENCE), keys());
    assert!(verifier.verify(&valid_token(), &keys, NOW).is_ok());
    for (what, token, expected) in rows {
        let outcome = verifier.verify(&token, &keys, NOW).map(|_| "accepted");
        assert_eq!(outcome, Err(expected), "{what}");
    }
}

#[test]
fn a_token_of_another_form_is_refused() {
    use Rejection as R;
    let token = valid_token();
    let parts: Vec<_> = token.split('.').collect();
    let (h, p, s) = (parts[0], parts[1], parts[2]);
    let flattened = json!({"protected": h, "payload": p, "signature": s}).to_string();
    let swapped = s.replacen('-', "+", 1).replacen('_', "/", 1);
    check(vec![
        ("nothing", String::new(), R::NotThreeParts),
        ("no dot", "garbage".into(), R::NotThreeParts),
        ("one dot", ".".into(), R::NotThreeParts),
        ("two dots", "..".into(), R::HeaderNotJson),
        ("two parts", format!("{h}.{p}"), R::NotThreeParts),
        ("four parts", format!("{token}.AAAA"), R::NotThreeParts),
        ("five parts", format!("{token}.AAAA.AAAA"), R::NotThreeParts),
        ("trailing dot", format!("{token}."), R::NotThreeParts),
        ("dots only", ".".repeat(12_000), R::NotThreeParts),
        ("empty header", format!(".{p}.{s}"), R::HeaderNotJson),
        ("empty payload", format!("{h}..{s}"), R::SignatureInvalid),
        ("empty signature", format!("{h}.{p}."), R::SignatureMissing),
        ("JSON serialization", flattened.clone(), R::NotThreeParts),
        (
            "polyglot",
            format!("{{\"{h}.{p}.\":0,{}", &flattened[1..]),
            R::HeaderEncoding,
        ),
        ("padded header", format!("{h}=.{p}.{s}"), R::HeaderEncoding),
        (
            "padded payload",
            format!("{h}.{p}=.{s}"),
            R::PayloadEncoding,
        ),
        (
            "padded signature",
            format!("{token}=="),
            R::SignatureEncoding,
        ),
        (
            "standard alphabet",
            format!("{h}.{p}.{swapped}"),
            R::SignatureEncoding,
        ),
        (
            "foreign character in the signature",
            format!("{h}.{p}.{s}!"),
            R::SignatureEncoding,
        ),
        (
            "foreign character in the header",
            format!("{h}%.{p}.{s}"),
            R::HeaderEncoding,
        ),
        (
            "space inside",
            format!("{h}.{p}.{} {}", &s[..9], &s[9..]),
            R::SignatureEncoding,
        ),
        (
            "line break inside",
            format!("{h}.{p}.{}\r\n{}", &s[..9], &s[9..]),
            R::SignatureEncoding,
        ),
        ("17 KiB", "a".repeat(17 * 1024), R::TokenTooLarge),
        (
            "9 KiB of header",
            format!("{}.{p}.{s}", "e".repeat(9 * 1024)),
            R::HeaderTooLarge,
        ),
    ]);
}

#[test]
fn a_header_that_breaks_a_rule_is_refused() {
    use Rejection as R;
    let raw = |header: &str| ISSUER_KEY.sign(header, claims().to_string());
    let nested = format!(r#"{{"alg":"RS256","x":{}}}"#, "[".repeat(3_000));
    let no_alg = without(header(), "alg").to_string();
    check(vec![
        ("array", raw(r#"["RS256"]"#), R::HeaderNotObject),
        ("null", raw("null"), R::HeaderNotObject),
        ("string", raw(r#""RS256""#), R::HeaderNotObject),
        ("number", raw("1"), R::HeaderNotObject),
        ("no JSON", raw("{alg:RS256}"), R::HeaderNotJson),
        ("cut off", raw(r#"{"alg":"RS256""#), R::HeaderNotJson),
        ("two objects", raw(r#"{"alg":"RS256"}{}"#), R::HeaderNotJson),
        (
            "byte order mark",
            raw("\u{feff}{\"alg\":\"RS256\"}"),
            R::HeaderNotJson,
        ),
        (
            "no UTF-8",
            ISSUER_KEY.sign(b"{\"alg\":\"\xff\"}", "{}"),
            R::HeaderNotJson,
        ),
        ("nested", raw(&nested), R::HeaderTooDeep),
        (
            "alg twice",
            raw(r#"{"alg":"none","alg":"RS256"}"#),
            R::HeaderDuplicateName,
        ),
        (
            "alg twice, escaped",
            raw(r#"{"alg":"RS256","\u0061lg":"none"}"#),
            R::HeaderDuplicateName,
        ),
        (
            "kid twice",
            raw(r#"{"alg":"RS256","kid":"a","kid":"b"}"#),
            R::HeaderDuplicateName,
        ),
        (
            "unknown twice",
            raw(r#"{"alg":"RS256","x":1,"x":1}"#),
            R::HeaderDuplicateName,
        ),
        (
            "inner twice",
            raw(r#"{"alg":"RS256","x":{"y":1,"y":1}}"#),
            R::HeaderDuplicateName,
        ),
        ("no alg", raw(&no_alg), R::AlgorithmMissing),
        (
            "alg null",
            with_header(&json!({"alg": null})),
            R::AlgorithmMissing,
        ),
        (
            "alg array",
            with_header(&json!({"alg": ["RS256"]})),
            R::AlgorithmMissing,
        ),
        (
            "alg number",
            with_header(&json!({"alg": 1})),
            R::AlgorithmMissing,
        ),
        ("Alg", raw(r#"{"Alg":"RS256"}"#), R::AlgorithmMissing),
        (
            "crit unknown",
            with_header(&json!({"crit": ["x"], "x": 1})),
            R::CritPresent,
        ),
        (
            "crit empty",
            with_header(&json!({"crit": []})),
            R::CritPresent,
        ),
        (
            "crit no array",
            with_header(&json!({"crit": "exp"})),
            R::CritPresent,
        ),
        (
            "crit null",
            with_header(&json!({"crit": null})),
            R::CritPresent,
        ),
        (
            "crit b64",
            with_header(&json!({"crit": ["b64"], "b64": false})),
            R::CritPresent,
        ),
        (
            "b64 false",
            with_header(&json!({"b64": false})),
            R::B64Present,
        ),
        (
            "b64 true",
            with_header(&json!({"b64": true})),
            R::B64Present,
        ),
        (
            "typ logout",
            with_header(&json!({"typ": "logout+jwt"})),
            R::TypeNotAccessToken,
        ),
        (
            "typ dpop",
            with_header(&json!({"typ": "dpop+jwt"})),
            R::TypeNotAccessToken,
        ),
        (
            "typ JOSE",
            with_header(&json!({"typ": "JOSE"})),
            R::TypeNotAccessToken,
        ),
        (
            "typ empty",
            with_header(&json!({"typ": ""})),
            R::TypeNotAccessToken,
        ),
        (
            "typ number",
            with_header(&json!({"typ": 1})),
            R::TypeMalformed,
        ),
        (
            "typ null",
            with_header(&json!({"typ": null})),
            R::TypeMalformed,
        ),
        (
            "kid number",
            with_header(&json!({"kid": 1})),
            R::KidMalformed,
        ),
        (
            "kid null",
            with_header(&json!({"kid": null})),
            R::KidMalformed,
        ),
        (
            "kid array",
            with_header(&json!({"kid": [KID]})),
            R::KidMalformed,
        ),
    ]);
}

#[test]
fn another_algorithm_is_refused_whatever_the_signature() {
    use Rejection as R;
    let mut rows = Vec::new();
    for alg in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "rs256",
        "RS256 ",
        "RS-256",
        "RS257",
        "ＲＳ２５６",
    ] {
        let input = signing_input(
            changed(header(), &json!({"alg": alg})).to_string(),
            claims().to_string(),
        );
        rows.push((alg, format!("{input}."), R::AlgorithmNotAllowed));
        rows.push((
            alg,
            with_header(&json!({"alg": alg})),
            R::AlgorithmNotAllowed,
        ));
    }
    let spki = ISSUER_KEY.spki_der();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::prelude::BASE64_STANDARD.encode(&spki)
    );
    let modulus = ISSUER_KEY.n();
    for secret in [
        &b""[..],
        &spki,
        pem.as_bytes(),
        modulus.as_bytes(),
        b"secret",
    ] {
        let input = signing_input(
            changed(header(), &json!({"alg": "HS256"})).to_string(),
            claims().to_string(),
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let tag = hmac::sign(&key, input.as_bytes());
        rows.push((
            "HS256",
            with_signature(&input, tag.as_ref()),
            R::AlgorithmNotAllowed,
        ));
    }
    let (header_text, claims_text) = (header().to_string(), claims().to_string());
    let named = |alg: &str| changed(header(), &json!({"alg": alg})).to_string();
    rows.extend([
        (
            "RS384",
            ISSUER_KEY.sign_rs384(&named("RS384"), &claims_text),
            R::AlgorithmNotAllowed,
        ),
        (
            "PS256",
            ISSUER_KEY.sign_pss(&named("PS256"), &claims_text),
            R::AlgorithmNotAllowed,
        ),
        (
            "PSS as RS256",
            ISSUER_KEY.sign_pss(&header_text, &claims_text),
            R::SignatureInvalid,
        ),
        (
            "SHA-384 as RS256",
            ISSUER_KEY.sign_rs384(&header_text, &claims_text),
            R::SignatureInvalid,
        ),
    ]);
    check(rows);
}

#[test]
fn a_signature_that_is_not_the_issuers_is_refused() {
    use Rejection as R;
    let token = valid_token();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(ISSUER_KEY.n()).unwrap();
    let sized = |last: u8| [vec![0; 255], vec![last]].concat();
    let prepended = [&[0], &signature[..]].concat();
    let appended = [&signature[..], &[0]].concat();
    let (h, _) = input.split_once('.').unwrap();
    let edited = changed(claims(), &json!({"sub": "admin"})).to_string();
    let forged = with_signature(&signing_input(header().to_string(), edited), &signature);
    let foreign =
        |header: &serde_json::Value| ATTACKER_KEY.sign(header.to_string(), claims().to_string());
    let own_jwk = ATTACKER_KEY.jwk("mine");
    let embedded = |kid: &str| changed(header(), &json!({"kid": kid, "jwk": own_jwk}));
    let linked =
        json!({"jku": "http://127.0.0.1:9/jwks", "x5u": "http://127.0.0.1:9/x", "x5c": ["AA"]});
    let re_headed = token.replacen(
        h,
        &BASE64_URL_SAFE_NO_PAD.encode(changed(header(), &json!({"x": 1})).to_string()),
        1,
    );
    check(vec![
        ("attacker's key", foreign(&header()), R::SignatureInvalid),
        (
            "attacker's key, embedded",
            foreign(&embedded(KID)),
            R::SignatureInvalid,
        ),
        (
            "attacker's key and kid, embedded",
            foreign(&embedded("mine")),
            R::KidUnknown,
        ),
        (
            "attacker's key, linked",
            foreign(&changed(header(), &linked)),
            R::SignatureInvalid,
        ),
        (
            "attacker's key, no kid",
            foreign(&without(header(), "kid")),
            R::KidMissing,
        ),
        (
            "the issuer's other key",
            NEXT_KEY.sign(header().to_string(), claims().to_string()),
            R::SignatureInvalid,
        ),
        (
            "no kid, two keys",
            ISSUER_KEY.sign(without(header(), "kid").to_string(), claims().to_string()),
            R::KidMissing,
        ),
        (
            "unknown kid",
            with_header(&json!({"kid": "nope"})),
            R::KidUnknown,
        ),
        (
            "kid in other case",
            with_header(&json!({"kid": KID.to_uppercase()})),
            R::KidUnknown,
        ),
        (
            "kid with a space",
            with_header(&json!({"kid": format!(" {KID}")})),
            R::KidUnknown,
        ),
        (
            "kid path",
            with_header(&json!({"kid": "../../../../dev/null"})),
            R::KidUnknown,
        ),
        ("kid empty", with_header(&json!({"kid": ""})), R::KidUnknown),
        ("edited claims", forged, R::SignatureInvalid),
        ("edited header", re_headed, R::SignatureInvalid),
        (
            "zero",
            with_signature(input, &sized(0)),
            R::SignatureInvalid,
        ),
        ("one", with_signature(input, &sized(1)), R::SignatureInvalid),
        (
            "the modulus",
            with_signature(input, &modulus),
            R::SignatureInvalid,
        ),
        (
            "one byte less",
            with_signature(input, &signature[..255]),
            R::SignatureInvalid,
        ),
        (
            "zero before",
            with_signature(input, &prepended),
            R::SignatureInvalid,
        ),
        (
            "zero after",
            with_signature(input, &appended),
            R::SignatureInvalid,
        ),
        ("one byte", with_signature(input, &[1]), R::SignatureInvalid),
    ]);
}

#[test]
fn a_payload_that_is_no_set_of_claims_is_refused() {
    use Rejection as R;
    let raw = |payload: &[u8]| ISSUER_KEY.sign(header().to_string(), payload);
    let text = claims().to_string();
    let with_member = |member: &str| format!("{{{member},{}", &text[1..]);
    let twice = serde_json::to_string(&text).unwrap();
    let utf_16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let invalid = with_member("\"x\":\"?\"")
        .replace('?', "\u{1}")
        .into_bytes();
    let invalid: Vec<u8> = invalid
        .into_iter()
        .map(|b| if b == 1 { 0xff } else { b })
        .collect();
    let nested = with_member(&format!("\"x\":{}{}", "[".repeat(40), "]".repeat(40)));
    let deep = format!("{{\"x\":{}", "{\"a\":".repeat(1_500));
    check(vec![
        ("array", raw(b"[]"), R::PayloadNotObject),
        ("null", raw(b"null"), R::PayloadNotObject),
        (
            "claims in a string",
            raw(twice.as_bytes()),
            R::PayloadNotObject,
        ),
        ("empty", raw(b""), R::PayloadNotJson),
        ("cut off", raw(&text.as_bytes()[..40]), R::PayloadNotJson),
        (
            "two objects",
            raw(format!("{text}{{}}").as_bytes()),
            R::PayloadNotJson,
        ),
        ("no UTF-8", raw(&invalid), R::PayloadNotJson),
        ("UTF-16", raw(&utf_16), R::PayloadNotJson),
        (
            "byte order mark",
            raw(format!("\u{feff}{text}").as_bytes()),
            R::PayloadNotJson,
        ),
        (
            "nested JWT",
            raw(valid_token().as_bytes()),
            R::PayloadNotJson,
        ),
        (
            "exp twice",
            raw(with_member("\"exp\":1").as_bytes()),
            R::PayloadDuplicateName,
        ),
        (
            "unknown twice",
            raw(with_member("\"jti\":1").as_bytes()),
            R::PayloadDuplicateName,
        ),
        (
            "inner twice",
            raw(with_member(r#""x":{"y":1,"y":2}"#).as_bytes()),
            R::PayloadDuplicateName,
        ),
        ("nested", raw(nested.as_bytes()), R::PayloadTooDeep),
        ("nested and open", raw(deep.as_bytes()), R::PayloadTooDeep),
        (
            "exp beyond every number",
            raw(text.replace(&format!("{}", NOW + 300), "1e999").as_bytes()),
            R::PayloadNotJson,
        ),
    ]);
}

#[test]
fn a_claim_that_is_missing_malformed_or_wrong_is_refused() {
    use Rejection as R;
    let absent = |name| ISSUER_KEY.sign(header().to_string(), without(claims(), name).to_string());
    let mut rows = vec![
        ("no iss", absent("iss"), R::IssuerMissing),
        ("no aud", absent("aud"), R::AudienceMissing),
        ("no exp", absent("exp"), R::ExpiryMissing),
        (
            "sub of nobody",
            {
                let nobody = without(without(claims(), "sub"), "client_id");
                ISSUER_KEY.sign(header().to_string(), nobody.to_string())
            },
            R::PrincipalMissing,
        ),
    ];
    let upper = AUDIENCE.to_uppercase();
    let cases = [
        ("iss", json!("https://evil.example"), R::IssuerMismatch),
        ("iss", json!(""), R::IssuerMismatch),
        ("iss", json!("https://issuer.example"), R::IssuerMismatch),
        ("iss", json!("https://issuer.example/x"), R::IssuerMismatch),
        ("iss", json!("https://ISSUER.example/"), R::IssuerMismatch),
        ("iss", json!("http://issuer.example/"), R::IssuerMismatch),
        (
            "iss",
            json!("https://issuer.example/\u{0}"),
            R::IssuerMismatch,
        ),
        ("iss", json!([ISSUER]), R::IssuerMalformed),
        ("iss", json!(null), R::IssuerMalformed),
        ("iss", json!(1), R::IssuerMalformed),
        ("aud", json!("other"), R::AudienceMismatch),
        ("aud", json!(["other", "another"]), R::AudienceMismatch),
        ("aud", json!([]), R::AudienceMismatch),
        ("aud", json!(""), R::AudienceMismatch),
        (
            "aud",
            json!(format!("{AUDIENCE}admin")),
            R::AudienceMismatch,
        ),
        (
            "aud",
            json!(format!("other {AUDIENCE}")),
            R::AudienceMismatch,
        ),
        ("aud", json!(upper), R::AudienceMismatch),
        ("aud", json!(null), R::AudienceMalformed),
        ("aud", json!([AUDIENCE, 1]), R::AudienceMalformed),
        ("aud", json!([[AUDIENCE]]), R::AudienceMalformed),
        ("aud", json!({AUDIENCE: true}), R::AudienceMalformed),
        ("exp", json!(NOW), R::Expired),
        ("exp", json!(NOW - 1), R::Expired),
        ("exp", json!(NOW - 3_600), R::Expired),
        ("exp", json!(0), R::Expired),
        ("exp", json!(-1), R::Expired),
        ("exp", json!(1_790_000_000.5), R::Expired),
        ("exp", json!((NOW + 300).to_string()), R::ExpiryMalformed),
        ("exp", json!("1"), R::ExpiryMalformed),
        ("exp", json!(null), R::ExpiryMalformed),
        ("exp", json!(true), R::ExpiryMalformed),
        ("exp", json!({}), R::ExpiryMalformed),
        ("exp", json!([NOW + 300]), R::ExpiryMalformed),
        ("exp", json!((1_i64 << 53) + 1), R::ExpiryMalformed),
        ("exp", json!(u64::MAX), R::ExpiryMalformed),
        ("exp", json!(1e300), R::ExpiryMalformed),
        ("exp", json!(-1e300), R::ExpiryMalformed),
        ("nbf", json!(NOW + 1), R::NotYetValid),
        ("nbf", json!(NOW + 3_600), R::NotYetValid),
        ("nbf", json!(1_790_000_000.5), R::NotYetValid),
        (
            "nbf",
            json!((NOW + 3_600).to_string()),
            R::NotBeforeMalformed,
        ),
        ("nbf", json!(null), R::NotBeforeMalformed),
        ("nbf", json!({}), R::NotBeforeMalformed),
        ("iat", json!(NOW + 61), R::IssuedInFuture),
        ("iat", json!(NOW + 3_600), R::IssuedInFuture),
        ("iat", json!("yesterday"), R::IssuedAtMalformed),
        ("iat", json!(null), R::IssuedAtMalformed),
        ("sub", json!(1), R::SubjectMalformed),
        ("sub", json!(null), R::SubjectMalformed),
        ("sub", json!(""), R::SubjectMalformed),
        ("scope", json!(null), R::ScopeMalformed),
        ("scope", json!(1), R::ScopeMalformed),
        ("scope", json!({"read:planets": true}), R::ScopeMalformed),
        ("scope", json!(["a", 1]), R::ScopeMalformed),
        ("scope", json!(["a b"]), R::ScopeMalformed),
        ("scp", json!(true), R::ScopeMalformed),
    ];
    for (name, value, expected) in cases {
        rows.push((name, with_claims(&json!({name: value})), expected));
    }
    check(rows);
}

#[test]
fn what_the_rules_permit_is_accepted() {
    let odd = json!({
        "nested": {"a": [1, {"b": null}]}, "text": "🪐\u{0}", "__proto__": {"scope": "x"}, "pad": "x".repeat(5_000),
    });
    let spaced = claims()
        .to_string()
        .replace(',', " ,\r\n\t")
        .replace("\"aud\"", "\"\\u0061ud\"");
    let typed = |typ: &str| with_header(&json!({"typ": typ}));
    let rows = [
        (
            "aud array",
            with_claims(&json!({"aud": ["other", AUDIENCE]})),
        ),
        ("at+jwt", typed("at+jwt")),
        ("AT+JWT", typed("AT+JWT")),
        ("application/at+jwt", typed("application/at+jwt")),
        ("jwt", typed("jwt")),
        (
            "no typ",
            ISSUER_KEY.sign(without(header(), "typ").to_string(), claims().to_string()),
        ),
        (
            "unknown header members",
            with_header(&json!({"x": {"y": 1}, "cty": "x", "zip": null})),
        ),
        (
            "links in the header",
            with_header(&json!({"jku": "http://127.0.0.1:9/", "jwk": {"kty": "RSA"}})),
        ),
        ("unknown claims", with_claims(&odd)),
        (
            "white space and escapes",
            ISSUER_KEY.sign(header().to_string(), spaced),
        ),
        ("nbf now", with_claims(&json!({"nbf": NOW}))),
        (
            "iat within the leeway",
            with_claims(&json!({"iat": NOW + 60})),
        ),
        ("last second", with_claims(&json!({"exp": NOW + 1}))),
        (
            "fraction",
            with_claims(&json!({"exp": 1_790_000_300.5, "iat": 1_789_999_990.25})),
        ),
        (
            "no nbf",
            ISSUER_KEY.sign(header().to_string(), without(claims(), "nbf").to_string()),
        ),
        (
            "the other key",
            NEXT_KEY.sign(
                changed(header(), &json!({"kid": "key-2"})).to_string(),
                claims().to_string(),
            ),
        ),
    ];
    let (verifier, keys) = (Verifier::new(ISSUER, AUDIENCE), keys());
    for (what, token) in rows {
        let outcome = verifier.verify(&token, &keys, NOW);
        assert!(outcome.is_ok(), "{what}: {outcome:?}");
    }
}

#[test]
fn principal_and_scopes_come_from_the_claims_that_are_there() {
    let client_only = |claims: serde_json::Value| {
        ISSUER_KEY.sign(
            header().to_string(),
            without(without(claims, "sub"), "client_id").to_string(),
        )
    };
    let unscoped = |changes: serde_json::Value| {
        ISSUER_KEY.sign(
            header().to_string(),
            changed(without(claims(), "scope"), &changes).to_string(),
        )
    };
    let rows = [
        (valid_token(), "user|1", "openid read:planets"),
        (
            ISSUER_KEY.sign(header().to_string(), without(claims(), "sub").to_string()),
            "app",
            "openid read:planets",
        ),
        (
            client_only(changed(claims(), &json!({"cid": "okta", "azp": "oidc"}))),
            "okta",
            "openid read:planets",
        ),
        (
            client_only(changed(claims(), &json!({"azp": "oidc"}))),
            "oidc",
            "openid read:planets",
        ),
        (unscoped(json!({})), "user|1", ""),
        (unscoped(json!({"scope": ""})), "user|1", ""),
        (unscoped(json!({"scope": "  a  b "})), "user|1", "a b"),
        (unscoped(json!({"scope": ["a", "b"]})), "user|1", "a b"),
        (unscoped(json!({"scp": ["a", "b"]})), "user|1", "a b"),
        (unscoped(json!({"scp": "a b"})), "user|1", "a b"),
        (unscoped(json!({"scope": "a", "scp": ["b"]})), "user|1", "a"),
    ];
    let (verifier, keys) = (Verifier::new(ISSUER, AUDIENCE), keys());
    for (token, principal, scope) in rows {
        let token = verifier.verify(&token, &keys, NOW).unwrap();
        assert_eq!((token.principal(), token.scope()), (principal, scope));
        assert_eq!(token.expires_at(), NOW + 300);
    }
    let token = verifier.verify(&valid_token(), &keys, NOW).unwrap();
    for scope in [
        "read:planet",
        "read:planets:own",
        "READ:PLANETS",
        "read:*",
        "read",
        "",
    ] {
        assert!(!token.has_scope(scope), "{scope}");
    }
    assert!(token.has_scope("read:planets") && token.has_scope("openid"));
}
