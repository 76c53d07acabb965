//! Settings as a function's environment variables: those that give the same settings again, and no more.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;
use thiserror::Error;

use super::{Grants, IssuerSettings, KeyOrigin, NAMES, Settings, effective, key_limits, names};
use crate::{Algorithm, RouteTable};

/// Most bytes of all environment variables of a function, names and values ("Lambda quotas", Lambda developer guide: 4 KB).
const ENVIRONMENT_BYTES_MAX: usize = 4_096;

/// Why settings need a file. Each message says what the environment cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A file has to be in the deployment, and then the settings can be one, too.
    #[error("the key file {} has to be in the deployment", .0.display())]
    KeyFile(PathBuf),
    /// The environment knows one issuer.
    #[error("the environment holds one issuer, and there are {0}")]
    SeveralIssuers(usize),
    /// Lambda takes no more.
    #[error("they have {0} bytes, and Lambda takes {ENVIRONMENT_BYTES_MAX}")]
    TooLong(usize),
    /// A name holds what separates names in the environment.
    #[error(
        "a name among them holds a space, a comma or a semicolon, which separate names in the environment"
    )]
    Unwritable,
}

/// A route as [`RouteTable::to_toml`] writes it.
#[derive(Deserialize)]
struct WrittenRoutes {
    route: Vec<WrittenRoute>,
}

#[derive(Deserialize)]
struct WrittenRoute {
    methods: Vec<String>,
    path: String,
    all_of: Option<Vec<String>>,
    any_of: Option<Vec<String>>,
}

impl Settings {
    /// The variables that give these settings, in the order in which they are documented. What a default says anyway is
    /// left out.
    pub fn to_environment(&self) -> Result<Vec<(&'static str, String)>, EnvironmentError> {
        let [issuer] = &self.issuers[..] else {
            return Err(EnvironmentError::SeveralIssuers(self.issuers.len()));
        };
        let mut variables = issuer.variables()?;
        variables.extend(self.common_variables());
        let gives_the_same = |variables: &BTreeMap<&'static str, String>| {
            Settings::from_lookup(|name| variables.get(name).cloned())
                .is_ok_and(|settings| settings == *self)
        };
        if !gives_the_same(&variables) {
            return Err(EnvironmentError::Unwritable);
        }
        let mut needed = Vec::new();
        for name in NAMES {
            let Some(value) = variables.remove(name) else {
                continue;
            };
            if !gives_the_same(&variables) {
                variables.insert(name, value.clone());
                needed.push((name, value));
            }
        }
        let lengths = needed.iter().map(|(name, value)| name.len() + value.len());
        match lengths.sum() {
            0..=ENVIRONMENT_BYTES_MAX => Ok(needed),
            bytes => Err(EnvironmentError::TooLong(bytes)),
        }
    }

    fn common_variables(&self) -> Vec<(&'static str, String)> {
        let on = |on| if on { "on" } else { "off" };
        let mut variables = vec![
            (
                names::ANSWER,
                effective::answer_name(self.answer).to_owned(),
            ),
            (
                names::METRICS,
                if self.metrics { "emf" } else { "off" }.to_owned(),
            ),
            (
                names::POLICY_ENDS_WITH_TOKEN,
                on(self.policy_ends_with_token).to_owned(),
            ),
            (names::TOKEN_CACHE, self.token_cache_entries.to_string()),
            (names::TOKEN_CACHE_TTL, self.token_cache_ttl_s.to_string()),
            (
                names::TOKEN_FORM,
                effective::form_name(self.credential.form).to_owned(),
            ),
            (names::TOKEN_HEADER, self.credential.header.clone()),
        ];
        variables.extend(key_limits::variables(&self.key_limits));
        match &self.grants {
            Grants::Stage(scopes) if scopes.is_empty() => {}
            Grants::Stage(scopes) => variables.push((names::REQUIRED_SCOPE, scopes.join(" "))),
            Grants::Routes(table) => variables.push((names::ROUTES, routes_text(table))),
        }
        let pairs = self.context.iter();
        let pairs: Vec<_> = pairs.map(|(key, claim)| format!("{key}={claim}")).collect();
        if !pairs.is_empty() {
            variables.push((names::CONTEXT, pairs.join(" ")));
        }
        let claim = self.api_key_claim.iter();
        variables.extend(claim.map(|claim| (names::API_KEY_CLAIM, claim.clone())));
        variables
    }
}

impl IssuerSettings {
    fn variables(&self) -> Result<BTreeMap<&'static str, String>, EnvironmentError> {
        let rules = &self.rules;
        let algorithms: Vec<_> = rules.algorithms.iter().map(Algorithm::name).collect();
        let id_tokens = if rules.refuse_id_tokens {
            "refuse"
        } else {
            "take"
        };
        let keys = match &self.keys {
            KeyOrigin::Discovery(_) => (names::DISCOVERY, "on".to_owned()),
            KeyOrigin::File(file) | KeyOrigin::Preloaded(file, _) => {
                return Err(EnvironmentError::KeyFile(file.path.clone()));
            }
            KeyOrigin::Uri(uri) => (names::JWKS_URI, uri.to_string()),
        };
        Ok(BTreeMap::from([
            keys,
            (names::TOKEN_ISSUER, rules.issuer.clone()),
            (names::AUDIENCE, rules.audiences.join(" ")),
            (names::ALGORITHMS, algorithms.join(" ")),
            (names::LEEWAY, rules.leeway_s.to_string()),
            (
                names::TOKEN_TYPE,
                effective::type_name(rules.token_type).to_owned(),
            ),
            (names::SHAPE, effective::shape_name(rules.shape).to_owned()),
            (names::ID_TOKENS, id_tokens.to_owned()),
        ]))
    }
}

/// Routes as one text, as [`RouteTable::parse`] reads them.
fn routes_text(table: &RouteTable) -> String {
    let written: WrittenRoutes =
        toml::from_str(&table.to_toml()).expect("a table writes what a settings file may hold");
    let route = |route: WrittenRoute| {
        let scopes = match (route.all_of, route.any_of) {
            (Some(all), _) => format!("all:{}", all.join(",")),
            (None, Some(any)) => format!("any:{}", any.join(",")),
            (None, None) => "none".to_owned(),
        };
        format!("{} {} {scopes}", route.methods.join(","), route.path)
    };
    let routes: Vec<_> = written.route.into_iter().map(route).collect();
    routes.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ISSUER: &str = "[[issuer]]\nissuer = \"https://i.example/\"\naudiences = [\"a\", \"b\"]\ndiscovery = true\n";

    fn variables(file: &str) -> Result<Vec<(&'static str, String)>, EnvironmentError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authorizer.toml");
        std::fs::write(&path, file).unwrap();
        std::fs::write(folder.path().join("keys.json"), "{\"keys\":[]}").unwrap();
        let settings = Settings::from_toml(&path).unwrap_or_else(|error| panic!("{error}"));
        let variables = settings.to_environment()?;
        let again = Settings::from_lookup(|name| {
            let mut all = variables.iter();
            all.find(|(known, _)| *known == name)
                .map(|(_, value)| value.clone())
        });
        assert_eq!(again.unwrap(), settings, "{variables:?}");
        Ok(variables)
    }

    /// Checks what a file with these lines before and behind the issuer becomes, beside what is required.
    fn check(common: &str, of_issuer: &str, expected: &[(&str, &str)]) {
        let required = [
            ("TOKEN_ISSUER", "https://i.example/"),
            ("AUDIENCE", "a b"),
            ("AUTHORIZER_DISCOVERY", "on"),
        ];
        let mut found = variables(&format!("{common}{ISSUER}{of_issuer}")).unwrap();
        found.sort_unstable();
        let mut expected: Vec<_> = required
            .iter()
            .chain(expected)
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn only_what_is_no_default_becomes_a_variable() {
        check("", "", &[]);
        // Said, and a default anyway.
        check(
            "answer = \"policy\"\nmetrics = false\ntoken_cache_ttl_s = 300\n",
            "algorithms = [\"RS256\"]\nleeway_s = 0\nshape = \"auth0\"\n",
            &[],
        );
        check(
            "answer = \"simple\"\nmetrics = true\ntoken_header = \"x-token\"\ntoken_form = \"raw\"\n",
            "",
            &[
                ("AUTHORIZER_ANSWER", "simple"),
                ("AUTHORIZER_METRICS", "emf"),
                ("AUTHORIZER_TOKEN_FORM", "raw"),
                ("AUTHORIZER_TOKEN_HEADER", "x-token"),
            ],
        );
        check(
            "[keys]\nmax_age_s = 600\nstale_s = 0\ndeadline_ms = 1500\n",
            "",
            &[
                ("AUTHORIZER_KEYS_MAX_AGE_S", "600"),
                ("AUTHORIZER_KEYS_STALE_S", "0"),
            ],
        );
        // The shape brings its own type.
        check(
            "",
            "shape = \"rfc9068\"\n",
            &[("AUTHORIZER_SHAPE", "rfc9068")],
        );
        check(
            "policy_ends_with_token = true\ntoken_cache = 9\napi_key_claim = \"k y\"\n",
            "leeway_s = 3\ntoken_type = \"JWT\"\nrefuse_id_tokens = false\n[context]\nb = \"https://x/#\\\"${\"\n",
            &[
                ("AUTHORIZER_API_KEY_CLAIM", "k y"),
                ("AUTHORIZER_CONTEXT", "b=https://x/#\"${"),
                ("AUTHORIZER_ID_TOKENS", "take"),
                ("AUTHORIZER_LEEWAY_S", "3"),
                ("AUTHORIZER_POLICY_ENDS_WITH_TOKEN", "on"),
                ("AUTHORIZER_TOKEN_CACHE", "9"),
                ("AUTHORIZER_TOKEN_TYPE", "JWT"),
            ],
        );
        check(
            "",
            "[[route]]\nmethods = [\"GET\", \"HEAD\"]\npath = \"/a/{id}\"\nany_of = [\"r\", \"w\"]\n\
             [[route]]\nmethods = [\"*\"]\npath = \"/b\"\nno_scope = true\n\
             [[route]]\nmethods = [\"PUT\"]\npath = \"/a/{id}\"\nall_of = [\"r\", \"w\"]\n",
            &[(
                "AUTHORIZER_ROUTES",
                "GET,HEAD /a/{id} any:r,w; * /b none; PUT /a/{id} all:r,w",
            )],
        );
    }

    #[test]
    fn what_the_environment_cannot_hold_is_said() {
        let second = ISSUER.replace("i.example", "j.example");
        assert_eq!(
            variables(&format!("{ISSUER}{second}")),
            Err(EnvironmentError::SeveralIssuers(2))
        );
        let file = ISSUER.replace("discovery = true", "jwks_file = \"keys.json\"");
        assert!(matches!(
            variables(&file),
            Err(EnvironmentError::KeyFile(_))
        ));
        let spaced = ISSUER.replace("\"b\"", "\"b c\"");
        assert_eq!(variables(&spaced), Err(EnvironmentError::Unwritable));
        let claim = format!("{ISSUER}[context]\nkey = \"two words\"\n");
        assert_eq!(variables(&claim), Err(EnvironmentError::Unwritable));
        let long = ISSUER.replace("\"b\"", &format!("\"{}\"", "b".repeat(4_096)));
        assert!(matches!(
            variables(&long),
            Err(EnvironmentError::TooLong(4_097..))
        ));
    }
}
