//! Test keys and hand-made tokens. Knows nothing of the crate under test but the wire.

use std::sync::LazyLock;

use aws_lc_rs::{
    encoding::AsDer as _,
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PSS_SHA256, RsaEncoding},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_790_000_000;
pub(crate) const ISSUER: &str = "https://issuer.example/";
pub(crate) const AUDIENCE: &str = "https://api.example/";
pub(crate) const SCOPE: &str = "read:planets";
pub(crate) const KID: &str = "key-1";

pub(crate) static ISSUER_KEY: LazyLock<TestKey> = LazyLock::new(TestKey::generate);
pub(crate) static NEXT_KEY: LazyLock<TestKey> = LazyLock::new(TestKey::generate);
pub(crate) static ATTACKER_KEY: LazyLock<TestKey> = LazyLock::new(TestKey::generate);

/// An RSA key of 2048 bits that lives for one run of the tests.
pub(crate) struct TestKey {
    pair: KeyPair,
    n: Vec<u8>,
    e: Vec<u8>,
}

impl TestKey {
    fn generate() -> TestKey {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("the system has entropy");
        // RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } (RFC 8017 §A.1.1).
        let der = pair.public_key().as_ref();
        let (_, sequence, _) = der_element(der);
        let (_, n, rest) = der_element(sequence);
        let (_, e, _) = der_element(rest);
        let unsigned = |integer: &[u8]| integer.strip_prefix(&[0]).unwrap_or(integer).to_vec();
        TestKey {
            n: unsigned(n),
            e: unsigned(e),
            pair,
        }
    }

    pub(crate) fn n(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&self.n)
    }

    pub(crate) fn e(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&self.e)
    }

    /// The public key as an issuer publishes it.
    pub(crate) fn jwk(&self, kid: &str) -> Value {
        json!({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS256", "n": self.n(), "e": self.e()})
    }

    pub(crate) fn spki_der(&self) -> Vec<u8> {
        let spki = self
            .pair
            .public_key()
            .as_der()
            .expect("a public key has a DER form");
        spki.as_ref().to_vec()
    }

    fn signature(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .expect("the buffer has the length of the modulus");
        signature
    }

    /// An RS256 token over exactly these bytes.
    pub(crate) fn sign(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.sign_as(&RSA_PKCS1_SHA256, header, payload)
    }

    pub(crate) fn sign_rs384(&self, header: &str, payload: &str) -> String {
        self.sign_as(&RSA_PKCS1_SHA384, header, payload)
    }

    pub(crate) fn sign_pss(&self, header: &str, payload: &str) -> String {
        self.sign_as(&RSA_PSS_SHA256, header, payload)
    }

    pub(crate) fn sign_as(
        &self,
        encoding: &'static dyn RsaEncoding,
        header: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
    ) -> String {
        let signing_input = signing_input(header, payload);
        let signature = self.signature(encoding, signing_input.as_bytes());
        with_signature(&signing_input, &signature)
    }
}

pub(crate) fn signing_input(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
    let header = BASE64_URL_SAFE_NO_PAD.encode(header);
    format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(payload))
}

pub(crate) fn with_signature(signing_input: &str, signature: &[u8]) -> String {
    format!(
        "{signing_input}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(signature)
    )
}

pub(crate) fn jwks(keys: &[Value]) -> Value {
    json!({"keys": keys})
}

pub(crate) fn header() -> Value {
    json!({"alg": "RS256", "typ": "JWT", "kid": KID})
}

/// Claims that are valid at the time `now`.
pub(crate) fn claims_at(now: i64) -> Value {
    json!({
        "iss": ISSUER, "sub": "user|1", "aud": AUDIENCE, "client_id": "app",
        "iat": now - 5, "nbf": now - 5, "exp": now + 300, "jti": "t-1", "scope": format!("openid {SCOPE}"),
    })
}

pub(crate) fn claims() -> Value {
    claims_at(NOW)
}

/// `base` with some members changed; `Value::Null` members of `changes` are written as null, absent ones stay.
pub(crate) fn changed(mut base: Value, changes: &Value) -> Value {
    let members = base.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        members.insert(name.clone(), value.clone());
    }
    base
}

pub(crate) fn without(mut base: Value, name: &str) -> Value {
    base.as_object_mut().expect("an object").remove(name);
    base
}

/// A valid token, at [`NOW`], by the issuer's key.
pub(crate) fn valid_token() -> String {
    ISSUER_KEY.sign(header().to_string(), claims().to_string())
}

/// A token by the issuer's key whose claims differ from the valid ones.
pub(crate) fn with_claims(changes: &Value) -> String {
    ISSUER_KEY.sign(header().to_string(), changed(claims(), changes).to_string())
}

/// A token by the issuer's key whose header differs from the valid one.
pub(crate) fn with_header(changes: &Value) -> String {
    ISSUER_KEY.sign(changed(header(), changes).to_string(), claims().to_string())
}

/// Splits the first DER element off: tag, content, rest.
fn der_element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (tag, first) = (der[0], usize::from(der[1]));
    let (length, start) = if first < 0x80 {
        (first, 2)
    } else {
        let octets = first & 0x7f;
        let length = der[2..2 + octets]
            .iter()
            .fold(0, |length, octet| length << 8 | usize::from(*octet));
        (length, 2 + octets)
    };
    (tag, &der[start..start + length], &der[start + length..])
}
