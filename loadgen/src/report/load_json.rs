//! One phase of load as a small JSON object, for scripts.

use serde_json::{Value, json};

use super::figures::Quantile;
use crate::record::{PhaseRecord, RunRecord, SeriesRecord};
use crate::recorder;

/// The object, ending with a line break. `latency_us` is response time in an open loop, service time in a closed one.
pub(super) fn text(record: &RunRecord) -> String {
    let phase = record.phases.first();
    let mut object = json!({
        "url": record.subject.invocation,
        "verdict": record.verdict.word,
        "reasons": record.verdict.reasons,
    });
    if let (Some(phase), Some(members)) = (phase, object.as_object_mut()) {
        members.extend(of_phase(phase));
    }
    format!("{object:#}\n")
}

fn of_phase(phase: &PhaseRecord) -> serde_json::Map<String, Value> {
    let series = |name: &str| {
        phase
            .series
            .iter()
            .find(|s| s.name == name && s.class == "all")
    };
    let service = series("service time");
    let latency = series("response time").or(service);
    let generator = phase.generator.as_ref();
    let mut members = serde_json::Map::new();
    members.insert("arrival".to_owned(), json!(phase.arrival));
    members.insert("seconds".to_owned(), json!(seconds(phase.elapsed_ms)));
    members.insert(
        "requests".to_owned(),
        json!(phase.requests + phase.wrong_decisions + phase.errors),
    );
    members.insert(
        "requests_per_second".to_owned(),
        json!(phase.requests_per_second),
    );
    members.insert("right".to_owned(), json!(phase.requests));
    members.insert("interrupted".to_owned(), json!(phase.interrupted));
    members.insert("unexpected".to_owned(), json!(phase.wrong_decisions));
    members.insert("lost".to_owned(), json!(phase.errors));
    members.insert("lost_by".to_owned(), json!(phase.losses));
    members.insert("latency_us".to_owned(), json!(latency.and_then(quantiles)));
    members.insert("service_us".to_owned(), json!(service.and_then(quantiles)));
    let set_up = series("connection set-up").and_then(quantiles);
    members.insert("connection_us".to_owned(), json!(set_up));
    members.insert("samples".to_owned(), json!(phase.wrong_samples));
    if let Some(generator) = generator {
        members.insert(
            "generator".to_owned(),
            json!({
                "cpu_cores": generator.cpu_cores,
                "asked_per_second": generator.asked_per_second,
                "achieved_per_second": generator.achieved_per_second,
                "unsent": generator.unsent,
                "in_flight_peak": generator.in_flight_peak,
                "late_starts": generator.late_starts,
                "lateness_us": generator.lateness_p99_ns.map(|p99| json!({
                    "p50": micros(generator.lateness_p50_ns.unwrap_or_default()),
                    "p99": micros(p99),
                    "max": micros(generator.lateness_max_ns.unwrap_or_default()),
                })),
                "invalid": generator.invalid,
            }),
        );
    }
    members
}

/// `None` where nothing was measured; a quantile without a sample beyond it is null.
fn quantiles(series: &SeriesRecord) -> Option<Value> {
    let at = |quantile: Quantile| quantile.of(series).map(micros);
    (series.count > 0).then(|| {
        json!({
            "p50": at(Quantile::P50),
            "p90": at(Quantile::P90),
            // Not a column of the record, but of its histogram.
            "p95": recorder::value_at_quantile(&series.histogram, 0.95)
                .ok()
                .filter(|_| series.count >= 20)
                .map(micros),
            "p99": at(Quantile::P99),
            "p999": at(Quantile::P999),
            "max": micros(series.max_ns),
        })
    })
}

/// Microseconds with their fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "a latency of 2^53 ns is a hundred days"
)]
fn micros(ns: u64) -> f64 {
    ns as f64 / 1e3
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a run of 2^53 ms is beyond every schedule"
)]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}
