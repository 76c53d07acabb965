//! The verdict on a run: one exit code, and the reasons for it. Read from the record alone.

use crate::catalogue::Severity;
use crate::exit::Exit;
use crate::record::{
    CaseRecord, ConformanceRecord, LimitRecord, Outcome, PhaseRecord, RunRecord, RunStatus,
    VerdictRecord,
};

/// The causes in the order in which one overrules another: no verdict stands on a testbed that failed.
const ORDER: [Exit; 5] = [
    Exit::Interrupted,
    Exit::TestbedFailed,
    Exit::Nonconformant,
    Exit::Invalid,
    Exit::ThresholdMissed,
];

/// The verdict on many runs by their exit codes. Nothing measured at all is a testbed that failed, unless a signal was the
/// reason.
pub fn worst(codes: &[u8], interrupted: bool) -> Exit {
    let ended_with = |exit: &Exit| codes.contains(&exit.code());
    match ORDER.into_iter().find(ended_with) {
        _ if interrupted => Exit::Interrupted,
        Some(exit) => exit,
        None if codes.is_empty() => Exit::TestbedFailed,
        None => Exit::Good,
    }
}

/// Judges a record. `failure` is what ended the run early.
pub fn of(record: &RunRecord, failure: Option<String>) -> VerdictRecord {
    let mut reasons: Vec<(Exit, String)> = Vec::new();
    match (record.status, failure) {
        (RunStatus::Interrupted, _) => {
            reasons.push((Exit::Interrupted, "stopped by a signal".to_owned()));
        }
        (_, Some(failure)) => reasons.push((Exit::TestbedFailed, failure)),
        _ => {}
    }
    if let Some(conformance) = &record.conformance {
        reasons.extend(
            conformance_reasons(conformance)
                .into_iter()
                .map(|reason| (Exit::Nonconformant, reason)),
        );
    }
    for phase in &record.phases {
        reasons.extend(phase_reasons(phase, record.status));
    }
    if record.status == RunStatus::Complete && reasons.is_empty() && says_nothing(record) {
        let skipped = record.skipped.iter();
        let why: Vec<_> = skipped
            .map(|phase| format!("{}: {}", phase.kind, phase.reason))
            .collect();
        let text = format!(
            "nothing was asked and nothing was measured: {}",
            why.join("; ")
        );
        reasons.push((Exit::Invalid, text.trim_end_matches([':', ' ']).to_owned()));
    }
    let exit = ORDER
        .into_iter()
        .find(|exit| reasons.iter().any(|(cause, _)| cause == exit))
        .unwrap_or(Exit::Good);
    VerdictRecord {
        word: exit.word().to_owned(),
        exit_code: exit.code(),
        reasons: reasons.into_iter().map(|(_, reason)| reason).collect(),
    }
}

/// Whether every case and every phase was skipped: such a run is not good, for nobody knows.
fn says_nothing(record: &RunRecord) -> bool {
    let cases = record.conformance.iter().flat_map(|part| &part.cases);
    record.phases.is_empty() && cases.filter(|case| case.outcome != Outcome::Skip).count() == 0
}

/// Cases whose outcome makes the subject nonconformant.
pub fn failures(conformance: &ConformanceRecord) -> impl Iterator<Item = &CaseRecord> {
    conformance
        .cases
        .iter()
        .filter(|case| case.outcome.is_failure())
}

/// The failing cases that make the subject nonconformant: those of the severity that was asked for and above, and every
/// declared divergence that is gone, for a stale declaration is a mistake whatever it is about.
pub fn counting_failures(conformance: &ConformanceRecord) -> impl Iterator<Item = &CaseRecord> {
    failures(conformance).filter(|case| {
        case.severity >= conformance.fail_on || case.outcome == Outcome::DivergenceGone
    })
}

/// Says that there are failing cases that do not count, for a run that is called good in spite of them.
pub fn tolerated(record: &RunRecord) -> Option<String> {
    let conformance = record.conformance.as_ref()?;
    let count = failures(conformance).count() - counting_failures(conformance).count();
    let cases = if count == 1 { "case" } else { "cases" };
    (count > 0).then(|| {
        let least = conformance.fail_on.word();
        format!("{count} failing {cases} below {least}, the severity from which a failure counts")
    })
}

/// Why the subject is not timed; `None` when it passed the gate.
pub fn gate_refusal(conformance: &ConformanceRecord) -> Option<String> {
    if let Some(reason) = &conformance.not_judged {
        return Some(reason.clone());
    }
    let behind = failures(conformance)
        .filter(|case| case.severity >= conformance.gate)
        .count();
    (behind > 0).then(|| {
        let gate = conformance.gate.word();
        format!("{behind} failing cases of severity {gate} or above; a wrong answer has no latency")
    })
}

fn conformance_reasons(conformance: &ConformanceRecord) -> Vec<String> {
    if let Some(reason) = &conformance.not_judged {
        return vec![format!("not judged: {reason}")];
    }
    Severity::ALL
        .into_iter()
        .rev()
        .filter_map(|severity| {
            let count = counting_failures(conformance)
                .filter(|case| case.severity == severity)
                .count();
            let cases = if count == 1 {
                "case fails"
            } else {
                "cases fail"
            };
            (count > 0).then(|| format!("{count} {} {cases}", severity.word()))
        })
        .collect()
}

fn phase_reasons(phase: &PhaseRecord, status: RunStatus) -> Vec<(Exit, String)> {
    let mut reasons = Vec::new();
    let kind = phase.label();
    if phase.wrong_decisions > 0 && phase.limit("wrong_decisions").is_none() {
        reasons.push((
            Exit::Nonconformant,
            match (phase.kind.as_str(), phase.wrong_samples.first()) {
                ("load", Some(first)) => format!(
                    "{kind}: {} unexpected answers; the first was {} in place of {}",
                    phase.wrong_decisions, first.observed, first.expected
                ),
                _ => format!(
                    "{kind}: {} wrong decisions under load",
                    phase.wrong_decisions
                ),
            },
        ));
    }
    // A phase that ended early without a signal has lost its target, whatever it was allowed to lose.
    let given_up = phase.interrupted && !phase.ended_by_breach && status != RunStatus::Interrupted;
    if phase.errors > 0 && (phase.limit("lost").is_none() || given_up) {
        // Not a wrong decision and no latency.
        reasons.push((Exit::TestbedFailed, lost_reason(phase, status)));
    }
    if phase.requests == 0 && !phase.interrupted {
        reasons.push((Exit::Invalid, format!("{kind}: nothing was measured")));
    }
    if let Some(invalid) = phase
        .generator
        .as_ref()
        .and_then(|generator| generator.invalid.as_ref())
    {
        reasons.push((Exit::Invalid, format!("{kind}: {invalid}")));
    }
    for counter in &phase.counters {
        if let Some(required) = counter
            .required
            .filter(|required| *required != counter.moved)
        {
            let text = format!(
                "{kind}: {} moved by {}, and by {required} had to: it did not measure what it says",
                counter.name, counter.moved
            );
            reasons.push((Exit::Invalid, text));
        }
    }
    for threshold in phase.thresholds.iter().filter(|threshold| !threshold.kept) {
        let text = format!(
            "{kind}: {} is {:.3} ms, the limit is {:.3} ms",
            threshold.quantile,
            ms(threshold.measured_ns),
            ms(threshold.limit_ns)
        );
        reasons.push((Exit::ThresholdMissed, text));
    }
    if let Some(breach) = phase.breaches.first().filter(|_| phase.ended_by_breach) {
        let text = format!(
            "{kind}: ended after {:.1} s, at its first breach: {}",
            ms(breach.after_ms) * 1e3,
            breach.what
        );
        reasons.push((Exit::ThresholdMissed, text));
    }
    reasons.extend(limit_reasons(phase));
    reasons
}

/// The limit that needs a process of the target on this machine.
const MEMORY: &str = "memory_growth_mb";

/// Limits on what is counted that were not kept, or could not be looked at.
fn limit_reasons(phase: &PhaseRecord) -> impl Iterator<Item = (Exit, String)> {
    let unseen = |limit: &LimitRecord| limit.name == MEMORY && phase.memory.is_empty();
    let told = move |limit: &&LimitRecord| !limit.kept || unseen(limit);
    phase.limits.iter().filter(told).map(move |limit| {
        if unseen(limit) {
            let text = format!(
                "{}: {MEMORY} is limited, and no memory of the target could be seen",
                phase.label()
            );
            return (Exit::Invalid, text);
        }
        let text = format!(
            "{}: {} is {}, and may be {} at most",
            phase.label(),
            limit.name,
            limit.measured,
            limit.most
        );
        (Exit::ThresholdMissed, text)
    })
}

/// Requests that got no decision: environments restart, and what was asked meanwhile is lost.
fn lost_reason(phase: &PhaseRecord, status: RunStatus) -> String {
    let requests = if phase.errors == 1 {
        "request"
    } else {
        "requests"
    };
    let ended = if phase.interrupted && !phase.ended_by_breach && status != RunStatus::Interrupted {
        ", and the phase was ended early"
    } else {
        ""
    };
    format!(
        "{}: the target lost {} {requests}: no decision came{ended}",
        phase.label(),
        phase.errors
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "for a message with three decimals"
)]
fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}
