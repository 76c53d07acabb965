//! Settings as somebody wrote them: every value there or not, none of them checked.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use super::{
    SettingsError,
    key_limits::RawKeys,
    names::{
        ALGORITHMS, ANSWER, API_KEY_CLAIM, AUDIENCE, CONFIG, CONTEXT, DISCOVERY, ID_TOKENS,
        JWKS_FILE, JWKS_URI, LEEWAY, METRICS, NAMES, POLICY_ENDS_WITH_TOKEN, REQUIRED_SCOPE,
        ROUTES, SHAPE, TOKEN_CACHE, TOKEN_CACHE_TTL, TOKEN_FORM, TOKEN_HEADER, TOKEN_ISSUER,
        TOKEN_TYPE,
    },
};
use crate::RawRoute;

/// The settings of a TOML file; the environment is brought into the same form.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSettings {
    pub(super) required_scopes: Option<Vec<String>>,
    pub(super) answer: Option<String>,
    pub(super) policy_ends_with_token: Option<bool>,
    pub(super) metrics: Option<bool>,
    pub(super) token_cache: Option<usize>,
    pub(super) token_cache_ttl_s: Option<u16>,
    pub(super) token_header: Option<String>,
    pub(super) token_form: Option<String>,
    #[serde(default)]
    pub(super) context: BTreeMap<String, String>,
    pub(super) api_key_claim: Option<String>,
    #[serde(default)]
    pub(super) keys: RawKeys,
    #[serde(default)]
    pub(super) issuer: Vec<RawIssuer>,
    pub(super) route: Option<Vec<RawRoute>>,
    /// Routes as one text, which a file has no need of.
    #[serde(skip)]
    pub(super) routes_text: Option<String>,
    #[serde(skip)]
    pub(super) origin: Origin,
}

/// Whose names an error uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Origin {
    Environment,
    #[default]
    File,
}

/// One issuer.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawIssuer {
    pub(super) issuer: String,
    pub(super) audiences: Vec<String>,
    pub(super) jwks_uri: Option<String>,
    pub(super) jwks_file: Option<PathBuf>,
    #[serde(default)]
    pub(super) discovery: bool,
    pub(super) algorithms: Option<Vec<String>>,
    pub(super) leeway_s: Option<u16>,
    pub(super) token_type: Option<String>,
    pub(super) shape: Option<String>,
    pub(super) refuse_id_tokens: Option<bool>,
}

impl RawSettings {
    /// The one issuer of the environment.
    pub(super) fn from_lookup(
        lookup: &impl Fn(&str) -> Option<String>,
    ) -> Result<RawSettings, SettingsError> {
        let is_empty = |name: &&str| lookup(name).is_some_and(|value| value.trim().is_empty());
        let empty: Vec<_> = NAMES.into_iter().filter(is_empty).collect();
        let mut required = vec![TOKEN_ISSUER, JWKS_URI, AUDIENCE];
        if lookup(DISCOVERY).is_some() || lookup(JWKS_FILE).is_some() {
            required.retain(|name| *name != JWKS_URI);
        }
        required.retain(|name| lookup(name).is_none());
        if !required.is_empty() || !empty.is_empty() {
            return Err(SettingsError::Incomplete {
                missing: required,
                empty,
            });
        }
        let discovery = switch(DISCOVERY, lookup, ["off", "on"])?.unwrap_or(false);
        let words = |name: &'static str| -> Result<Option<Vec<String>>, SettingsError> {
            let Some(value) = untouched(name, lookup)? else {
                return Ok(None);
            };
            Ok(Some(
                value.split_ascii_whitespace().map(str::to_owned).collect(),
            ))
        };
        let issuer = RawIssuer {
            issuer: untouched(TOKEN_ISSUER, lookup)?.unwrap_or_default(),
            audiences: words(AUDIENCE)?.unwrap_or_default(),
            jwks_uri: untouched(JWKS_URI, lookup)?,
            jwks_file: lookup(JWKS_FILE).map(PathBuf::from),
            discovery,
            algorithms: words(ALGORITHMS)?,
            leeway_s: number(LEEWAY, lookup)?,
            token_type: lookup(TOKEN_TYPE),
            shape: lookup(SHAPE),
            refuse_id_tokens: switch(ID_TOKENS, lookup, ["take", "refuse"])?,
        };
        Ok(RawSettings {
            // A stray space at its end is a separator too many, and no scope.
            required_scopes: lookup(REQUIRED_SCOPE)
                .map(|scopes| scopes.split_ascii_whitespace().map(str::to_owned).collect()),
            answer: lookup(ANSWER),
            policy_ends_with_token: switch(POLICY_ENDS_WITH_TOKEN, lookup, ["off", "on"])?,
            metrics: switch(METRICS, lookup, ["off", "emf"])?,
            token_cache: number(TOKEN_CACHE, lookup)?,
            token_cache_ttl_s: number(TOKEN_CACHE_TTL, lookup)?,
            token_header: lookup(TOKEN_HEADER),
            token_form: lookup(TOKEN_FORM),
            context: context(lookup(CONTEXT))?,
            api_key_claim: untouched(API_KEY_CLAIM, lookup)?,
            keys: RawKeys::from_lookup(lookup)?,
            issuer: vec![issuer],
            route: None,
            routes_text: lookup(ROUTES),
            origin: Origin::Environment,
        })
    }
}

/// Names are compared byte by byte, so a stray space would refuse every token; it is better said at start.
fn untouched(
    name: &'static str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, SettingsError> {
    debug_assert!(name != CONFIG, "settled before");
    match lookup(name) {
        Some(value) if value.trim() != value => Err(SettingsError::Invalid {
            name,
            problem: "starts or ends with white space; remove it".to_owned(),
        }),
        value => Ok(value),
    }
}

pub(super) fn number<N: std::str::FromStr>(
    name: &'static str,
    lookup: &impl Fn(&str) -> Option<String>,
) -> Result<Option<N>, SettingsError> {
    let parsed = lookup(name).map(|value| {
        value.trim().parse().map_err(|_| SettingsError::Invalid {
            name,
            problem: format!("is {value:?}; expected a whole number"),
        })
    });
    parsed.transpose()
}

/// One of two words; whether it is the second.
fn switch(
    name: &'static str,
    lookup: &impl Fn(&str) -> Option<String>,
    [no, yes]: [&str; 2],
) -> Result<Option<bool>, SettingsError> {
    match lookup(name) {
        None => Ok(None),
        Some(value) if value == yes => Ok(Some(true)),
        Some(value) if value == no => Ok(Some(false)),
        Some(value) => Err(SettingsError::Invalid {
            name,
            problem: format!("is {value:?}; expected {yes} or {no}"),
        }),
    }
}

fn context(text: Option<String>) -> Result<BTreeMap<String, String>, SettingsError> {
    let mut context = BTreeMap::new();
    for pair in text.unwrap_or_default().split_ascii_whitespace() {
        let parts = pair
            .split_once('=')
            .filter(|(key, claim)| !key.is_empty() && !claim.is_empty());
        let Some((key, claim)) = parts else {
            return Err(SettingsError::Invalid {
                name: CONTEXT,
                problem: format!("holds {pair:?}; expected key=claim, separated by spaces"),
            });
        };
        if context.insert(key.to_owned(), claim.to_owned()).is_some() {
            return Err(SettingsError::Invalid {
                name: CONTEXT,
                problem: format!("has the key {key:?} twice"),
            });
        }
    }
    Ok(context)
}
