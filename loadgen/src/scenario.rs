//! Scenario files: what a run does, parsed so that nothing behind this module can be invalid.
//!
//! The raw shape of the file and the meaning of it are two sets of types. A mistake is reported with file, line and
//! key, and with what would be right. Names of issuers, targets and cases are resolved later, against the files.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::catalogue::{Level, Selection, Severity};
use crate::place;
use crate::real_issuer::RealIssuer;
use crate::units::{DurationText, WholeNumber};

mod arrivals;
mod course;
mod phase;
mod tokens;

pub use arrivals::{ArrivalKeys, ArrivalPlan, PhaseEnd, parse_stage};
pub use course::{Change, Counted, Event, Expiring, Limit};
use phase::RawPhase;
pub use phase::{ColdStartPhase, ConnectionKeys, LoadPhase, Phase, TOKENS_LIMIT, Threshold};
pub use tokens::{CachePlan, Popularity, TokenPlan};

/// The seed of keys and pools when the scenario names none.
const DEFAULT_SEED: u64 = 7;

/// Far from the 255 bytes that file systems take, of which the time stamp needs some.
const NAME_LIMIT: usize = 100;

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
    /// Who names it.
    pub issuer_from: IssuerFrom,
    /// Where the issuer stand-in listens; any free port on loopback when absent.
    pub issuer_listen: Option<SocketAddr>,
    /// A real issuer's token, where it takes the place of the stand-in's. Of the command line alone: a token ends, and is a
    /// credential.
    pub real_issuer: Option<Arc<RealIssuer>>,
    /// The target, by name or path.
    pub target: String,
    /// The audience that the authorizer is configured for.
    pub audience: String,
    /// The scopes that the authorizer requires, with blanks between them.
    pub scope: String,
    /// The gateway's policy cache: seconds that a policy is kept (0 to 3600).
    pub cache_ttl: Duration,
    /// Files of cases of one's own, beside the built-in ones.
    pub cases: Vec<String>,
    /// Which cases are asked; absent for none.
    pub conformance: Option<ConformancePlan>,
    /// What is measured, in order.
    pub phases: Vec<Phase>,
}

/// Who names the issuer profile of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerFrom {
    /// The command line, where a flag has to be given; no target may then name another.
    CommandLine,
    /// Nobody, so that a default is taken.
    Default,
    /// A file, at this place: `my.toml:12`.
    File(String),
}

impl fmt::Display for IssuerFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::CommandLine => "--issuer",
            Self::Default => "the default",
            Self::File(at) => at,
        })
    }
}

/// Which cases are asked, and which failures keep the subject from being timed.
#[derive(Debug, Clone)]
pub struct ConformancePlan {
    /// Which cases are asked.
    pub selection: Selection,
    /// Where the selection stands, for messages: `my.toml:12` or `command line`.
    pub selection_at: String,
    /// A failure of this severity or above keeps the subject from being timed.
    pub gate: Severity,
    /// A failure of this severity or above makes the subject nonconformant; not above `gate`.
    pub fail_on: Severity,
}

/// A scenario that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Nothing is asked and nothing is measured.
    #[error(
        "{source_name}: neither [conformance] nor a [[phase]]: such a run says nothing; add one of them"
    )]
    Empty {
        /// The file.
        source_name: String,
    },
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
        /// The line of the key, or of the phase that it belongs to.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    name: Spanned<String>,
    #[serde(default)]
    description: String,
    seed: Option<WholeNumber>,
    issuer: Spanned<String>,
    issuer_listen: Option<SocketAddr>,
    target: String,
    audience: String,
    scope: String,
    cache_ttl: Option<Spanned<DurationText>>,
    #[serde(default)]
    cases: Vec<String>,
    conformance: Option<Spanned<RawConformance>>,
    #[serde(rename = "phase", default)]
    phases: Vec<Spanned<RawPhase>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConformance {
    filter: Option<Spanned<Vec<String>>>,
    level: Option<Level>,
    severity: Option<Severity>,
    gate: Severity,
    fail_on: Option<Spanned<Severity>>,
}

impl RawConformance {
    /// `table` is where the table stands. The error is a place and what is wrong there.
    fn into_plan(
        self,
        table: Range<usize>,
        at: impl Fn(&Range<usize>) -> String,
    ) -> Result<ConformancePlan, (Range<usize>, String)> {
        if let Some(fail_on) = &self.fail_on
            && *fail_on.get_ref() > self.gate
        {
            let (fail_on, gate) = (fail_on.get_ref().word(), self.gate.word());
            let message = format!(
                "fail_on is {fail_on}, above gate, which is {gate}: a subject that is not timed for its failures has \
                 failed; take {gate} or less"
            );
            return Err((
                self.fail_on.map_or(table, |fail_on| fail_on.span()),
                message,
            ));
        }
        let place = self.filter.as_ref().map_or(table, Spanned::span);
        Ok(ConformancePlan {
            selection: Selection {
                texts: self.filter.map_or_else(Vec::new, Spanned::into_inner),
                level: self.level,
                severity: self.severity,
            },
            selection_at: at(&place),
            gate: self.gate,
            fail_on: self.fail_on.map_or(Severity::Info, Spanned::into_inner),
        })
    }
}

impl Scenario {
    /// Parses the text of a scenario file; `source` names it in messages.
    pub fn parse(text: &str, source: &str) -> Result<Self, ScenarioError> {
        let raw: RawScenario = toml::from_str(text).map_err(|error| ScenarioError::Syntax {
            source_name: source.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let meaning = |span: &Range<usize>, message: String| ScenarioError::Meaning {
            source_name: source.to_owned(),
            line: place::line(text, span),
            message,
        };
        let at = |span: &Range<usize>| format!("{source}:{}", place::line(text, span));
        let name = raw.name.get_ref();
        if !names_a_folder(name) {
            return Err(meaning(
                &raw.name.span(),
                format!(
                    "name is {name:?}; it becomes a part of a folder's name and takes no slash, no control character, \
                     and 1 to {NAME_LIMIT} bytes"
                ),
            ));
        }
        let seed = raw.seed.map_or(DEFAULT_SEED, |seed| seed.0);
        let mut phases = Vec::new();
        for phase in raw.phases {
            let span = phase.span();
            let phase = phase.into_inner();
            let mix_at = at(&phase.mix_span().unwrap_or_else(|| span.clone()));
            phases.push(
                phase
                    .into_phase(mix_at, source, seed)
                    .map_err(|message| meaning(&span, message))?,
            );
        }
        let issuer_at = at(&raw.issuer.span());
        let cache_ttl =
            cache_ttl(raw.cache_ttl).map_err(|(span, message)| meaning(&span, message))?;
        if raw.conformance.is_none() && phases.is_empty() {
            return Err(ScenarioError::Empty {
                source_name: source.to_owned(),
            });
        }
        let conformance = raw
            .conformance
            .map(|plan| {
                let table = plan.span();
                plan.into_inner().into_plan(table, at)
            })
            .transpose()
            .map_err(|(span, message)| meaning(&span, message))?;
        Ok(Self {
            name: raw.name.into_inner(),
            description: raw.description,
            source: source.to_owned(),
            seed,
            issuer_from: IssuerFrom::File(issuer_at),
            issuer: raw.issuer.into_inner(),
            issuer_listen: raw.issuer_listen,
            real_issuer: None,
            target: raw.target,
            audience: raw.audience,
            scope: raw.scope,
            cache_ttl,
            cases: raw.cases,
            conformance,
            phases,
        })
    }
}

impl Scenario {
    /// Ends each phase of load at the first threshold or limit that is broken.
    pub fn fail_fast(&mut self) {
        for phase in &mut self.phases {
            if let Phase::CacheHit(load) | Phase::Verification(load) = phase {
                load.fail_fast = true;
            }
        }
    }
}

/// How long the gateway keeps a policy. The error is a place and what is wrong there.
fn cache_ttl(given: Option<Spanned<DurationText>>) -> Result<Duration, (Range<usize>, String)> {
    let Some(given) = given else {
        return Ok(gateway::DEFAULT_TTL);
    };
    let ttl = given.get_ref().0;
    if ttl > gateway::MAX_TTL {
        let message = format!("cache_ttl is {ttl:?}; API Gateway keeps a policy for 0s to 3600s");
        return Err((given.span(), message));
    }
    Ok(ttl)
}

/// A slash would name another folder, and the rest makes a path that nobody can type.
fn names_a_folder(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_LIMIT
        && !name
            .chars()
            .any(|c| c.is_control() || matches!(c, '/' | '\\'))
}

#[cfg(test)]
mod tests;
