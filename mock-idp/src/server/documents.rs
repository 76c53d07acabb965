//! The published documents: the key set and the metadata. Pure functions of profile, keys and addresses.

use serde_json::{Map, Value, json};

use crate::jwks_document::JwksDocument;
use crate::minter::IssuerKeys;
use crate::profile::IssuerProfile;
use crate::signing_key::SigningKey;

/// A public key with the members that the profile's issuer shows, in its order.
pub(crate) fn jwk_as_served(profile: &IssuerProfile, key: &SigningKey) -> Value {
    let full = key.public_jwk();
    let mut shown = Map::new();
    for member in &profile.jwks.members {
        let name = member.name();
        shown.insert(name.to_owned(), full[name].clone());
    }
    Value::Object(shown)
}

/// The JWK Set (RFC 7517 §5) that an issuer of this profile publishes: the signing key, and never the attacker's.
pub fn jwks_document(profile: &IssuerProfile, keys: &IssuerKeys) -> Value {
    JwksDocument::Default.render(profile, keys)
}

/// The metadata of RFC 8414 §2, which is also what is served for OpenID Connect Discovery 1.0.
///
/// There is no `authorization_endpoint`: this issuer has none, and a verifier reads `issuer` and `jwks_uri`. For the
/// same reason the one response type is `none`.
pub(super) fn discovery(
    profile: &IssuerProfile,
    issuer: &str,
    jwks_uri: &str,
    token_endpoint: &str,
) -> Value {
    let methods: Vec<_> = profile
        .client_authentication()
        .iter()
        .map(|method| method.name())
        .collect();
    json!({
        "issuer": issuer,
        "jwks_uri": jwks_uri,
        "token_endpoint": token_endpoint,
        "token_endpoint_auth_methods_supported": methods,
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": ["none"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    })
}
