//! A genuine token of an issuer whose key is not ours: what can be asked of a verifier with it alone.
//!
//! It is sent as it is, spoilt, or forged after: everything but a new signature of its issuer.

use serde_json::{Map, Value};

use crate::encoding::from_base64url;
use crate::fill::Bindings;
use crate::public_key::PublicKey;
use crate::server::LOOKALIKE_HOST;

/// A genuine token, and its issuer's public key where it is known.
///
/// `Debug` shows the issuer alone: the token is a credential.
#[derive(Clone)]
pub struct GenuineToken {
    pub(super) text: String,
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    /// The key of its `kid`, parsed, and as the key set shows it.
    pub(super) key: Option<(PublicKey, Value)>,
}

impl std::fmt::Debug for GenuineToken {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("GenuineToken")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}

/// Why a text is no token to work with, or a key set not the one of its issuer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GenuineTokenError {
    /// Not three parts.
    #[error(
        "a JWT that is signed has three parts, and this has {0}: an opaque token or an encrypted one cannot be checked \
         against a key set (ask the issuer for a token with the API's audience)"
    )]
    Parts(usize),
    /// A part that is not what RFC 7519 §7.2 says.
    #[error(
        "the token's {0} is not what RFC 7515 §7.1 says: a JSON object, or a signature, in base64url"
    )]
    Part(&'static str),
    /// Not signed with RSA.
    #[error("the token's alg is {0}, and the cases are about RS256")]
    Algorithm(String),
    /// No `iss`.
    #[error("the token has no `iss` that is a text")]
    Issuer,
    /// The key set is none.
    #[error("it is no JWK Set (RFC 7517 §5): `keys` is no list")]
    KeySet,
    /// No key of that name.
    #[error("it has no key with the token's kid {0}")]
    NoKey(String),
    /// The key is not one that could have signed it.
    #[error("the key of the token's kid is {0}")]
    Key(&'static str),
}

/// What is lacking for a token: what only its issuer has, or what this machine has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lacking {
    /// The issuer's certificate.
    #[error("the issuer's key set shows no certificate")]
    Certificate,
    /// An address that looks like the issuer's.
    #[error(
        "this machine has no address {}, at which somebody could wait for visitors",
        LOOKALIKE_HOST
    )]
    Address,
    /// A `kid` in the genuine token's header.
    #[error("the genuine token has no kid")]
    KeyId,
    /// An open redirect of the issuer's.
    #[error("no open redirect of the issuer's is known")]
    OpenRedirect,
    /// The issuer's public key.
    #[error("the issuer's public key is not known")]
    PublicKey,
    /// The issuer's private key.
    #[error("only the issuer can sign it")]
    PrivateKey,
}

impl GenuineToken {
    /// Takes a token apart, and finds its key in the issuer's key set where there is one.
    pub fn parse(text: &str, jwks: Option<&Value>) -> Result<Self, GenuineTokenError> {
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts[..] else {
            return Err(GenuineTokenError::Parts(parts.len()));
        };
        let header = object(header).ok_or(GenuineTokenError::Part("header"))?;
        let claims = object(claims).ok_or(GenuineTokenError::Part("payload"))?;
        if from_base64url(signature).is_none_or(|bytes| bytes.is_empty()) {
            return Err(GenuineTokenError::Part("signature"));
        }
        match header.get("alg") {
            Some(Value::String(alg)) if alg == "RS256" => {}
            other => {
                let given = other.map_or_else(|| "absent".to_owned(), Value::to_string);
                return Err(GenuineTokenError::Algorithm(given));
            }
        }
        if !claims.get("iss").is_some_and(Value::is_string) {
            return Err(GenuineTokenError::Issuer);
        }
        let key = jwks.map(|jwks| key_of(&header, jwks)).transpose()?;
        Ok(Self {
            text: text.to_owned(),
            header,
            claims,
            key,
        })
    }

    /// `iss`.
    pub fn issuer(&self) -> &str {
        text_claim(&self.claims, "iss").unwrap_or_default()
    }

    /// `aud`: the first where there are several; empty without one.
    pub fn audience(&self) -> &str {
        match self.claims.get("aud") {
            Some(Value::String(audience)) => audience,
            Some(Value::Array(audiences)) => audiences
                .first()
                .and_then(Value::as_str)
                .unwrap_or_default(),
            _ => "",
        }
    }

    /// The granted scopes: of `scope` (RFC 9068 §2.2.3), or of `scp` as Okta and Entra have it.
    pub fn scope(&self) -> Vec<String> {
        let claim = self.claims.get("scope").or_else(|| self.claims.get("scp"));
        match claim {
            Some(Value::String(list)) => list.split_ascii_whitespace().map(str::to_owned).collect(),
            Some(Value::Array(list)) => list
                .iter()
                .filter_map(|scope| scope.as_str().map(str::to_owned))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// `exp` in seconds since the epoch, where it has one.
    pub fn expires(&self) -> Option<i64> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a NumericDate with a fraction is rounded, and one beyond i64 saturates"
        )]
        let whole = |value: &Value| value.as_i64().or_else(|| value.as_f64().map(|s| s as i64));
        self.claims.get("exp").and_then(whole)
    }

    /// What recipes may say of its issuer's key, and what they may not.
    pub(super) fn bind<'a>(&'a self, bindings: &mut Bindings<'a>) {
        match text_claim(&self.header, "kid") {
            Some(kid) => bindings.names.push(("kid", kid)),
            None => bindings.lacking.push(("kid", Lacking::KeyId)),
        }
        match &self.key {
            Some((_, jwk)) => bindings.jwks.push(("issuer_jwk", jwk)),
            None => bindings.lacking.push(("issuer_jwk", Lacking::PublicKey)),
        }
        bindings.lacking.extend([
            ("next_kid", Lacking::PrivateKey),
            ("open_redirect", Lacking::OpenRedirect),
            ("issuer_x5t_s256", Lacking::PublicKey),
        ]);
    }

    pub(super) fn client_id(&self) -> &str {
        ["client_id", "azp", "cid"]
            .iter()
            .find_map(|name| text_claim(&self.claims, name))
            .unwrap_or_default()
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&from_base64url(part)?).ok()
}

fn text_claim<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}

/// The key of the token's `kid`; the only one of the set for a token without `kid`.
fn key_of(
    header: &Map<String, Value>,
    jwks: &Value,
) -> Result<(PublicKey, Value), GenuineTokenError> {
    let keys = jwks.get("keys").and_then(Value::as_array);
    let keys = keys.ok_or(GenuineTokenError::KeySet)?;
    let kid = header.get("kid");
    let found = match (kid, &keys[..]) {
        (None, [only]) => Some(only),
        (None, _) => None,
        (Some(_), _) => keys.iter().find(|key| key.get("kid") == kid),
    };
    let found = found.ok_or_else(|| {
        GenuineTokenError::NoKey(kid.map_or_else(|| "(absent)".to_owned(), Value::to_string))
    })?;
    let key = PublicKey::from_jwk(found).map_err(GenuineTokenError::Key)?;
    Ok((key, found.clone()))
}
