//! The two phases of load, and the record of either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::breach;
use super::course::Course;
use super::timeline::Timeline;
use super::token_pool::{PoolError, PoolSource, TokenPool};
use super::users::{Driven, LoadError, drive};
use crate::catalogue::Catalogue;
use crate::record::{CounterRecord, GeneratorHealth, LimitRecord, PhaseRecord, ThresholdRecord};
use crate::recorder::Distribution;
use crate::scenario::{Counted, Limit, LoadPhase, Threshold};
use crate::schedule::Schedule;
use crate::stop::StopSignal;
use crate::target::{Connections, Target};
use crate::testbed::{GatewayCounts, Testbed};
use crate::units::duration;

/// A schedule kept worse than this says more about the generator than about the target.
pub(super) const LATENESS_LIMIT: Duration = Duration::from_millis(1);

/// Less of the asked rate than this was not the asked load.
const ACHIEVED_LIMIT: f64 = 0.99;

/// What every phase of a run needs.
#[derive(Debug, Clone, Copy)]
pub struct LoadContext<'a> {
    /// Issuer, gateway and subject.
    pub testbed: &'a Testbed,
    /// The cases that a mix may name.
    pub catalogue: &'a Catalogue,
    /// Start of the run.
    pub run_started: Instant,
    /// Ends the phase early.
    pub stop: &'a StopSignal,
    /// What the users have seen so far, for whoever watches.
    pub timeline: &'a Arc<Timeline>,
    /// The seed of what is drawn.
    pub seed: u64,
}

/// A phase that could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// The pool cannot be made.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Whoever asks beforehand is gone.
    #[error("a task that asks for tokens before the clock starts ended without an answer")]
    PrimingTask,
    /// Users cannot be run.
    #[error(transparent)]
    Users(#[from] LoadError),
    /// A cached phase whose cache cannot be primed.
    #[error("the policy cache cannot be primed: a token of {class} gets no decision: {answer}")]
    Prime {
        /// The case of the mix.
        class: String,
        /// What came.
        answer: String,
    },
}

/// Requests that the authorizer decides: keys warm, each token new.
pub async fn verification(
    plan: &LoadPhase,
    context: LoadContext<'_>,
) -> Result<PhaseRecord, PhaseError> {
    let pool = minted(plan, context, |source| TokenPool::once(plan, source))?;
    context.testbed.begin_policy_cache(plan.cache);
    let mut record = measure("verification", plan, &pool, context).await?;
    "The authorizer decides: its keys are warm, and each token is seen for the first time."
        .clone_into(&mut record.definition);
    let outlived = record.tokens.as_ref().map_or(0, |tokens| tokens.outlived);
    let sent = record.requests + record.wrong_decisions + record.errors + outlived;
    require(&mut record, INVOCATIONS, sent);
    Ok(record)
}

/// Says what a counter had to be.
pub(super) fn require(record: &mut PhaseRecord, name: &str, required: u64) {
    let mut counters = record.counters.iter_mut();
    if let Some(counter) = counters.find(|counter| counter.name == name) {
        counter.required = Some(required);
    }
}

/// A counter of the record; 0 where no gateway stands before the target.
pub(super) fn counted(record: &PhaseRecord, name: &str) -> u64 {
    let mut counters = record.counters.iter();
    counters
        .find(|counter| counter.name == name)
        .map_or(0, |counter| counter.moved)
}

pub(super) const INVOCATIONS: &str = "authorizer invocations";
pub(super) const HITS: &str = "policy cache hits";
pub(super) const MISSES: &str = "policy cache misses";
pub(super) const REPEATS: &str = "repeated invocations";

pub(super) fn minted(
    plan: &LoadPhase,
    context: LoadContext<'_>,
    mint: impl FnOnce(PoolSource<'_>) -> Result<TokenPool, PoolError>,
) -> Result<Arc<TokenPool>, PhaseError> {
    let target = &context.testbed.target().with_connections(plan.connections);
    let source = PoolSource {
        minter: context.testbed.minter(),
        catalogue: context.catalogue,
        target,
        seed: context.seed,
    };
    // Minting keeps every core busy; the runtime's other tasks wait for it, and nothing is being measured.
    let pool = tokio::task::block_in_place(|| mint(source))?;
    Ok(Arc::new(pool))
}

pub(super) async fn measure(
    kind: &str,
    plan: &LoadPhase,
    pool: &Arc<TokenPool>,
    context: LoadContext<'_>,
) -> Result<PhaseRecord, PhaseError> {
    let testbed = context.testbed;
    pool.is_in_time()?;
    let before = (testbed.gateway_counts(), testbed.idp().fetch_count());
    let arrival = Arc::new(Arrival::new(&plan.arrival));
    let course = Course::default();
    let fetches = || testbed.idp().fetch_count().saturating_sub(before.1);
    let of_gateway = |name: &str| {
        let counters = moved(before.0, testbed.gateway_counts());
        let counter = counters.iter().find(|counter| counter.name == name)?;
        Some(counter.moved)
    };
    let so_far = |limited| match limited {
        Counted::AuthorizerInvocations => of_gateway(INVOCATIONS),
        Counted::CacheMisses => of_gateway(MISSES),
        Counted::JwksFetches => Some(fetches()),
        Counted::RepeatedInvocations => of_gateway(REPEATS),
        // Growth is between the halves of a phase, which has to be over; the others are known by the users.
        Counted::Lost | Counted::MemoryGrowthMb | Counted::WrongDecisions => None,
    };
    let clock = PhaseClock {
        arrival: &arrival,
        timeline: context.timeline,
        counted: &so_far,
    };
    let target = testbed.target().with_connections(plan.connections);
    let measured = tokio::select! {
        measured = measure_by(clock, kind, plan, pool, &target, context.run_started, context.stop) => measured,
        never = course.run(&plan.events, pool, &arrival, testbed) => match never {},
    };
    let fetches = fetches();
    let (events, memory) = course.end(&plan.events, testbed);
    let record = measured?;
    let mut counters = moved(before.0, testbed.gateway_counts());
    counters.push(CounterRecord {
        name: "JWKS fetches".to_owned(),
        moved: fetches,
        required: None,
    });
    let mut record = PhaseRecord {
        counters,
        events,
        ..record
    };
    record.limits = judge_limits(&plan.limits, |limited| match limited {
        Counted::AuthorizerInvocations => counted(&record, INVOCATIONS),
        Counted::CacheMisses => counted(&record, MISSES),
        Counted::JwksFetches => fetches,
        Counted::Lost => record.errors,
        Counted::MemoryGrowthMb => memory.growth_mb(),
        Counted::RepeatedInvocations => counted(&record, REPEATS),
        Counted::WrongDecisions => record.wrong_decisions,
    });
    record.memory = memory.into_trace();
    Ok(record)
}

pub(super) fn judge_limits(
    limits: &[Limit],
    measured: impl Fn(Counted) -> u64,
) -> Vec<LimitRecord> {
    limits
        .iter()
        .map(|limit| {
            let measured = measured(limit.counted);
            LimitRecord {
                name: limit.counted.name().to_owned(),
                most: limit.most,
                measured,
                kept: measured <= limit.most,
            }
        })
        .collect()
}

/// Drives users at a target and writes down what came out; without the testbed's counters.
pub(super) async fn measure_target(
    kind: &str,
    plan: &LoadPhase,
    pool: &Arc<TokenPool>,
    target: &Target,
    run_started: Instant,
    timeline: &Arc<Timeline>,
    stop: &StopSignal,
) -> Result<PhaseRecord, PhaseError> {
    let arrival = Arc::new(Arrival::new(&plan.arrival));
    let clock = PhaseClock {
        arrival: &arrival,
        timeline,
        counted: &|_| None,
    };
    measure_by(clock, kind, plan, pool, target, run_started, stop).await
}

/// What is on the clock of a phase: when turns fall due, what came out of each second, and what is counted beside.
#[derive(Clone, Copy)]
struct PhaseClock<'a> {
    arrival: &'a Arc<Arrival>,
    timeline: &'a Arc<Timeline>,
    counted: &'a (dyn Fn(Counted) -> Option<u64> + Sync),
}

async fn measure_by(
    clock: PhaseClock<'_>,
    kind: &str,
    plan: &LoadPhase,
    pool: &Arc<TokenPool>,
    target: &Target,
    run_started: Instant,
    stop: &StopSignal,
) -> Result<PhaseRecord, PhaseError> {
    let started_after = run_started.elapsed();
    // The phase's own: a target that is given up ends the phase, a signal ends the run and the phase with it.
    let over = stop.child();
    let arrival = Arc::clone(clock.arrival);
    let driven = tokio::select! {
        driven = drive(target, pool, arrival, plan.users, clock.timeline, &over, plan.dashboard) => driven?,
        never = breach::watch(plan, clock.arrival, clock.timeline, clock.counted) => match never {},
    };
    let ended_by_breach = clock.arrival.was_ended();
    let interrupted = over.is_raised() || ended_by_breach;
    let generator = health(plan, &driven, clock.arrival.untaken(), interrupted);
    let rate = per_second(driven.tally.right, span(plan, &driven));
    let Driven { tally, elapsed, .. } = driven;
    let tokens = pool.to_record(tally.outlived);
    let response = if plan.arrival.schedule().is_some() {
        tally.recorder.response()
    } else {
        tally.recorder.service()
    };
    let mut series = tally.recorder.to_series(pool.class_names());
    if tally.set_up.count() > 0 {
        series.push(tally.set_up.to_series("connection set-up", "all"));
    }
    // Of all of them the distribution of all is.
    if (1..tally.right).contains(&tally.misses.count()) {
        let name = if plan.arrival.schedule().is_some() {
            "response time"
        } else {
            "service time"
        };
        series.push(tally.misses.to_series(name, "policy cache miss"));
    }
    Ok(PhaseRecord {
        kind: kind.to_owned(),
        name: plan.name.clone(),
        definition: String::new(),
        arrival: arrival_text(plan),
        started_after_ms: millis(started_after),
        elapsed_ms: millis(elapsed),
        interrupted,
        requests: tally.right,
        wrong_decisions: tally.wrong,
        errors: tally.errors,
        losses: tally.to_losses(),
        requests_per_second: rate,
        series,
        counters: Vec::new(),
        generator: Some(generator),
        thresholds: judge_thresholds(&plan.thresholds, &response),
        events: Vec::new(),
        memory: Vec::new(),
        limits: Vec::new(),
        timeline: clock.timeline.to_records(),
        breaches: clock.timeline.breaches().to_records(),
        ended_by_breach,
        storage: None,
        wrong_samples: tally.samples,
        tokens,
    })
}

fn moved(before: Option<GatewayCounts>, after: Option<GatewayCounts>) -> Vec<CounterRecord> {
    let Some((before, after)) = before.zip(after) else {
        return Vec::new();
    };
    let counter = |name: &str, before: u64, after: u64| CounterRecord {
        name: name.to_owned(),
        moved: after.saturating_sub(before),
        required: None,
    };
    vec![
        counter(INVOCATIONS, before.invocations, after.invocations),
        counter(HITS, before.cache_hits, after.cache_hits),
        counter(MISSES, before.cache_misses, after.cache_misses),
        counter(REPEATS, before.cache_repeats, after.cache_repeats),
    ]
}

fn arrival_text(plan: &LoadPhase) -> String {
    let users = if plan.users == 1 {
        "1 user".to_owned()
    } else {
        format!("{} users", plan.users)
    };
    let users = match plan.connections {
        Connections::Http1 {
            keep_alive: false, ..
        } => format!("{users}, a new connection for each request"),
        Connections::Http1 { per_user: 1, .. } => users,
        Connections::Http1 { per_user, .. } => {
            format!("{users}, {} connections", per_user * plan.users)
        }
        Connections::Http2 { shared: 1 } => format!("{users}, 1 connection of HTTP/2"),
        Connections::Http2 { shared } => format!("{users}, {shared} connections of HTTP/2"),
    };
    let beside = if plan.dashboard.is_some() {
        ", goose's dashboard beside it"
    } else {
        ""
    };
    match plan.arrival.schedule() {
        None => format!("closed loop, {users}{beside}"),
        Some(schedule) => format!("open loop, {schedule}, {users}{beside}"),
    }
}

/// What rates are divided by. In an open loop the time over which requests were sent and the rest of the schedule behind the
/// last one: the wait for the last answers belongs to the target.
fn span(plan: &LoadPhase, driven: &Driven) -> Duration {
    match plan.arrival.schedule() {
        None => driven.elapsed,
        Some(schedule) => driven.sending + schedule.tail(),
    }
}

fn health(plan: &LoadPhase, driven: &Driven, untaken: u64, interrupted: bool) -> GeneratorHealth {
    let (tally, elapsed) = (&driven.tally, driven.elapsed);
    let lateness_at = |quantile| Duration::from_nanos(tally.lateness.value_at_quantile(quantile));
    let lateness_ns = tally.lateness.value_at_quantile(0.99);
    let sent = tally.right + tally.wrong + tally.errors + tally.outlived;
    let achieved = per_second(sent, span(plan, driven));
    let asked = plan.arrival.schedule().map(Schedule::mean_rate);
    let invalid = asked.filter(|_| !interrupted).and_then(|rate| {
        if untaken > 0 {
            Some(format!("{untaken} requests were never sent: too few users for the rate"))
        } else if achieved < rate * ACHIEVED_LIMIT {
            Some(format!("{achieved:.1} requests/s were sent of {rate:.1} asked: the generator or its users were the limit"))
        } else if Duration::from_nanos(lateness_ns) > LATENESS_LIMIT {
            let late = duration(lateness_ns);
            Some(format!("99 % of the requests were sent up to {late} late; the limit is {LATENESS_LIMIT:?}"))
        } else {
            None
        }
    });
    let invalid = if tally.outlived > 0 {
        Some(format!(
            "{} answers came to tokens that had ended by then, which says nothing of the target: raise token_lifetime, or \
             make the phase shorter",
            tally.outlived
        ))
    } else {
        invalid
    };
    let open = asked.is_some();
    GeneratorHealth {
        cpu_cores: if elapsed.is_zero() {
            0.0
        } else {
            driven.cpu.as_secs_f64() / elapsed.as_secs_f64()
        },
        asked_per_second: asked,
        achieved_per_second: open.then_some(achieved),
        in_flight_peak: open.then_some(driven.in_flight_peak),
        unsent: open.then_some(untaken),
        late_starts: open.then_some(tally.late_starts),
        lateness_p50_ns: open.then_some(nanos(lateness_at(0.5))),
        lateness_p99_ns: open.then_some(lateness_ns),
        lateness_max_ns: open.then_some(nanos(tally.lateness_max)),
        invalid,
    }
}

/// Holds thresholds against a distribution; an empty distribution keeps none of them.
pub(super) fn judge_thresholds(
    thresholds: &[Threshold],
    measured: &Distribution,
) -> Vec<ThresholdRecord> {
    thresholds
        .iter()
        .map(|threshold| {
            let value = measured.value_at_quantile(threshold.quantile);
            ThresholdRecord {
                quantile: threshold.name.clone(),
                limit_ns: nanos(threshold.limit),
                measured_ns: value,
                kept: measured.count() > 0 && value <= nanos(threshold.limit),
            }
        })
        .collect()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a request count above 2^53 cannot be reached"
)]
fn per_second(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() {
        0.0
    } else {
        count as f64 / elapsed.as_secs_f64()
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
