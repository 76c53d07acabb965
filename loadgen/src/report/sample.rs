//! A record for the tests of the reports: one failing case among passing ones, two phases.

use std::time::Duration;

use crate::catalogue::{Expectation, Level, Severity};
use crate::record::{
    CaseRecord, CauseRecord, ConformanceRecord, FingerprintRecord, IssuerSummary, LATENCY_BUCKETS,
    LatencyCounts, Machine, ObservedAnswer, Outcome, PhaseRecord, RunRecord, RunStatus,
    SCHEMA_VERSION, ScenarioSummary, SecondRecord, SubjectSummary, VerdictRecord,
};
use crate::recorder::Distribution;

/// A run of 150 cases, one of which fails, with a cold-start and a verification phase.
pub(crate) fn failing() -> RunRecord {
    let mut cases: Vec<CaseRecord> = (0..150)
        .map(|number| case(&format!("t::case-{number}"), Outcome::Pass))
        .collect();
    cases[42] = case("t::bad", Outcome::UnexpectedAllow);
    RunRecord {
        schema_version: SCHEMA_VERSION,
        authbench_version: "0.0.0".into(),
        started_at: "2026-01-01T00:00:00Z".into(),
        elapsed_ms: 1234,
        status: RunStatus::Complete,
        scenario: ScenarioSummary {
            name: "sample".into(),
            description: "A sample.".into(),
            source: "test".into(),
            seed: 7,
        },
        subject: SubjectSummary {
            name: "subject".into(),
            kind: "lambda".into(),
            description: "A subject.".into(),
            version: None,
            invocation: "subject --serve".into(),
        },
        issuer: IssuerSummary {
            profile: "auth0".into(),
            issuer: "http://127.0.0.1:1/".into(),
            signing_key: "cached".into(),
            jwks_fetches: 3,
        },
        machine: Machine::detect(),
        conformance: Some(ConformanceRecord {
            elapsed_ms: 10,
            not_judged: None,
            gate: Severity::Critical,
            fail_on: Severity::Info,
            fingerprint: Some(FingerprintRecord {
                algorithms: vec!["RS256".into(), "PS256".into()],
                token_places: vec!["Authorization: Bearer".into(), "query access_token".into()],
                scope_required: Some(false),
                principal_echo: Some("/user".into()),
            }),
            causes: vec![CauseRecord {
                id: "expiry-not-checked".into(),
                title: "The expiry is not checked".into(),
                cwe: Some("CWE-613".into()),
                why: "A stolen token works for ever.".into(),
                fix: "Compare exp with the clock.".into(),
                cves: vec!["CVE-0000-0001".into()],
                severity: Severity::High,
                cases: vec!["t::bad".into()],
            }],
            cases,
        }),
        calibration: None,
        phases: vec![phase("cold-start", 30), phase("verification", 5000)],
        skipped: Vec::new(),
        verdict: VerdictRecord {
            word: "nonconformant".into(),
            exit_code: 10,
            reasons: vec!["1 high case fails".into()],
        },
    }
}

fn case(id: &str, outcome: Outcome) -> CaseRecord {
    CaseRecord {
        id: id.into(),
        group: "Time".into(),
        title: "A case".into(),
        clause: "RFC 7519 §4.1.4".into(),
        level: Level::Must,
        severity: Severity::High,
        expected: Expectation::Unauthorized,
        observed: Some(ObservedAnswer {
            decision: "deny".into(),
            status: Some(401),
            rule: None,
            service_us: 500,
        }),
        outcome,
        flaky: Vec::new(),
        reason: None,
        cause: "expiry-not-checked".into(),
        impact: "It costs something.".into(),
        fix: "Fix the check.".into(),
    }
}

fn phase(kind: &str, samples: u64) -> PhaseRecord {
    let mut distribution = Distribution::default();
    for sample in 0..samples {
        distribution.record(Duration::from_micros(200 + sample % 97));
    }
    PhaseRecord {
        kind: kind.into(),
        name: None,
        definition: "A definition.".into(),
        arrival: "closed loop, 4 users".into(),
        started_after_ms: 5,
        elapsed_ms: 1000,
        interrupted: false,
        requests: samples,
        wrong_decisions: 0,
        errors: 0,
        losses: Vec::new(),
        wrong_samples: Vec::new(),
        requests_per_second: 1000.0,
        series: vec![
            distribution.to_series("service time", "all"),
            distribution.to_series("service time", "t::case-1"),
        ],
        counters: Vec::new(),
        generator: None,
        thresholds: Vec::new(),
        events: Vec::new(),
        memory: Vec::new(),
        limits: Vec::new(),
        timeline: Vec::new(),
        breaches: Vec::new(),
        ended_by_breach: false,
        tokens: None,
        storage: None,
    }
}

/// A second with so many right answers in each of some latency buckets.
pub(super) fn second(
    second: u64,
    buckets: std::ops::Range<u64>,
    count: impl Fn(u64) -> u64,
) -> SecondRecord {
    let in_bucket = |bucket| {
        if buckets.contains(&bucket) {
            count(bucket)
        } else {
            0
        }
    };
    let latency = LatencyCounts::of_buckets((0..LATENCY_BUCKETS as u64).map(in_bucket));
    SecondRecord {
        second,
        right: latency.total(),
        wrong: 1,
        lost: 1,
        p50_ns: 0,
        p99_ns: 0,
        max_ns: 9_000_000,
        latency,
    }
}
