//! The settings: which issuer, which keys, which audience, which scope.
//!
//! Owns their names, their source (the environment, or a `.env` file) and the refusal to start with less. After this
//! module nothing is missing, empty or unparsed. It never changes the environment.

mod dotenv;

use std::{
    collections::BTreeMap,
    env::{self, VarError},
    path::{Path, PathBuf},
};

use http::Uri;
use thiserror::Error;
use url::{Host, Url};

pub use dotenv::DotenvFault;

const TOKEN_ISSUER: &str = "TOKEN_ISSUER";
const JWKS_URI: &str = "JWKS_URI";
const AUDIENCE: &str = "AUDIENCE";
const REQUIRED_SCOPE: &str = "REQUIRED_SCOPE";

/// Every setting, in the order in which they are documented.
const NAMES: [&str; 4] = [TOKEN_ISSUER, JWKS_URI, AUDIENCE, REQUIRED_SCOPE];

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
        /// The setting.
        name: &'static str,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
    /// The `.env` file cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The fault.
        #[source]
        source: std::io::Error,
    },
}

/// What an authorizer needs to know. Complete and parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub(crate) token_issuer: String,
    pub(crate) jwks_uri: Uri,
    pub(crate) audience: String,
    pub(crate) required_scopes: Vec<String>,
}

impl Settings {
    /// Settings from the environment.
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

    /// Settings from any source of names and values.
    ///
    /// `TOKEN_ISSUER`, `JWKS_URI` and `AUDIENCE` are required. `REQUIRED_SCOPE` may be absent, and then no scope is
    /// required; several scopes, all of which are required, are separated by spaces. A setting that is there but empty is
    /// an error: it means neither "any" nor "none".
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let [token_issuer, jwks_uri, audience, required_scope] = NAMES.map(&lookup);
        let values = [&token_issuer, &jwks_uri, &audience, &required_scope];
        let named = |wanted: fn(Option<&str>) -> bool| {
            let names = NAMES.into_iter().zip(values);
            names
                .filter(|(_, value)| wanted(value.as_deref()))
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        let mut missing = named(|value| value.is_none());
        missing.retain(|name| *name != REQUIRED_SCOPE);
        let empty = named(|value| value.is_some_and(|value| value.trim().is_empty()));
        let (Some(token_issuer), Some(jwks_uri), Some(audience), [], []) =
            (token_issuer, jwks_uri, audience, &*missing, &*empty)
        else {
            return Err(SettingsError::Incomplete { missing, empty });
        };
        Ok(Settings {
            token_issuer: untouched(TOKEN_ISSUER, token_issuer)?,
            jwks_uri: parse_jwks_uri(&untouched(JWKS_URI, jwks_uri)?)?,
            audience: untouched(AUDIENCE, audience)?,
            required_scopes: required_scope
                .map(|scope| parse_scopes(&scope))
                .transpose()?
                .unwrap_or_default(),
        })
    }

    fn from_sources(file: &BTreeMap<String, String>) -> Result<Settings, SettingsError> {
        for name in NAMES {
            if let Err(VarError::NotUnicode(_)) = env::var(name) {
                return Err(SettingsError::Invalid {
                    name,
                    problem: "is not UTF-8",
                });
            }
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

/// Issuer and audience are compared byte by byte, so a stray space would refuse every token; it is better said at start.
fn untouched(name: &'static str, value: String) -> Result<String, SettingsError> {
    if value.trim() == value {
        return Ok(value);
    }
    Err(SettingsError::Invalid {
        name,
        problem: "starts or ends with white space; remove it",
    })
}

/// Keys over plain HTTP could be anybody's, so `http` is for an issuer on the same machine only.
fn parse_jwks_uri(text: &str) -> Result<Uri, SettingsError> {
    let invalid = |problem| SettingsError::Invalid {
        name: JWKS_URI,
        problem,
    };
    let url = Url::parse(text).map_err(|_| {
        invalid("is not a URL; expected https://{issuer}/.well-known/jwks.json or the like")
    })?;
    let is_loopback = match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        _ => {
            return Err(invalid(
                "must start with https:// (http:// only for a loopback host)",
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(invalid("must not hold a user name or a password"));
    }
    Uri::try_from(url.as_str()).map_err(|_| invalid("is not a URL that can be requested"))
}

/// A space-separated list of scope tokens (RFC 6749 §3.3).
fn parse_scopes(text: &str) -> Result<Vec<String>, SettingsError> {
    let is_scope_char = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let scopes: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
    if scopes.iter().all(|scope| scope.bytes().all(is_scope_char)) {
        return Ok(scopes);
    }
    Err(SettingsError::Invalid {
        name: REQUIRED_SCOPE,
        problem: "holds a character that no scope has (RFC 6749 §3.3)",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(name: &str) -> Option<String> {
        let value = match name {
            "TOKEN_ISSUER" => "https://issuer.example/",
            "JWKS_URI" => "https://issuer.example/.well-known/jwks.json",
            "AUDIENCE" => "https://api.example/",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn with(changed: &str, value: Option<&str>) -> Result<Settings, SettingsError> {
        Settings::from_lookup(|name| {
            if name == changed {
                value.map(str::to_owned)
            } else {
                complete(name)
            }
        })
    }

    #[test]
    fn all_missing_and_empty_settings_are_named_at_once() {
        let Err(SettingsError::Incomplete { missing, empty }) = Settings::from_lookup(|_| None)
        else {
            panic!("expected the missing settings");
        };
        assert_eq!(missing, ["TOKEN_ISSUER", "JWKS_URI", "AUDIENCE"]);
        assert!(empty.is_empty());
        for name in NAMES {
            for blank in ["", "  ", "\t"] {
                let Err(SettingsError::Incomplete { missing, empty }) = with(name, Some(blank))
                else {
                    panic!("an empty {name} was taken");
                };
                assert!(missing.is_empty());
                assert_eq!(empty, [name]);
            }
        }
    }

    #[test]
    fn the_scope_is_optional_and_may_be_several() {
        assert!(
            with(REQUIRED_SCOPE, None)
                .unwrap()
                .required_scopes
                .is_empty()
        );
        assert_eq!(
            with(REQUIRED_SCOPE, Some("read:a write:a"))
                .unwrap()
                .required_scopes,
            ["read:a", "write:a"]
        );
    }

    #[test]
    fn values_that_cannot_be_right_are_refused_by_name() {
        let cases = [
            (JWKS_URI, "jwks.json"),
            (JWKS_URI, "ftp://issuer.example/jwks.json"),
            (JWKS_URI, "file:///etc/passwd"),
            (JWKS_URI, "http://issuer.example/jwks.json"),
            (JWKS_URI, "http://127.0.0.1.example/jwks.json"),
            (JWKS_URI, "http://localhost.example/jwks.json"),
            (JWKS_URI, "https://user:secret@issuer.example/jwks.json"),
            (JWKS_URI, " https://issuer.example/jwks.json"),
            (TOKEN_ISSUER, "https://issuer.example/ "),
            (AUDIENCE, "\thttps://api.example/"),
            (REQUIRED_SCOPE, "read:\"x\""),
            (REQUIRED_SCOPE, "lesen:ä"),
        ];
        for (changed, value) in cases {
            match with(changed, Some(value)) {
                Err(SettingsError::Invalid { name, .. }) => assert_eq!(name, changed, "{value}"),
                other => panic!("{changed}={value}: {other:?}"),
            }
        }
        for value in [
            "http://127.0.0.1:8080/jwks.json",
            "http://localhost/jwks.json",
            "http://[::1]:80/jwks.json",
            "https://issuer.example/jwks.json",
        ] {
            assert!(with(JWKS_URI, Some(value)).is_ok(), "{value}");
        }
    }
}
