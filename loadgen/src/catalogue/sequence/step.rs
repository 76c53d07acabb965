//! One step of a sequence, as it stands in a file and as it is taken.

use std::time::Duration;

use mock_idp::{JwksDocument, JwksFault, Recipe};
use serde::Deserialize;

use crate::catalogue::Expectation;
use crate::target::{Decision, Route};
use crate::units::{DurationText, WholeNumber, parse_duration};

/// What a `wait` says in place of a duration.
const KEY_LIFETIME: &str = "key-lifetime";

/// No sequence is longer: all of them together cost one wait, and it should not be longer than a cup of tea.
const WAIT_MAX: Duration = Duration::from_mins(2);

/// A flood is bounded: it shows whether a bound is there, and is no attack.
const TOKENS_MAX: u64 = 500;

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The issuer sends this `Cache-Control` with its keys from here on.
    CacheControl(String),
    /// The issuer fails for its keys from here on.
    Fail(JwksFault),
    /// So many fetches of the keys since the issuer last changed, at most, for each process of the target.
    FetchesAtMost(u64),
    /// Nobody has come to the listener.
    ListenerUnvisited,
    /// Tokens are made, and called by this name.
    Mint {
        /// The name.
        name: String,
        /// What is made.
        recipe: Box<Recipe>,
        /// How many; more than one differ in `jti` and in `{serial}`.
        count: u64,
    },
    /// Tokens are sent, and their answers judged.
    Send(Send),
    /// The issuer publishes this key set from here on, and fails no more.
    Serve(JwksDocument),
    /// Nothing happens.
    Wait(Wait),
}

/// How long nothing happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// So long.
    For(Duration),
    /// As long as the target says that it keeps keys.
    KeyLifetime,
}

/// Tokens are sent, and their answers judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// The names of the tokens, which take turns.
    pub names: Vec<String>,
    /// What each of them has to get.
    pub expect: StepDecision,
    /// How often all of them are sent.
    pub times: u64,
    /// Whether all of them are sent at the same time, over connections of their own.
    pub at_once: bool,
    /// How long each answer may take.
    pub within: Option<Duration>,
    /// How long the expected decision may take to come; sent again and again until then.
    pub until: Option<Duration>,
    /// With another decision the sequence says nothing, for this reason.
    pub or_skip: Option<String>,
    /// Where they are sent.
    pub route: Route,
    /// Whether each allowed answer has to name the `sub` of its own token.
    pub echo: bool,
    /// Whether the next steps are taken while they are answered, and nobody looks at these answers.
    pub meanwhile: bool,
}

/// What a step asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepDecision {
    /// 2xx.
    Allow,
    /// Any answer, or none.
    Any,
    /// Anything but 2xx: a verifier without keys may well answer 500.
    NotAllowed,
    /// A denial.
    Refused,
}

impl StepDecision {
    /// Whether a decision is the one asked for.
    pub fn is_met_by(self, decision: Decision) -> bool {
        match self {
            Self::Allow => decision == Decision::Allow,
            Self::Any => true,
            Self::NotAllowed => decision != Decision::Allow,
            Self::Refused => decision == Decision::Deny,
        }
    }

    /// The word of the record.
    pub fn expectation(self) -> Expectation {
        match self {
            Self::Allow => Expectation::Allow,
            Self::Any | Self::NotAllowed | Self::Refused => Expectation::Refused,
        }
    }
}

impl Step {
    /// The step in a few words, for reports.
    pub fn summary(&self) -> String {
        match self {
            Self::CacheControl(value) => format!("the issuer says {value}"),
            Self::Fail(fault) => format!("the issuer fails: {}", fault.name()),
            Self::FetchesAtMost(most) => format!("at most {most} fetches of the keys"),
            Self::ListenerUnvisited => "nobody comes to the listener".to_owned(),
            Self::Mint { name, count, .. } => format!("mint {count} of {name}"),
            Self::Send(send) => send.summary(),
            Self::Serve(document) => format!("the issuer publishes {document:?}"),
            Self::Wait(Wait::For(time)) => format!("wait {time:?}"),
            Self::Wait(Wait::KeyLifetime) => "wait as long as keys are kept".to_owned(),
        }
    }
}

impl Send {
    fn summary(&self) -> String {
        let names = self.names.join(" and ");
        match (&self.route.method, &self.route.path) {
            (None, None) => format!("send {names}"),
            (method, path) => {
                let method = method.as_deref().unwrap_or("GET");
                let path = path.as_deref().unwrap_or("the target's path");
                format!("send {names} by {method} to {path}")
            }
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the keys of a step as they stand in a file"
)]
pub(super) struct RawStep {
    cache_control: Option<String>,
    serve: Option<JwksDocument>,
    fail: Option<JwksFault>,
    fetches_at_most: Option<WholeNumber>,
    #[serde(default)]
    listener_unvisited: bool,
    mint: Option<String>,
    recipe: Option<Recipe>,
    count: Option<WholeNumber>,
    #[serde(default)]
    send: Vec<String>,
    expect: Option<StepDecision>,
    times: Option<WholeNumber>,
    #[serde(default)]
    at_once: bool,
    within: Option<DurationText>,
    until: Option<DurationText>,
    or_skip: Option<String>,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    echo: bool,
    #[serde(default)]
    meanwhile: bool,
    wait: Option<String>,
}

impl RawStep {
    pub(super) fn into_step(self) -> Result<Step, String> {
        let of_mint = self.recipe.is_some() || self.count.is_some();
        if of_mint && self.mint.is_none() {
            return Err("`recipe` and `count` are for `mint`".to_owned());
        }
        let of_send = self.expect.is_some()
            || self.times.is_some()
            || self.at_once
            || self.within.is_some()
            || self.until.is_some()
            || self.or_skip.is_some()
            || self.method.is_some()
            || self.path.is_some()
            || self.echo
            || self.meanwhile;
        if of_send && self.send.is_empty() {
            return Err(
                "`expect`, `times`, `at_once`, `within`, `until`, `or_skip`, `method`, `path`, `echo` and `meanwhile` are for \
                 `send`"
                    .to_owned(),
            );
        }
        let mut steps = Vec::new();
        steps.extend(self.cache_control.clone().map(Step::CacheControl));
        steps.extend(self.serve.map(Step::Serve));
        steps.extend(self.fail.clone().map(Step::Fail));
        steps.extend(self.fetches_at_most.map(|most| Step::FetchesAtMost(most.0)));
        steps.extend(self.listener_unvisited.then_some(Step::ListenerUnvisited));
        if let Some(wait) = &self.wait {
            steps.push(Step::Wait(parse_wait(wait)?));
        }
        if let Some(name) = self.mint.clone() {
            steps.push(Step::Mint {
                name,
                recipe: Box::new(self.recipe.clone().unwrap_or_default()),
                count: bounded("count", self.count)?,
            });
        }
        if !self.send.is_empty() {
            steps.push(Step::Send(self.into_send()?));
        }
        match (steps.pop(), steps.pop()) {
            (Some(step), None) => Ok(step),
            _ => Err(
                "a step has exactly one of `serve`, `fail`, `cache_control`, `mint`, `send`, `wait`, `fetches_at_most`, \
                 `listener_unvisited`"
                    .to_owned(),
            ),
        }
    }

    fn into_send(self) -> Result<Send, String> {
        let expect = self
            .expect
            .ok_or("`send` needs `expect`: allow, any, not-allowed or refused")?;
        if self.at_once && self.until.is_some() {
            return Err("`at_once` and `until` exclude each other".to_owned());
        }
        let looked_at = expect != StepDecision::Any
            || self.at_once
            || self.within.is_some()
            || self.until.is_some()
            || self.or_skip.is_some()
            || self.echo;
        if self.meanwhile && looked_at {
            return Err(
                "`meanwhile` takes `expect = \"any\"` and asks nothing of the answers: nobody looks at them".to_owned(),
            );
        }
        if let Some(path) = self.path.as_deref().filter(|path| !path.starts_with('/')) {
            return Err(format!("`path` is {path:?}; it starts with a slash"));
        }
        let short = |key: &str, time: Option<DurationText>| match time {
            Some(DurationText(time)) if time > WAIT_MAX => Err(format!(
                "`{key}` is {time:?}; it takes at most {WAIT_MAX:?}"
            )),
            time => Ok(time.map(|time| time.0)),
        };
        Ok(Send {
            names: self.send,
            expect,
            times: bounded("times", self.times)?,
            at_once: self.at_once,
            within: short("within", self.within)?,
            until: short("until", self.until)?,
            or_skip: self.or_skip,
            route: Route {
                method: self.method,
                path: self.path,
            },
            echo: self.echo,
            meanwhile: self.meanwhile,
        })
    }
}

fn bounded(key: &str, number: Option<WholeNumber>) -> Result<u64, String> {
    match number {
        None => Ok(1),
        Some(WholeNumber(given @ 1..=TOKENS_MAX)) => Ok(given),
        Some(WholeNumber(given)) => Err(format!("`{key}` is {given}; it takes 1 to {TOKENS_MAX}")),
    }
}

fn parse_wait(text: &str) -> Result<Wait, String> {
    if text == KEY_LIFETIME {
        return Ok(Wait::KeyLifetime);
    }
    match parse_duration(text) {
        Ok(time) if time <= WAIT_MAX => Ok(Wait::For(time)),
        Ok(time) => Err(format!("`wait` is {time:?}; it takes at most {WAIT_MAX:?}")),
        Err(error) => Err(format!("`wait`: {error}, nor {KEY_LIFETIME:?}")),
    }
}
