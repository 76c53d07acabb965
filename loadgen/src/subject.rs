//! Target files: who is asked, how it is started, and which of its divergences are known.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::NaiveDate;
use serde::Deserialize;
use toml::Spanned;

use crate::catalogue::Feature;
use crate::place;
use crate::target::{EMULATOR_AT_ONCE, Endpoint, EventForm, HttpTarget, Trust};

mod placeholder;
mod raw;
mod shipped;

use raw::{
    Mistake, RawDivergence, RawSubject, declared_unless_said, endpoint_url, server_target,
    server_url,
};

pub use placeholder::{PlaceholderError, Placeholders};
pub use shipped::ShippedFiles;

/// A target, parsed.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The name in reports.
    pub name: String,
    /// What it is, in a sentence.
    pub description: String,
    /// The version of what is asked, as its file says it.
    pub version: Option<String>,
    /// The issuer profile whose tokens it takes, where it takes no others: in place of that of the scenario.
    pub issuer: Option<OwnIssuer>,
    /// How it is reached.
    pub kind: SubjectKind,
    /// What it does, so that cases that need it are asked; found out by asking where nobody has said it.
    pub features: Option<Vec<Feature>>,
    /// Divergences that are known and explained.
    pub divergences: Vec<Divergence>,
    /// How it keeps the issuer's keys.
    pub keys: KeyLife,
    /// The JSON pointer (RFC 6901) to the principal in an allowed answer: in its body, or in what a function returns.
    pub echo: Option<String>,
}

/// The issuer profile that a target file names.
#[derive(Debug, Clone)]
pub struct OwnIssuer {
    /// Its name or its path, which starts from the folder of the file.
    pub profile: String,
    /// Where it stands, for messages: `my.toml:3`.
    pub at: String,
}

impl OwnIssuer {
    fn from_raw(raw: Spanned<String>, at: String, folder: &Path) -> Self {
        let name = raw.into_inner();
        let is_path = Path::new(&name).extension() == Some("toml".as_ref());
        let path = is_path.then(|| folder.join(&name).to_str().map(str::to_owned));
        Self {
            profile: path.flatten().unwrap_or(name),
            at,
        }
    }
}

/// How a target keeps the issuer's keys, as far as its file says so.
#[derive(Debug, Clone, Default)]
pub struct KeyLife {
    /// For how long a key may go on working after the issuer withdrew it. Without it nobody knows how long to wait.
    pub lifetime: Option<Duration>,
    /// Variables that make it so short, for the questions about it alone.
    pub env: BTreeMap<String, String>,
}

/// How a target is reached.
#[derive(Debug, Clone)]
pub enum SubjectKind {
    /// An HTTP server that the bench starts.
    HttpCommand(HttpCommand),
    /// An HTTP server that is already there.
    HttpUrl(Box<HttpTarget>),
    /// Our authorizer in this process.
    InProcess,
    /// A command that serves an invoke endpoint, as the Lambda Runtime Interface Emulator does; the path is the endpoint's.
    InvokeCommand {
        /// How it is started.
        http: HttpCommand,
        /// The form of its events.
        form: EventForm,
        /// Events at the same time, at most.
        at_once: usize,
    },
    /// An invoke endpoint that is already there.
    InvokeUrl(Endpoint, EventForm),
    /// A command that speaks the Lambda Runtime API.
    Lambda(LambdaCommand),
}

impl SubjectKind {
    /// The word of the record.
    pub fn word(&self) -> &'static str {
        match self {
            Self::HttpCommand(_) | Self::HttpUrl(_) => "http",
            Self::InProcess => "in-process",
            Self::InvokeCommand { .. } | Self::InvokeUrl(..) => "invoke",
            Self::Lambda(_) => "lambda",
        }
    }

    /// Whether it is a function of API Gateway, so that the requests are those of the built-in API.
    pub(crate) fn is_function(&self) -> bool {
        match self {
            Self::HttpCommand(_) | Self::HttpUrl(_) => false,
            Self::InProcess
            | Self::InvokeCommand { .. }
            | Self::InvokeUrl(..)
            | Self::Lambda(_) => true,
        }
    }

    /// Whether requests wait for each other before the target has them.
    pub(crate) fn answers_one_at_a_time(&self) -> bool {
        match self {
            Self::HttpCommand(_) | Self::HttpUrl { .. } | Self::InProcess => false,
            Self::InvokeCommand { at_once, .. } => *at_once == 1,
            Self::InvokeUrl(endpoint, _) => endpoint.at_once == 1,
            Self::Lambda(lambda) => lambda.max_environments == 1,
        }
    }

    /// Whether the command or its variables hold a text.
    fn names(&self, text: &str) -> bool {
        let command = match self {
            Self::HttpCommand(http) | Self::InvokeCommand { http, .. } => &http.command,
            Self::Lambda(lambda) => &lambda.command,
            Self::HttpUrl(_) | Self::InProcess | Self::InvokeUrl(..) => return false,
        };
        let texts = command.args.iter().chain(command.env.values());
        texts.into_iter().any(|given| given.contains(text))
    }

    /// The command that a run starts, where there is one.
    fn command_mut(&mut self) -> Option<&mut CommandPlan> {
        match self {
            Self::HttpCommand(http) | Self::InvokeCommand { http, .. } => Some(&mut http.command),
            Self::Lambda(lambda) => Some(&mut lambda.command),
            Self::HttpUrl(_) | Self::InProcess | Self::InvokeUrl(..) => None,
        }
    }
}

/// A program with arguments and environment, placeholders not yet filled in.
#[derive(Debug, Clone)]
pub struct CommandPlan {
    /// The program; a bare name is looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its environment, beside `PATH`.
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub working_dir: Option<PathBuf>,
    /// Programs that setup and command need, looked up in `PATH` before either.
    pub requires: Vec<String>,
    /// Run once, in the working directory, when `creates` is missing.
    pub setup: Option<SetupPlan>,
    /// What is put into the working directory first, of a target that is built in.
    pub files: Option<ShippedFiles>,
}

impl CommandPlan {
    /// Whether it starts this program by its placeholder, so that it can be started from a copy, too.
    pub(crate) fn has_authbench(&self) -> bool {
        let texts = std::iter::once(&self.program).chain(&self.args);
        let mut texts = texts.chain(self.env.values());
        texts.any(|text| text.contains("{authbench}"))
    }
}

/// What installs a target.
#[derive(Debug, Clone)]
pub struct SetupPlan {
    /// Program and arguments.
    pub command: Vec<String>,
    /// The path, relative to the working directory, whose presence says that it has been run.
    pub creates: PathBuf,
}

/// An HTTP server to start.
#[derive(Debug, Clone)]
pub struct HttpCommand {
    /// How it is started.
    pub command: CommandPlan,
    /// The path of the protected resource.
    pub path: String,
    /// A path that answers 2xx once the server is ready; an accepted connection counts when absent.
    pub ready_path: Option<String>,
    /// How long it may take to become ready.
    pub ready_timeout: Duration,
}

/// A Lambda function to run.
#[derive(Debug, Clone)]
pub struct LambdaCommand {
    /// How an execution environment is started.
    pub command: CommandPlan,
    /// The `_HANDLER` that the runtime reads.
    pub handler: String,
    /// Megabytes; told to the function, not enforced.
    pub memory_mb: u32,
    /// How long one event may take.
    pub timeout: Duration,
    /// Execution environments at most.
    pub max_environments: usize,
    /// Who asks it.
    pub ask: Ask,
}

/// Who asks a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The bench, by events of this form: no gateway, no cache, and its policy is seen.
    Direct(EventForm),
    /// The gateway stand-in.
    Gateway,
}

/// A deviation that is known, with its reason and the day on which the reason has to be looked at again.
#[derive(Debug, Clone)]
pub struct Divergence {
    /// The case's id.
    pub case: String,
    /// Where it stands, for messages: `my.toml:40`.
    pub case_at: String,
    /// What the target does: `allow`, `deny` or `overreach`.
    pub observed: DivergentDecision,
    /// Why it is so.
    pub reason: String,
    /// From this day on the declaration no longer counts.
    pub expires: NaiveDate,
}

/// The decision of a known divergence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DivergentDecision {
    /// Lets in what has to be refused.
    Allow,
    /// Refuses what has to be let in.
    Deny,
    /// Does more than it may: follows a URL of the token, fetches keys too often, takes too long.
    Overreach,
}

/// A target file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// Keys that do not go together, are missing, or have a value out of range.
    #[error("{file}:{line}: {message}")]
    Meaning {
        /// The file.
        file: String,
        /// The line of the key, or of `kind` where one is missing.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The text is no TOML, or has an unknown key or a wrong type.
    #[error("{file}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The parser's own message, with line and column.
        message: String,
    },
    /// A URL on the command line that cannot be asked.
    #[error("{flag}: {message}")]
    Url {
        /// The flag.
        flag: &'static str,
        /// What is wrong with the URL.
        message: String,
    },
}

impl Subject {
    /// Parses a target file; `folder` is what a relative working directory starts from.
    pub fn parse(text: &str, file: &str, folder: &Path) -> Result<Self, SubjectError> {
        let mut raw: RawSubject = toml::from_str(text).map_err(|error| SubjectError::Syntax {
            file: file.to_owned(),
            message: error.to_string().trim_end().to_owned(),
        })?;
        let meaning = |mistake: Mistake| SubjectError::Meaning {
            file: file.to_owned(),
            line: place::line(text, &mistake.at),
            message: mistake.message,
        };
        let (name, description) = (raw.name.clone(), raw.description.clone());
        let version = raw.version.clone();
        let issuer = raw.issuer.take().map(|issuer| {
            let line = place::line(text, &issuer.span());
            OwnIssuer::from_raw(issuer, format!("{file}:{line}"), folder)
        });
        let mut features = raw.features().map_err(meaning)?;
        let divergences = std::mem::take(&mut raw.divergences)
            .into_iter()
            .map(|divergence| {
                let line = place::line(text, &divergence.case.span());
                Divergence::from_raw(divergence, format!("{file}:{line}"))
            })
            .collect::<Result<_, _>>()
            .map_err(meaning)?;
        let keys = raw.key_life().map_err(meaning)?;
        let echo = raw.echo_pointer().map_err(meaning)?;
        let kind = raw.into_kind(folder).map_err(meaning)?;
        features.extend(echo.is_some().then_some(Feature::PrincipalEcho));
        features.extend(kind.names("{ca_file}").then_some(Feature::TrustedCa));
        features.extend(kind.names("{other_issuer}").then_some(Feature::TwoIssuers));
        // The routes are those of the API in front, whatever the function makes of them.
        features.extend(kind.is_function().then_some(Feature::Routes));
        Ok(Self {
            name,
            description,
            version,
            issuer,
            kind,
            features: Some(features),
            divergences,
            keys,
            echo,
        })
    }

    /// How it is started, where the bench starts it.
    pub fn command(&self) -> Option<&CommandPlan> {
        match &self.kind {
            SubjectKind::HttpCommand(http) | SubjectKind::InvokeCommand { http, .. } => {
                Some(&http.command)
            }
            SubjectKind::Lambda(lambda) => Some(&lambda.command),
            SubjectKind::HttpUrl(_) | SubjectKind::InProcess | SubjectKind::InvokeUrl(..) => None,
        }
    }

    /// The same target with its keys' lifetime as short as its file says.
    pub(crate) fn with_short_lived_keys(mut self) -> Self {
        let env = std::mem::take(&mut self.keys.env);
        if let Some(command) = self.kind.command_mut() {
            command.env.extend(env);
        }
        self
    }

    /// The same target with the files that it runs, laid out in `folder`, which becomes its working directory.
    pub(crate) fn with_files(mut self, files: ShippedFiles, folder: PathBuf) -> Self {
        if let Some(command) = self.kind.command_mut() {
            command.files = Some(files);
            command.working_dir = Some(folder);
        }
        self
    }

    /// A server that is already there, given by its URL on the command line.
    pub fn at_url(url: &str) -> Result<Self, SubjectError> {
        let refused = |message| SubjectError::Url {
            flag: "--url",
            message,
        };
        let server = server_target(server_url(url).map_err(refused)?, &Trust::Public)
            .map_err(|error| refused(error.to_string()))?;
        let kind = SubjectKind::HttpUrl(Box::new(server));
        let description = "A server that was already running.";
        Ok(Self::already_there(url, description, kind))
    }

    /// A function behind an invoke endpoint that is already there, given by its URL on the command line.
    pub fn at_invoke_url(url: &str) -> Result<Self, SubjectError> {
        let parts = endpoint_url(url).map_err(|message| SubjectError::Url {
            flag: "--invoke",
            message,
        })?;
        let endpoint = Endpoint {
            authority: parts.authority,
            path: parts.path,
            at_once: EMULATOR_AT_ONCE,
        };
        let kind = SubjectKind::InvokeUrl(endpoint, EventForm::default());
        let description = "A function that was already running behind its invoke endpoint.";
        Ok(Self::already_there(url, description, kind))
    }

    /// The same target, of which somebody has said that it requires the scope.
    #[must_use]
    pub fn requiring_scope(self) -> Self {
        let mut features = declared_unless_said();
        features.extend(self.kind.is_function().then_some(Feature::Routes));
        Self {
            features: Some(features),
            ..self
        }
    }

    fn already_there(url: &str, description: &str, kind: SubjectKind) -> Self {
        Self {
            name: url.to_owned(),
            description: description.to_owned(),
            version: None,
            issuer: None,
            kind,
            features: None,
            divergences: Vec::new(),
            keys: KeyLife::default(),
            echo: None,
        }
    }
}

impl Divergence {
    fn from_raw(raw: RawDivergence, case_at: String) -> Result<Self, Mistake> {
        let expires = parse_day(raw.expires.get_ref()).ok_or_else(|| {
            let given = raw.expires.get_ref();
            Mistake::at(
                &raw.expires,
                format!("expires = {given:?} is not a day such as \"2027-06-30\""),
            )
        })?;
        Ok(Self {
            case: raw.case.into_inner(),
            case_at,
            observed: raw.observed,
            reason: raw.reason,
            expires,
        })
    }
}

/// A full date of RFC 3339 §5.6, with its zeros: chrono alone takes `2027-6-3`, too, and a day has one spelling here.
fn parse_day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|day| day.to_string() == text)
}

#[cfg(test)]
mod tests;
