//! One token, one key set, and every way that the benches verify them: ours and the yardsticks.
//!
//! The set-up is a library so that a test can hold that all of them accept the same token before anything is timed.

pub mod bounds;
pub mod cold_start;
pub mod mint;

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{SystemTime, UNIX_EPOCH};

use authorizer::{Authorizer, AuthorizerError, JwkSet, Settings, Verifier};
use aws_lc_rs::signature as lc;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mock_idp::{
    IssuerKeys, IssuerProfile, KeyStore, MintDefaults, Minter, MockIdp, MockIdpConfig, Recipe,
};
use serde_json::{Value, json};
use tokio::runtime::{EnterGuard, Runtime};

/// The audience of the token.
const AUDIENCE: &str = "https://planets.example.com/";

/// The scope of the token.
const SCOPE: &str = "read:planets";

/// A token with everything that is needed to verify it.
#[derive(Debug)]
pub struct Subject {
    runtime: Runtime,
    // The authorizer keeps its keys for minutes, and fetches them again from here after that.
    idp: MockIdp,
    authorizer: Authorizer,
    /// The same with a warm cache of verified tokens.
    remembering: Authorizer,
    verifier: Verifier,
    keys: JwkSet,
    token: String,
    signing_input: Vec<u8>,
    signature: Vec<u8>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    parsed_key: lc::ParsedPublicKey,
    decoding_key: jsonwebtoken::DecodingKey,
    validation: jsonwebtoken::Validation,
    event: Vec<u8>,
    rejected: Rejected,
    now: i64,
}

/// Events that are refused before the signature.
#[derive(Debug)]
struct Rejected {
    expired: Vec<u8>,
    malformed: Vec<u8>,
    unknown_kid: Vec<u8>,
}

impl Subject {
    /// Starts an issuer, mints one token and lets the authorizer fetch the keys. `keys` is where test keys are cached.
    pub fn new(keys: &std::path::Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime of one thread needs nothing that could be missing");
        let idp = runtime
            .block_on(MockIdp::start(config(keys)))
            .expect("any free port on loopback");
        let now = now();
        let minter = idp.minter();
        let token = minter
            .mint(&Recipe::default(), now)
            .expect("the plain token can be minted");
        let jwks = mock_idp::jwks_document(minter.profile(), minter.keys());
        let decode = |name: &str| {
            let text = jwks["keys"][0][name]
                .as_str()
                .expect("an RSA key has n and e");
            URL_SAFE_NO_PAD.decode(text).expect("n and e are base64url")
        };
        let (modulus, exponent) = (decode("n"), decode("e"));
        let (signing_input, signature) = token.rsplit_once('.').expect("a token has three parts");
        let authorizer = |token_cache| {
            Authorizer::new(settings(&idp, token_cache)).expect("settings of a loopback issuer")
        };
        let (plain, remembering) = (authorizer(""), authorizer("1024"));
        let mint = |recipe: &Value| {
            let recipe: Recipe = serde_json::from_value(recipe.clone()).expect("a small recipe");
            event(&minter.mint(&recipe, now).expect("it can be minted"))
        };
        let rejected = Rejected {
            expired: mint(&json!({ "claims": { "exp": "$now-60" } })),
            malformed: event(&token[..token.len() - 1]),
            unknown_kid: mint(&json!({ "header": { "kid": "nobody" } })),
        };
        Self {
            remembering,
            rejected,
            verifier: Verifier::new(idp.issuer(), AUDIENCE),
            keys: JwkSet::parse(jwks.to_string().as_bytes()).expect("our own key set"),
            signing_input: signing_input.as_bytes().to_vec(),
            signature: URL_SAFE_NO_PAD
                .decode(signature)
                .expect("a signature is base64url"),
            parsed_key: parsed_key(&modulus, &exponent),
            decoding_key: decoding_key(&jwks),
            validation: validation(idp.issuer()),
            event: event(&token),
            runtime,
            idp,
            authorizer: plain,
            token,
            modulus,
            exponent,
            now,
        }
    }

    /// The yardstick: the signature check alone, with a key that is parsed once.
    pub fn raw_rsa(&self) -> bool {
        self.parsed_key
            .verify_sig(&self.signing_input, &self.signature)
            .is_ok()
    }

    /// The signature check alone by `ring`, which parses the key each time.
    pub fn ring(&self) -> bool {
        let key = ring::signature::RsaPublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        };
        key.verify(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            &self.signing_input,
            &self.signature,
        )
        .is_ok()
    }

    /// A decode by the `jsonwebtoken` crate: signature and registered claims.
    pub fn jsonwebtoken(&self) -> bool {
        jsonwebtoken::decode::<Value>(&self.token, &self.decoding_key, &self.validation).is_ok()
    }

    /// Our verifier: token in, verified token out.
    pub fn verifier(&self) -> bool {
        self.verifier
            .verify(&self.token, &self.keys, self.now)
            .is_ok()
    }

    /// Our authorizer: the event's bytes in, the answer's bytes out, for a token that it has never seen.
    pub fn decision(&self) -> bool {
        self.answer(&self.authorizer, &self.event).is_ok()
    }

    /// The same for a token that was verified a moment ago.
    pub fn cached_decision(&self) -> bool {
        self.answer(&self.remembering, &self.event).is_ok()
    }

    /// A token whose signature lacks a character.
    pub fn reject_malformed(&self) -> bool {
        self.answer(&self.authorizer, &self.rejected.malformed)
            .is_err()
    }

    /// A token that expired a minute ago.
    pub fn reject_expired(&self) -> bool {
        self.answer(&self.authorizer, &self.rejected.expired)
            .is_err()
    }

    /// A token whose key the issuer does not have.
    pub fn reject_unknown_kid(&self) -> bool {
        self.answer(&self.authorizer, &self.rejected.unknown_kid)
            .is_err()
    }

    /// Polled by hand: with warm keys a decision never waits, and what a runtime adds is not the authorizer's. A decision
    /// that does wait, as the first one for its keys, goes through the runtime.
    fn answer(&self, authorizer: &Authorizer, event: &[u8]) -> Result<Vec<u8>, AuthorizerError> {
        let mut decision = pin!(authorizer.authorize(event));
        match decision
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(answer) => answer,
            Poll::Pending => self.runtime.block_on(decision),
        }
    }

    /// The event of a call with a token that has these claims beside the usual ones.
    pub fn event_with(&self, claims: &Value) -> Vec<u8> {
        let recipe = json!({ "claims": claims });
        let recipe: Recipe = serde_json::from_value(recipe).expect("a small recipe");
        let minter = self.idp.minter();
        event(&minter.mint(&recipe, self.now).expect("it can be minted"))
    }

    /// Our authorizer on another event.
    pub fn decision_on(&self, event: &[u8]) -> bool {
        self.answer(&self.authorizer, event).is_ok()
    }

    /// Enters the runtime, as a function is in one all the time: a decision may start a fetch.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }
}

/// Seconds since the epoch.
fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(elapsed.map_or(0, |elapsed| elapsed.as_secs())).unwrap_or(0)
}

fn config(keys: &std::path::Path) -> MockIdpConfig {
    let store = KeyStore::open(keys);
    let key = |role| {
        store
            .signing_key(7, role)
            .expect("the key folder can be written")
    };
    let profile = IssuerProfile::parse(include_str!("../../scenarios/issuers/auth0.toml"))
        .expect("a built-in profile parses");
    MockIdpConfig {
        profile,
        listen: ([127, 0, 0, 1], 0).into(),
        issuer: None,
        keys: IssuerKeys {
            signing: key("issuer"),
            attacker: key("attacker"),
            next: key("next"),
        },
        defaults: MintDefaults {
            audience: AUDIENCE.to_owned(),
            scope: vec![SCOPE.to_owned()],
            client_id: "bench".to_owned(),
            ..MintDefaults::default()
        },
        clients: Vec::new(),
    }
}

/// A mint without an issuer that listens; `keys` is where test keys are cached.
fn minter(keys: &std::path::Path) -> Minter {
    let config = config(keys);
    let issuer = config.profile.issuer("http://127.0.0.1:9000");
    Minter::new(config.profile, issuer, config.defaults, config.keys)
}

/// `token_cache` is the number of entries; nothing for no cache.
fn settings(idp: &MockIdp, token_cache: &str) -> Settings {
    Settings::from_lookup(|name| match name {
        "AUTHORIZER_TOKEN_CACHE" if !token_cache.is_empty() => Some(token_cache.to_owned()),
        "AUDIENCE" => Some(AUDIENCE.to_owned()),
        "JWKS_URI" => Some(idp.jwks_uri().to_owned()),
        "REQUIRED_SCOPE" => Some(SCOPE.to_owned()),
        "TOKEN_ISSUER" => Some(idp.issuer().to_owned()),
        _ => None,
    })
    .expect("all settings are given")
}

fn parsed_key(modulus: &[u8], exponent: &[u8]) -> lc::ParsedPublicKey {
    let key = lc::RsaPublicKeyComponents {
        n: modulus,
        e: exponent,
    };
    key.to_parsed_public_key(&lc::RSA_PKCS1_2048_8192_SHA256)
        .expect("a 2048-bit key")
}

fn decoding_key(jwks: &Value) -> jsonwebtoken::DecodingKey {
    let text = |name: &str| {
        jwks["keys"][0][name]
            .as_str()
            .expect("an RSA key has n and e")
    };
    jsonwebtoken::DecodingKey::from_rsa_components(text("n"), text("e"))
        .expect("n and e are base64url")
}

fn validation(issuer: &str) -> jsonwebtoken::Validation {
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    validation
}

fn event(token: &str) -> Vec<u8> {
    let event = json!({
        "type": "TOKEN",
        "authorizationToken": format!("Bearer {token}"),
        "methodArn": "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/planets",
    });
    event.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_accepts_the_token_that_is_timed() {
        let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-keys");
        let subject = Subject::new(&keys);
        let _runtime = subject.enter();
        assert!(subject.raw_rsa());
        assert!(subject.ring());
        assert!(subject.jsonwebtoken());
        assert!(subject.verifier());
        assert!(subject.decision());
        assert!(subject.cached_decision());
        assert!(subject.cached_decision());
    }

    #[test]
    fn what_is_timed_as_a_rejection_is_one() {
        let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-keys");
        let subject = Subject::new(&keys);
        let _runtime = subject.enter();
        assert!(subject.decision(), "the keys are there");
        assert!(subject.reject_malformed());
        assert!(subject.reject_expired());
        assert!(subject.reject_unknown_kid());
    }
}
