//! The two phases of load, and the record of either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::course::{self, Course};
use super::cpu::process_cpu;
use super::timeline::Timeline;
use super::token_pool::{PoolError, TokenPool};
use super::users::{Driven, LoadError, drive};
use crate::conform::Catalogue;
use crate::record::{CounterRecord, GeneratorHealth, LimitRecord, PhaseRecord, ThresholdRecord};
use crate::recorder::Distribution;
use crate::scenario::{Counted, Limit, LoadPhase, Threshold};
use crate::schedule::Schedule;
use crate::stop::StopSignal;
use crate::target::{Connections, Decision, Target};
use crate::testbed::{GatewayCounts, Testbed};

/// A schedule kept worse than this says more about the generator than about the target.
pub(super) const LATENESS_LIMIT: Duration = Duration::from_millis(1);

/// Less of the asked rate than this was not the asked load.
const ACHIEVED_LIMIT: f64 = 0.99;

/// Tokens of a cache-hit phase: few enough to prime at once, enough to touch every shard of a cache.
const CACHE_POPULATION: u64 = 64;

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
}

/// A phase that could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum PhaseError {
    /// The pool cannot be made.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The pool's thread is gone.
    #[error("the thread that mints tokens ended without an answer")]
    PoolThread,
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
    let count = plan.arrival.requests().ok_or(PoolError::Endless)?;
    let pool = mint(plan, context, count)?;
    context.testbed.flush_policy_cache();
    let mut record = measure("verification", plan, &pool, context).await?;
    "The authorizer decides: its keys are warm, and each token is seen for the first time."
        .clone_into(&mut record.definition);
    if let Some(counter) = record
        .counters
        .iter_mut()
        .find(|counter| counter.name == INVOCATIONS)
    {
        counter.required = Some(record.requests + record.wrong_decisions + record.errors);
    }
    Ok(record)
}

/// Requests that the gateway decides from its policy cache: the authorizer's counter must not move.
pub async fn cache_hit(
    plan: &LoadPhase,
    context: LoadContext<'_>,
) -> Result<PhaseRecord, PhaseError> {
    let pool = mint(plan, context, CACHE_POPULATION)?;
    context.testbed.flush_policy_cache();
    // Stopped half-way, the phase ends before its first turn.
    let target = context.testbed.target().with_connections(plan.connections);
    if let Some(primed) = context.stop.unless_raised(prime(&pool, &target)).await {
        primed?;
    }
    let mut record = measure("cache-hit", plan, &pool, context).await?;
    "The gateway decides from a cached policy; the authorizer is not asked."
        .clone_into(&mut record.definition);
    if let Some(counter) = record
        .counters
        .iter_mut()
        .find(|counter| counter.name == INVOCATIONS)
    {
        counter.required = Some(0);
    }
    Ok(record)
}

const INVOCATIONS: &str = "authorizer invocations";

fn mint(
    plan: &LoadPhase,
    context: LoadContext<'_>,
    count: u64,
) -> Result<Arc<TokenPool>, PhaseError> {
    let minter = context.testbed.minter();
    let target = &context.testbed.target().with_connections(plan.connections);
    // Minting keeps every core busy; the runtime's other tasks wait for it, and nothing is being measured.
    let pool = tokio::task::block_in_place(|| {
        TokenPool::mint(minter, context.catalogue, &plan.mix, count, target)
    })?;
    Ok(Arc::new(pool))
}

async fn prime(pool: &TokenPool, target: &Target) -> Result<(), PhaseError> {
    let mut connection = target.connection();
    for index in 0..pool.len() as u64 {
        let entry = pool.entry(index);
        let answer = connection.call(entry.request).await;
        if answer.decision == Decision::Fault {
            return Err(PhaseError::Prime {
                class: entry.name.to_owned(),
                answer: answer.summary(),
            });
        }
    }
    Ok(())
}

async fn measure(
    kind: &str,
    plan: &LoadPhase,
    pool: &Arc<TokenPool>,
    context: LoadContext<'_>,
) -> Result<PhaseRecord, PhaseError> {
    let testbed = context.testbed;
    let before = (testbed.gateway_counts(), testbed.idp().fetch_count());
    let arrival = Arc::new(Arrival::new(&plan.arrival));
    let clock = PhaseClock {
        arrival: &arrival,
        timeline: context.timeline,
    };
    let course = Course::default();
    let target = testbed.target().with_connections(plan.connections);
    let measured = tokio::select! {
        measured = measure_by(clock, kind, plan, pool, &target, context.run_started, context.stop) => measured,
        never = course.run(&plan.events, &arrival, testbed) => match never {},
    };
    let (events, memory) = course.end(&plan.events, testbed);
    let record = measured?;
    let fetches = testbed.idp().fetch_count().saturating_sub(before.1);
    let mut counters = moved(before.0, testbed.gateway_counts());
    counters.push(CounterRecord {
        name: "JWKS fetches".to_owned(),
        moved: fetches,
        required: None,
    });
    let limits = judge_limits(&plan.limits, |counted| match counted {
        Counted::JwksFetches => fetches,
        Counted::Lost => record.errors,
        Counted::MemoryGrowthMb => course::growth_mb(&memory),
        Counted::WrongDecisions => record.wrong_decisions,
    });
    Ok(PhaseRecord {
        counters,
        events,
        memory,
        limits,
        ..record
    })
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
    };
    measure_by(clock, kind, plan, pool, target, run_started, stop).await
}

/// What is on the clock of a phase: when turns fall due, and what came out of each second.
#[derive(Debug, Clone, Copy)]
struct PhaseClock<'a> {
    arrival: &'a Arc<Arrival>,
    timeline: &'a Arc<Timeline>,
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
    let cpu_before = process_cpu();
    // The phase's own: a target that is given up ends the phase, a signal ends the run and the phase with it.
    let over = stop.child();
    let driven = drive(
        target,
        pool,
        Arc::clone(clock.arrival),
        plan.users,
        clock.timeline,
        &over,
    )
    .await?;
    let cpu = process_cpu().saturating_sub(cpu_before);
    let interrupted = over.is_raised();
    let generator = health(plan, &driven, cpu, clock.arrival.untaken(), interrupted);
    let rate = per_second(driven.tally.right, span(plan, &driven));
    let Driven { tally, elapsed, .. } = driven;
    let response = if plan.arrival.schedule().is_some() {
        tally.recorder.response()
    } else {
        tally.recorder.service()
    };
    let mut series = tally.recorder.to_series(pool.class_names());
    if tally.set_up.count() > 0 {
        series.push(tally.set_up.to_series("connection set-up", "all"));
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
        wrong_samples: tally.samples,
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
        counter("policy cache hits", before.cache_hits, after.cache_hits),
    ]
}

fn arrival_text(plan: &LoadPhase) -> String {
    let users = if plan.users == 1 {
        "1 user".to_owned()
    } else {
        format!("{} users", plan.users)
    };
    let users = match plan.connections {
        Connections {
            keep_alive: false, ..
        } => format!("{users}, a new connection for each request"),
        Connections { per_user: 1, .. } => users,
        Connections { per_user, .. } => format!("{users}, {} connections", per_user * plan.users),
    };
    match plan.arrival.schedule() {
        None => format!("closed loop, {users}"),
        Some(schedule) => format!("open loop, {schedule}, {users}"),
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

fn health(
    plan: &LoadPhase,
    driven: &Driven,
    cpu: Duration,
    untaken: u64,
    interrupted: bool,
) -> GeneratorHealth {
    let (tally, elapsed) = (&driven.tally, driven.elapsed);
    let lateness_at = |quantile| Duration::from_nanos(tally.lateness.value_at_quantile(quantile));
    let lateness = lateness_at(0.99);
    let sent = tally.right + tally.wrong + tally.errors;
    let achieved = per_second(sent, span(plan, driven));
    let asked = plan.arrival.schedule().map(Schedule::mean_rate);
    let invalid = asked.filter(|_| !interrupted).and_then(|rate| {
        if untaken > 0 {
            Some(format!("{untaken} requests were never sent: too few users for the rate"))
        } else if achieved < rate * ACHIEVED_LIMIT {
            Some(format!("{achieved:.1} requests/s were sent of {rate:.1} asked: the generator or its users were the limit"))
        } else if lateness > LATENESS_LIMIT {
            Some(format!("requests were sent up to {lateness:?} late (p99); the limit is {LATENESS_LIMIT:?}"))
        } else {
            None
        }
    });
    let open = asked.is_some();
    GeneratorHealth {
        cpu_cores: if elapsed.is_zero() {
            0.0
        } else {
            cpu.as_secs_f64() / elapsed.as_secs_f64()
        },
        asked_per_second: asked,
        achieved_per_second: open.then_some(achieved),
        in_flight_peak: open.then_some(driven.in_flight_peak),
        unsent: open.then_some(untaken),
        late_starts: open.then_some(tally.late_starts),
        lateness_p50_ns: open.then_some(nanos(lateness_at(0.5))),
        lateness_p99_ns: open.then_some(nanos(lateness)),
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
