//! `jsonwebtoken`: its `JwkSet` picks the key, its `Validation` names algorithm, issuer, audience and what has to be there.

use std::error::Error;
use std::sync::Arc;

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

use crate::Settings;
use crate::keys::{ByKid, Keys};
use crate::resource::{Claims, Refusal, Verified, Verify};

pub struct Verifier {
    keys: Keys<DecodingKey>,
    validation: Validation,
}

impl Verifier {
    pub fn new(settings: &Settings) -> Result<Self, Box<dyn Error>> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        // Issuer and audience are compared only where they are there, unless they are required.
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.validate_nbf = true;
        Ok(Self {
            keys: Keys::new(settings, parse)?,
            validation,
        })
    }
}

impl Verify for Verifier {
    async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let header = decode_header(token).map_err(|_| Refusal::Unauthorized)?;
        let kid = header.kid.ok_or(Refusal::Unauthorized)?;
        let key = self.keys.get(&kid).await?;
        let token = decode::<Claims>(token, &key, &self.validation);
        token
            .map(|token| token.claims.into())
            .map_err(|_| Refusal::Unauthorized)
    }
}

/// A key that the crate makes nothing of is passed over; a set that it does not read at all is none.
fn parse(body: &[u8]) -> Option<ByKid<DecodingKey>> {
    let set: JwkSet = serde_json::from_slice(body).ok()?;
    let keys = set.keys.iter().filter_map(|jwk| {
        let kid = jwk.common.key_id.clone()?;
        Some((kid, Arc::new(DecodingKey::from_jwk(jwk).ok()?)))
    });
    Some(keys.collect())
}
