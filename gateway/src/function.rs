//! A Lambda function: execution environments that are processes, and the invocations that they answer.
//!
//! Owns how many environments there are, which of them gets the next event (the one that was used last), and when one
//! is ended: after a time-out, a crash, [`Function::recycle`] and [`Function::shutdown`]. What happens inside one
//! environment is in `environment`, its side of the wire in `runtime_api`. It knows nothing of authorizers.
//!
//! An INIT that fails or takes too long is a function error of the invocation that caused it. Lambda would try INIT
//! again within the function's time-out; the stand-in tries again on the next invocation, so that a failure shows at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};

use crate::decision::FunctionAnswer;
use crate::log_tail::LogTail;

mod config;
mod environment;
mod error;
mod exchange;
mod failure;
mod pool;
mod process;
mod runtime_api;
mod variables;

pub use config::{FunctionConfig, MAX_ENVIRONMENTS_LIMIT, TIMEOUT_MAX};
pub use error::{FunctionError, InvokeError};
pub use failure::{Failure, FailurePhase};

use environment::{Ended, Environment};
use pool::Pool;

/// Invocations that wait for an environment. Each holds its event, at most some 10 KB of token; more of them waiting
/// means that the caller is far ahead of the function and should hear of it.
const QUEUE_LIMIT: usize = 4_096;

/// How long an invocation waits for an environment: less than the ceiling of 29 s that API Gateway has for an answer.
const QUEUE_DEADLINE: Duration = Duration::from_secs(20);

/// A function that can be invoked. Environments start with the first invocations, not before.
#[derive(Debug)]
pub struct Function {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: FunctionConfig,
    /// One permit for each environment that may run an invocation.
    permits: Semaphore,
    queued: AtomicU64,
    pool: Pool,
    log: LogTail,
    last_failure: Mutex<Option<Failure>>,
    shutdown: watch::Sender<bool>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    cold_starts: AtomicU64,
    environments_ended: AtomicU64,
    environments_spawned: AtomicU64,
    function_errors: AtomicU64,
    invocations: AtomicU64,
    timeouts: AtomicU64,
}

/// What a function did since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FunctionCounters {
    /// Invocations that waited for INIT.
    pub cold_starts: u64,
    /// Processes that were started.
    pub environments_spawned: u64,
    /// Invocations that ended in an error of the function, time-outs and crashes included.
    pub function_errors: u64,
    /// Events that were given to an environment, or would have been had its INIT not failed.
    pub invocations: u64,
    /// Invocations that ran out of time.
    pub timeouts: u64,
}

/// One answered invocation.
#[derive(Debug, Clone)]
pub struct Invocation {
    answer: FunctionAnswer,
    cold_start: Option<ColdStart>,
    init_failed: bool,
    dispatched: Instant,
    answered: Instant,
}

/// The instants of a cold start that got as far as the first `/next`.
#[derive(Debug, Clone, Copy)]
pub struct ColdStart {
    /// Just before the process was started.
    pub spawned: Instant,
    /// When its first connection to the Runtime API was accepted.
    pub connected: Instant,
    /// When its first `GET /next` arrived, which ends INIT.
    pub ready: Instant,
}

impl Invocation {
    /// What the function answered.
    pub fn answer(&self) -> &FunctionAnswer {
        &self.answer
    }

    /// The cold start that this invocation waited for; `None` when the environment was warm, or when INIT failed.
    pub fn cold_start(&self) -> Option<&ColdStart> {
        self.cold_start.as_ref()
    }

    /// Whether INIT failed, so that no environment saw the event.
    pub fn init_failed(&self) -> bool {
        self.init_failed
    }

    /// When the event was given to the environment.
    pub fn dispatched(&self) -> Instant {
        self.dispatched
    }

    /// When the last byte of the answer had been read, or when it was clear that none would come.
    pub fn answered(&self) -> Instant {
        self.answered
    }
}

impl Function {
    /// Checks the configuration and that the command exists. No process is started yet.
    #[expect(
        clippy::unused_async,
        reason = "starting is where a pre-warmed function would wait"
    )]
    pub async fn start(config: FunctionConfig) -> Result<Self, FunctionError> {
        config.check()?;
        let inner = Inner {
            permits: Semaphore::new(config.max_environments),
            log: LogTail::watched(config.watcher.clone()),
            config,
            queued: AtomicU64::new(0),
            pool: Pool::default(),
            last_failure: Mutex::default(),
            shutdown: watch::Sender::new(false),
            counts: Counts::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Invokes the function with an event and waits for its answer.
    ///
    /// A function that fails, crashes or runs out of time is an answer, [`FunctionAnswer::Error`]. The invocation goes on
    /// when this future is dropped, as it does on Lambda when a caller hangs up.
    pub async fn invoke(&self, event: Bytes) -> Result<Invocation, InvokeError> {
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move { inner.invoke(event).await })
            .await
            .map_err(|_| InvokeError::ShutDown)?
    }

    /// Ends every environment, so that the next invocation starts a fresh process. Idle ones have ended when this returns;
    /// one that is at work ends after its invocation.
    pub async fn recycle(&self) {
        Pool::terminate_all(self.inner.pool.retire()).await;
    }

    /// The last lines that the environments printed, with what looks like a token taken out.
    pub fn log_tail(&self) -> Vec<String> {
        self.inner.log.lines()
    }

    /// What went wrong last.
    pub fn last_failure(&self) -> Option<Failure> {
        self.inner.last_failure().clone()
    }

    /// Takes note of a failure that shows outside of the function: in the reading of its answer, or in the waiting for it.
    pub(crate) fn note(&self, failure: Failure) {
        self.inner.note(Some(failure));
    }

    /// The process ids of the environments that are idle.
    pub fn idle_process_ids(&self) -> Vec<u32> {
        self.inner.pool.process_ids()
    }

    /// Environments whose process has ended by itself so far, at work or idle: a crash or an exit, and no time-out of ours.
    /// The next invocation starts another, so that the caller of a gateway does not notice.
    pub fn environments_ended(&self) -> u64 {
        let ended = self.inner.pool.ended();
        for _ in &ended {
            count(&self.inner.counts.environments_ended);
        }
        self.inner.counts.environments_ended.load(Ordering::Relaxed)
    }

    /// What happened so far.
    pub fn counters(&self) -> FunctionCounters {
        let counts = &self.inner.counts;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        FunctionCounters {
            cold_starts: read(&counts.cold_starts),
            environments_spawned: read(&counts.environments_spawned),
            function_errors: read(&counts.function_errors),
            invocations: read(&counts.invocations),
            timeouts: read(&counts.timeouts),
        }
    }

    /// Ends every environment, at work or idle, and waits until their processes are gone.
    pub async fn shutdown(&self) {
        self.inner.shutdown.send_replace(true);
        let all = u32::try_from(self.inner.config.max_environments).unwrap_or(u32::MAX);
        // Invocations at work see the signal and give their permits back once their process has ended.
        if let Ok(permits) = self.inner.permits.acquire_many(all).await {
            permits.forget();
        }
        self.inner.permits.close();
        Pool::terminate_all(self.inner.pool.retire()).await;
    }
}

impl Inner {
    fn last_failure(&self) -> MutexGuard<'_, Option<Failure>> {
        self.last_failure
            .lock()
            .expect("no holder of this lock panics")
    }

    fn note(&self, failure: Option<Failure>) {
        if let Some(failure) = failure {
            self.log.remark(|| failure.to_string());
            *self.last_failure() = Some(failure);
        }
    }

    async fn invoke(&self, event: Bytes) -> Result<Invocation, InvokeError> {
        let invoked = self.invoke_once(event).await;
        if let Err(error) = &invoked {
            self.note(Failure::not_invoked(error));
        }
        invoked
    }

    async fn invoke_once(&self, event: Bytes) -> Result<Invocation, InvokeError> {
        let _permit = self.permit().await?;
        if *self.shutdown.borrow() {
            return Err(InvokeError::ShutDown);
        }
        count(&self.counts.invocations);
        loop {
            let (environment, cold) = match self.alive().await {
                Some(environment) => (environment, false),
                None => (self.spawn()?, true),
            };
            // A warm process can end between two invocations; the event goes to another one then, as it was not seen.
            if let Some(invocation) = self.run(environment, cold, event.clone()).await? {
                return Ok(invocation);
            }
        }
    }

    /// A place among the environments, waited for in line, within both bounds of the queue.
    async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, InvokeError> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let limit = u64::try_from(QUEUE_LIMIT).unwrap_or(u64::MAX);
        if self.queued.fetch_add(1, Ordering::Relaxed) >= limit {
            self.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(InvokeError::QueueFull {
                waiting: QUEUE_LIMIT,
            });
        }
        let permit = tokio::time::timeout(QUEUE_DEADLINE, self.permits.acquire()).await;
        self.queued.fetch_sub(1, Ordering::Relaxed);
        match permit {
            Ok(permit) => permit.map_err(|_| InvokeError::ShutDown),
            Err(_) => Err(InvokeError::NoEnvironment {
                waited: QUEUE_DEADLINE,
            }),
        }
    }

    /// The idle environment that was used last, among those whose process has not ended meanwhile.
    async fn alive(&self) -> Option<Environment> {
        loop {
            let mut environment = self.pool.take()?;
            if environment.is_alive() {
                return Some(environment);
            }
            count(&self.counts.environments_ended);
            environment.kill().await;
        }
    }

    fn spawn(&self) -> Result<Environment, InvokeError> {
        let environment = Environment::spawn(&self.config, &self.log, self.pool.generation())?;
        count(&self.counts.environments_spawned);
        Ok(environment)
    }

    /// Runs one invocation in an environment; `None` when a warm one had ended before it saw the event.
    async fn run(
        &self,
        mut environment: Environment,
        cold: bool,
        event: Bytes,
    ) -> Result<Option<Invocation>, InvokeError> {
        let mut shutdown = self.shutdown.subscribe();
        let ended = async move {
            // The only error is a sender that is gone, and `self` holds it.
            let _ = shutdown.wait_for(|ended| *ended).await;
        };
        let outcome = tokio::select! {
            outcome = environment.run(event) => outcome,
            () = ended => {
                environment.terminate().await;
                return Err(InvokeError::ShutDown);
            }
        };
        if matches!(outcome.ended, Ended::BeforeEvent | Ended::Crashed) {
            count(&self.counts.environments_ended);
        }
        if !cold && outcome.ended == Ended::BeforeEvent {
            environment.kill().await;
            return Ok(None);
        }
        let init_failed = cold && outcome.cold_start.is_none();
        if cold && !init_failed {
            count(&self.counts.cold_starts);
        }
        if matches!(outcome.answer, FunctionAnswer::Error { .. }) {
            count(&self.counts.function_errors);
        }
        let mut exit_status = None;
        match outcome.ended {
            Ended::BeforeEvent | Ended::Crashed => {
                exit_status = environment.last_lines().await;
                environment.kill().await;
            }
            Ended::Not => self.give_back(environment).await,
            Ended::TimedOut => {
                count(&self.counts.timeouts);
                environment.kill().await;
            }
        }
        let phase = if init_failed {
            FailurePhase::Init
        } else {
            FailurePhase::Invocation
        };
        self.note(Failure::of(phase, &outcome.answer, exit_status));
        Ok(Some(Invocation {
            answer: outcome.answer,
            cold_start: outcome.cold_start.filter(|_| cold),
            init_failed,
            dispatched: outcome.dispatched,
            answered: outcome.answered,
        }))
    }

    async fn give_back(&self, environment: Environment) {
        if let Some(retired) = self.pool.put(environment) {
            retired.terminate().await;
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
