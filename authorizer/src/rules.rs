//! What is expected of an issuer's access tokens: parsed settings, complete, read by the verification and never changed.

use crate::{Algorithm, Algorithms};

/// Longest leeway in seconds: five minutes, what Kerberos grants. A clock that is further off is broken.
pub const MAX_LEEWAY_S: u16 = 300;

/// The rules for the access tokens of one issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub(crate) issuer: String,
    /// Never empty: one of them has to be the token's.
    pub(crate) audiences: Vec<String>,
    pub(crate) algorithms: Algorithms,
    pub(crate) leeway_s: i64,
    pub(crate) token_type: TypeRule,
    pub(crate) refuse_id_tokens: bool,
    pub(crate) shape: Shape,
    /// Claims that are passed on to the answer.
    pub(crate) carried: Vec<String>,
}

impl Rules {
    /// Tokens whose `iss` is exactly `issuer` and whose `aud` is or holds exactly `audience`, signed with RS256; no leeway,
    /// `typ` left open, ID tokens refused.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Rules {
        Rules {
            issuer: issuer.into(),
            audiences: vec![audience.into()],
            algorithms: Algorithms::default(),
            leeway_s: 0,
            token_type: TypeRule::Either,
            refuse_id_tokens: true,
            shape: Shape::Plain,
            carried: Vec::new(),
        }
    }

    /// A further audience: a token for any of them is taken.
    #[must_use]
    pub fn or_audience(mut self, audience: impl Into<String>) -> Rules {
        self.audiences.push(audience.into());
        self
    }

    /// Exactly these algorithms, in place of RS256.
    #[must_use]
    pub fn algorithms(mut self, algorithms: Algorithms) -> Rules {
        self.algorithms = algorithms;
        self
    }

    /// Seconds by which the issuer's clock may differ from ours; cut to [`MAX_LEEWAY_S`].
    #[must_use]
    pub fn leeway_s(mut self, leeway_s: u16) -> Rules {
        self.leeway_s = i64::from(leeway_s.min(MAX_LEEWAY_S));
        self
    }

    /// The rule for the header's `typ`.
    #[must_use]
    pub fn token_type(mut self, token_type: TypeRule) -> Rules {
        self.token_type = token_type;
        self
    }

    /// Whether ID tokens are refused, which they are unless this says otherwise.
    #[must_use]
    pub fn refuse_id_tokens(mut self, refuse: bool) -> Rules {
        self.refuse_id_tokens = refuse;
        self
    }

    /// The kind of access token that the issuer makes. [`Shape::Rfc9068`] sets the rule for `typ`, too.
    #[must_use]
    pub fn shape(mut self, shape: Shape) -> Rules {
        if shape == Shape::Rfc9068 {
            self.token_type = TypeRule::AccessToken;
        }
        self.shape = shape;
        self
    }

    /// Claims whose values a verified token has at hand, for the answer's context.
    #[must_use]
    pub fn carry(mut self, claims: impl IntoIterator<Item = String>) -> Rules {
        self.carried.extend(claims);
        self
    }

    pub(crate) fn allowed_algorithms(&self) -> &Algorithms {
        &self.algorithms
    }

    pub(crate) fn allows(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(algorithm)
    }
}

/// The rule for `typ` (RFC 7515 §4.1.9, RFC 8725 §3.11). Media types are compared without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeRule {
    /// `at+jwt` and nothing else (RFC 9068 §4).
    AccessToken,
    /// `at+jwt`, `JWT`, or no `typ`: what Auth0, Okta and most others send.
    Either,
    /// `JWT` or no `typ`.
    Jwt,
}

/// The `typ` of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenType {
    Absent,
    AccessToken,
    Jwt,
}

impl TypeRule {
    pub(crate) fn allows(self, found: TokenType) -> bool {
        match self {
            TypeRule::AccessToken => found == TokenType::AccessToken,
            TypeRule::Either => true,
            TypeRule::Jwt => found != TokenType::AccessToken,
        }
    }
}

/// The kind of access token that an issuer makes: which claims it always has, and where audience and scopes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Amazon Cognito user pools: no `aud`, so the audience is held against `client_id`; `token_use` is `access` (Amazon
    /// Cognito developer guide, "Verifying JSON web tokens").
    Cognito,
    /// Microsoft Entra ID: scopes in `scp`, or in `roles` where an application speaks for itself (Microsoft identity
    /// platform, "Access token claims reference").
    Entra,
    /// Keycloak: the claim `typ` is `Bearer` (Keycloak server administration guide, "Protocol mappers"); an ID token has
    /// `ID`, a refresh token `Refresh`.
    Keycloak,
    /// Okta's custom authorization servers: `cid` is always there (Okta developer documentation, "Access token payload").
    Okta,
    /// Auth0 and everybody else: `aud`, `exp`, `iss` and a principal, scopes in `scope` or `scp`.
    Plain,
    /// RFC 9068 §2.2 to the letter: `typ` is `at+jwt`; `sub`, `client_id`, `iat` and `jti` are required.
    Rfc9068,
}

impl Shape {
    /// Every shape with the name that settings use.
    pub const ALL: [(&'static str, Shape); 7] = [
        ("auth0", Shape::Plain),
        ("cognito", Shape::Cognito),
        ("entra", Shape::Entra),
        ("keycloak", Shape::Keycloak),
        ("okta", Shape::Okta),
        ("plain", Shape::Plain),
        ("rfc9068", Shape::Rfc9068),
    ];

    /// The shape of that name.
    pub fn from_name(name: &str) -> Option<Shape> {
        Shape::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, shape)| *shape)
    }
}
