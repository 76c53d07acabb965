//! The verification: form, header, claims, then the signature. Each step leaves its proof as a type.
//!
//! Everything that can be refused without a key is refused first: it costs a hundredth of a signature check. What is
//! known then is not trusted before the signature is, too: a [`VerifiedToken`] needs both.
//!
//! Pure: no I/O and no clock. The keys and the time are arguments.

use std::{fmt, sync::Arc};

use crate::{
    CompactJws, ContextValue, JwkSet, Rejection, Rules, VerificationKey,
    claims::{CheckedClaims, Claims},
};

/// Verifies access tokens of one issuer.
///
/// ```
/// use authorizer::{Algorithm, Algorithms, JwkSet, Rejection, Rules, Shape, Verifier};
///
/// let algorithms = Algorithms::new([Algorithm::Rs256, Algorithm::Es256]).expect("not empty");
/// let rules = Rules::new("https://idp.example/realms/a", "https://api.example/")
///     .shape(Shape::Keycloak)
///     .algorithms(algorithms.clone());
/// let verifier = Verifier::with_rules(rules);
/// # let keys = JwkSet::parse_for(
/// #     br#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
/// #     &algorithms,
/// # ).unwrap();
/// // An algorithm that the rules do not list is refused before any key is looked at.
/// let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJqb2UifQ.c2ln";
/// assert_eq!(verifier.verify(none, &keys, 1_795_000_000).unwrap_err(), Rejection::AlgorithmNotAllowed);
/// ```
#[derive(Debug, Clone)]
pub struct Verifier {
    rules: Rules,
}

impl Verifier {
    /// A verifier for tokens whose `iss` is exactly `issuer` and whose `aud` is or holds exactly `audience`, with the
    /// defaults of [`Rules::new`].
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Verifier {
        Verifier::with_rules(Rules::new(issuer, audience))
    }

    /// A verifier with these rules.
    pub fn with_rules(rules: Rules) -> Verifier {
        Verifier { rules }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Verifies a token in the compact serialization against a set of keys. `now` is in seconds since the epoch.
    pub fn verify(&self, token: &str, keys: &JwkSet, now: i64) -> Result<VerifiedToken, Rejection> {
        let jws = CompactJws::parse(token)?;
        let candidate = self.examine(&jws, &Claims::read(jws.unverified_payload())?, now)?;
        candidate.confirm(keys.select(jws.kid(), jws.algorithm())?)
    }

    /// Applies every rule that needs no key. `claims` are those of `jws`, read by the caller to find its issuer.
    pub(crate) fn examine<'a>(
        &self,
        jws: &'a CompactJws<'a>,
        claims: &Claims<'_>,
        now: i64,
    ) -> Result<Candidate<'a>, Rejection> {
        if !self.rules.allows(jws.algorithm()) {
            return Err(Rejection::AlgorithmNotAllowed);
        }
        if !self.rules.token_type.allows(jws.token_type()) {
            return Err(Rejection::TypeNotAccessToken);
        }
        let claims = Arc::new(claims.check(&self.rules, now)?);
        Ok(Candidate { jws, claims })
    }
}

/// A token that breaks no rule, if only its signature is right.
pub(crate) struct Candidate<'a> {
    jws: &'a CompactJws<'a>,
    claims: Arc<CheckedClaims>,
}

impl Candidate<'_> {
    /// Verifies the signature with the issuer's key.
    pub(crate) fn confirm(self, key: &VerificationKey) -> Result<VerifiedToken, Rejection> {
        if self.jws.is_signed_by(key) {
            Ok(VerifiedToken {
                claims: self.claims,
            })
        } else {
            Err(Rejection::SignatureInvalid)
        }
    }
}

/// A token that passed every rule. Only [`Verifier`] makes one, and an Allow policy cannot be had without one.
///
/// A clone is the same token, and costs next to nothing.
#[derive(Clone)]
pub struct VerifiedToken {
    claims: Arc<CheckedClaims>,
}

impl VerifiedToken {
    /// Who the token speaks for: `sub`, or the client identifier where there is no `sub`.
    pub fn principal(&self) -> &str {
        self.claims.principal()
    }

    /// All scopes of the token, separated by single spaces; empty if it has none.
    pub fn scope(&self) -> &str {
        self.claims.scope()
    }

    /// Whether the token has this scope. Scopes are compared byte by byte (RFC 6749 §3.3).
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scope().split(' ').any(|held| held == scope)
    }

    /// When the token expires, in seconds since the epoch; a fraction is rounded down.
    pub fn expires_at(&self) -> i64 {
        self.claims.expires_at
    }

    /// The first second at which the token is refused as expired, since the epoch: `exp` and the leeway of its issuer.
    pub fn accepted_until(&self) -> i64 {
        self.claims.accepted_until
    }

    /// The value of a claim that the rules carry, if the token has it and an answer can hold it.
    pub fn carried(&self, claim: &str) -> Option<&ContextValue> {
        let mut carried = self.claims.carried.iter();
        carried
            .find(|(name, _)| name == claim)
            .map(|(_, value)| value)
    }
}

#[cfg(test)]
impl VerifiedToken {
    /// A token for tests of what comes behind the verification.
    pub(crate) fn for_tests(principal: &str, expires_at: i64) -> VerifiedToken {
        VerifiedToken {
            claims: Arc::new(CheckedClaims::for_tests(principal, expires_at)),
        }
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
