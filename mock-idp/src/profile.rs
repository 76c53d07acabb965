//! Issuer profiles: what one real issuer's tokens and endpoints look like, as data.
//!
//! Owns the format and its checks. It holds no keys and knows no port; what depends on them is a template.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::fill::{Bindings, FillError};
use crate::server::{OPEN_REDIRECT, OTHER_JWKS};

/// How one issuer's tokens and endpoints look. Parsed from TOML; nothing in it is invalid afterwards.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerProfile {
    name: String,
    /// The `iss` claim: a template of `{base}` (scheme, host and port, no slash) and the variables.
    issuer: String,
    /// The values of further placeholders in `issuer` and `paths`.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    paths: Paths,
    #[serde(default)]
    pub(crate) header: Map<String, Value>,
    pub(crate) token: TokenShape,
    pub(crate) jwks: JwksShape,
    pub(crate) token_endpoint: TokenEndpointShape,
    #[serde(default)]
    users: Vec<User>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Paths {
    jwks: String,
    discovery: Vec<String>,
    token: String,
}

/// The claims of an access token.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenShape {
    /// Seconds from `iat` to `exp`.
    pub(crate) lifetime_s: u32,
    pub(crate) audience_form: AudienceForm,
    /// Behind the asked audience; only an array has room for them.
    #[serde(default)]
    pub(crate) additional_audiences: Vec<String>,
    /// `scope` (RFC 9068 §2.2.3) or what the issuer uses instead.
    pub(crate) scope_claim: String,
    pub(crate) scope_form: ListForm,
    /// `client_id` (RFC 9068 §2.2) or what the issuer uses instead.
    pub(crate) client_claim: String,
    /// The `sub` of a token without a user: a template of `{client_id}`.
    pub(crate) client_subject: String,
    /// A template of `{unique}`; without it the issuer sends no `jti`.
    pub(crate) jti: Option<String>,
    /// In every token.
    #[serde(default)]
    pub(crate) claims: Map<String, Value>,
    /// In tokens without a user only.
    #[serde(default)]
    pub(crate) client_claims: Map<String, Value>,
}

/// `aud` as an array or as one text, or no `aud` at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AudienceForm {
    /// The client's id, in the client claim, is what a verifier compares.
    Absent,
    Array,
    String,
}

/// A claim of several values as one text, separated by blanks, or as an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ListForm {
    Array,
    String,
}

/// The published key set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JwksShape {
    /// In this order.
    pub(crate) members: Vec<JwkMember>,
    /// Left out where the issuer sends none.
    pub(crate) cache_control: Option<String>,
}

/// A member of an RSA key, RFC 7517 §4 and RFC 7518 §6.3.1. `x5c` and `x5t` are not offered: this issuer has no
/// certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum JwkMember {
    Alg,
    E,
    Kid,
    Kty,
    N,
    Use,
}

impl JwkMember {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alg => "alg",
            Self::E => "e",
            Self::Kid => "kid",
            Self::Kty => "kty",
            Self::N => "n",
            Self::Use => "use",
        }
    }
}

/// The token endpoint's dialect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenEndpointShape {
    pub(crate) bodies: Vec<BodyFormat>,
    pub(crate) client_authentication: Vec<ClientAuthentication>,
    /// The request parameter that names the audience, where the issuer has one.
    pub(crate) audience: Option<AudienceParameter>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AudienceParameter {
    pub(crate) parameter: String,
    /// The answer to an audience that was not granted; RFC 6749 has none.
    pub(crate) refusal_status: u16,
    pub(crate) refusal_error: String,
    /// A template of `{audience}`.
    pub(crate) refusal_description: String,
}

/// A format of the token request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyFormat {
    /// `application/x-www-form-urlencoded`, RFC 6749 §4.4.2.
    Form,
    /// `application/json`, which Auth0 accepts and RFC 6749 does not know.
    Json,
}

/// A client authentication method, by its registered name (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// HTTP Basic, RFC 6749 §2.3.1.
    ClientSecretBasic,
    /// `client_id` and `client_secret` in the body, RFC 6749 §2.3.1.
    ClientSecretPost,
}

impl ClientAuthentication {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }
}

/// A person of the profile for whom tokens can be minted.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What recipes and scenarios call them.
    pub name: String,
    /// The `sub` claim.
    pub subject: String,
    /// The scopes they are granted.
    pub scopes: Vec<String>,
    /// Further claims of their tokens, such as Okta's `uid`.
    #[serde(default)]
    pub claims: Map<String, Value>,
}

/// Why a text is no issuer profile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// Not TOML, a key is missing, unknown or of the wrong type. The source names the line and the key.
    #[error("issuer profile does not parse")]
    Parse(#[from] toml::de::Error),
    /// A value that parses and still makes no sense.
    #[error("issuer profile `{profile}`: `{key}` {reason}")]
    Value {
        /// The profile's name.
        profile: String,
        /// The key.
        key: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
}

/// The profile has no user of this name.
#[derive(Debug, thiserror::Error)]
#[error("issuer profile `{profile}` has no user `{user}`: its users are {known:?}")]
pub struct UnknownUser {
    /// The profile's name.
    pub profile: String,
    /// The name asked for.
    pub user: String,
    /// The names there are.
    pub known: Vec<String>,
}

impl IssuerProfile {
    /// Parses and checks a profile.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        profile.check()?;
        Ok(profile)
    }

    /// The profile's name, such as `auth0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The `iss` claim of an issuer at `base` (scheme, host and port, without a slash at its end).
    pub fn issuer(&self, base: &str) -> String {
        self.expand(&self.issuer, base)
    }

    /// The path of the JWKS, from its slash on.
    pub fn jwks_path(&self) -> String {
        self.expand(&self.paths.jwks, "")
    }

    /// The paths of the metadata documents.
    pub fn discovery_paths(&self) -> Vec<String> {
        self.paths
            .discovery
            .iter()
            .map(|path| self.expand(path, ""))
            .collect()
    }

    /// The path of the token endpoint.
    pub fn token_path(&self) -> String {
        self.expand(&self.paths.token, "")
    }

    /// How long a token lives, in seconds.
    pub fn token_lifetime_s(&self) -> u32 {
        self.token.lifetime_s
    }

    /// The users for whom tokens can be minted.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> Result<&User, UnknownUser> {
        self.users
            .iter()
            .find(|user| user.name == name)
            .ok_or_else(|| UnknownUser {
                profile: self.name.clone(),
                user: name.to_owned(),
                known: self.users.iter().map(|user| user.name.clone()).collect(),
            })
    }

    /// The body formats that the token endpoint accepts.
    pub fn token_request_bodies(&self) -> &[BodyFormat] {
        &self.token_endpoint.bodies
    }

    /// The client authentication methods that the token endpoint accepts.
    pub fn client_authentication(&self) -> &[ClientAuthentication] {
        &self.token_endpoint.client_authentication
    }

    fn expand(&self, template: &str, base: &str) -> String {
        let mut text = template.replace("{base}", base);
        for (name, value) in &self.variables {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn check(&self) -> Result<(), ProfileError> {
        if !self.issuer.starts_with("{base}") {
            return Err(self.wrong("issuer", "must start with {base}"));
        }
        self.check_expanded("issuer", &self.issuer(""))?;
        self.check_paths()?;
        if self.token.lifetime_s == 0 {
            return Err(self.wrong("token.lifetime_s", "must be at least 1 second"));
        }
        if self.token.audience_form != AudienceForm::Array
            && !self.token.additional_audiences.is_empty()
        {
            return Err(self.wrong(
                "token.additional_audiences",
                "needs audience_form = \"array\": a string has room for one audience",
            ));
        }
        if self.token.audience_form == AudienceForm::Absent
            && self.token_endpoint.audience.is_some()
        {
            return Err(self.wrong(
                "token_endpoint.audience",
                "needs an audience_form that is not \"absent\": no token would have what was asked for",
            ));
        }
        self.check_jwks()?;
        self.check_templates()?;
        let endpoint = &self.token_endpoint;
        if endpoint.bodies.is_empty() || endpoint.client_authentication.is_empty() {
            return Err(self.wrong(
                "token_endpoint",
                "must accept at least one body and one client authentication",
            ));
        }
        if let Some(audience) = &endpoint.audience
            && !(400..500).contains(&audience.refusal_status)
        {
            return Err(self.wrong(
                "token_endpoint.audience.refusal_status",
                "must be a client error, 400 to 499",
            ));
        }
        let names: BTreeSet<_> = self.users.iter().map(|user| &user.name).collect();
        if names.len() != self.users.len() {
            return Err(self.wrong("users", "must have names that differ"));
        }
        Ok(())
    }

    /// One path answers one question; the last three are the stand-in's own.
    fn check_paths(&self) -> Result<(), ProfileError> {
        let mut paths = self.discovery_paths();
        paths.extend([self.jwks_path(), self.token_path()]);
        paths.extend(["/healthz", OPEN_REDIRECT, OTHER_JWKS].map(str::to_owned));
        for path in &paths {
            self.check_expanded("paths", path)?;
            if !path.starts_with('/') {
                return Err(self.wrong("paths", &format!("must start with a slash: `{path}`")));
            }
        }
        let distinct: BTreeSet<_> = paths.iter().collect();
        if distinct.len() == paths.len() {
            Ok(())
        } else {
            Err(self.wrong(
                "paths",
                "must differ from each other, from /healthz, from /open-redirect and from /other-issuer/jwks.json",
            ))
        }
    }

    /// RFC 7518 §6.3.1: an RSA key is nothing without its type, modulus and exponent.
    fn check_jwks(&self) -> Result<(), ProfileError> {
        let members: BTreeSet<_> = self.jwks.members.iter().copied().collect();
        if members.len() != self.jwks.members.len() {
            return Err(self.wrong("jwks.members", "must name each member once"));
        }
        let cache_control = self.jwks.cache_control.as_deref().unwrap_or_default();
        if !cache_control
            .bytes()
            .all(|byte| (0x20..0x7f).contains(&byte))
        {
            return Err(self.wrong("jwks.cache_control", "must be printable ASCII"));
        }
        for required in [JwkMember::Kty, JwkMember::N, JwkMember::E] {
            if !members.contains(&required) {
                let reason = format!("must contain `{}`", required.name());
                return Err(self.wrong("jwks.members", &reason));
            }
        }
        Ok(())
    }

    /// Fills in every template of a token once, so that minting cannot fail on one.
    fn check_templates(&self) -> Result<(), ProfileError> {
        let bindings = Bindings::for_checking();
        let failed = |key| move |error: FillError| self.wrong(key, &error.to_string());
        let shape = &self.token;
        bindings
            .fill_text(&shape.client_subject)
            .map_err(failed("token.client_subject"))?;
        for audience in &shape.additional_audiences {
            bindings
                .fill_text(audience)
                .map_err(failed("token.additional_audiences"))?;
        }
        for (key, members) in [
            ("header", &self.header),
            ("token.claims", &shape.claims),
            ("token.client_claims", &shape.client_claims),
        ]
        .into_iter()
        .chain(self.users.iter().map(|user| ("users.claims", &user.claims)))
        {
            bindings
                .merge(&mut Map::new(), members)
                .map_err(failed(key))?;
        }
        Ok(())
    }

    fn check_expanded(&self, key: &'static str, text: &str) -> Result<(), ProfileError> {
        if text.contains(['{', '}']) {
            let reason = format!(
                "has a placeholder that is not among [variables]: `{text}` after filling in"
            );
            return Err(self.wrong(key, &reason));
        }
        Ok(())
    }

    fn wrong(&self, key: &'static str, reason: &str) -> ProfileError {
        ProfileError::Value {
            profile: self.name.clone(),
            key,
            reason: reason.to_owned(),
        }
    }
}
