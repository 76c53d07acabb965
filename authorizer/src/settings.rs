//! The settings: which issuers, which keys, which audiences, which scopes, and how to answer.
//!
//! Owns their names, their source (the environment, a `.env` file, or one TOML file) and the refusal to start with less or
//! with what it does not know. After this module nothing is missing, empty or unparsed. It never changes the environment.

mod dotenv;
pub(crate) mod effective;
mod environment;
mod file;
mod key_limits;
mod names;
mod parse;
mod raw;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    env::{self, VarError},
    path::{Path, PathBuf},
    time::Duration,
};

use http::Uri;
use thiserror::Error;

pub use dotenv::DotenvFault;
pub use environment::EnvironmentError;

use crate::{
    CredentialForm, CredentialSource, Issuer, JwkSet, JwkSetError, JwksCache, KeyLimits, KeySource,
    PreloadedKeys, RouteTable, RouteTableError, Rules, TlsSetupError,
};
use names::{CONFIG, NAMES, PREFIX};
use raw::RawSettings;

/// Why the settings cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A line of the `.env` file is wrong.
    #[error("{}:{line}: {fault}", path.display())]
    Dotenv {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        fault: DotenvFault,
    },
    /// The settings file is not what it has to be. The text names line, column and key.
    #[error("{}: {fault}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and where.
        fault: String,
    },
    /// Required settings are missing, or settings are empty.
    #[error("{}", incomplete(missing, empty))]
    Incomplete {
        /// Required settings that are not set.
        missing: Vec<&'static str>,
        /// Settings that are set to nothing.
        empty: Vec<&'static str>,
    },
    /// A setting has a value that cannot be right.
    #[error("setting {name} {problem}")]
    Invalid {
        /// The setting: its name in the environment, or its key in the file.
        name: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// The file of the settings, or one that they name, cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The fault.
        #[source]
        source: std::io::Error,
    },
    /// The table of routes cannot be used.
    #[error("the routes of AUTHORIZER_ROUTES or [[route]] cannot be used")]
    Routes(#[from] RouteTableError),
    /// A variable of the environment is shaped like a setting and is none.
    #[error("setting {0} is unknown; expected one of {known}", known = NAMES.join(", "))]
    Unknown(String),
}

/// What an authorizer needs to know. Complete and parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Never empty, and no two of the same name.
    pub(crate) issuers: Vec<IssuerSettings>,
    pub(crate) grants: Grants,
    pub(crate) credential: CredentialSource,
    pub(crate) answer: AnswerStyle,
    pub(crate) policy_ends_with_token: bool,
    /// 0 for no cache.
    pub(crate) token_cache_entries: usize,
    pub(crate) token_cache_ttl_s: u16,
    /// Whether each answer leaves a line of metrics in the log.
    pub(crate) metrics: bool,
    /// Keys of the context, each with the claim that it is taken from.
    pub(crate) context: BTreeMap<String, String>,
    /// The claim that holds the caller's API key.
    pub(crate) api_key_claim: Option<String>,
    /// Of every issuer.
    pub(crate) key_limits: KeyLimits,
}

/// One issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IssuerSettings {
    pub(crate) rules: Rules,
    pub(crate) keys: KeyOrigin,
}

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyOrigin {
    /// From the issuer's metadata.
    Discovery(Issuer),
    /// From a file, and from nowhere else.
    File(KeyFile),
    /// From a file until it is old, then from a URI.
    Preloaded(KeyFile, Uri),
    /// From a URI.
    Uri(Uri),
}

impl KeyOrigin {
    /// A cache of these keys. Nothing is fetched yet.
    pub(crate) fn into_cache(
        self,
        rules: &Rules,
        limits: KeyLimits,
    ) -> Result<JwksCache, SetupError> {
        let algorithms = rules.allowed_algorithms();
        let in_file = |path| move |source| SetupError::KeyFile { path, source };
        let source = match self {
            KeyOrigin::Discovery(issuer) => KeySource::Discovery { issuer },
            KeyOrigin::File(file) => KeySource::Static(
                JwkSet::parse_for(&file.document, algorithms).map_err(in_file(file.path))?,
            ),
            KeyOrigin::Preloaded(file, uri) => KeySource::Preloaded {
                uri,
                keys: PreloadedKeys::parse(&file.document, algorithms, file.got_at)
                    .map_err(in_file(file.path))?,
            },
            KeyOrigin::Uri(uri) => KeySource::Uri(uri),
        };
        Ok(JwksCache::with_limits(source, algorithms, limits)?)
    }
}

/// Why an authorizer cannot be made of its settings.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A key file has no keys that can be used.
    #[error("the key file {} cannot be used", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: JwkSetError,
    },
    /// The TLS client cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsSetupError),
}

/// A file with a JWK Set, as it was read at start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyFile {
    pub(crate) path: PathBuf,
    pub(crate) document: Vec<u8>,
    /// When the file was last changed, which is taken for the time at which the keys were got.
    pub(crate) got_at: std::time::SystemTime,
}

/// What a verified token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grants {
    /// The whole stage, with all of these scopes.
    Stage(Vec<String>),
    /// The routes whose scopes it has.
    Routes(RouteTable),
}

/// How an event of payload 2.0 is answered. The other forms know policies only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerStyle {
    /// By a policy, which every API takes.
    Policy,
    /// By `isAuthorized`, for an API with simple responses switched on.
    Simple,
}

impl Settings {
    /// Settings from the environment, or from the TOML file that `AUTHORIZER_CONFIG` names there.
    pub fn from_env() -> Result<Settings, SettingsError> {
        Settings::from_sources(&BTreeMap::new())
    }

    /// Settings from the environment, and from a `.env` file for those that the environment does not have. The file need
    /// not exist.
    pub fn from_env_or_dotenv(path: impl AsRef<Path>) -> Result<Settings, SettingsError> {
        let path = path.as_ref();
        match dotenv::read(path, &NAMES) {
            Err(SettingsError::Read { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Settings::from_env()
            }
            file => Settings::from_sources(&file?),
        }
    }

    /// Settings from a `.env` file alone.
    pub fn from_dotenv(path: impl AsRef<Path>) -> Result<Settings, SettingsError> {
        let file = dotenv::read(path.as_ref(), &NAMES)?;
        Settings::from_lookup(|name| file.get(name).cloned())
    }

    /// Settings from a TOML file alone. It knows several issuers, which the environment does not.
    pub fn from_toml(path: impl AsRef<Path>) -> Result<Settings, SettingsError> {
        file::read(path.as_ref())
    }

    /// Settings from any source of names and values.
    ///
    /// `TOKEN_ISSUER` and `AUDIENCE` are required, and `JWKS_URI`, unless `AUTHORIZER_DISCOVERY` is `on`. `REQUIRED_SCOPE`
    /// may be absent, and then no scope is required; several scopes, all of which are required, are separated by spaces, as
    /// several audiences are, one of which has to be the token's. A setting that is there but empty is an error: it means
    /// neither "any" nor "none".
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        if let Some(path) = lookup(CONFIG) {
            if let Some(name) = NAMES
                .iter()
                .find(|name| **name != CONFIG && lookup(name).is_some())
            {
                return Err(SettingsError::Invalid {
                    name,
                    problem: format!("stands beside {CONFIG}; keep one source of settings"),
                });
            }
            return Settings::from_toml(path);
        }
        RawSettings::from_lookup(&lookup)?.parse()
    }

    /// The header field that holds the credential, as the settings write it.
    pub fn token_header(&self) -> &str {
        &self.credential.header
    }

    /// How the credential is written.
    pub fn token_form(&self) -> CredentialForm {
        self.credential.form
    }

    /// Whether an event of payload 2.0 is answered by `isAuthorized`, and not by a policy.
    pub fn answers_simply(&self) -> bool {
        self.answer == AnswerStyle::Simple
    }

    /// Whether an Allow ends at the token's `exp`, however long it is kept.
    pub fn policy_ends_with_token(&self) -> bool {
        self.policy_ends_with_token
    }

    /// The longest time for one fetch of an issuer's keys, with discovery. A request waits for two of them at most.
    pub fn key_deadline(&self) -> Duration {
        self.key_limits.settings().deadline
    }

    fn from_sources(file: &BTreeMap<String, String>) -> Result<Settings, SettingsError> {
        for name in NAMES {
            if let Err(VarError::NotUnicode(_)) = env::var(name) {
                return Err(SettingsError::Invalid {
                    name,
                    problem: "is not UTF-8".to_owned(),
                });
            }
        }
        let is_unknown =
            |name: &String| name.starts_with(PREFIX) && !NAMES.contains(&name.as_str());
        let mut names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        if let Some(name) = names.find(is_unknown) {
            return Err(SettingsError::Unknown(name));
        }
        Settings::from_lookup(|name| env::var(name).ok().or_else(|| file.get(name).cloned()))
    }
}

fn incomplete(missing: &[&str], empty: &[&str]) -> String {
    let mut parts = Vec::new();
    if !missing.is_empty() {
        parts.push(format!("missing settings: {}", missing.join(", ")));
    }
    if !empty.is_empty() {
        parts.push(format!("empty settings: {}", empty.join(", ")));
    }
    format!(
        "{}; set them in the environment or in .env",
        parts.join("; ")
    )
}
