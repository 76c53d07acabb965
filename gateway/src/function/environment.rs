//! One execution environment: a process, its Runtime API, and the one invocation that it may have at a time.

use std::process::ExitStatus;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;
use tokio::sync::oneshot;

use super::config::FunctionConfig;
use super::exchange::{Answered, Event, Exchange, Init};
use super::process::{self, TERMINATION_GRACE};
use super::runtime_api::RuntimeApi;
use super::{ColdStart, InvokeError};
use crate::api::{ACCOUNT, REGION};
use crate::child::ChildProcess;
use crate::decision::FunctionAnswer;
use crate::log_tail::LogTail;
use crate::request_id::RequestId;

/// After a process has ended, how long its last words may still be on their way through the loopback.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// After a failure that ends the process, how long it may take to say why on its standard error, and to end by itself. A
/// runtime that has reported an INIT error prints it next; the caller of the failed invocation waits for this.
const LAST_LINES: Duration = Duration::from_millis(200);

/// An environment. Dropping it kills its process and closes its Runtime API.
#[derive(Debug)]
pub(super) struct Environment {
    process: ChildProcess,
    api: RuntimeApi,
    generation: u64,
    timeout: Duration,
    init_timeout: Duration,
    spawned: Instant,
    /// `None` once INIT is over.
    init: Option<oneshot::Receiver<Init>>,
}

/// Whether and how the process is past using.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The process ended before it had seen the event.
    BeforeEvent,
    /// The process ended, or failed in INIT.
    Crashed,
    /// It can take another event.
    Not,
    /// The process did not answer in time.
    TimedOut,
}

/// How one invocation went.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) answer: FunctionAnswer,
    pub(super) ended: Ended,
    pub(super) cold_start: Option<ColdStart>,
    pub(super) dispatched: Instant,
    pub(super) answered: Instant,
}

impl Environment {
    /// Opens the Runtime API and starts the process; INIT goes on in the background.
    pub(super) fn spawn(
        config: &FunctionConfig,
        log: &LogTail,
        generation: u64,
    ) -> Result<Self, InvokeError> {
        let (exchange, init) = Exchange::new();
        let api =
            RuntimeApi::start(exchange, function_arn(&config.name)).map_err(InvokeError::Listen)?;
        let spawned = Instant::now();
        let process = process::spawn(config, &api.address(), log)?;
        Ok(Self {
            process,
            api,
            generation,
            timeout: config.timeout,
            init_timeout: config.init_timeout,
            spawned,
            init: Some(init),
        })
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn process_id(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn is_alive(&mut self) -> bool {
        self.process.exit_status().is_none()
    }

    pub(super) async fn terminate(mut self) {
        self.process.terminate(TERMINATION_GRACE).await;
    }

    /// Lets a process that has failed end by itself, so that its log says why.
    pub(super) async fn last_lines(&mut self) -> Option<ExitStatus> {
        self.process.last_words(LAST_LINES).await
    }

    pub(super) async fn kill(mut self) {
        self.process.kill().await;
    }

    /// Runs one invocation: INIT first when it is not over, then the event.
    pub(super) async fn run(&mut self, payload: Bytes) -> Outcome {
        let mut cold_start = None;
        if let Some(init) = self.init.take() {
            match self.finish_init(init).await {
                Ok(cold) => cold_start = Some(cold),
                Err((answer, ended)) => {
                    let now = Instant::now();
                    return Outcome {
                        answer,
                        ended,
                        cold_start,
                        dispatched: now,
                        answered: now,
                    };
                }
            }
        }
        let dispatched = Instant::now();
        let (answered, ended) = self.exchange_event(payload).await;
        Outcome {
            answer: answered.answer,
            ended,
            cold_start,
            dispatched,
            answered: answered.at,
        }
    }

    async fn finish_init(
        &mut self,
        mut init: oneshot::Receiver<Init>,
    ) -> Result<ColdStart, (FunctionAnswer, Ended)> {
        let outcome = tokio::select! {
            biased;
            outcome = &mut init => outcome.ok(),
            status = self.process.wait() => match tokio::time::timeout(LAST_WORDS, init).await {
                Ok(Ok(outcome)) => Some(outcome),
                Ok(Err(_)) | Err(_) => return Err((exit_error("INIT", status.ok()), Ended::Crashed)),
            },
            () = tokio::time::sleep(self.init_timeout) => None,
        };
        match outcome {
            Some(Init::Failed(answer)) => Err((answer, Ended::Crashed)),
            Some(Init::Ready(ready)) => {
                // The first `/next` came over a connection, so one was accepted.
                let connected = self.api.connected().unwrap_or(ready);
                Ok(ColdStart {
                    spawned: self.spawned,
                    connected,
                    ready,
                })
            }
            None => {
                let message = format!(
                    "INIT timed out after {:.2} seconds",
                    self.init_timeout.as_secs_f64()
                );
                Err((
                    FunctionAnswer::Error {
                        message,
                        error_type: TIMED_OUT.to_owned(),
                    },
                    Ended::TimedOut,
                ))
            }
        }
    }

    async fn exchange_event(&mut self, payload: Bytes) -> (Answered, Ended) {
        let request_id = RequestId::next().uuid();
        let deadline = SystemTime::now() + self.timeout;
        let deadline_ms = deadline
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let mut answer = self.api.exchange().dispatch(Event {
            request_id: request_id.clone(),
            nonce: RequestId::next().uuid(),
            trace_id: format!("Root=1-{request_id};Sampled=0"),
            deadline_ms,
            payload,
        });
        let failed = |message, error_type: &str| Answered {
            answer: FunctionAnswer::Error {
                message,
                error_type: error_type.to_owned(),
            },
            at: Instant::now(),
        };
        tokio::select! {
            biased;
            Ok(answered) = &mut answer => (answered, Ended::Not),
            status = self.process.wait() => {
                if let Ok(Ok(answered)) = tokio::time::timeout(LAST_WORDS, answer).await {
                    return (answered, Ended::Crashed);
                }
                let ended = if self.api.exchange().event_was_taken() { Ended::Crashed } else { Ended::BeforeEvent };
                (Answered { answer: exit_error(&request_id, status.ok()), at: Instant::now() }, ended)
            }
            () = tokio::time::sleep(self.timeout) => {
                let seconds = self.timeout.as_secs_f64();
                let message = format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
                (failed(message, TIMED_OUT), Ended::TimedOut)
            }
        }
    }
}

/// The error type of an invocation that ran out of time.
const TIMED_OUT: &str = "Sandbox.Timedout";

fn exit_error(request_id: &str, status: Option<ExitStatus>) -> FunctionAnswer {
    let how = status.map_or_else(|| "unknown status".to_owned(), |status| status.to_string());
    let message = format!("RequestId: {request_id} Error: Runtime exited with error: {how}");
    FunctionAnswer::Error {
        message,
        error_type: "Runtime.ExitError".to_owned(),
    }
}

/// The function's ARN; characters that no function name has become dashes.
fn function_arn(name: &str) -> HeaderValue {
    let name = name.replace(
        |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')),
        "-",
    );
    HeaderValue::from_str(&format!(
        "arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    ))
    .expect("only letters, digits, dashes and underscores of the name are left")
}
