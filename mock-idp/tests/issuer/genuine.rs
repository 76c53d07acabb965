//! Minting after a genuine token, without the key of its issuer.

use mock_idp::{GenuineToken, GenuineTokenError, Lacking, MintDefaults, Minter, jwks_document};

use crate::fixture::{AUTH0, NOW, OKTA, claims, header, keys, minter, profile, recipe};

const JWKS_URI: &str = "https://real.example/keys";

/// A mint of another issuer, which has the genuine one's token and, perhaps, its key set.
fn stranger(with_key_set: bool) -> (String, Minter) {
    let token = minter(OKTA).mint(&recipe(""), NOW).unwrap();
    let jwks = jwks_document(&profile(OKTA), &keys());
    let genuine = GenuineToken::parse(&token, with_key_set.then_some(&jwks)).unwrap();
    assert_eq!(genuine.expires(), claims(&token)["exp"].as_i64());
    let keys = mock_idp::IssuerKeys {
        // Were it used, it would show.
        signing: keys().attacker,
        ..keys()
    };
    let other = Minter::new(
        profile(AUTH0),
        "https://other.example/".to_owned(),
        MintDefaults::default(),
        keys,
    );
    (token, other.after(genuine, JWKS_URI.to_owned()))
}

fn lacking(minter: &Minter, text: &str) -> Lacking {
    let error = minter.mint(&recipe(text), NOW).expect_err(text);
    error.lacking().unwrap_or_else(|| panic!("{text}: {error}"))
}

#[test]
fn what_changes_nothing_is_the_genuine_token_itself() {
    let (token, stranger) = stranger(false);
    assert_eq!(stranger.mint(&recipe(""), NOW).unwrap(), token);
    let spoilt = stranger
        .mint(&recipe("tamper = [\"drop-signature-part\"]"), NOW)
        .unwrap();
    assert!(token.starts_with(&spoilt) && spoilt.matches('.').count() == 1);
}

#[test]
fn forgeries_are_made_after_the_genuine_token() {
    let (token, stranger) = stranger(false);
    let forged = stranger
        .mint(
            &recipe("sign = \"attacker\"\nclaims = { sub = \"admin\" }"),
            NOW,
        )
        .unwrap();
    assert_eq!(header(&forged), header(&token));
    assert_eq!(claims(&forged)["sub"], "admin");
    assert_eq!(claims(&forged)["iss"], claims(&token)["iss"]);
    let named = stranger
        .mint(
            &recipe("sign = \"none\"\nclaims = { a = \"{issuer} {audience} {scope} {client_id} {kid} {jwks_uri}\" }"),
            NOW,
        )
        .unwrap();
    let wanted = format!(
        "{} https://api.example/ read:planets read:moons client-1 {} {JWKS_URI}",
        claims(&token)["iss"].as_str().unwrap(),
        header(&token)["kid"].as_str().unwrap(),
    );
    assert_eq!(claims(&named)["a"], wanted);
}

#[test]
fn what_only_the_issuer_can_make_is_lacking() {
    let (_, stranger) = stranger(true);
    for text in [
        "claims = { sub = \"admin\" }",
        "header = { typ = \"at+jwt\" }",
        "sign = \"next\"",
        "sign = { rsa = \"pkcs1-sha384\" }",
        "sign = { encoded = \"no-digest-info\" }",
        "sign = { integer = \"s-plus-n\" }",
        "sign = \"attacker\"\nheader = { kid = \"{next_kid}\" }",
        "tamper = [{ claims-after-signing = { sub = \"admin\" } }, \"sign-again\"]",
    ] {
        assert_eq!(lacking(&stranger, text), Lacking::PrivateKey, "{text}");
    }
    let numbered = stranger.mint_numbered(&recipe(""), NOW, 1).unwrap_err();
    assert_eq!(numbered.lacking(), Some(Lacking::PrivateKey));
}

#[test]
fn what_this_run_has_not_is_lacking() {
    let forged =
        "sign = \"attacker\"\nheader = { jku = \"http://{issuer_host}{open_redirect}{listener}\" }";
    let (_, stranger) = stranger(true);
    assert_eq!(lacking(&stranger, forged), Lacking::OpenRedirect);
    let own = minter(OKTA);
    let jku = &header(&own.mint(&recipe(forged), NOW).unwrap())["jku"];
    let wanted = "/open-redirect?to=http://listener.invalid";
    assert!(jku.as_str().unwrap().ends_with(wanted), "{jku}");

    let lookalike = "sign = \"attacker\"\nheader = { jku = \"http://{lookalike_host}/\" }";
    let at = |listener: &str, lookalike_host: &str| {
        own.with_defaults(MintDefaults {
            listener: listener.to_owned(),
            lookalike_host: lookalike_host.to_owned(),
            ..own.defaults().clone()
        })
    };
    let jku =
        |minter: &Minter| header(&minter.mint(&recipe(lookalike), NOW).unwrap())["jku"].clone();
    assert_eq!(jku(&own), "http://127.0.0.1.invalid/");
    let known = at("http://127.0.0.1:1", "127.0.0.10");
    assert_eq!(jku(&known), "http://127.0.0.10/");
    let unknown = at("http://127.0.0.1:1", "");
    assert_eq!(lacking(&unknown, lookalike), Lacking::Address);
}

#[test]
fn with_the_key_set_the_public_key_is_the_issuers() {
    let (_, without) = stranger(false);
    let (_, with) = stranger(true);
    for text in [
        "header = { alg = \"HS256\" }\nsign = { hmac = \"sha256\", secret = \"spki-pem\" }",
        "header = { alg = \"HS256\" }\nsign = { hmac = \"sha256\", secret = \"jwk\" }",
        "header = { jwk = \"$issuer_jwk\" }\nsign = { integer = \"n-minus-one\" }",
    ] {
        assert_eq!(lacking(&without, text), Lacking::PublicKey, "{text}");
        let wanted = minter(OKTA).mint(&recipe(text), NOW).unwrap();
        assert_eq!(with.mint(&recipe(text), NOW).unwrap(), wanted, "{text}");
    }
}

#[test]
fn a_text_that_is_no_token_to_work_with_is_told_why() {
    let token = minter(OKTA).mint(&recipe(""), NOW).unwrap();
    let hs256 = minter(OKTA)
        .mint(&recipe("header = { alg = \"HS256\" }"), NOW)
        .unwrap();
    let no_issuer = minter(OKTA)
        .mint(&recipe("claims = { iss = \"$absent\" }"), NOW)
        .unwrap();
    let table = [
        ("opaque".to_owned(), GenuineTokenError::Parts(1)),
        (format!("{token}.AA.AA"), GenuineTokenError::Parts(5)),
        ("e30.AA.AA".to_owned(), GenuineTokenError::Part("payload")),
        (
            format!("{}.", token.rsplit_once('.').unwrap().0),
            GenuineTokenError::Part("signature"),
        ),
        (hs256, GenuineTokenError::Algorithm("\"HS256\"".to_owned())),
        (no_issuer, GenuineTokenError::Issuer),
    ];
    for (text, wanted) in table {
        assert_eq!(GenuineToken::parse(&text, None).unwrap_err(), wanted);
    }
    let kid = header(&token)["kid"].to_string();
    for (jwks, wanted) in [
        (serde_json::json!({}), GenuineTokenError::KeySet),
        (
            serde_json::json!({"keys": []}),
            GenuineTokenError::NoKey(kid),
        ),
    ] {
        let error = GenuineToken::parse(&token, Some(&jwks)).unwrap_err();
        assert_eq!(error, wanted);
    }
}

#[test]
fn debug_shows_no_token() {
    let (token, stranger) = stranger(true);
    let shown = format!("{stranger:?}");
    for part in token.split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
}
