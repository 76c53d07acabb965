//! A child process: started without anything to read, drained of what it prints, ended with everything that it started.
//!
//! It leads a process group of its own, so that a shell or a shim between us and the program ends too. When this program
//! is killed outright nobody signals the group; a Lambda runtime then finds its Runtime API gone and ends by itself. A
//! parent-death signal would need `unsafe` code.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::log_tail::LogTail;

/// A running child. Dropping it kills it and its group.
#[derive(Debug)]
pub struct ChildProcess {
    child: Child,
    /// The leader's id, which names the group; kept because the child forgets it when it has ended.
    id: u32,
    group: Option<Pid>,
    log: LogTail,
    /// What reads its output. They end by themselves, when the last holder of the pipe has ended.
    drains: Vec<JoinHandle<()>>,
}

impl ChildProcess {
    /// Starts a command, whose standard streams and process group are set here.
    pub fn spawn(command: &mut Command, log: LogTail) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let mut drains = Vec::with_capacity(2);
        if let Some(stdout) = child.stdout.take() {
            drains.push(tokio::spawn(log.clone().drain(stdout)));
        }
        if let Some(stderr) = child.stderr.take() {
            drains.push(tokio::spawn(log.clone().drain(stderr)));
        }
        let id = child.id().unwrap_or_default();
        // Zero would mean our own group.
        let group = i32::try_from(id)
            .ok()
            .filter(|id| *id > 0)
            .map(Pid::from_raw);
        Ok(Self {
            child,
            id,
            group,
            log,
            drains,
        })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its output.
    pub fn log(&self) -> &LogTail {
        &self.log
    }

    /// How it ended, if it has.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Whether it has ended. Its status stays to be asked for.
    pub fn has_ended(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match self.group.map(|leader| waitid(Id::Pid(leader), flags)) {
            Some(Ok(WaitStatus::StillAlive)) => false,
            // No child of this id: its status has been asked for already.
            Some(Ok(_) | Err(Errno::ECHILD)) | None => true,
            Some(Err(_)) => false,
        }
    }

    /// Waits for the end. It may be called again after it was dropped half way.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Waits until it has ended and all that it printed is in the log, `patience` at most: an heir of its pipes may keep
    /// them open. `None` while it runs.
    pub async fn last_words(&mut self, patience: Duration) -> Option<ExitStatus> {
        let all = async {
            // A wait that fails leaves the output to be read.
            let _ = self.child.wait().await;
            while let Some(drain) = self.drains.last_mut() {
                // A drain that panicked has read what it could.
                let _ = drain.await;
                self.drains.pop();
            }
        };
        // Past the patience what is there has to do.
        let _ = tokio::time::timeout(patience, all).await;
        self.exit_status()
    }

    /// SIGTERM to the group, and SIGKILL for what is left of it after the grace.
    pub async fn terminate(&mut self, grace: Duration) {
        self.signal(Signal::SIGTERM);
        // Whether it ended in time or not, the rest of the group is killed next.
        let _ = tokio::time::timeout(grace, self.child.wait()).await;
        self.kill().await;
    }

    /// SIGKILL to the group, and the wait for the end.
    pub async fn kill(&mut self) {
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

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn that_it_has_ended_is_known_before_and_after_its_status_is_asked_for() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 7"]);
        let mut child = ChildProcess::spawn(&mut command, LogTail::default()).expect("a shell");
        while !child.has_ended() {
            tokio::task::yield_now().await;
        }
        let status = child.wait().await.expect("a status");
        assert_eq!(status.code(), Some(7), "looking takes nothing away");
        assert!(child.has_ended());

        let mut command = Command::new("sleep");
        command.arg("60");
        let mut child = ChildProcess::spawn(&mut command, LogTail::default()).expect("a process");
        assert!(!child.has_ended());
        child.kill().await;
        assert!(child.has_ended());
    }
}
