//! The latency part: all phases on one chart, then each with its curves, counters and the generator's health.

use std::fmt::Write as _;

use super::super::chart::{self, Curve};
use super::super::storage;
use super::{escape, headline_series, quantile_table, rate};
use crate::record::{COLD_DISK, GeneratorHealth, PhaseRecord, RunRecord, SeriesRecord};
use crate::recorder::quantile_curve;
use crate::units::duration;

/// The parts of a cold start that follow each other, in order.
const COLD_PARTS: [&str; 3] = ["process start", "init", "first decision"];

pub(super) fn section(page: &mut String, record: &RunRecord) {
    if record.phases.is_empty() && record.skipped.is_empty() {
        return;
    }
    page.push_str("<section><h2>Latency</h2>");
    overview(page, record);
    for phase in &record.phases {
        card(page, phase);
    }
    if let Some(calibration) = &record.calibration {
        card(page, calibration);
    }
    if !record.skipped.is_empty() {
        page.push_str("<h3>Not measured</h3><ul class=\"remarks\">");
        for skipped in &record.skipped {
            let _ = write!(
                page,
                "<li>{} <span class=\"muted\">{}</span></li>",
                escape(&skipped.kind),
                escape(&skipped.reason)
            );
        }
        page.push_str("</ul>");
    }
    page.push_str("</section>\n");
}

fn overview(page: &mut String, record: &RunRecord) {
    let phases = record.phases.iter().chain(record.calibration.as_ref());
    let curves: Vec<Curve> = phases
        .filter_map(|phase| {
            let series = headline_series(phase)?;
            let label = if phase.kind == "calibration" {
                "null route (floor)".to_owned()
            } else {
                phase.label()
            };
            Some(curve(label, series))
        })
        .collect();
    if curves.len() > 1 {
        page.push_str(&chart::percentiles(
            "Latency by percentile, all phases; the label gives the largest value",
            curves,
        ));
    }
}

/// A record whose histogram cannot be read keeps its table and loses its curve.
fn curve(label: String, series: &SeriesRecord) -> Curve {
    Curve {
        label,
        points: quantile_curve(&series.histogram).unwrap_or_default(),
    }
}

fn card(page: &mut String, phase: &PhaseRecord) {
    let _ = write!(
        page,
        "<article class=\"card\"><h3>{}</h3><p>{}</p><p class=\"muted\">{} · {} answers in {} · {}{}</p>",
        escape(&phase.label()),
        escape(&phase.definition),
        escape(&phase.arrival),
        phase.requests,
        duration(phase.elapsed_ms.saturating_mul(1_000_000)),
        rate(phase.requests_per_second),
        match (phase.interrupted, phase.ended_by_breach) {
            (true, true) => " · ended by its first breach",
            (true, false) =>
                " · cut short by a signal, or because the target had stopped answering",
            _ => "",
        }
    );
    breakdown(page, phase);
    let series: Vec<&SeriesRecord> = phase.series.iter().collect();
    quantile_table(page, &series);
    if is_load(phase) {
        let latency = headline_series(phase).map_or("latency", |series| &series.name);
        page.push_str(&chart::over_time(&escape(latency), phase));
        let curves = series
            .iter()
            .map(|series| {
                let label = if series.class == "all" {
                    series.name.clone()
                } else {
                    series.class.clone()
                };
                curve(label, series)
            })
            .collect();
        let title = if series.iter().any(|series| series.class != "all") {
            "Latency by percentile and class of token"
        } else {
            "Latency by percentile; the label gives the largest value"
        };
        page.push_str(&chart::percentiles(title, curves));
    }
    checks(page, phase);
    if let Some(generator) = &phase.generator {
        health(page, generator);
    }
    page.push_str("</article>");
}

/// A phase that users made; the floor has too few seconds and one curve, which the chart of all phases has.
fn is_load(phase: &PhaseRecord) -> bool {
    !matches!(phase.kind.as_str(), "calibration" | "cold-start")
}

/// The parts of a cold start, from their medians; those of one with a cold disk below.
fn breakdown(page: &mut String, phase: &PhaseRecord) {
    let parts = |class: &str| -> Vec<(&str, u64)> {
        let of = |name: &&'static str| {
            let mut series = phase.series.iter();
            let part = series.find(|series| series.name == *name && series.class == class)?;
            Some((*name, part.p50_ns))
        };
        COLD_PARTS.iter().filter_map(of).collect()
    };
    let warm = parts("all");
    if warm.len() > 1 {
        page.push_str(&chart::stacked_bar(
            "The parts of a cold start, by their medians",
            &warm,
        ));
        let cold = parts(COLD_DISK);
        if !cold.is_empty() {
            page.push_str("<p class=\"muted\">With a cold disk:</p>");
            page.push_str(&chart::stacked_bar(
                "The parts of a cold start with a cold disk, by their medians",
                &cold,
            ));
        }
        page.push_str("<p class=\"muted\">Medians of the parts; they do not add up to the median of the whole exactly. The keys are fetched within one of the parts; “to the keys” runs from the start of that part until the issuer had handed them out, “after the keys” from there to the decision.</p>");
    }
}

/// Everything that says whether the figures may be believed.
fn checks(page: &mut String, phase: &PhaseRecord) {
    let mut lines: Vec<(bool, String)> = Vec::new();
    lines.push((
        phase.wrong_decisions == 0,
        format!("{} wrong decisions", phase.wrong_decisions),
    ));
    lines.push((
        phase.errors == 0,
        format!("{} requests without a decision", phase.errors),
    ));
    lines.extend(wrong_samples(phase));
    for counter in &phase.counters {
        match counter.required {
            Some(required) => lines.push((
                required == counter.moved,
                format!("{}: {} (had to be {required})", counter.name, counter.moved),
            )),
            None => lines.push((true, format!("{}: {}", counter.name, counter.moved))),
        }
    }
    for threshold in &phase.thresholds {
        lines.push((
            threshold.kept,
            format!(
                "{} {} (limit {})",
                threshold.quantile,
                duration(threshold.measured_ns),
                duration(threshold.limit_ns)
            ),
        ));
    }
    for limit in &phase.limits {
        lines.push((
            limit.kept,
            format!(
                "{}: {} (at most {})",
                limit.name, limit.measured, limit.most
            ),
        ));
    }
    for event in &phase.events {
        let after = duration(event.after_ms.saturating_mul(1_000_000));
        lines.push((true, format!("after {after}: {}", event.what)));
    }
    for breach in &phase.breaches {
        let after = duration(breach.after_ms.saturating_mul(1_000_000));
        lines.push((false, format!("after {after}: breached: {}", breach.what)));
    }
    let storage = storage::lines(phase).into_iter();
    lines.extend(storage.map(|line| (true, line)));
    lines.extend(memory(phase));
    lines.extend(tokens(phase));
    let generator = phase.generator.as_ref();
    if let Some(invalid) = generator.and_then(|generator| generator.invalid.as_ref()) {
        lines.push((false, format!("INVALID: {invalid}")));
    }
    page.push_str("<ul class=\"checks\">");
    for (good, text) in lines {
        let (class, mark) = if good { ("ok", "✓") } else { ("no", "✗") };
        let _ = write!(
            page,
            "<li class=\"{class}\"><span aria-hidden=\"true\">{mark}</span> {}</li>",
            escape(&text)
        );
    }
    page.push_str("</ul>");
    if let Some(reason) = storage::not_cold(phase) {
        let _ = write!(page, "<p class=\"muted\">{}</p>", escape(&reason));
    }
}

/// What the subject's processes took, at first and at most.
fn memory(phase: &PhaseRecord) -> Option<(bool, String)> {
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let first = phase.memory.first()?;
    let largest = phase
        .memory
        .iter()
        .max_by_key(|sample| sample.resident_bytes)?;
    let text = format!(
        "memory of the subject: {} MB in {} processes at first, {} MB in {} at most",
        megabytes(first.resident_bytes),
        first.processes,
        megabytes(largest.resident_bytes),
        largest.processes,
    );
    Some((true, text))
}

/// Which tokens were sent.
fn tokens(phase: &PhaseRecord) -> Option<(bool, String)> {
    let tokens = phase.tokens.as_ref()?;
    let life = match tokens.lifetime_s {
        None => "none of which ends".to_owned(),
        Some(seconds) => format!("the first of which ends after {seconds} s"),
    };
    let text = format!(
        "{} tokens {}, {life}; {} minted before the clock started, {} of them issued for a later part of the phase, {} by the next key",
        tokens.population, tokens.popularity, tokens.minted, tokens.refreshes, tokens.by_next_key,
    );
    Some((tokens.outlived == 0, text))
}

/// What was wrong, each kind once.
fn wrong_samples(phase: &PhaseRecord) -> Vec<(bool, String)> {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for sample in &phase.wrong_samples {
        let text = format!(
            "{}: expected {}, got {}",
            sample.class, sample.expected, sample.observed
        );
        match kinds.iter_mut().find(|(kind, _)| *kind == text) {
            Some((_, count)) => *count += 1,
            None => kinds.push((text, 1)),
        }
    }
    let of = phase.wrong_samples.len();
    let told = kinds.into_iter().map(|(text, count)| match count {
        1 => (false, text),
        _ => (false, format!("{text} ({count} of the first {of})")),
    });
    told.collect()
}

/// The generator's own part, as a table of a row; what a closed loop does not have is left out.
fn health(page: &mut String, generator: &GeneratorHealth) {
    let rate = |rate: Option<f64>| rate.map(|rate| format!("{rate:.1}"));
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let figures = [
        ("cores used", Some(format!("{:.2}", generator.cpu_cores))),
        ("asked/s", rate(generator.asked_per_second)),
        ("sent/s", rate(generator.achieved_per_second)),
        ("never sent", number(generator.unsent)),
        ("most in flight", number(generator.in_flight_peak)),
        ("late by, p50", generator.lateness_p50_ns.map(duration)),
        ("late by, p99", generator.lateness_p99_ns.map(duration)),
        ("late by, max", generator.lateness_max_ns.map(duration)),
        ("later than 1 ms", number(generator.late_starts)),
    ];
    let (mut head, mut row) = (String::new(), String::new());
    for (name, figure) in figures {
        if let Some(figure) = figure {
            let _ = write!(head, "<th scope=\"col\">{name}</th>");
            let _ = write!(row, "<td>{figure}</td>");
        }
    }
    let _ = write!(
        page,
        "<table class=\"health\"><caption>Generator, with gateway and issuer</caption><thead><tr>{head}</tr></thead>\
         <tbody><tr>{row}</tr></tbody></table>"
    );
}
