//! What every test starts from: the shipped profiles, two keys that are kept between runs, recipes as TOML.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_idp::{
    Client, IssuerKeys, IssuerProfile, KeyStore, MintDefaults, Minter, MockIdp, MockIdpConfig,
    Recipe,
};
use rsa::BigUint;
use serde_json::Value;

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const SEED: u64 = 1;
pub(crate) const AUTH0: &str = include_str!("../../../scenarios/issuers/auth0.toml");
pub(crate) const COGNITO: &str = include_str!("../../../scenarios/issuers/cognito.toml");
pub(crate) const OKTA: &str = include_str!("../../../scenarios/issuers/okta.toml");

pub(crate) fn keys() -> IssuerKeys {
    static KEYS: OnceLock<IssuerKeys> = OnceLock::new();
    KEYS.get_or_init(|| {
        let store = KeyStore::open(concat!(env!("CARGO_TARGET_TMPDIR"), "/issuer-keys"));
        IssuerKeys {
            signing: store.signing_key(SEED, "issuer").unwrap(),
            attacker: store.signing_key(SEED, "attacker").unwrap(),
            next: store.signing_key(SEED, "next").unwrap(),
        }
    })
    .clone()
}

pub(crate) fn profile(text: &str) -> IssuerProfile {
    IssuerProfile::parse(text).unwrap()
}

pub(crate) fn defaults() -> MintDefaults {
    MintDefaults {
        audience: "https://api.example/".to_owned(),
        scope: vec!["read:planets".to_owned(), "read:moons".to_owned()],
        client_id: "client-1".to_owned(),
        ..MintDefaults::default()
    }
}

pub(crate) fn minter(profile_text: &str) -> Minter {
    let profile = profile(profile_text);
    let issuer = profile.issuer("https://issuer.example");
    Minter::new(profile, issuer, defaults(), keys())
}

pub(crate) fn recipe(text: &str) -> Recipe {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The token of a recipe from the Okta profile.
pub(crate) fn mint(text: &str) -> String {
    minter(OKTA)
        .mint(&recipe(text), NOW)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

pub(crate) async fn start(profile_text: &str) -> MockIdp {
    MockIdp::start(MockIdpConfig {
        profile: profile(profile_text),
        listen: "127.0.0.1:0".parse().unwrap(),
        issuer: None,
        keys: keys(),
        defaults: defaults(),
        clients: vec![
            client("client-1", "s3cret:with colon", true),
            client("idle", "idle-secret", false),
        ],
    })
    .await
    .unwrap()
}

fn client(id: &str, secret: &str, client_credentials: bool) -> Client {
    Client {
        id: id.to_owned(),
        secret: secret.to_owned(),
        audiences: vec![
            "https://api.example/".to_owned(),
            "https://other.example/".to_owned(),
        ],
        scopes: vec!["read:planets".to_owned(), "read:moons".to_owned()],
        client_credentials,
    }
}

pub(crate) fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(part)
        .unwrap_or_else(|error| panic!("{part}: {error}"))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header, payload and signature of a token of three parts.
pub(crate) fn split(token: &str) -> [String; 3] {
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().unwrap_or_else(|parts| panic!("{parts:?}"))
}

pub(crate) fn json_part(token: &str, index: usize) -> Value {
    serde_json::from_slice(&decode(&split(token)[index])).unwrap()
}

pub(crate) fn header(token: &str) -> Value {
    json_part(token, 0)
}

pub(crate) fn claims(token: &str) -> Value {
    json_part(token, 1)
}

/// RSAVP1 of RFC 8017 §5.2.2 without its range check, in arithmetic of its own.
pub(crate) fn opened(jwk: &Value, signature: &[u8]) -> Vec<u8> {
    let n = modulus(jwk);
    let e = BigUint::from_bytes_be(&decode(jwk["e"].as_str().unwrap()));
    let digits = BigUint::from_bytes_be(signature)
        .modpow(&e, &n)
        .to_bytes_be();
    let mut message = vec![0; n.to_bytes_be().len() - digits.len()];
    message.extend(digits);
    message
}

pub(crate) fn modulus(jwk: &Value) -> BigUint {
    BigUint::from_bytes_be(&decode(jwk["n"].as_str().unwrap()))
}

/// Whether `jsonwebtoken` takes the signature for one of this key and algorithm.
pub(crate) fn verifies(token: &str, algorithm: jsonwebtoken::Algorithm, jwk: &Value) -> bool {
    let key = jsonwebtoken::DecodingKey::from_rsa_components(
        jwk["n"].as_str().unwrap(),
        jwk["e"].as_str().unwrap(),
    )
    .unwrap();
    let (input, signature) = token.rsplit_once('.').unwrap();
    jsonwebtoken::crypto::verify(signature, input.as_bytes(), &key, algorithm).unwrap()
}
