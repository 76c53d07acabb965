//! An HTTP server that the bench starts, watches and ends.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gateway::{ChildProcess, LogTail};
use tokio::process::Command;

use super::TestbedError;
use super::error::tail;
use crate::subject::HttpCommand;
use crate::target::{Decision, HttpTarget, RequestShape, Target};

/// Between two looks at a server that is starting. It is in every cold start of an HTTP target, so it is short.
const PROBE_INTERVAL: Duration = Duration::from_millis(2);

/// From SIGTERM to SIGKILL; Lambda gives its runtimes two seconds, too.
const TERMINATION_GRACE: Duration = Duration::from_secs(2);

/// How long the last words of a process that has ended may still be on their way through its pipes.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(200);

/// From the closed socket of a process that ends to its exit status, with its exit handlers in between.
const SETTLE: Duration = Duration::from_millis(200);

/// How many of the ports that were given out last are not given out again: more than there are targets at a time, and few
/// of the 28,000 that Linux has for this.
const PORTS_REMEMBERED: usize = 2048;

static PORTS_GIVEN_OUT: Mutex<VecDeque<u16>> = Mutex::new(VecDeque::new());

/// A port that was free a moment ago, and another one for each of the targets that start side by side: `HAProxy` and Apache
/// share a port with another of their kind without a word (`SO_REUSEPORT`), and answer for each other. Another process may
/// take it before the target does: then the target says so.
pub(super) fn free_port() -> Result<u16, TestbedError> {
    let mut given_out = PORTS_GIVEN_OUT
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TestbedError::Port)?;
        let port = listener.local_addr().map_err(TestbedError::Port)?.port();
        if given_out.contains(&port) {
            continue;
        }
        if given_out.len() == PORTS_REMEMBERED {
            given_out.pop_front();
        }
        given_out.push_back(port);
        return Ok(port);
    }
}

/// A running server.
#[derive(Debug)]
pub(super) struct ChildServer {
    child: ChildProcess,
    invocation: String,
}

impl ChildServer {
    /// Starts a server and waits until it is ready.
    pub(super) async fn start(
        line: Vec<String>,
        env: BTreeMap<String, String>,
        working_dir: Option<PathBuf>,
        port: u16,
        plan: &HttpCommand,
    ) -> Result<Self, TestbedError> {
        let mut server = Self::spawn(&line, env, working_dir)?;
        match server.wait_until_ready(port, plan).await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.shutdown().await;
                Err(error)
            }
        }
    }

    fn spawn(
        line: &[String],
        env: BTreeMap<String, String>,
        working_dir: Option<PathBuf>,
    ) -> Result<Self, TestbedError> {
        let invocation = line.join(" ");
        let mut command = Command::new(line.first().map_or("", String::as_str));
        command
            .args(line.iter().skip(1))
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(env);
        if let Some(folder) = working_dir {
            command.current_dir(folder);
        }
        match ChildProcess::spawn(&mut command, LogTail::default()) {
            Ok(child) => Ok(Self { child, invocation }),
            Err(source) => Err(TestbedError::Spawn {
                command: invocation,
                source,
            }),
        }
    }

    async fn wait_until_ready(
        &mut self,
        port: u16,
        plan: &HttpCommand,
    ) -> Result<(), TestbedError> {
        let started = Instant::now();
        let path = plan.ready_path.clone().unwrap_or_else(|| plan.path.clone());
        let target = Target::Http(Arc::new(HttpTarget::new(format!("127.0.0.1:{port}"), path)));
        let request = target.prepare(&RequestShape::default(), "")?;
        let mut probe = "no connection".to_owned();
        while started.elapsed() < plan.ready_timeout {
            if let Some(status) = self.exit_status() {
                self.child.last_words(LAST_WORDS).await;
                return Err(TestbedError::Died {
                    command: self.invocation.clone(),
                    status: status.to_string(),
                    log: tail(&self.log_tail()),
                });
            }
            let left = plan.ready_timeout.saturating_sub(started.elapsed());
            let mut connection = target.connection();
            match tokio::time::timeout(left, connection.call(&request)).await {
                Ok(answer) => {
                    let ready = match plan.ready_path {
                        Some(_) => answer.decision == Decision::Allow,
                        None => answer.status.is_some(),
                    };
                    if ready {
                        return Ok(());
                    }
                    probe = answer.summary();
                }
                Err(_) => probe = format!("connected, and no answer within {left:.1?}"),
            }
            tokio::time::sleep(PROBE_INTERVAL).await;
        }
        let log = tail(&self.log_tail());
        Err(TestbedError::Hangs {
            command: self.invocation.clone(),
            timeout: plan.ready_timeout,
            probe,
            log,
        })
    }

    /// The command line.
    pub(super) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn invocation(&self) -> &str {
        &self.invocation
    }

    /// How the process ended, if it has.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.exit_status()
    }

    /// Whether the process has ended, whoever has or has not asked how.
    pub(super) fn has_ended(&self) -> bool {
        self.child.has_ended()
    }

    /// Waits, for a moment, for a process that is ending: its closed socket is seen before its exit status.
    pub(super) async fn settle(&mut self) {
        // Whether it has ended is asked afterwards.
        let _ = tokio::time::timeout(SETTLE, self.child.wait()).await;
    }

    /// The last lines that it printed.
    pub(super) fn log_tail(&self) -> Vec<String> {
        self.child.log().lines()
    }

    /// Ends the server and what it started.
    pub(super) async fn shutdown(&mut self) {
        self.child.terminate(TERMINATION_GRACE).await;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_targets_get_one_port() {
        let ports: HashSet<u16> = (0..1000)
            .map(|_| free_port().expect("a free port"))
            .collect();
        assert_eq!(ports.len(), 1000);
    }
}
