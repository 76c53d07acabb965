//! Virtual users. The one file that names goose.
//!
//! Goose launches the users and ends them; it does not time a request, because its clock starts late and its buckets
//! are coarse. Each user runs one transaction that takes turns from the shared schedule until there are no more, over a
//! connection that it holds, into a tally that few share. Goose's dashboard is served where somebody asks for it, and is fed
//! with our figures. The last user to come to the end of the schedule ends the attack; the signal ends every user at once,
//! wherever it waits.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use goose::GooseAttack;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario, Transaction, TransactionFunction};
use tokio::sync::Barrier;

use super::arrival::{Arrival, Turn};
use super::cpu::process_cpu;
use super::silence::Silence;
use super::tally::Tally;
use super::timeline::{Timeline, UserTimeline};
use super::token_pool::{Judged, PoolEntry, TokenPool};
use crate::stop::StopSignal;
use crate::target::{Observation, Target};

/// Users are launched at once; the clock starts when the last of them is connected.
const LAUNCH_RATE: &str = "10000";

/// What goose's tables call the method of a request: it may be any, and hold a body.
const METHOD: &str = "ASK";

/// Goose wants a host. Requests do not go through its client, so this one is never asked.
const UNUSED_HOST: &str = "http://127.0.0.1/";

/// A user whose session is over waits for the others; goose looks for its own end this often, too.
const IDLE: Duration = Duration::from_millis(20);

/// Users share so many tallies: each is some 100 KB, and users on different threads should seldom meet at one.
const TALLIES: usize = 16;

/// Goose's switch for ending an attack is one for the process, so there is one attack at a time.
static ATTACK: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Marks a goose user whose session is over: goose starts its transaction again and again until the attack ends.
#[derive(Clone)]
struct SessionOver;

/// Users that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Goose refuses.
    #[error("goose does not run the users: {0}")]
    Goose(Box<goose::GooseError>),
}

/// What the users of one phase share.
#[derive(Debug)]
struct Shared {
    target: Target,
    pool: Arc<TokenPool>,
    arrival: Arc<Arrival>,
    ready: Barrier,
    users: usize,
    running: AtomicUsize,
    /// One for each user, or for some.
    tallies: Vec<Mutex<Tally>>,
    timeline: Arc<Timeline>,
    clock: Mutex<Clock>,
    in_flight: InFlight,
    silence: Silence,
    stop: StopSignal,
    /// The target has been silent for too long, which ends the phase.
    given_up: AtomicBool,
    dashboard: Option<SocketAddr>,
}

impl Shared {
    fn new(
        target: &Target,
        pool: &Arc<TokenPool>,
        arrival: Arc<Arrival>,
        users: usize,
        timeline: &Arc<Timeline>,
        stop: &StopSignal,
        dashboard: Option<SocketAddr>,
    ) -> Self {
        let tallies = (0..users.min(TALLIES)).map(|_| Mutex::default());
        Self {
            target: target.clone(),
            pool: Arc::clone(pool),
            arrival,
            ready: Barrier::new(users),
            users,
            running: AtomicUsize::new(users),
            tallies: tallies.collect(),
            timeline: Arc::clone(timeline),
            clock: Mutex::default(),
            in_flight: InFlight::default(),
            silence: Silence::new(users),
            stop: stop.clone(),
            given_up: AtomicBool::new(false),
            dashboard,
        }
    }

    /// The tally of a user.
    fn tally(&self, number: usize) -> MutexGuard<'_, Tally> {
        let tally = &self.tallies[number % self.tallies.len()];
        tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_tally(&self) -> Tally {
        let mut all = Tally::default();
        for tally in &self.tallies {
            let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
            all.merge(std::mem::take(&mut *tally));
        }
        all
    }
}

/// What the users of one phase saw.
#[derive(Debug)]
pub struct Driven {
    /// Every answer, counted.
    pub tally: Tally,
    /// From the start of the clock until the last user was through.
    pub elapsed: Duration,
    /// From the start of the clock until the last request was sent.
    pub sending: Duration,
    /// Processor time of this process from the start of the clock until the last user was through.
    pub cpu: Duration,
    /// The most requests that were in flight at the same time; 0 in a closed loop.
    pub in_flight_peak: u64,
}

/// Requests that are being answered.
#[derive(Debug, Default)]
struct InFlight {
    now: AtomicU64,
    peak: AtomicU64,
}

impl InFlight {
    fn begin(&self) {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(now, Ordering::Relaxed);
    }

    fn end(&self) {
        self.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// When the phase began and was over, and the processor time of this process at both: connections are made before.
#[derive(Debug, Default)]
struct Clock {
    started: Option<(Instant, Duration)>,
    finished: Option<(Instant, Duration)>,
}

impl Clock {
    /// Every user says when the clock was started; the first one is the nearest to it.
    fn begin(&mut self, started: Instant, cpu: Duration) {
        self.started.get_or_insert((started, cpu));
    }

    /// Every user says when it is through; the last one ends the clock.
    fn end(&mut self, finished: Instant, cpu: Duration) {
        self.finished = self.finished.max(Some((finished, cpu)));
    }

    fn since_start(&self, end: Option<Instant>) -> Duration {
        let started = self.started.map(|(started, _)| started);
        let span = |(start, end): (Instant, Instant)| end.saturating_duration_since(start);
        started.zip(end).map_or(Duration::ZERO, span)
    }

    fn elapsed(&self) -> Duration {
        self.since_start(self.finished.map(|(finished, _)| finished))
    }

    fn cpu(&self) -> Duration {
        let used = |((_, before), (_, after)): ((_, Duration), (_, Duration))| {
            after.saturating_sub(before)
        };
        self.started.zip(self.finished).map_or(Duration::ZERO, used)
    }
}

/// Runs `users` users until the schedule ends or the signal is raised. A user that finds the target silent for too long
/// raises it: `stop` is the phase's own. `timeline` holds what they have seen so far, also while they run. Goose serves its
/// dashboard at `dashboard` meanwhile.
pub async fn drive(
    target: &Target,
    pool: &Arc<TokenPool>,
    arrival: Arc<Arrival>,
    users: usize,
    timeline: &Arc<Timeline>,
    stop: &StopSignal,
    dashboard: Option<SocketAddr>,
) -> Result<Driven, LoadError> {
    let shared = Shared::new(target, pool, arrival, users, timeline, stop, dashboard);
    let shared = Arc::new(shared);
    let for_users = Arc::clone(&shared);
    let numbers = AtomicUsize::new(0);
    let session: TransactionFunction = Arc::new(move |user: &mut GooseUser| {
        let shared = Arc::clone(&for_users);
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            if user.get_session_data::<SessionOver>().is_some() {
                tokio::time::sleep(IDLE).await;
            } else {
                run_user(&shared, user, number).await;
                user.set_session_data(SessionOver);
                if shared.running.fetch_sub(1, Ordering::AcqRel) == 1 {
                    goose::trigger_killswitch("the schedule is over");
                }
            }
            Ok(())
        })
    });
    let _attack = ATTACK.lock().await;
    let scenario =
        Scenario::new("authorized requests").register_transaction(Transaction::new(session));
    let attack = GooseAttack::initialize_with_config(configuration(users, dashboard))
        // One for all, since none is asked: a client of its own for each of a thousand users would be most of the memory.
        .and_then(|attack| {
            attack.set_client_builder_without_cookies(GooseClientBuilder::new().without_cookies())
        })
        .map_err(|error| LoadError::Goose(Box::new(error)))?
        .register_scenario(scenario);
    // Boxed: an attack is 20 KB of state, which every caller's future would carry.
    Box::pin(attack.execute())
        .await
        .map_err(|error| LoadError::Goose(Box::new(error)))?;
    let tally = shared.take_tally();
    let clock = shared.clock.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(Driven {
        elapsed: clock.elapsed(),
        sending: clock.since_start(tally.last_sent),
        cpu: clock.cpu(),
        in_flight_peak: shared.in_flight.peak.load(Ordering::Relaxed),
        tally,
    })
}

async fn run_user(shared: &Shared, user: &mut GooseUser, number: usize) {
    let mut seconds = shared.timeline.user();
    let mut asked = None;
    // Raced as a whole and not call by call: a signal costs no request anything, and what was counted stays.
    let _: Option<()> = shared
        .stop
        .unless_raised(take_turns(shared, user, number, &mut seconds, &mut asked))
        .await;
    // Of a target that is given up, whoever waits for it waits in vain; a signal says nothing of it.
    if let Some((turn, sent)) = asked
        && shared.given_up.load(Ordering::Relaxed)
    {
        let lost = Observation::given_up(sent);
        let mut tally = shared.tally(number);
        let judged = tally.add(turn, shared.pool.entry(turn.index), &lost);
        seconds.add(turn.intended.unwrap_or(sent), lost.finished, judged);
    }
    seconds.hand_over();
    let mut clock = shared.clock.lock().unwrap_or_else(PoisonError::into_inner);
    clock.end(Instant::now(), process_cpu());
}

async fn take_turns(
    shared: &Shared,
    user: &mut GooseUser,
    number: usize,
    seconds: &mut UserTimeline<'_>,
    asked: &mut Option<(Turn, Instant)>,
) {
    let mut connection = shared.target.connection();
    connection.warm_up().await;
    shared.ready.wait().await;
    let started = shared.arrival.start(shared.users, &shared.stop);
    shared.timeline.start(started);
    {
        let mut clock = shared.clock.lock().unwrap_or_else(PoisonError::into_inner);
        clock.begin(started, process_cpu());
    }
    // Looked at here, too: calls that are refused at once never yield, and a race is decided where its futures wait.
    while !shared.stop.is_raised() {
        let Some(turn) = shared.arrival.next().await else {
            break;
        };
        let entry = shared.pool.entry(turn.index);
        // In a closed loop it is the number of users, and a counter that all of them write costs.
        let counted = turn.intended.is_some();
        if counted {
            shared.in_flight.begin();
        }
        *asked = Some((turn, Instant::now()));
        let answer = connection.call(entry.request).await;
        *asked = None;
        if counted {
            shared.in_flight.end();
        }
        let judged = shared.tally(number).add(turn, entry, &answer);
        let due = turn.intended.unwrap_or(answer.sent);
        seconds.add(due, answer.finished, judged);
        if shared.dashboard.is_some() {
            let latency = answer.finished.saturating_duration_since(due);
            show(user, entry, latency, judged, &answer).await;
        }
        if shared.silence.hears(judged == Judged::Lost, &answer) {
            shared.given_up.store(true, Ordering::Relaxed);
            shared.stop.raise();
        }
    }
}

/// Tells goose of an answer, for its dashboard. Its figures are ours, with the microseconds that its buckets keep; nothing that we
/// report comes back from there.
async fn show(
    user: &mut GooseUser,
    entry: PoolEntry<'_>,
    latency: Duration,
    judged: Judged,
    answer: &Observation,
) {
    let (right, status) = (judged == Judged::Right, answer.status);
    let error = (!right).then(|| answer.summary());
    // It fails when goose is ending; what it is told then, nobody sees.
    let _ = user
        .record_custom_request_duration(
            METHOD,
            entry.name,
            latency,
            right,
            status,
            error.as_deref(),
        )
        .await;
}

/// Nothing of goose's own output, metrics or servers. Not `iterations`: with it goose prints to standard output.
fn configuration(users: usize, dashboard: Option<SocketAddr>) -> GooseConfiguration {
    // Some fields are private to goose, so a literal is not possible.
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(UNUSED_HOST.to_owned());
    configuration.users = Some(users);
    configuration.increase_rate = Some(LAUNCH_RATE.to_owned());
    configuration.quiet = 2;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    configuration.no_metrics = true;
    configuration.no_telnet = true;
    if let Some(address) = dashboard {
        configuration.dashboard = true;
        configuration.dashboard_host = Some(address.ip().to_string());
        configuration.dashboard_port = Some(address.port());
        configuration.no_metrics = false;
        // Not `no_reset_metrics`: with it goose prints to standard output. What it throws away instead are the first moments.
        configuration.no_error_summary = false;
    }
    configuration
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_that_between_the_start_of_the_clock_and_its_end() {
        let (mut clock, start) = (Clock::default(), Instant::now());
        let second = Duration::from_secs;
        assert_eq!(
            (clock.elapsed(), clock.cpu()),
            (Duration::ZERO, Duration::ZERO)
        );
        // Two users: what was used before the first of them began is not the phase's.
        clock.begin(start, second(5));
        clock.begin(start, second(6));
        clock.end(start + second(4), second(8));
        clock.end(start + second(3), second(7));
        assert_eq!((clock.elapsed(), clock.cpu()), (second(4), second(3)));
    }
}
