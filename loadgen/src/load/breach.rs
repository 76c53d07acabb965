//! Thresholds and limits of a phase, looked at while it runs.
//!
//! What counts at the end is judged exactly, on the whole phase. Here a limit is broken for certain, or nothing is said: of a
//! quantile the lower end of its bucket has to be above the limit, with at least one sample beyond the quantile.

use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::arrival::Arrival;
use super::timeline::{Timeline, Totals};
use crate::record::{BreachRecord, bucket_start_ns};
use crate::scenario::{Counted, Limit, LoadPhase, Threshold};
use crate::units::duration;

/// How often a phase is looked at. Users hand over what they counted once a second, so that more often shows nothing more.
const LOOK: Duration = Duration::from_millis(250);

/// What of a phase is broken.
#[derive(Debug, Default)]
pub(super) struct Breaches(Mutex<Vec<Breach>>);

/// One threshold or limit that was broken at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Its name, such as `p99` or `wrong_decisions`.
    pub name: String,
    /// How, when it was first seen: `p99 above 5.00 ms`, `3 wrong_decisions, 0 at most`.
    pub what: String,
    /// When that was.
    pub after: Duration,
    /// Whether it is broken now: a quantile may come back.
    pub now: bool,
}

impl Breaches {
    /// All that were seen so far, in the order of their times.
    pub(super) fn seen(&self) -> Vec<Breach> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Breach>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of what is broken at a time, as names and texts; true at the first breach of all.
    fn note(&self, after: Duration, broken: Vec<(String, String)>) -> bool {
        let mut breaches = self.locked();
        let none_yet = breaches.is_empty();
        for breach in breaches.iter_mut() {
            breach.now = broken.iter().any(|(name, _)| *name == breach.name);
        }
        for (name, what) in broken {
            if !breaches.iter().any(|breach| breach.name == name) {
                let now = true;
                breaches.push(Breach {
                    name,
                    what,
                    after,
                    now,
                });
            }
        }
        none_yet && !breaches.is_empty()
    }

    pub(super) fn to_records(&self) -> Vec<BreachRecord> {
        let breaches = self.locked();
        let record = |breach: &Breach| BreachRecord {
            after_ms: super::phase::millis(breach.after),
            what: breach.what.clone(),
        };
        breaches.iter().map(record).collect()
    }
}

/// Looks at a phase until whoever measures it is through. `counted` knows what users do not see; the first breach ends the
/// phase where the plan says so.
pub(super) async fn watch(
    plan: &LoadPhase,
    arrival: &Arrival,
    timeline: &Timeline,
    counted: &(dyn Fn(Counted) -> Option<u64> + Sync),
) -> Infallible {
    if plan.thresholds.is_empty() && plan.limits.is_empty() {
        std::future::pending::<()>().await;
    }
    loop {
        tokio::time::sleep(LOOK).await;
        let Some((elapsed, totals)) = timeline.totals(Instant::now()) else {
            continue;
        };
        let counts = |limit: &Limit| match limit.counted {
            Counted::Lost => Some(totals.lost),
            Counted::WrongDecisions => Some(totals.wrong),
            other => counted(other),
        };
        let thresholds = plan.thresholds.iter();
        let limits = plan.limits.iter();
        let broken = thresholds
            .filter_map(|threshold| broken_threshold(threshold, &totals))
            .chain(limits.filter_map(|limit| broken_limit(*limit, counts(limit)?)))
            .collect();
        if timeline.breaches().note(elapsed, broken) && plan.fail_fast {
            arrival.end();
        }
    }
}

fn broken_threshold(threshold: &Threshold, totals: &Totals) -> Option<(String, String)> {
    let limit = u64::try_from(threshold.limit.as_nanos()).unwrap_or(u64::MAX);
    let broken = if threshold.quantile >= 1.0 {
        totals.max_ns > limit
    } else {
        let bucket = totals
            .latency
            .bucket_at_supported_quantile(threshold.quantile)?;
        bucket_start_ns(bucket) > limit
    };
    let text = || format!("{} above {}", threshold.name, duration(limit));
    broken.then(|| (threshold.name.clone(), text()))
}

fn broken_limit(limit: Limit, count: u64) -> Option<(String, String)> {
    let name = limit.counted.name();
    let text = || format!("{count} {name}, {} at most", limit.most);
    (count > limit.most).then(|| (name.to_owned(), text()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::phase::measure_target;
    use super::super::token_pool::{TokenPool, Wanted};
    use super::*;
    use crate::catalogue::Expectation;
    use crate::record::PhaseRecord;
    use crate::scenario::{ArrivalKeys, ArrivalPlan};
    use crate::stop::StopSignal;
    use crate::target::{RequestShape, ScriptedAnswer, ScriptedTarget, Target};

    const SLOW: ScriptedAnswer = ScriptedAnswer {
        status: 200,
        latency: Duration::from_millis(8),
    };

    /// 30 s of requests, unless a breach ends them.
    fn arrivals(rate: Option<f64>) -> ArrivalPlan {
        let keys = ArrivalKeys {
            rate,
            duration: Some(Duration::from_secs(30)),
            ..ArrivalKeys::default()
        };
        keys.plan(7).expect("arrivals")
    }

    fn p99(limit_ms: u64) -> Threshold {
        Threshold::new("p99", Duration::from_millis(limit_ms)).expect("a quantile")
    }

    async fn measured(answers: Vec<ScriptedAnswer>, plan: LoadPhase) -> PhaseRecord {
        let target = Target::Scripted(Arc::new(ScriptedTarget::new(answers)));
        let request = target.prepare(&RequestShape::default(), "token");
        let wanted = Wanted::Decision(Expectation::Allow);
        let requests = vec![request.expect("a plain request")];
        let pool = Arc::new(TokenPool::of_requests("t", requests, wanted));
        let (timeline, stop) = (Arc::default(), StopSignal::default());
        let started = Instant::now();
        let measured = measure_target(
            "verification",
            &plan,
            &pool,
            &target,
            started,
            &timeline,
            &stop,
        );
        measured.await.expect("a scripted target can be measured")
    }

    fn plan(arrival: ArrivalPlan, thresholds: Vec<Threshold>) -> LoadPhase {
        LoadPhase::new(2, arrival, std::collections::BTreeMap::new(), thresholds)
            .expect("two users")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_first_breach_ends_a_phase_and_what_was_measured_is_kept() {
        for rate in [None, Some(100.0)] {
            let plan = LoadPhase {
                fail_fast: true,
                ..plan(arrivals(rate), vec![p99(5)])
            };
            let record = measured(vec![SLOW], plan).await;
            assert!(record.ended_by_breach && record.interrupted);
            assert!(record.elapsed_ms < 10_000, "{} ms", record.elapsed_ms);
            let whats: Vec<_> = record.breaches.iter().map(|b| b.what.as_str()).collect();
            assert_eq!(whats, ["p99 above 5.00 ms"]);
            assert!(record.requests >= 100, "a p99 has a sample beyond it");
            // Requests under way got their answers, and the schedule's rest is not the generator's fault.
            assert_eq!((record.errors, record.wrong_decisions), (0, 0));
            let generator = record.generator.expect("users have one");
            assert_eq!(generator.invalid, None);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_wrong_decision_ends_a_phase_that_may_have_none() {
        let mut answers = vec![SLOW; 300];
        answers[40].status = 401;
        let limit = Limit {
            counted: Counted::WrongDecisions,
            most: 0,
        };
        let plan = LoadPhase {
            fail_fast: true,
            limits: vec![limit],
            ..plan(arrivals(None), Vec::new())
        };
        let record = measured(answers, plan).await;
        assert!(record.ended_by_breach && record.elapsed_ms < 10_000);
        assert_eq!(record.breaches[0].what, "1 wrong_decisions, 0 at most");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_phase_that_is_not_to_fail_fast_goes_on_and_tells_the_breach() {
        let keys = ArrivalKeys {
            rate: Some(100.0),
            requests: Some(300),
            ..ArrivalKeys::default()
        };
        let arrival = keys.plan(7).expect("arrivals");
        let record = measured(vec![SLOW], plan(arrival, vec![p99(5), p99(9)])).await;
        assert!(!record.ended_by_breach && !record.interrupted);
        assert_eq!(record.requests, 300);
        assert_eq!(record.breaches.len(), 1);
        assert!(record.breaches[0].after_ms < 3_000);
    }

    #[test]
    fn a_quantile_is_broken_when_its_whole_bucket_is_above_the_limit() {
        let totals = |us: u64, samples: u64| {
            let mut buckets = vec![0; crate::record::LATENCY_BUCKETS];
            buckets[crate::record::latency_bucket(us * 1000)] = samples;
            Totals {
                wrong: 0,
                lost: 0,
                max_ns: us * 1000,
                latency: crate::record::LatencyCounts::of_buckets(buckets),
            }
        };
        let broken = |us, samples| broken_threshold(&p99(5), &totals(us, samples)).is_some();
        assert!(broken(6_000, 100));
        assert!(!broken(6_000, 99), "no sample beyond p99");
        assert!(!broken(5_010, 100), "its bucket begins below the limit");
        assert!(!broken(4_000, 1000));
        let max = Threshold::new("max", Duration::from_millis(5)).expect("a quantile");
        assert!(broken_threshold(&max, &totals(5_010, 1)).is_some(), "exact");
    }

    #[test]
    fn a_quantile_that_comes_back_is_no_breach_of_now_and_is_not_forgotten() {
        let breaches = Breaches::default();
        let broken = || vec![("p99".to_owned(), "p99 above 5.00 ms".to_owned())];
        let second = Duration::from_secs;
        assert!(!breaches.note(second(1), Vec::new()));
        assert!(breaches.note(second(2), broken()), "the first one");
        assert!(!breaches.note(second(3), Vec::new()));
        assert!(!breaches.note(second(4), broken()), "not the first one");
        let seen = breaches.seen();
        assert_eq!(
            (seen.len(), seen[0].after, seen[0].now),
            (1, second(2), true)
        );
    }
}
