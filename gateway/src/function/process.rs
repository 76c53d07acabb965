//! The process of one environment: started with nothing inherited but `PATH`, ended with everything that it started.
//!
//! It leads a process group of its own, so that a shell or a shim between us and the runtime ends too. When this program
//! is killed outright nobody signals the group; the runtime then finds its Runtime API gone and ends by itself, as every
//! official client does. A parent-death signal would need `unsafe` code.

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use super::config::FunctionConfig;
use super::log_tail::LogTail;
use super::{InvokeError, variables};

/// From SIGTERM to SIGKILL: the runtime's share, 30 %, of the 2,000 ms that the emulator of AWS gives a shutdown.
const TERMINATION_GRACE: Duration = Duration::from_millis(600);

/// A child process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// The leader's id, which names the group; kept because the child forgets it when it has ended.
    id: u32,
    group: Option<Pid>,
}

impl Process {
    pub(super) fn spawn(
        config: &FunctionConfig,
        runtime_api: &str,
        log: &LogTail,
    ) -> Result<Self, InvokeError> {
        let failed = |source| InvokeError::Spawn {
            command: config.command.join(" "),
            source,
        };
        let mut command = Command::new(config.program());
        command
            .args(config.command.iter().skip(1))
            .env_clear()
            .envs(variables::of(config, runtime_api))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(folder) = &config.working_dir {
            command.current_dir(folder);
        }
        let mut child = command.spawn().map_err(failed)?;
        log.drain(child.stdout.take());
        log.drain(child.stderr.take());
        let id = child.id().unwrap_or_default();
        // Zero would mean our own group.
        let group = i32::try_from(id)
            .ok()
            .filter(|id| *id > 0)
            .map(Pid::from_raw);
        Ok(Self { child, id, group })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end. It may be called again after it was dropped half way.
    pub(super) async fn wait(&mut self) -> Option<ExitStatus> {
        self.child.wait().await.ok()
    }

    /// SIGTERM, and SIGKILL for what is left after the grace.
    pub(super) async fn terminate(mut self) {
        self.signal(Signal::SIGTERM);
        // Whether it ended in time or not, the rest of the group is killed next.
        let _ = tokio::time::timeout(TERMINATION_GRACE, self.child.wait()).await;
        self.kill().await;
    }

    /// SIGKILL, and the wait for the end.
    pub(super) async fn kill(mut self) {
        self.signal(Signal::SIGKILL);
        // After SIGKILL the wait is short, and its failure changes nothing.
        let _ = self.child.wait().await;
        self.group = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // The only failure is a group that has ended.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
