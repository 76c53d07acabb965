//! How a function is run, and the check that it can be.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc;

use super::FunctionError;
use crate::log_tail::LogLine;

/// INIT has 10 s on Lambda (documented).
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The default time-out of a Lambda function.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The longest time-out of a Lambda function.
pub const TIMEOUT_MAX: Duration = Duration::from_mins(15);

/// The size at which Lambda gives one whole processor. The stand-in never throttles, so this is what comes near.
const MEMORY_MB: u32 = 1_769;

/// As many environments as a small account's test would see at once; a laptop runs no more in parallel either.
const MAX_ENVIRONMENTS: usize = 10;

/// More processes than this on one machine measure its scheduler; Lambda's own default quota is 1,000.
pub const MAX_ENVIRONMENTS_LIMIT: usize = 1_000;

/// How a function is run.
#[derive(Clone)]
pub struct FunctionConfig {
    /// The function's name, for its ARN and `AWS_LAMBDA_FUNCTION_NAME`.
    pub name: String,
    /// Program and arguments. A program without a slash is looked for on `PATH`.
    pub command: Vec<String>,
    /// Environment variables of the function, beside those that Lambda sets; they cannot replace the latter.
    pub env: BTreeMap<String, String>,
    /// Working directory and `LAMBDA_TASK_ROOT`; this process's own when `None`.
    pub working_dir: Option<PathBuf>,
    /// `_HANDLER`.
    pub handler: String,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`, in MB. Told to the function, not enforced.
    pub memory_mb: u32,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// How long INIT may take, from the start of the process to its first `/next`.
    pub init_timeout: Duration,
    /// How many processes there may be.
    pub max_environments: usize,
    /// Who hears what the processes print, and of each failure, as it happens.
    pub watcher: Option<mpsc::Sender<LogLine>>,
}

/// Lambda's defaults where it has them; `command` is empty and must be set.
impl Default for FunctionConfig {
    fn default() -> Self {
        Self {
            name: "authorizer".to_owned(),
            command: Vec::new(),
            env: BTreeMap::new(),
            working_dir: None,
            handler: "bootstrap".to_owned(),
            memory_mb: MEMORY_MB,
            timeout: TIMEOUT,
            init_timeout: INIT_TIMEOUT,
            max_environments: MAX_ENVIRONMENTS,
            watcher: None,
        }
    }
}

impl FunctionConfig {
    /// The program; [`Self::check`] has seen that there is one.
    pub(super) fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// Every field, and that the program exists, so that a mistyped command fails at once and by its name.
    pub(super) fn check(&self) -> Result<(), FunctionError> {
        if self.timeout.is_zero() || self.timeout > TIMEOUT_MAX {
            return Err(FunctionError::Timeout {
                timeout: self.timeout,
                max: TIMEOUT_MAX,
            });
        }
        if self.init_timeout.is_zero() {
            return Err(FunctionError::InitTimeout);
        }
        if self.max_environments == 0 || self.max_environments > MAX_ENVIRONMENTS_LIMIT {
            return Err(FunctionError::MaxEnvironments {
                given: self.max_environments,
                max: MAX_ENVIRONMENTS_LIMIT,
            });
        }
        if self.program().is_empty() {
            return Err(FunctionError::NoCommand);
        }
        if let Some(folder) = self
            .working_dir
            .as_deref()
            .filter(|folder| !folder.is_dir())
        {
            return Err(FunctionError::WorkingDir(folder.to_owned()));
        }
        let program = Path::new(self.program());
        let found = if self.program().contains('/') {
            // The process changes into its working directory before the program is looked up.
            self.working_dir
                .as_deref()
                .unwrap_or(Path::new(""))
                .join(program)
                .is_file()
        } else {
            std::env::split_paths(&self.path()).any(|folder| folder.join(program).is_file())
        };
        if found {
            Ok(())
        } else {
            Err(FunctionError::CommandNotFound(self.program().to_owned()))
        }
    }

    /// The `PATH` of the function: its own, else that of this process.
    pub(super) fn path(&self) -> OsString {
        self.env
            .get("PATH")
            .map(OsString::from)
            .or_else(|| std::env::var_os("PATH"))
            .unwrap_or_default()
    }
}

/// Without the values of the environment variables, which may be secrets.
impl fmt::Debug for FunctionConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionConfig")
            .field("name", &self.name)
            .field("command", &self.command)
            .field("env", &self.env.keys())
            .field("working_dir", &self.working_dir)
            .field("timeout", &self.timeout)
            .field("max_environments", &self.max_environments)
            .finish_non_exhaustive()
    }
}
