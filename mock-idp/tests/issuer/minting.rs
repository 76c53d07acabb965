use std::collections::BTreeSet;

use mock_idp::{MintError, Minter, Recipe};
use serde_json::json;

use crate::fixture::{
    AUTH0, COGNITO, NOW, OKTA, claims, decode, defaults, header, keys, mint, minter, recipe, split,
};

#[test]
fn auth0_baseline_is_auth0s_token() {
    let token = minter(AUTH0).mint(&Recipe::default(), NOW).unwrap();
    let kid = keys().signing.kid().to_owned();
    assert_eq!(
        header(&token),
        json!({"alg": "RS256", "typ": "JWT", "kid": kid})
    );
    assert_eq!(
        claims(&token),
        json!({
            "iss": "https://issuer.example/",
            "sub": "client-1@clients",
            "aud": ["https://api.example/", "https://issuer.example/userinfo"],
            "azp": "client-1",
            "iat": NOW,
            "exp": NOW + 86_400,
            "scope": "read:planets read:moons",
            "gty": "client-credentials",
        })
    );
}

#[test]
fn okta_baseline_is_oktas_token() {
    let token = minter(OKTA).mint(&Recipe::default(), NOW).unwrap();
    let kid = keys().signing.kid().to_owned();
    assert_eq!(header(&token), json!({"alg": "RS256", "kid": kid}));
    let mut claims = claims(&token);
    let jti = claims["jti"].take();
    let unique = jti.as_str().unwrap().strip_prefix("AT.").unwrap();
    assert_eq!(decode(unique).len(), 32);
    assert_eq!(
        claims,
        json!({
            "iss": "https://issuer.example/oauth2/default",
            "sub": "client-1",
            "aud": "https://api.example/",
            "cid": "client-1",
            "iat": NOW,
            "exp": NOW + 3_600,
            "scp": ["read:planets", "read:moons"],
            "jti": null,
            "ver": 1,
        })
    );
}

#[test]
fn cognito_baseline_names_its_client_and_no_audience() {
    let token = minter(COGNITO).mint(&Recipe::default(), NOW).unwrap();
    let kid = keys().signing.kid().to_owned();
    assert_eq!(header(&token), json!({"alg": "RS256", "kid": kid}));
    let mut claims = claims(&token);
    let jti = claims["jti"].take();
    assert_eq!(decode(jti.as_str().unwrap()).len(), 32);
    assert_eq!(
        claims,
        json!({
            "iss": "https://issuer.example/us-east-1_EXAMPLEaB",
            "sub": "client-1",
            "client_id": "client-1",
            "iat": NOW,
            "exp": NOW + 3_600,
            "scope": "read:planets read:moons",
            "jti": null,
            "token_use": "access",
            "version": 2,
            "auth_time": NOW,
        })
    );
}

#[test]
fn users_have_their_own_subject_scopes_and_claims() {
    for (profile, name, subject, scope_claim, scopes, uid) in [
        (
            OKTA,
            "silver",
            "silver@myapp.com",
            "scp",
            json!(["openid", "http://myapp.com/scp/silver"]),
            json!("00u5t60iloOHN9pBi0h7"),
        ),
        (
            OKTA,
            "bronze",
            "bronze@myapp.com",
            "scp",
            json!(["openid"]),
            json!("00u5t60iloOHN9pBi0h8"),
        ),
        (
            AUTH0,
            "reader",
            "auth0|5f7c8ec7c33c6c004bbafe82",
            "scope",
            json!("read:planets"),
            json!(null),
        ),
        (
            AUTH0,
            "stranger",
            "auth0|5f7c8ec7c33c6c004bbafe83",
            "scope",
            json!(""),
            json!(null),
        ),
    ] {
        let token = minter(profile)
            .for_user(name)
            .unwrap()
            .mint(&Recipe::default(), NOW)
            .unwrap();
        let claims = claims(&token);
        assert_eq!(claims["sub"], subject);
        assert_eq!(claims[scope_claim], scopes);
        assert_eq!(claims["uid"], uid);
        assert_eq!(
            claims.get("gty"),
            None,
            "gty belongs to tokens without a user"
        );
    }
    let error = minter(OKTA).for_user("gold").unwrap_err().to_string();
    assert!(
        error.contains("gold") && error.contains("silver"),
        "{error}"
    );
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    for profile in [AUTH0, OKTA] {
        for text in ["", "sign = \"attacker\"", "sign = { rsa = \"pss-sha256\" }"] {
            let first = minter(profile).mint(&recipe(text), NOW).unwrap();
            assert_eq!(
                first,
                minter(profile).mint(&recipe(text), NOW).unwrap(),
                "{text}"
            );
            assert_ne!(
                first,
                minter(profile).mint(&recipe(text), NOW + 1).unwrap(),
                "{text}"
            );
        }
    }
    let mut other_seed = defaults();
    other_seed.seed = 2;
    let minter = minter(OKTA);
    assert_ne!(
        minter.mint(&Recipe::default(), NOW).unwrap(),
        minter
            .with_defaults(other_seed)
            .mint(&Recipe::default(), NOW)
            .unwrap()
    );
}

fn pool_of(
    minter: &Minter,
    recipe: &Recipe,
    serials: std::ops::Range<u64>,
    threads: usize,
) -> Result<Vec<String>, MintError> {
    minter.mint_pool(recipe, NOW, serials, threads, Ok)
}

#[test]
fn a_thousand_numbered_tokens_all_differ_however_many_threads_mint_them() {
    for profile in [AUTH0, OKTA] {
        let minter = minter(profile);
        let pool = pool_of(&minter, &Recipe::default(), 0..1_000, 2).unwrap();
        assert_eq!(pool.len(), 1_000);
        assert_eq!(pool.iter().collect::<BTreeSet<_>>().len(), 1_000);
        for (first, last, threads) in [(0, 7, 3), (990, 1_000, 1), (5, 6, 100)] {
            let again = pool_of(&minter, &Recipe::default(), first..last, threads).unwrap();
            let (first, last) = (
                usize::try_from(first).unwrap(),
                usize::try_from(last).unwrap(),
            );
            assert_eq!(again, pool[first..last], "{threads} threads");
        }
        assert_eq!(
            pool[3],
            minter.mint_numbered(&Recipe::default(), NOW, 3).unwrap()
        );
        let none = pool_of(&minter, &Recipe::default(), 5..5, 2);
        assert!(none.unwrap().is_empty());
    }
}

#[test]
fn a_token_lives_as_long_as_it_is_told_unless_its_recipe_says_otherwise() {
    let minter = minter(AUTH0).with_lifetime(90);
    let expiry = |recipe: &Recipe| claims(&minter.mint(recipe, NOW).unwrap())["exp"].clone();
    assert_eq!(expiry(&Recipe::default()), json!(NOW + 90));
    assert_eq!(
        expiry(&recipe("claims = { exp = \"$now-3600\" }")),
        json!(NOW - 3_600)
    );
}

#[test]
fn the_next_key_signs_what_the_issuer_signs_and_nothing_that_others_do() {
    let minter = minter(AUTH0);
    let kid = |recipe: &Recipe| header(&minter.mint(recipe, NOW).unwrap())["kid"].clone();
    let next = json!(minter.keys().next.kid());
    assert_eq!(kid(&Recipe::default().by_next_key()), next);
    assert_eq!(kid(&recipe("claims = { aud = \"x\" }").by_next_key()), next);
    for others in ["sign = \"attacker\"", "header = { kid = \"nobody\" }"] {
        let recipe = recipe(others);
        assert_eq!(recipe.by_next_key(), recipe);
    }
}

#[test]
fn a_pool_reports_the_recipes_error() {
    let bad = recipe("claims = { exp = \"$nwo\" }");
    let error = pool_of(&minter(OKTA), &bad, 0..10, 2).unwrap_err();
    assert!(
        matches!(
            error,
            MintError::Fill {
                member: "claims",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn claims_are_merged_with_directives_and_placeholders() {
    let keys = keys();
    for (text, name, expected) in [
        ("exp = \"$now-3600\"", "exp", json!(NOW - 3_600)),
        ("exp = \"$now\"", "exp", json!(NOW)),
        ("exp = \"$now+300.5\"", "exp", json!(1_800_000_300.5)),
        ("exp = 1e300", "exp", json!(1e300)),
        ("nbf = \"$null\"", "nbf", json!(null)),
        (
            "aud = [\"other\", \"{audience}\"]",
            "aud",
            json!(["other", "https://api.example/"]),
        ),
        (
            "aud = { \"{audience}\" = true }",
            "aud",
            json!({"https://api.example/": true}),
        ),
        (
            "iss = \"{issuer}.evil.example\"",
            "iss",
            json!("https://issuer.example/oauth2/default.evil.example"),
        ),
        (
            "scope = \"a {scope} b\"",
            "scope",
            json!("a read:planets read:moons b"),
        ),
        (
            "x = { y = [{ z = \"{client_id}/{kid}/{now+1}\" }] }",
            "x",
            json!({"y": [{"z": format!("client-1/{}/{}", keys.signing.kid(), NOW + 1)}]}),
        ),
        (
            "x = [\"$absent\", { y = \"$absent\" }, \"$now\"]",
            "x",
            json!([{}, NOW]),
        ),
        (
            "x = \"$$now {not a name} {\"",
            "x",
            json!("$now {not a name} {"),
        ),
        ("x = \"$fill:2000\"", "x", json!("x".repeat(2_000))),
    ] {
        let token = mint(&format!("[claims]\n{text}"));
        assert_eq!(claims(&token)[name], expected, "{text}");
        assert_eq!(claims(&token)["sub"], "client-1", "{text}: the rest stays");
    }
    let token = mint("claims = { exp = \"$absent\", aud = \"$absent\" }");
    let absent = claims(&token);
    assert!(absent.get("exp").is_none() && absent.get("aud").is_none());
    let names: Vec<_> = absent.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        names,
        ["iss", "sub", "cid", "iat", "scp", "jti", "ver"],
        "the order stays"
    );
}

#[test]
fn headers_are_merged_and_can_carry_a_key() {
    let keys = keys();
    let token = mint(
        "header = { typ = \"at+jwt\", alg = \"$absent\", kid = \"{attacker_kid}\", jwk = \"$attacker_jwk\", own = \"$issuer_jwk\" }",
    );
    assert_eq!(
        header(&token),
        json!({
            "kid": keys.attacker.kid(),
            "typ": "at+jwt",
            "jwk": keys.attacker.public_jwk(),
            "own": keys.signing.public_jwk(),
        })
    );
}

#[test]
fn exact_bytes_are_kept_exactly() {
    let kid = keys().signing.kid().to_owned();
    for (text, part, expected) in [
        (
            "header_text = '{\"alg\":\"none\", \"alg\" :\"RS256\",\"kid\":\"{kid}\"}'",
            0,
            format!("{{\"alg\":\"none\", \"alg\" :\"RS256\",\"kid\":\"{kid}\"}}").into_bytes(),
        ),
        ("header_text = '{alg:RS256}'", 0, b"{alg:RS256}".to_vec()),
        (
            "payload_text = '{\"exp\":{now+300},\"exp\":{now-60}}{\"x\":1}'",
            1,
            format!("{{\"exp\":{},\"exp\":{}}}{{\"x\":1}}", NOW + 300, NOW - 60).into_bytes(),
        ),
        ("payload_text = ''", 1, Vec::new()),
        (
            "payload_hex = '7b22fffe227D'",
            1,
            b"{\"\xff\xfe\"}".to_vec(),
        ),
        ("header_hex = ''", 0, Vec::new()),
    ] {
        let token = mint(text);
        assert_eq!(decode(&split(&token)[part]), expected, "{text}");
    }
}

#[test]
fn recipe_that_makes_no_sense_names_what_is_wrong() {
    for (text, expected) in [
        ("heder = {}", "heder"),
        ("sign = \"isuer\"", "isuer"),
        ("sign = { hmac = \"sha256\" }", "secret"),
        ("sign = { secret = \"empty\" }", "hmac"),
        (
            "sign = { rsa = \"pss-sha256\", encoded = \"canonical\" }",
            "exactly one",
        ),
        ("sign = { hmac = \"md5\", secret = \"empty\" }", "md5"),
        (
            "sign = { hmac = \"sha256\", secret = \"spki\" }",
            "spki-pem",
        ),
        ("sign = { encoded = \"bogus\" }", "bogus"),
        ("sign = { bytes_hex = \"0\" }", "bytes_hex"),
        ("sign = 1", "issuer"),
        ("tamper = [\"drop-signatur\"]", "drop-signature-part"),
        (
            "tamper = [{ insert = { part = \"header\", text = \"x\" } }]",
            "at",
        ),
        (
            "tamper = [{ insert = { part = \"header\", text = \"x\", at = 1, too = 2 } }]",
            "too",
        ),
        ("header = {}\nheader_text = ''", "header_text"),
        ("claims = {}\npayload_hex = ''", "payload_hex"),
        ("payload_text = ''\npayload_hex = ''", "payload_hex"),
        ("header_hex = 'zz'", "header_hex"),
    ] {
        let error = toml::from_str::<Recipe>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
    for (text, expected) in [
        ("claims = { exp = \"$nwo+300\" }", "$nwo+300"),
        ("claims = { exp = \"$now300\" }", "now300"),
        ("claims = { exp = \"$now+x\" }", "now+x"),
        (
            "claims = { exp = \"$now+9223372036854775807\" }",
            "now+9223372036854775807",
        ),
        ("claims = { iss = \"{isuer}\" }", "{issuer}"),
        ("header_text = '{isuer}'", "{isuer}"),
        ("claims = { x = \"$fill:2000000\" }", "1 MiB"),
        ("sign = { hmac = \"sha256\", secret = \"text:{x}\" }", "{x}"),
        (
            "tamper = [\"drop-signature-part\", \"empty-signature\"]",
            "tamper[1]",
        ),
    ] {
        let error = minter(OKTA)
            .mint(&recipe(text), NOW)
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn a_payload_is_written_in_the_encoding_that_the_recipe_names() {
    let text = |encoding: &str| {
        let recipe = format!("payload_text = '{{}}'\npayload_encoding = '{encoding}'");
        crate::fixture::decode(&crate::fixture::split(&mint(&recipe))[1])
    };
    assert_eq!(text("utf-8"), b"{}");
    assert_eq!(text("utf-8-with-bom"), b"\xef\xbb\xbf{}");
    assert_eq!(text("utf-16be"), b"\0{\0}");
    assert_eq!(text("utf-16le"), b"{\0}\0");
    let both = "payload_hex = '7b7d'\npayload_encoding = 'utf-16le'";
    let error = toml::from_str::<mock_idp::Recipe>(both).unwrap_err();
    assert!(error.to_string().contains("exclude each other"), "{error}");
}
