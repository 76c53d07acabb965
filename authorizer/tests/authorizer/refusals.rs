//! What must be refused, each for its own reason.

use authorizer::{CompactJws, JwkSet, Rejection, Verifier};
use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::tokens::{
    ATTACKER_KEY, AUDIENCE, ISSUER, ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, header, jwks,
    signing_input, valid_token, with_claims, with_header, with_signature, without,
};

pub(crate) fn keys() -> JwkSet {
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
fn the_largest_token_and_header_are_looked_at_and_nothing_larger() {
    let kib = 1_024;
    let token_of = |bytes: usize| "a".repeat(bytes);
    let header_of = |bytes: usize| format!("{}.e30.c2ln", "e".repeat(bytes));
    let rows = [
        (token_of(16 * kib), Rejection::NotThreeParts),
        (token_of(16 * kib + 1), Rejection::TokenTooLarge),
        (header_of(8 * kib), Rejection::HeaderNotJson),
        (header_of(8 * kib + 1), Rejection::HeaderTooLarge),
    ];
    for (token, expected) in rows {
        assert_eq!(CompactJws::parse(&token).unwrap_err(), expected);
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
        ("empty payload", format!("{h}..{s}"), R::PayloadNotJson),
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
    ]);
}

#[test]
fn a_header_that_is_no_object_of_distinct_names_is_refused() {
    use Rejection as R;
    let nested = format!(r#"{{"alg":"RS256","x":{}}}"#, "[".repeat(3_000));
    let cases: [(&[u8], Rejection); 14] = [
        (br#"["RS256"]"#, R::HeaderNotObject),
        (b"null", R::HeaderNotObject),
        (br#""RS256""#, R::HeaderNotObject),
        (b"1", R::HeaderNotObject),
        (b"{alg:RS256}", R::HeaderNotJson),
        (br#"{"alg":"RS256""#, R::HeaderNotJson),
        (br#"{"alg":"RS256"}{}"#, R::HeaderNotJson),
        (b"\xef\xbb\xbf{\"alg\":\"RS256\"}", R::HeaderNotJson),
        (b"{\"alg\":\"\xff\"}", R::HeaderNotJson),
        (nested.as_bytes(), R::HeaderTooDeep),
        (br#"{"alg":"none","alg":"RS256"}"#, R::HeaderDuplicateName),
        (br#"{"alg":"RS256","\u0061lg":"x"}"#, R::HeaderDuplicateName),
        (br#"{"alg":"RS256","x":1,"x":1}"#, R::HeaderDuplicateName),
        (
            br#"{"alg":"RS256","x":{"y":1,"y":1}}"#,
            R::HeaderDuplicateName,
        ),
    ];
    let row = |(header, expected)| {
        let what = "the header as a whole";
        (
            what,
            ISSUER_KEY.sign(header, claims().to_string()),
            expected,
        )
    };
    check(cases.into_iter().map(row).collect());
}

#[test]
fn a_header_member_that_breaks_a_rule_is_refused() {
    use Rejection as R;
    let cases = [
        ("alg", json!(null), R::AlgorithmMissing),
        ("alg", json!(["RS256"]), R::AlgorithmMissing),
        ("alg", json!({}), R::AlgorithmMissing),
        ("alg", json!(1), R::AlgorithmMissing),
        ("crit", json!(["x"]), R::CritPresent),
        ("crit", json!(["alg"]), R::CritPresent),
        ("crit", json!(["b64"]), R::CritPresent),
        ("crit", json!([]), R::CritPresent),
        ("crit", json!("exp"), R::CritPresent),
        ("crit", json!(null), R::CritPresent),
        ("b64", json!(false), R::B64Present),
        ("b64", json!(true), R::B64Present),
        ("typ", json!("logout+jwt"), R::TypeNotAccessToken),
        ("typ", json!("secevent+jwt"), R::TypeNotAccessToken),
        ("typ", json!("dpop+jwt"), R::TypeNotAccessToken),
        ("typ", json!("application/"), R::TypeNotAccessToken),
        // As long as `application/`, and something else.
        ("typ", json!("text/plain;?jwt"), R::TypeNotAccessToken),
        ("typ", json!("JOSE"), R::TypeNotAccessToken),
        ("typ", json!(""), R::TypeNotAccessToken),
        ("typ", json!(1), R::TypeMalformed),
        ("typ", json!(null), R::TypeMalformed),
        ("kid", json!(1), R::KidMalformed),
        ("kid", json!(null), R::KidMalformed),
        ("kid", json!([KID]), R::KidMalformed),
        ("kid", json!("nope"), R::KidUnknown),
        ("kid", json!(KID.to_uppercase()), R::KidUnknown),
        ("kid", json!(format!(" {KID}")), R::KidUnknown),
        ("kid", json!("../../../../dev/null"), R::KidUnknown),
        ("kid", json!(""), R::KidUnknown),
    ];
    let row = |(name, value, expected): (&'static str, Value, Rejection)| {
        (name, with_header(&json!({name: value})), expected)
    };
    let mut rows: Vec<_> = cases.into_iter().map(row).collect();
    let claims = claims().to_string();
    for name in ["alg", "kid"] {
        let token = ISSUER_KEY.sign(without(header(), name).to_string(), &claims);
        let expected = if name == "alg" {
            R::AlgorithmMissing
        } else {
            R::KidMissing
        };
        rows.push((name, token, expected));
    }
    rows.push((
        "Alg",
        ISSUER_KEY.sign(r#"{"Alg":"RS256"}"#, &claims),
        R::AlgorithmMissing,
    ));
    check(rows);
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
    check(rows);
}

#[test]
fn another_rsa_algorithm_is_refused_under_its_own_name_and_under_ours() {
    use Rejection as R;
    let (header_text, claims_text) = (header().to_string(), claims().to_string());
    let named = |alg: &str| changed(header(), &json!({"alg": alg})).to_string();
    let rs384 = |header: &str| ISSUER_KEY.sign_rs384(header, &claims_text);
    let pss = |header: &str| ISSUER_KEY.sign_pss(header, &claims_text);
    check(vec![
        ("RS384", rs384(&named("RS384")), R::AlgorithmNotAllowed),
        ("PS256", pss(&named("PS256")), R::AlgorithmNotAllowed),
        ("PSS as RS256", pss(&header_text), R::SignatureInvalid),
        ("SHA-384 as RS256", rs384(&header_text), R::SignatureInvalid),
    ]);
}

#[test]
fn a_signature_by_another_key_is_refused_however_the_header_argues() {
    use Rejection as R;
    let own_jwk = ATTACKER_KEY.jwk("mine");
    let linked = json!({"jku": "http://127.0.0.1:9/", "x5u": "http://127.0.0.1:9/", "x5c": ["AA"]});
    let cases = [
        (header(), R::SignatureInvalid),
        (
            changed(header(), &json!({"jwk": own_jwk})),
            R::SignatureInvalid,
        ),
        (
            changed(header(), &json!({"jwk": own_jwk, "kid": "mine"})),
            R::KidUnknown,
        ),
        (changed(header(), &linked), R::SignatureInvalid),
        (
            changed(header(), &json!({"x5t": "AA", "x5t#S256": "AA"})),
            R::SignatureInvalid,
        ),
        (
            changed(header(), &json!({"kid": "http://127.0.0.1:9/k"})),
            R::KidUnknown,
        ),
        (without(header(), "kid"), R::KidMissing),
    ];
    let mut rows = Vec::new();
    for (header, expected) in cases {
        let token = ATTACKER_KEY.sign(header.to_string(), claims().to_string());
        rows.push(("an attacker's key", token, expected));
    }
    let other = NEXT_KEY.sign(header().to_string(), claims().to_string());
    rows.push(("the issuer's other key", other, R::SignatureInvalid));
    check(rows);
}

#[test]
fn a_signature_over_other_bytes_or_of_another_form_is_refused() {
    let token = valid_token();
    let (input, signature) = token.rsplit_once('.').unwrap();
    let (header_part, payload_part) = input.split_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    let modulus = BASE64_URL_SAFE_NO_PAD.decode(ISSUER_KEY.n()).unwrap();
    let encoded = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let edited_claims = encoded(changed(claims(), &json!({"sub": "admin"})));
    let edited_header = encoded(changed(header(), &json!({"x": 1})));
    let of_length = |last: u8| [vec![0; 255], vec![last]].concat();
    let rows = [
        (format!("{header_part}.{edited_claims}"), signature.clone()),
        (format!("{edited_header}.{payload_part}"), signature.clone()),
        (input.to_owned(), of_length(0)),
        (input.to_owned(), of_length(1)),
        (input.to_owned(), modulus),
        (input.to_owned(), signature[..255].to_vec()),
        (input.to_owned(), [&[0], &signature[..]].concat()),
        (input.to_owned(), [&signature[..], &[0]].concat()),
        (input.to_owned(), vec![1]),
    ];
    let row = |(input, signature): (String, Vec<u8>)| {
        let token = with_signature(&input, &signature);
        ("signature", token, Rejection::SignatureInvalid)
    };
    check(rows.into_iter().map(row).collect());
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

/// Rows of claims by the issuer's key that each change one member.
fn check_claims(cases: Vec<(&'static str, Value, Rejection)>) {
    let row = |(name, value, expected): (&'static str, Value, Rejection)| {
        (name, with_claims(&json!({name: value})), expected)
    };
    check(cases.into_iter().map(row).collect());
}

#[test]
fn a_required_claim_that_is_missing_is_refused() {
    use Rejection as R;
    let absent = |name| ISSUER_KEY.sign(header().to_string(), without(claims(), name).to_string());
    let nobody = without(without(claims(), "sub"), "client_id");
    check(vec![
        ("iss", absent("iss"), R::IssuerMissing),
        ("aud", absent("aud"), R::AudienceMissing),
        ("exp", absent("exp"), R::ExpiryMissing),
        (
            "sub",
            ISSUER_KEY.sign(header().to_string(), nobody.to_string()),
            R::PrincipalMissing,
        ),
    ]);
}

#[test]
fn an_issuer_or_audience_that_is_not_exactly_ours_is_refused() {
    use Rejection as R;
    let upper = AUDIENCE.to_uppercase();
    check_claims(vec![
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
    ]);
}

#[test]
fn a_time_subject_or_scope_that_is_malformed_or_wrong_is_refused() {
    use Rejection as R;
    check_claims(vec![
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
    ]);
}
