//! The verification: signature first, claims second, each step leaving its proof as a type.
//!
//! Pure: no I/O and no clock. The keys and the time are arguments.

use std::fmt;

use crate::{
    CompactJws, JwkSet, Rejection, VerificationKey,
    claims::{self, CheckedClaims, Expected},
};

/// Verifies access tokens of one issuer for one audience.
#[derive(Debug, Clone)]
pub struct Verifier {
    expected: Expected,
}

impl Verifier {
    /// A verifier for tokens whose `iss` is exactly `issuer` and whose `aud` is or holds exactly `audience`.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Verifier {
        Verifier {
            expected: Expected {
                issuer: issuer.into(),
                audience: audience.into(),
            },
        }
    }

    /// Verifies a token in the compact serialization against a set of keys. `now` is in seconds since the epoch.
    pub fn verify(&self, token: &str, keys: &JwkSet, now: i64) -> Result<VerifiedToken, Rejection> {
        let jws = CompactJws::parse(token)?;
        let key = keys.select(jws.kid())?;
        self.check_claims(&VerifiedJws::check(&jws, key)?, now)
    }

    /// Applies the claim rules to a payload whose signature is verified. `now` is in seconds since the epoch.
    pub fn check_claims(
        &self,
        jws: &VerifiedJws<'_>,
        now: i64,
    ) -> Result<VerifiedToken, Rejection> {
        let claims = claims::check(jws.payload, &self.expected, now)?;
        Ok(VerifiedToken { claims })
    }

    /// Whether a token could be accepted if only its key were known, so that it may cause a key fetch. A token that
    /// cannot is refused for that reason, and no key is needed to say so.
    pub(crate) fn worth_a_fetch(&self, jws: &CompactJws<'_>, now: i64) -> Result<(), Rejection> {
        claims::check(jws.unverified_payload(), &self.expected, now).map(|_| ())
    }
}

/// A payload that a key of the issuer has signed. Its claims are not checked yet.
#[derive(Debug)]
pub struct VerifiedJws<'a> {
    payload: &'a [u8],
}

impl<'a> VerifiedJws<'a> {
    /// Verifies the signature of `jws` with `key`: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 §3.3).
    pub fn check(jws: &'a CompactJws<'_>, key: &VerificationKey) -> Result<Self, Rejection> {
        if !key.verifies(jws.signing_input(), jws.signature()) {
            return Err(Rejection::SignatureInvalid);
        }
        Ok(VerifiedJws {
            payload: jws.unverified_payload(),
        })
    }
}

/// A token that passed every rule. Only [`Verifier`] makes one, and an Allow policy cannot be had without one.
pub struct VerifiedToken {
    claims: CheckedClaims,
}

impl VerifiedToken {
    /// Who the token speaks for: `sub`, or the client identifier where there is no `sub`.
    pub fn principal(&self) -> &str {
        &self.claims.principal
    }

    /// All scopes of the token, separated by single spaces; empty if it has none.
    pub fn scope(&self) -> &str {
        &self.claims.scope
    }

    /// Whether the token has this scope. Scopes are compared byte by byte (RFC 6749 §3.3).
    pub fn has_scope(&self, scope: &str) -> bool {
        self.claims.scope.split(' ').any(|held| held == scope)
    }

    /// When the token expires, in seconds since the epoch; a fraction is rounded down.
    pub fn expires_at(&self) -> i64 {
        self.claims.expires_at
    }

    pub(crate) fn into_principal_and_scope(self) -> (String, String) {
        (self.claims.principal, self.claims.scope)
    }
}

/// Claims are personal data and stay out of every log.
impl fmt::Debug for VerifiedToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("VerifiedToken")
            .field("expires_at", &self.claims.expires_at)
            .finish_non_exhaustive()
    }
}
