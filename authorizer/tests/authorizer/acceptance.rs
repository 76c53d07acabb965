//! What must not be refused, and what is read from it.

use authorizer::{CompactJws, Verifier};
use serde_json::{Value, json};

use crate::{
    refusals::keys,
    tokens::{
        AUDIENCE, ISSUER, ISSUER_KEY, KID, NEXT_KEY, NOW, changed, claims, header, valid_token,
        with_claims, with_header, without,
    },
};

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

/// In a log a token is told by when it ends and by nothing that it says of anybody.
#[test]
fn a_token_shows_no_claim_of_its_bearer() {
    let text = valid_token();
    let token = Verifier::new(ISSUER, AUDIENCE)
        .verify(&text, &keys(), NOW)
        .unwrap();
    let jws = CompactJws::parse(&text).unwrap();
    let shown = format!("{token:?} {jws:?}");
    assert!(
        shown.contains(&format!("expires_at: {}", NOW + 300)),
        "{shown}"
    );
    assert!(shown.contains(KID), "{shown}");
    let parts = text.split('.');
    for secret in parts.chain(["user|1", "read:planets"]) {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// A key id is what its text stands for, however it is written (RFC 8259 §7).
#[test]
fn a_key_id_that_is_written_with_escapes_is_the_same_key_id() {
    let written: Vec<_> = KID.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let written = written.concat();
    let plain = header().to_string();
    let escaped = plain.replace(&format!("\"{KID}\""), &format!("\"{written}\""));
    assert_ne!(escaped, plain);
    let token = ISSUER_KEY.sign(escaped, claims().to_string());
    let verifier = Verifier::new(ISSUER, AUDIENCE);
    assert!(verifier.verify(&token, &keys(), NOW).is_ok());
}

#[test]
fn principal_and_scopes_come_from_the_claims_that_are_there() {
    let client_only = |claims: Value| {
        ISSUER_KEY.sign(
            header().to_string(),
            without(without(claims, "sub"), "client_id").to_string(),
        )
    };
    let unscoped = |changes: Value| {
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
        // An empty identifier is none.
        (
            client_only(changed(claims(), &json!({"cid": "", "azp": "oidc"}))),
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
