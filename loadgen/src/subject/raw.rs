//! The raw shape of a target file, and what becomes of it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{
    Ask, CommandPlan, DivergentDecision, HttpCommand, KeyLife, LambdaCommand, Placeholders,
    SetupPlan, SubjectKind,
};
use crate::catalogue::Feature;
use crate::target::EventForm;
use crate::units::{DurationText, WholeNumber};

mod invoke;
mod server;

use invoke::RawInvoke;
use server::RawTls;

pub(super) use server::{endpoint_url, server_url, target as server_target};

/// How long a target may take to become ready when its file does not say.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// Memory of a Lambda function when the target file names none, in megabytes: what Lambda itself gives.
const DEFAULT_MEMORY_MB: u32 = 128;

/// How long an authorizer may take for one event; the Auth0 tutorial sets 30 s, API Gateway waits for no longer.
const DEFAULT_FUNCTION_TIMEOUT: Duration = Duration::from_secs(10);

/// Execution environments when the target file names no number. More than the cores measure the scheduler.
const DEFAULT_ENVIRONMENTS: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSubject {
    pub(super) name: String,
    kind: Spanned<RawKind>,
    #[serde(default)]
    pub(super) description: String,
    pub(super) version: Option<String>,
    pub(super) issuer: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    tls: Option<Spanned<RawTls>>,
    command: Option<RawCommand>,
    request: Option<Spanned<RawRequest>>,
    ready: Option<Spanned<RawReady>>,
    lambda: Option<Spanned<RawLambda>>,
    invoke: Option<Spanned<RawInvoke>>,
    echo: Option<RawEcho>,
    keys: Option<Spanned<RawKeys>>,
    features: Option<Spanned<Vec<Feature>>>,
    #[serde(rename = "divergence", default)]
    pub(super) divergences: Vec<RawDivergence>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    Http,
    InProcess,
    Invoke,
    Lambda,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    program: Spanned<String>,
    #[serde(default)]
    args: Vec<Spanned<String>>,
    #[serde(default)]
    env: BTreeMap<String, Spanned<String>>,
    working_dir: Option<PathBuf>,
    #[serde(default)]
    requires: Vec<Spanned<String>>,
    #[serde(default)]
    setup: Vec<String>,
    setup_creates: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    path: Spanned<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawReady {
    path: Option<Spanned<String>>,
    timeout: Option<DurationText>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLambda {
    handler: Option<String>,
    memory_mb: Option<WholeNumber>,
    timeout: Option<Spanned<DurationText>>,
    max_environments: Option<Spanned<WholeNumber>>,
    #[serde(default)]
    ask: RawAsk,
    event: Option<Spanned<EventForm>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum RawAsk {
    Direct,
    #[default]
    Gateway,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEcho {
    pointer: Spanned<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawKeys {
    lifetime: Option<Spanned<DurationText>>,
    #[serde(default)]
    env: BTreeMap<String, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDivergence {
    pub(super) case: Spanned<String>,
    pub(super) observed: DivergentDecision,
    pub(super) reason: String,
    pub(super) expires: Spanned<String>,
}

/// What is wrong in a target file, and where.
pub(super) struct Mistake {
    pub(super) at: Range<usize>,
    pub(super) message: String,
}

impl Mistake {
    pub(super) fn at<T>(place: &Spanned<T>, message: impl Into<String>) -> Self {
        Self {
            at: place.span(),
            message: message.into(),
        }
    }
}

/// What a target is taken to do when nobody says.
pub(super) fn declared_unless_said() -> Vec<Feature> {
    Feature::UNLESS_SAID.to_vec()
}

/// A sequence waits for so long; longer would be nobody's idea of a test.
const KEY_LIFETIME_MAX: Duration = Duration::from_mins(2);

impl RawSubject {
    pub(super) fn features(&self) -> Result<Vec<Feature>, Mistake> {
        let Some(features) = &self.features else {
            return Ok(declared_unless_said());
        };
        let of_tokens = |feature: &&Feature| Feature::OF_TOKENS.contains(feature);
        match features.get_ref().iter().find(of_tokens) {
            None => Ok(features.get_ref().clone()),
            Some(stray) => {
                let message = format!(
                    "{} is told from the issuer's tokens and not declared; `issuer` names the profile",
                    stray.word()
                );
                Err(Mistake::at(features, message))
            }
        }
    }

    /// `[echo] pointer`.
    pub(super) fn echo_pointer(&self) -> Result<Option<String>, Mistake> {
        let Some(echo) = &self.echo else {
            return match &self.features {
                Some(features) if features.get_ref().contains(&Feature::PrincipalEcho) => {
                    let message = "principal-echo is declared by [echo] with pointer, such as pointer = \"/principal\"";
                    Err(Mistake::at(features, message))
                }
                _ => Ok(None),
            };
        };
        let pointer = echo.pointer.get_ref();
        if pointer.starts_with('/') {
            return Ok(Some(pointer.clone()));
        }
        let message = format!(
            "pointer is {pointer:?}; a JSON pointer starts with a slash, such as \"/principal\""
        );
        Err(Mistake::at(&echo.pointer, message))
    }

    /// `[keys]`, which is taken out.
    pub(super) fn key_life(&mut self) -> Result<KeyLife, Mistake> {
        let Some(keys) = self.keys.take() else {
            return Ok(KeyLife::default());
        };
        if self.command.is_none() && !keys.get_ref().env.is_empty() {
            return Err(Mistake::at(
                &keys,
                "[keys] env is for a target with [command]",
            ));
        }
        let keys = keys.into_inner();
        let waited_for = !matches!(self.kind.get_ref(), RawKind::InProcess);
        if let Some(lifetime) = &keys.lifetime
            && waited_for
            && lifetime.get_ref().0 > KEY_LIFETIME_MAX
        {
            let given = lifetime.get_ref().0;
            let message = format!(
                "lifetime is {given:?}; it takes at most {KEY_LIFETIME_MAX:?}, for which [keys] env can make it short"
            );
            return Err(Mistake::at(lifetime, message));
        }
        for text in keys.env.values() {
            Placeholders::check(text.get_ref())
                .map_err(|error| Mistake::at(text, error.to_string()))?;
        }
        Ok(KeyLife {
            lifetime: keys.lifetime.map(|lifetime| lifetime.into_inner().0),
            env: keys
                .env
                .into_iter()
                .map(|(name, value)| (name, value.into_inner()))
                .collect(),
        })
    }

    /// Tables that stand beside a kind which they say nothing about.
    fn check_tables(&self) -> Result<(), Mistake> {
        let kind = *self.kind.get_ref();
        if let Some(lambda) = &self.lambda
            && !matches!(kind, RawKind::Lambda)
        {
            return Err(Mistake::at(lambda, "[lambda] is for kind = \"lambda\""));
        }
        if let Some(invoke) = &self.invoke
            && !matches!(kind, RawKind::Invoke)
        {
            return Err(Mistake::at(invoke, "[invoke] is for kind = \"invoke\""));
        }
        if let (RawKind::Invoke, Some(request)) = (kind, &self.request) {
            let message = "kind = \"invoke\" has its path in its url, or in [invoke] path";
            return Err(Mistake::at(request, message));
        }
        if let Some(tls) = &self.tls
            && (!matches!(kind, RawKind::Http) || self.url.is_none())
        {
            return Err(Mistake::at(
                tls,
                "[tls] is for kind = \"http\" with a url of https",
            ));
        }
        let request = self.request.as_ref().map(Spanned::span);
        if let Some(at) = request.or(self.ready.as_ref().map(Spanned::span))
            && (!matches!(kind, RawKind::Http | RawKind::Invoke) || self.url.is_some())
        {
            let message = "[request] and [ready] are for kind = \"http\" with [command], [ready] for kind = \"invoke\", \
                           too; a url holds its path, and its server is there already";
            return Err(Mistake {
                at,
                message: message.to_owned(),
            });
        }
        Ok(())
    }

    pub(super) fn into_kind(self, folder: &Path) -> Result<SubjectKind, Mistake> {
        self.check_tables()?;
        let kind = *self.kind.get_ref();
        let wrong = |message: &str| Mistake::at(&self.kind, message);
        match (kind, self.command, self.url) {
            (RawKind::InProcess, None, None) => Ok(SubjectKind::InProcess),
            (RawKind::InProcess, _, _) => {
                Err(wrong("kind = \"in-process\" takes neither command nor url"))
            }
            (RawKind::Lambda, Some(command), None) => {
                let raw = self.lambda.map(Spanned::into_inner).unwrap_or_default();
                let command = command.into_plan(folder, &self.kind)?;
                raw.into_command(command).map(SubjectKind::Lambda)
            }
            (RawKind::Lambda, _, _) => Err(wrong("kind = \"lambda\" takes [command] and no url")),
            (RawKind::Http, None, Some(url)) => {
                let server = server::at_url(&url, self.tls.as_ref(), folder)?;
                Ok(SubjectKind::HttpUrl(Box::new(server)))
            }
            (RawKind::Invoke, None, Some(url)) => {
                let invoke = self.invoke.map(Spanned::into_inner).unwrap_or_default();
                invoke.at_url(&url)
            }
            (RawKind::Invoke, Some(command), None) => {
                let invoke = self.invoke.map(Spanned::into_inner).unwrap_or_default();
                let ready = self.ready.map(Spanned::into_inner).unwrap_or_default();
                invoke.served_by(command.into_plan(folder, &self.kind)?, ready)
            }
            (RawKind::Invoke, _, _) => Err(wrong(
                "kind = \"invoke\" takes either url or [command], and not both",
            )),
            (RawKind::Http, Some(command), None) => {
                let request = self.request.ok_or_else(|| {
                    wrong("an http target needs [request] with path, such as path = \"/planets\"")
                })?;
                let ready = self.ready.map(Spanned::into_inner).unwrap_or_default();
                let command = command.into_plan(folder, &self.kind)?;
                let path = checked_path(request.into_inner().path)?;
                http(command, path, ready).map(SubjectKind::HttpCommand)
            }
            (RawKind::Http, _, _) => Err(wrong(
                "kind = \"http\" takes either url or [command], and not both",
            )),
        }
    }
}

impl RawCommand {
    fn into_plan(self, folder: &Path, kind: &Spanned<RawKind>) -> Result<CommandPlan, Mistake> {
        let setup = match (self.setup.is_empty(), self.setup_creates) {
            (true, None) => None,
            (false, Some(creates)) => Some(SetupPlan {
                command: self.setup,
                creates,
            }),
            _ => return Err(Mistake::at(kind, "setup and setup_creates go together")),
        };
        for text in std::iter::once(&self.program)
            .chain(&self.args)
            .chain(self.env.values())
        {
            Placeholders::check(text.get_ref())
                .map_err(|error| Mistake::at(text, error.to_string()))?;
        }
        if let Some(text) = self
            .requires
            .iter()
            .find(|text| !is_bare_name(text.get_ref()))
        {
            let message = format!(
                "requires names {:?}; it takes names of programs that are looked up in PATH, such as \"node\"",
                text.get_ref()
            );
            return Err(Mistake::at(text, message));
        }
        let working_dir = self.working_dir.map(|dir| folder.join(dir));
        Ok(CommandPlan {
            program: self.program.into_inner(),
            args: self.args.into_iter().map(Spanned::into_inner).collect(),
            env: self
                .env
                .into_iter()
                .map(|(name, value)| (name, value.into_inner()))
                .collect(),
            working_dir,
            requires: self.requires.into_iter().map(Spanned::into_inner).collect(),
            setup,
            files: None,
        })
    }
}

/// A name that is looked up in `PATH`, and no path, no placeholder and no command line.
fn is_bare_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || "/{}".contains(c))
}

fn http(command: CommandPlan, path: String, ready: RawReady) -> Result<HttpCommand, Mistake> {
    Ok(HttpCommand {
        command,
        path,
        ready_path: ready.path.map(checked_path).transpose()?,
        ready_timeout: ready.timeout.map_or(READY_TIMEOUT, |timeout| timeout.0),
    })
}

fn checked_path(path: Spanned<String>) -> Result<String, Mistake> {
    if path.get_ref().starts_with('/') {
        return Ok(path.into_inner());
    }
    let message = format!("path is {:?}; it starts with a slash", path.get_ref());
    Err(Mistake::at(&path, message))
}

impl RawLambda {
    fn into_command(self, command: CommandPlan) -> Result<LambdaCommand, Mistake> {
        if let Some(timeout) = &self.timeout
            && (timeout.get_ref().0.is_zero() || timeout.get_ref().0 > gateway::TIMEOUT_MAX)
        {
            let given = timeout.get_ref().0;
            let message = format!("timeout is {given:?}; it must be above 0s and at most 15m");
            return Err(Mistake::at(timeout, message));
        }
        if let Some(number) = &self.max_environments
            && !(1..=gateway::MAX_ENVIRONMENTS_LIMIT).contains(&number.get_ref().size())
        {
            let (given, most) = (number.get_ref().0, gateway::MAX_ENVIRONMENTS_LIMIT);
            let message = format!("max_environments is {given}; it takes 1 to {most}");
            return Err(Mistake::at(number, message));
        }
        let ask = match (self.ask, self.event) {
            (RawAsk::Direct, event) => {
                Ask::Direct(event.map(Spanned::into_inner).unwrap_or_default())
            }
            (RawAsk::Gateway, None) => Ask::Gateway,
            (RawAsk::Gateway, Some(event)) => {
                let message = "the gateway sends TOKEN events; event is for ask = \"direct\"";
                return Err(Mistake::at(&event, message));
            }
        };
        Ok(LambdaCommand {
            command,
            ask,
            handler: self.handler.unwrap_or_else(|| "bootstrap".to_owned()),
            memory_mb: self.memory_mb.map_or(DEFAULT_MEMORY_MB, |number| {
                u32::try_from(number.0).unwrap_or(u32::MAX)
            }),
            timeout: self
                .timeout
                .map_or(DEFAULT_FUNCTION_TIMEOUT, |timeout| timeout.get_ref().0),
            max_environments: self
                .max_environments
                .map_or(DEFAULT_ENVIRONMENTS, |number| number.get_ref().size()),
        })
    }
}
