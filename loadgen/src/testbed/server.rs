//! An HTTP server that the bench starts, watches and ends.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::TestbedError;
use super::error::tail;
use crate::subject::HttpCommand;
use crate::target::{Decision, HttpTarget, RequestShape, Target};

/// Between two looks at a server that is starting. It is in every cold start of an HTTP target, so it is short.
const PROBE_INTERVAL: Duration = Duration::from_millis(2);

/// From SIGTERM to SIGKILL; Lambda gives its runtimes two seconds, too.
const TERMINATION_GRACE: Duration = Duration::from_secs(2);

/// From the closed socket of a process that ends to its exit status, with its exit handlers in between.
const SETTLE: Duration = Duration::from_millis(200);

/// Lines of output that are kept for messages, and the longest of them.
const LOG_LINES: usize = 50;
const LOG_LINE_BYTES: usize = 2000;

/// A port that was free a moment ago. Another process may take it before the target does: then the target says so.
pub(super) fn free_port() -> Result<u16, TestbedError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(TestbedError::Port)?;
    Ok(listener.local_addr().map_err(TestbedError::Port)?.port())
}

/// A running server, in a process group of its own, so that what it starts ends with it.
#[derive(Debug)]
pub(super) struct ChildServer {
    child: Child,
    group: Option<Pid>,
    invocation: String,
    log: Arc<Mutex<VecDeque<String>>>,
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
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(folder) = working_dir {
            command.current_dir(folder);
        }
        let mut child = command.spawn().map_err(|source| TestbedError::Spawn {
            command: invocation.clone(),
            source,
        })?;
        let group = child
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .map(Pid::from_raw);
        let log = Arc::new(Mutex::new(VecDeque::new()));
        drain(child.stdout.take(), &log);
        drain(child.stderr.take(), &log);
        Ok(Self {
            child,
            group,
            invocation,
            log,
        })
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
                return Err(TestbedError::Died {
                    command: self.invocation.clone(),
                    status: status.to_string(),
                    log: tail(&self.log_tail()),
                });
            }
            let left = plan.ready_timeout.saturating_sub(started.elapsed());
            let mut connection = target.connection();
            if let Ok(answer) = tokio::time::timeout(left, connection.call(&request)).await {
                let ready = match plan.ready_path {
                    Some(_) => answer.decision == Decision::Allow,
                    None => answer.status.is_some(),
                };
                if ready {
                    return Ok(());
                }
                probe = answer.summary();
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
    pub(super) fn invocation(&self) -> &str {
        &self.invocation
    }

    /// How the process ended, if it has.
    pub(super) fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits, for a moment, for a process that is ending: its closed socket is seen before its exit status.
    pub(super) async fn settle(&mut self) {
        // Whether it has ended is asked afterwards.
        let _ = tokio::time::timeout(SETTLE, self.child.wait()).await;
    }

    /// The last lines that it printed.
    pub(super) fn log_tail(&self) -> Vec<String> {
        self.log
            .lock()
            .expect("no holder of this lock panics")
            .iter()
            .cloned()
            .collect()
    }

    /// Ends the server and what it started: SIGTERM, and SIGKILL for what is left.
    pub(super) async fn shutdown(&mut self) {
        self.signal(Signal::SIGTERM);
        if tokio::time::timeout(TERMINATION_GRACE, self.child.wait())
            .await
            .is_err()
        {
            self.signal(Signal::SIGKILL);
            // After SIGKILL the wait is short, and its failure changes nothing.
            let _ = self.child.wait().await;
        }
        // The leader is gone; a grandchild that ignored SIGTERM is not.
        self.signal(Signal::SIGKILL);
        self.group = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // The only failure is a group that has ended.
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for ChildServer {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Reads everything that a child prints, so that it never blocks on a full pipe, and keeps the end of it. A line is
/// bounded while it is read: a child that never prints a line break must not fill the memory.
fn drain(
    stream: Option<impl AsyncRead + Unpin + Send + 'static>,
    log: &Arc<Mutex<VecDeque<String>>>,
) {
    let Some(mut stream) = stream else { return };
    let log = Arc::clone(log);
    tokio::spawn(async move {
        let mut buffer = [0; 4096];
        let mut line = Vec::new();
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            for &byte in &buffer[..read] {
                if byte == b'\n' {
                    keep(&log, &line);
                    line.clear();
                } else if line.len() < LOG_LINE_BYTES {
                    line.push(byte);
                }
            }
        }
        keep(&log, &line);
    });
}

fn keep(log: &Mutex<VecDeque<String>>, line: &[u8]) {
    if line.is_empty() {
        return;
    }
    let mut log = log.lock().expect("no holder of this lock panics");
    if log.len() == LOG_LINES {
        log.pop_front();
    }
    log.push_back(String::from_utf8_lossy(line).into_owned());
}
