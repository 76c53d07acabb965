//! Scenario files: what a run does, parsed so that nothing behind this module can be invalid.
//!
//! The raw shape of the file and the meaning of it are two sets of types. A mistake is reported with file, line and
//! key, and with what would be right. Names of issuers, targets and cases are resolved later, against the files.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::conform::Severity;

mod phase;
mod units;

use phase::RawPhase;
pub use phase::{ColdStartPhase, LoadPhase, Phase, PhaseEnd, Threshold};
use units::DurationText;
pub use units::{UnitError, parse_duration, parse_rate};

/// The seed of keys and pools when the scenario names none.
const DEFAULT_SEED: u64 = 7;

/// What a run does.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The scenario's name.
    pub name: String,
    /// What it is for, in a sentence.
    pub description: String,
    /// Where it was read from.
    pub source: String,
    /// The seed of keys and token pools: the same seed gives the same keys.
    pub seed: u64,
    /// The issuer profile, by name or path.
    pub issuer: String,
    /// Where the issuer stand-in listens; any free port on loopback when absent.
    pub issuer_listen: Option<SocketAddr>,
    /// The target, by name or path.
    pub target: String,
    /// The audience that the authorizer is configured for.
    pub audience: String,
    /// The scope that the authorizer requires.
    pub scope: String,
    /// The gateway's policy cache: seconds that a policy is kept (0 to 3600).
    pub cache_ttl: Duration,
    /// Which cases are asked; absent for none.
    pub conformance: Option<ConformancePlan>,
    /// What is measured, in order.
    pub phases: Vec<Phase>,
}

/// Which cases are asked, and which failures keep the subject from being timed.
#[derive(Debug, Clone)]
pub struct ConformancePlan {
    /// Case ids are asked that hold one of these texts; all when empty.
    pub filter: Vec<String>,
    /// A failure of this severity or above keeps the subject from being timed.
    pub gate: Severity,
}

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The text is no TOML, or has an unknown key, a wrong type or a bad unit.
    #[error("{source_name}: {message}")]
    Syntax {
        /// The file.
        source_name: String,
        /// The parser's own message, with line and column.
        message: String,
    },
    /// Keys that do not go together, or a value out of range.
    #[error("{source_name}:{line}: {message}")]
    Meaning {
        /// The file.
        source_name: String,
        /// The line of the phase, or 1 for the scenario as a whole.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    name: String,
    #[serde(default)]
    description: String,
    seed: Option<u64>,
    issuer: String,
    issuer_listen: Option<SocketAddr>,
    target: String,
    audience: String,
    scope: String,
    cache_ttl: Option<DurationText>,
    conformance: Option<RawConformance>,
    #[serde(rename = "phase", default)]
    phases: Vec<Spanned<RawPhase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConformance {
    #[serde(default)]
    filter: Vec<String>,
    gate: Severity,
}

impl Scenario {
    /// Parses the text of a scenario file; `source` names it in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, ScenarioError> {
        let raw: RawScenario = toml::from_str(text).map_err(|error| ScenarioError::Syntax {
            source_name: source.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let meaning = |line: usize, message: String| ScenarioError::Meaning {
            source_name: source.to_owned(),
            line,
            message,
        };
        let mut phases = Vec::new();
        for phase in raw.phases {
            let line = text[..phase.span().start].matches('\n').count() + 1;
            phases.push(
                phase
                    .into_inner()
                    .into_phase()
                    .map_err(|message| meaning(line, message))?,
            );
        }
        let cache_ttl = raw.cache_ttl.map_or(gateway::DEFAULT_TTL, |ttl| ttl.0);
        if cache_ttl > gateway::MAX_TTL {
            return Err(meaning(
                1,
                format!("cache_ttl is {cache_ttl:?}; API Gateway keeps a policy for 0s to 3600s"),
            ));
        }
        Ok(Self {
            name: raw.name,
            description: raw.description,
            source: source.to_owned(),
            seed: raw.seed.unwrap_or(DEFAULT_SEED),
            issuer: raw.issuer,
            issuer_listen: raw.issuer_listen,
            target: raw.target,
            audience: raw.audience,
            scope: raw.scope,
            cache_ttl,
            conformance: raw.conformance.map(|plan| ConformancePlan {
                filter: plan.filter,
                gate: plan.gate,
            }),
            phases,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "name = \"t\"\nissuer = \"auth0\"\ntarget = \"authbench\"\naudience = \"a\"\nscope = \"s\"\n";

    fn refusal(body: &str) -> String {
        Scenario::parse(&format!("{HEAD}{body}"), "t.toml")
            .expect_err("this scenario is wrong")
            .to_string()
    }

    #[test]
    fn a_mistake_is_named_with_file_line_and_key() {
        let table = [
            (
                "userz = 1\n",
                &["t.toml", "line 6", "unknown field `userz`", "issuer"][..],
            ),
            (
                "[[phase]]\nkind = \"verification\"\nuser = 4\n",
                &["t.toml", "line 8", "unknown field `user`", "`users`"],
            ),
            (
                "cache_ttl = \"5 sec\"\n",
                &["t.toml", "line 6", "5 sec", "\"250ms\""],
            ),
            (
                "cache_ttl = 300\n",
                &["t.toml", "line 6", "300", "\"250ms\""],
            ),
            (
                "cache_ttl = \"2h\"\n",
                &["t.toml", "line 6", "2h", "\"250ms\""],
            ),
            ("cache_ttl = \"61m\"\n", &["t.toml", "cache_ttl", "3600s"]),
            (
                "[[phase]]\nkind = \"warm\"\n",
                &["t.toml", "line 7", "`warm`", "`cold-start`"],
            ),
            (
                "\n[[phase]]\nkind = \"verification\"\nduration = \"1s\"\n",
                &["t.toml:7", "users = 4"],
            ),
            (
                "[[phase]]\nkind = \"cold-start\"\nsamples = 3\n",
                &["t.toml:6", "budget = \"10s\""],
            ),
            (
                "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nduration = \"1s\"\nrequests = 5\n",
                &["not both"],
            ),
            (
                "[[phase]]\nkind = \"cache-hit\"\nusers = 0\nduration = \"1s\"\n",
                &["users is 0"],
            ),
            (
                "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nrate = \"5\"\nduration = \"1s\"\n",
                &["line 9", "\"500/s\""],
            ),
            (
                "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nduration = \"1s\"\n[phase.thresholds]\np95 = \"1ms\"\n",
                &["p95", "p99"],
            ),
            (
                "[conformance]\ngate = \"severe\"\n",
                &["line 7", "`severe`", "`critical`"],
            ),
        ];
        for (body, parts) in table {
            let message = refusal(body);
            for part in parts {
                assert!(message.contains(part), "{part:?} is missing in: {message}");
            }
        }
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let scenario = Scenario::parse(HEAD, "t.toml").expect("a small scenario");
        assert_eq!(scenario.seed, 7);
        assert_eq!(scenario.cache_ttl, Duration::from_mins(5));
        assert!(scenario.conformance.is_none());
        assert!(scenario.phases.is_empty());
    }
}
