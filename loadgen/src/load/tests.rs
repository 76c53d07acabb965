//! The recorder against scripted targets: the truth is known, and the figures have to say it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::phase::{judge_limits, measure_target};
use super::token_pool::{TokenPool, Wanted};
use crate::catalogue::Expectation;
use crate::record::{PhaseRecord, SecondRecord};
use crate::scenario::{
    ArrivalKeys, ArrivalPlan, CachePlan, Counted, Limit, LoadPhase, PhaseEnd, TokenPlan,
};
use crate::stop::StopSignal;
use crate::target::{
    Connections, PreparedRequest, RequestShape, ScriptedAnswer, ScriptedTarget, Target,
};

const FAST: ScriptedAnswer = ScriptedAnswer {
    status: 200,
    latency: Duration::ZERO,
};

fn pool_of(request: PreparedRequest) -> TokenPool {
    let wanted = Wanted::Decision(Expectation::Allow);
    TokenPool::of_requests("t", vec![request], wanted)
}

async fn measured(
    answers: Vec<ScriptedAnswer>,
    users: usize,
    rate: Option<f64>,
    requests: u64,
) -> PhaseRecord {
    let target = Target::Scripted(Arc::new(ScriptedTarget::new(answers)));
    let request = target
        .prepare(&RequestShape::default(), "token")
        .expect("a plain request");
    let pool = Arc::new(pool_of(request));
    let keys = ArrivalKeys {
        rate,
        requests: Some(requests),
        ..ArrivalKeys::default()
    };
    let plan = LoadPhase {
        users,
        connections: Connections::default(),
        arrival: keys.plan(7).expect("arrivals"),
        mix: BTreeMap::new(),
        mix_at: String::new(),
        thresholds: Vec::new(),
        name: None,
        events: Vec::new(),
        limits: Vec::new(),
        fail_fast: false,
        tokens: TokenPlan::default(),
        cache: CachePlan::default(),
        dashboard: None,
    };
    measure_target(
        "verification",
        &plan,
        &pool,
        &target,
        Instant::now(),
        &Arc::default(),
        &StopSignal::default(),
    )
    .await
    .expect("a scripted target can be measured")
}

fn max_of(record: &PhaseRecord, name: &str) -> Duration {
    let series = record
        .series
        .iter()
        .find(|series| series.name == name)
        .expect(name);
    Duration::from_nanos(series.max_ns)
}

/// One stall of a second in an open loop: the requests that were due meanwhile waited, and only response time says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_one_second_stall_shows_in_response_time_p99_and_not_in_service_time() {
    let mut answers = vec![FAST; 400];
    answers[100] = ScriptedAnswer {
        status: 200,
        latency: Duration::from_secs(1),
    };
    let record = measured(answers, 1, Some(200.0), 400).await;
    assert_eq!(record.requests, 400);
    let series = |name: &str| {
        record
            .series
            .iter()
            .find(|series| series.name == name)
            .expect(name)
    };
    let (service, response) = (series("service time"), series("response time"));
    assert!(
        response.p99_ns > 900_000_000,
        "response p99 {} ns knows of the stall",
        response.p99_ns
    );
    assert!(
        response.p90_ns > 300_000_000,
        "200 of 400 requests waited: response p90 {} ns",
        response.p90_ns
    );
    assert!(
        service.p99_ns < 100_000_000,
        "one request of 400 stalled: service p99 {} ns",
        service.p99_ns
    );
    assert!(
        max_of(&record, "service time") >= Duration::from_secs(1),
        "the stalled request itself is kept"
    );
    let next = crate::recorder::value_at_quantile(&service.histogram, 399.0 / 400.0);
    assert!(
        next.expect("a histogram") < 900_000_000,
        "the stall is in one service time and in no other"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_loop_has_no_response_time_and_every_turn_is_taken_once() {
    let record = measured(vec![FAST], 3, None, 100).await;
    assert_eq!(
        (record.requests, record.wrong_decisions, record.errors),
        (100, 0, 0)
    );
    assert!(
        record
            .series
            .iter()
            .all(|series| series.name == "service time")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_decisions_and_faults_are_counted_and_are_no_latency_samples() {
    let answer = |status| ScriptedAnswer {
        status,
        latency: Duration::ZERO,
    };
    let record = measured(
        vec![answer(200), answer(401), answer(500), answer(200)],
        1,
        None,
        40,
    )
    .await;
    assert_eq!(
        (record.requests, record.wrong_decisions, record.errors),
        (20, 10, 10)
    );
    assert_eq!(record.series[0].count, 20);
    assert_eq!(record.wrong_samples.len(), 10, "the first ten are kept");
    assert_eq!(record.wrong_samples[0].observed, "401");
}

/// What the seconds of a phase hold together is what the phase counted, in either loop.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_timeline_adds_up_to_the_phase() {
    let answer = |status| ScriptedAnswer {
        status,
        latency: Duration::from_millis(2),
    };
    let answers = vec![answer(200), answer(401), answer(500), answer(200)];
    for rate in [None, Some(200.0)] {
        let record = measured(answers.clone(), 3, rate, 480).await;
        let sum = |of: fn(&SecondRecord) -> u64| record.timeline.iter().map(of).sum::<u64>();
        let counted = [record.requests, record.wrong_decisions, record.errors];
        assert_eq!(
            [sum(|s| s.right), sum(|s| s.wrong), sum(|s| s.lost)],
            counted
        );
        assert_eq!(counted, [240, 120, 120]);
        assert_eq!(
            sum(|s| s.latency.total()),
            240,
            "right answers have latencies"
        );
        let name = if rate.is_some() {
            "response time"
        } else {
            "service time"
        };
        let longest = record.timeline.iter().map(|s| s.max_ns).max();
        let longest = Duration::from_nanos(longest.expect("there are seconds"));
        // The histogram rounds up to its third digit.
        let of_histogram = max_of(&record, name);
        assert!(longest <= of_histogram && of_histogram.saturating_sub(longest) < longest / 500);
        if rate.is_some() {
            let due: Vec<_> = record
                .timeline
                .iter()
                .map(|s| s.right + s.wrong + s.lost)
                .collect();
            assert_eq!(due, [200, 200, 80], "by the intended start");
        }
    }
}

/// Whoever refuses a token that has ended is right, and whoever lets it in has a leeway: neither is a finding about the target.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_is_not_blamed_for_tokens_that_have_ended() {
    let refused = ScriptedAnswer {
        status: 401,
        latency: Duration::ZERO,
    };
    let target = Target::Scripted(Arc::new(ScriptedTarget::new(vec![FAST, refused])));
    let request = target
        .prepare(&RequestShape::default(), "token")
        .expect("a plain request");
    let ended = Instant::now();
    for (until, outcome) in [
        (
            ended,
            (20, 0, Some("20 answers came to tokens that had ended")),
        ),
        (ended + Duration::from_hours(1), (20, 20, None)),
    ] {
        let pool = Arc::new(pool_of(request.clone()).ending(until));
        let arrival = ArrivalPlan::Closed(PhaseEnd::Requests(40));
        let plan = LoadPhase::new(1, arrival, BTreeMap::new(), Vec::new()).expect("a phase");
        let record = measure_target(
            "verification",
            &plan,
            &pool,
            &target,
            Instant::now(),
            &Arc::default(),
            &StopSignal::default(),
        )
        .await
        .expect("a scripted target can be measured");
        let invalid = record.generator.and_then(|generator| generator.invalid);
        let (right, wrong, why) = outcome;
        assert_eq!((record.requests, record.wrong_decisions), (right, wrong));
        assert_eq!(invalid.is_some(), why.is_some(), "{invalid:?}");
        assert!(
            invalid
                .unwrap_or_default()
                .starts_with(why.unwrap_or_default())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_that_the_users_cannot_keep_is_invalid() {
    let slow = ScriptedAnswer {
        status: 200,
        latency: Duration::from_millis(20),
    };
    let record = measured(vec![slow], 1, Some(500.0), 50).await;
    let invalid = record
        .generator
        .expect("a generator")
        .invalid
        .expect("20 ms an answer is no 500/s with one user");
    assert!(invalid.contains("500"), "{invalid}");
}

/// Twenty requests at ten a second are sent within two, however long the last answers take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_target_does_not_make_the_rate_look_missed() {
    let slow = ScriptedAnswer {
        status: 200,
        latency: Duration::from_millis(400),
    };
    let record = measured(vec![slow], 20, Some(20.0), 20).await;
    assert_eq!(record.requests, 20);
    let rate = record.requests_per_second;
    // Divided by the time until the last answer, it would be below 15.
    assert!((16.0..=20.1).contains(&rate), "{rate}/s of 20/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_requests_at_a_rate_have_that_rate() {
    let record = measured(vec![FAST], 2, Some(10.0), 2).await;
    let rate = record.requests_per_second;
    assert!((5.0..=10.1).contains(&rate), "{rate}/s of 10/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_decides_nothing_any_more_ends_the_phase_and_what_was_measured_is_kept() {
    let dead = ScriptedAnswer {
        status: 503,
        latency: Duration::ZERO,
    };
    let mut answers = vec![FAST; 30];
    answers.extend(vec![dead; 100_000]);
    for rate in [None, Some(2000.0)] {
        let record = measured(answers.clone(), 2, rate, 50_000).await;
        assert_eq!(record.requests, 30, "rate {rate:?}");
        assert!(
            (100..=102).contains(&record.errors),
            "{} lost",
            record.errors
        );
        assert!(record.interrupted, "the phase did not come to its end");
    }
}

/// The signal is seen while a request waits: a target that hangs does not hold up the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_signal_does_not_wait_for_an_answer() {
    let stop = StopSignal::default();
    let script = Arc::new(ScriptedTarget::new(vec![ScriptedAnswer {
        status: 200,
        latency: Duration::from_hours(1),
    }]));
    let target = Target::Scripted(Arc::clone(&script));
    let request = target
        .prepare(&RequestShape::default(), "token")
        .expect("a plain request");
    let pool = Arc::new(pool_of(request));
    let plan = LoadPhase {
        users: 1,
        connections: Connections::default(),
        arrival: ArrivalPlan::Closed(PhaseEnd::Requests(5)),
        mix: BTreeMap::new(),
        mix_at: String::new(),
        thresholds: Vec::new(),
        name: None,
        events: Vec::new(),
        limits: Vec::new(),
        fail_fast: false,
        tokens: TokenPlan::default(),
        cache: CachePlan::default(),
        dashboard: None,
    };
    let raise = async {
        while script.calls() < 1 {
            tokio::task::yield_now().await;
        }
        stop.raise();
    };
    let timeline = Arc::default();
    let started = Instant::now();
    let (record, ()) = tokio::join!(
        measure_target(
            "verification",
            &plan,
            &pool,
            &target,
            started,
            &timeline,
            &stop
        ),
        raise
    );
    assert!(record.expect("a stopped phase is a phase").interrupted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_signal_ends_a_phase_and_keeps_what_it_measured() {
    let stop = StopSignal::default();
    let script = Arc::new(ScriptedTarget::new(vec![ScriptedAnswer {
        status: 200,
        latency: Duration::from_millis(1),
    }]));
    let target = Target::Scripted(Arc::clone(&script));
    let request = target
        .prepare(&RequestShape::default(), "token")
        .expect("a plain request");
    let pool = Arc::new(pool_of(request));
    let end = PhaseEnd::Duration(Duration::from_mins(1));
    let plan = LoadPhase {
        users: 2,
        connections: Connections::default(),
        arrival: ArrivalPlan::Closed(end),
        mix: BTreeMap::new(),
        mix_at: String::new(),
        thresholds: Vec::new(),
        name: None,
        events: Vec::new(),
        limits: Vec::new(),
        fail_fast: false,
        tokens: TokenPlan::default(),
        cache: CachePlan::default(),
        dashboard: None,
    };
    let raise = async {
        // Not after a time: attacks queue for the one place that goose has, and this one may wait for it.
        while script.calls() < 20 {
            tokio::task::yield_now().await;
        }
        stop.raise();
    };
    let timeline = Arc::default();
    let started = Instant::now();
    let (record, ()) = tokio::join!(
        measure_target(
            "cache-hit",
            &plan,
            &pool,
            &target,
            started,
            &timeline,
            &stop
        ),
        raise
    );
    let record = record.expect("a stopped phase is a phase");
    assert!(record.interrupted);
    assert!(record.requests > 0, "what was measured is kept");
    assert!(record.elapsed_ms < 30_000, "{} ms", record.elapsed_ms);
}

#[test]
fn a_limit_is_kept_up_to_its_number() {
    let limit = |counted, most| Limit { counted, most };
    let limits = [
        limit(Counted::JwksFetches, 2),
        limit(Counted::Lost, 2),
        limit(Counted::WrongDecisions, 2),
    ];
    let judged = judge_limits(&limits, |counted| match counted {
        Counted::JwksFetches => 3,
        Counted::Lost => 2,
        _ => 0,
    });
    let kept: Vec<_> = judged
        .iter()
        .map(|limit| (limit.name.as_str(), limit.measured, limit.kept))
        .collect();
    let wanted = [
        ("jwks_fetches", 3, false),
        ("lost", 2, true),
        ("wrong_decisions", 0, true),
    ];
    assert_eq!(kept, wanted);
}
