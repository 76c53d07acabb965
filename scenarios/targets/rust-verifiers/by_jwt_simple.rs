//! `jwt-simple`: a key type for one algorithm, made from a JWK, and options for issuer and audience.

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;

use jwt_simple::algorithms::{RS256PublicKey, RSAPublicKeyLike};
use jwt_simple::common::VerificationOptions;
use jwt_simple::prelude::Duration;
use jwt_simple::token::Token;
use serde::Deserialize;
use serde_json::Value;

use crate::Settings;
use crate::keys::{ByKid, Keys};
use crate::resource::{Refusal, Scopes, Verified, Verify};

/// Fifteen minutes by default, which is meant for clocks that are wrong; a minute is what other libraries allow.
const TIME_TOLERANCE_S: u64 = 60;

pub struct Verifier {
    keys: Keys<RS256PublicKey>,
    options: VerificationOptions,
}

impl Verifier {
    pub fn new(settings: &Settings) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            keys: Keys::new(settings, parse)?,
            options: VerificationOptions {
                allowed_issuers: Some(HashSet::from([settings.issuer.clone()])),
                allowed_audiences: Some(HashSet::from([settings.audience.clone()])),
                time_tolerance: Some(Duration::from_secs(TIME_TOLERANCE_S)),
                ..VerificationOptions::default()
            },
        })
    }
}

impl Verify for Verifier {
    async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let metadata = Token::decode_metadata(token).map_err(|_| Refusal::Unauthorized)?;
        let kid = metadata.key_id().ok_or(Refusal::Unauthorized)?;
        let key = self.keys.get(kid).await?;
        let verified = key.verify_token::<Scopes>(token, Some(self.options.clone()));
        let verified = verified.map_err(|_| Refusal::Unauthorized)?;
        Ok(Verified {
            sub: verified.subject,
            scopes: verified.custom,
        })
    }
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// A key that is none for RS256 is passed over.
fn parse(body: &[u8]) -> Option<ByKid<RS256PublicKey>> {
    let set: JwkSet = serde_json::from_slice(body).ok()?;
    let keys = set.keys.iter().filter_map(|jwk| {
        let kid = jwk.get("kid")?.as_str()?.to_owned();
        Some((
            kid,
            Arc::new(RS256PublicKey::from_jwk(&jwk.to_string()).ok()?),
        ))
    });
    Some(keys.collect())
}
