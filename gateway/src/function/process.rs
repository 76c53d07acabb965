//! The process of one environment: started with nothing inherited but `PATH`.

use std::time::Duration;

use tokio::process::Command;

use super::config::FunctionConfig;
use super::{InvokeError, variables};
use crate::child::ChildProcess;
use crate::log_tail::LogTail;

/// From SIGTERM to SIGKILL: the runtime's share, 30 %, of the 2,000 ms that the emulator of AWS gives a shutdown.
pub(super) const TERMINATION_GRACE: Duration = Duration::from_millis(600);

pub(super) fn spawn(
    config: &FunctionConfig,
    runtime_api: &str,
    log: &LogTail,
) -> Result<ChildProcess, InvokeError> {
    let mut command = Command::new(config.program());
    command
        .args(config.command.iter().skip(1))
        .env_clear()
        .envs(variables::of(config, runtime_api));
    if let Some(folder) = &config.working_dir {
        command.current_dir(folder);
    }
    ChildProcess::spawn(&mut command, log.clone()).map_err(|source| InvokeError::Spawn {
        command: config.command.join(" "),
        source,
    })
}
