//! The raw shape of a target file, and what becomes of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::{CommandPlan, Divergence, HttpCommand, LambdaCommand, SetupPlan, SubjectKind};
use crate::conform::Feature;
use crate::scenario::{UnitError, parse_duration};

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
    kind: RawKind,
    #[serde(default)]
    pub(super) description: String,
    url: Option<String>,
    command: Option<RawCommand>,
    request: Option<RawRequest>,
    ready: Option<RawReady>,
    lambda: Option<RawLambda>,
    #[serde(default = "every_feature")]
    pub(super) features: Vec<Feature>,
    #[serde(rename = "divergence", default)]
    pub(super) divergences: Vec<Divergence>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    Http,
    InProcess,
    Lambda,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCommand {
    program: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    working_dir: Option<PathBuf>,
    #[serde(default)]
    setup: Vec<String>,
    setup_creates: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest {
    path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReady {
    path: Option<String>,
    timeout: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct RawLambda {
    handler: Option<String>,
    memory_mb: Option<u32>,
    timeout: Option<String>,
    max_environments: Option<usize>,
}

pub(super) fn every_feature() -> Vec<Feature> {
    vec![Feature::Scope]
}

impl RawSubject {
    pub(super) fn into_kind(self, folder: &Path) -> Result<SubjectKind, String> {
        if self.lambda.is_some() && !matches!(self.kind, RawKind::Lambda) {
            return Err("[lambda] is for kind = \"lambda\"".to_owned());
        }
        if (self.request.is_some() || self.ready.is_some()) && !matches!(self.kind, RawKind::Http) {
            return Err("[request] and [ready] are for kind = \"http\"".to_owned());
        }
        match (self.kind, self.command, self.url) {
            (RawKind::InProcess, None, None) => Ok(SubjectKind::InProcess),
            (RawKind::InProcess, _, _) => {
                Err("kind = \"in-process\" takes neither command nor url".to_owned())
            }
            (RawKind::Lambda, Some(command), None) => {
                lambda(command.into_plan(folder)?, self.lambda.unwrap_or_default())
                    .map(SubjectKind::Lambda)
            }
            (RawKind::Lambda, _, _) => {
                Err("kind = \"lambda\" takes [command] and no url".to_owned())
            }
            (RawKind::Http, None, Some(url)) => parse_url(&url),
            (RawKind::Http, Some(command), None) => {
                http(command.into_plan(folder)?, self.request, self.ready)
                    .map(SubjectKind::HttpCommand)
            }
            (RawKind::Http, _, _) => {
                Err("kind = \"http\" takes either url or [command], and not both".to_owned())
            }
        }
    }
}

impl RawCommand {
    fn into_plan(self, folder: &Path) -> Result<CommandPlan, String> {
        let setup = match (self.setup.is_empty(), self.setup_creates) {
            (true, None) => None,
            (false, Some(creates)) => Some(SetupPlan {
                command: self.setup,
                creates,
            }),
            _ => return Err("setup and setup_creates go together".to_owned()),
        };
        let working_dir = self.working_dir.map(|dir| folder.join(dir));
        Ok(CommandPlan {
            program: self.program,
            args: self.args,
            env: self.env,
            working_dir,
            setup,
        })
    }
}

fn http(
    command: CommandPlan,
    request: Option<RawRequest>,
    ready: Option<RawReady>,
) -> Result<HttpCommand, String> {
    let path = request
        .ok_or("an http target needs [request] with path, such as path = \"/planets\"")?
        .path;
    let (ready_path, timeout) = ready.map_or((None, None), |ready| (ready.path, ready.timeout));
    let ready_timeout = duration(timeout.as_deref(), READY_TIMEOUT)?;
    Ok(HttpCommand {
        command,
        path,
        ready_path,
        ready_timeout,
    })
}

fn lambda(command: CommandPlan, raw: RawLambda) -> Result<LambdaCommand, String> {
    let max_environments = raw.max_environments.unwrap_or(DEFAULT_ENVIRONMENTS);
    if max_environments == 0 {
        return Err("max_environments is 0; it takes at least 1".to_owned());
    }
    Ok(LambdaCommand {
        command,
        handler: raw.handler.unwrap_or_else(|| "bootstrap".to_owned()),
        memory_mb: raw.memory_mb.unwrap_or(DEFAULT_MEMORY_MB),
        timeout: duration(raw.timeout.as_deref(), DEFAULT_FUNCTION_TIMEOUT)?,
        max_environments,
    })
}

fn duration(text: Option<&str>, default: Duration) -> Result<Duration, String> {
    text.map_or(Ok(default), |text| {
        parse_duration(text).map_err(|error: UnitError| error.to_string())
    })
}

/// Only plain HTTP: what is measured is the verifier, on loopback or inside one's own network.
pub(super) fn parse_url(url: &str) -> Result<SubjectKind, String> {
    let wrong = || {
        format!(
            "url {url:?} is not of the form http://host:port/path; TLS is not spoken to a target"
        )
    };
    let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
    let (authority, path) = rest
        .split_once('/')
        .map_or((rest, String::new()), |(a, p)| (a, format!("/{p}")));
    let uri: http::Uri = url.parse().map_err(|_| wrong())?;
    let host = uri.host().ok_or_else(wrong)?;
    let authority = if uri.port().is_some() {
        authority.to_owned()
    } else {
        format!("{host}:80")
    };
    Ok(SubjectKind::HttpUrl {
        authority,
        path: if path.is_empty() {
            "/".to_owned()
        } else {
            path
        },
    })
}
