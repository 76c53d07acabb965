//! The records of many targets in rounds, as one table: a row for each phase of each target.
//!
//! Quantiles are those of all rounds' samples together, from their histograms merged exactly. A ratio is the median of the
//! ratios of the rounds, each of two figures that were measured right after one another.

use serde::Serialize;

use super::figures::Quantile;
use super::html::headline_series;
use super::printable;
use crate::comparison::{Compared, Comparison, PhaseName};
use crate::record::{Machine, PhaseRecord, RunRecord};
use crate::recorder::merged;

mod markdown;
mod terminal;

pub(super) use markdown::text as markdown;
pub(super) use terminal::text as terminal;

/// The version of the table's JSON.
const SCHEMA_VERSION: u32 = 1;

/// A comparison as it is printed and saved.
#[derive(Debug, Serialize)]
pub struct ComparisonTable {
    /// The version of this shape.
    pub schema_version: u32,
    /// The version of authbench that measured.
    pub authbench_version: &'static str,
    /// The scenario's name.
    pub scenario: String,
    /// Start of the first round, UTC, RFC 3339.
    pub started_at: String,
    /// The machine that all figures belong to.
    pub machine: Machine,
    /// Rounds that were asked for.
    pub rounds: usize,
    /// The target that ratios are to: the first one that was measured.
    pub reference: Option<String>,
    /// The phases of the scenario, in order.
    pub phases: Vec<PhaseTable>,
    /// The tool's own floor over all rounds, p50 in nanoseconds: the same client at a route that decides nothing.
    pub floor_p50_ns: Option<u64>,
    /// What the rows cannot say, a target and a remark each.
    pub remarks: Vec<Remark>,
}

/// One phase of all targets.
#[derive(Debug, Serialize)]
pub struct PhaseTable {
    /// What reports call it.
    pub phase: String,
    /// A row for each target that was measured.
    pub rows: Vec<Row>,
}

/// One phase of one target, over all rounds.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The target.
    pub target: String,
    /// Rounds with a sample.
    pub rounds: usize,
    /// Samples.
    pub count: u64,
    /// p50 in nanoseconds; absent where there are too few samples for a quantile, as for those below.
    pub p50_ns: Option<u64>,
    /// p99 in nanoseconds.
    pub p99_ns: Option<u64>,
    /// Its p50 to that of the reference.
    pub ratio: Option<Ratio>,
    /// Right answers per second, the median of the rounds.
    pub requests_per_second: Option<f64>,
    /// Requests that were answered with another decision than they had to get.
    pub wrong_decisions: u64,
    /// Requests without a decision.
    pub lost: u64,
    /// Why there are no figures, or none to be believed.
    pub reason: Option<String>,
}

/// A figure in proportion to another one, over the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ratio {
    /// The median of the rounds.
    pub median: f64,
    /// The smallest of them.
    pub lowest: f64,
    /// The largest of them.
    pub highest: f64,
}

/// What is said about a target beside its rows.
#[derive(Debug, Serialize)]
pub struct Remark {
    /// The target.
    pub target: String,
    /// What.
    pub text: String,
}

/// Puts the records together. Their texts can be printed afterwards.
pub(super) fn table(comparison: &Comparison) -> ComparisonTable {
    let targets: Vec<(&Compared, Vec<RunRecord>)> = comparison
        .targets
        .iter()
        .map(|target| {
            let rounds = target.rounds.iter().map(printable::record).collect();
            (target, rounds)
        })
        .collect();
    let reference = targets.iter().find(|(_, rounds)| {
        let measured = |record: &RunRecord| !record.phases.is_empty();
        rounds.iter().any(measured)
    });
    let phases = comparison.phases.iter().enumerate().map(|(place, phase)| {
        // Phases of one name are told apart by their order.
        let earlier = &comparison.phases[..place];
        let same = |other: &&PhaseName| (other.kind, &other.name) == (phase.kind, &phase.name);
        let wanted = Wanted {
            phase,
            nth: earlier.iter().filter(same).count(),
        };
        let base = reference.map(|(_, rounds)| rounds.as_slice());
        let rows = targets.iter().map(|(target, rounds)| {
            let ratio = base.and_then(|base| wanted.ratio(rounds, base));
            wanted.row(&printable::text(&target.name), rounds, ratio)
        });
        PhaseTable {
            phase: phase
                .name
                .clone()
                .unwrap_or_else(|| phase.kind.replace('-', " ")),
            rows: rows.collect(),
        }
    });
    let floors = targets.iter().flat_map(|(_, rounds)| rounds);
    let floors = floors.filter_map(|record| record.calibration.as_ref());
    ComparisonTable {
        schema_version: SCHEMA_VERSION,
        authbench_version: env!("CARGO_PKG_VERSION"),
        scenario: comparison.scenario.clone(),
        started_at: comparison.started_at.clone(),
        machine: comparison.machine.clone(),
        rounds: comparison.rounds,
        reference: reference.map(|(target, _)| printable::text(&target.name)),
        phases: phases.collect(),
        floor_p50_ns: quantiles(floors).p50,
        remarks: remarks(comparison),
    }
}

/// Targets that were left out or did not take part to the end.
fn remarks(comparison: &Comparison) -> Vec<Remark> {
    let dropped = comparison.targets.iter().filter_map(|target| {
        let reason = target.dropped.as_ref()?;
        let rounds = target.rounds.len();
        Some((
            &target.name,
            format!("took no part after round {rounds}: {reason}"),
        ))
    });
    let left_out = comparison
        .left_out
        .iter()
        .map(|left| (&left.name, format!("left out: {}", left.reason())));
    let remark = |(target, text): (&String, String)| Remark {
        target: printable::text(target),
        text: printable::text(&text),
    };
    dropped.chain(left_out).map(remark).collect()
}

/// A phase as it is looked for in the records of its rounds.
struct Wanted<'a> {
    phase: &'a PhaseName,
    /// How many of the same name come before it.
    nth: usize,
}

impl Wanted<'_> {
    fn of<'a>(&self, record: &'a RunRecord) -> Option<&'a PhaseRecord> {
        let key = self.phase.name.as_deref().unwrap_or(self.phase.kind);
        let same = |phase: &&PhaseRecord| phase.kind == self.phase.kind && phase.key() == key;
        record.phases.iter().filter(same).nth(self.nth)
    }

    fn row(&self, target: &str, rounds: &[RunRecord], ratio: Option<Ratio>) -> Row {
        let measured: Vec<&PhaseRecord> = rounds.iter().filter_map(|r| self.of(r)).collect();
        let quantiles = quantiles(measured.iter().copied());
        let rates = measured.iter().map(|phase| phase.requests_per_second);
        Row {
            target: target.to_owned(),
            rounds: measured.len(),
            count: quantiles.count,
            p50_ns: quantiles.p50,
            p99_ns: quantiles.p99,
            ratio,
            requests_per_second: median(rates.collect()),
            wrong_decisions: measured.iter().map(|phase| phase.wrong_decisions).sum(),
            lost: measured.iter().map(|phase| phase.errors).sum(),
            reason: self.reason(rounds, &measured),
        }
    }

    /// Why the figures are not there, or not to be believed.
    fn reason(&self, rounds: &[RunRecord], measured: &[&PhaseRecord]) -> Option<String> {
        let invalid = measured
            .iter()
            .find_map(|phase| phase.generator.as_ref()?.invalid.clone());
        if let Some(invalid) = invalid {
            return Some(format!("INVALID, {invalid}"));
        }
        if let Some(cut) = measured.iter().find(|phase| phase.interrupted) {
            let after = crate::units::duration(cut.elapsed_ms.saturating_mul(1_000_000));
            return Some(format!("a round was cut short after {after}"));
        }
        if !measured.is_empty() {
            return None;
        }
        let mut skipped = rounds.iter().flat_map(|record| &record.skipped);
        let reason = skipped.find(|skipped| skipped.kind == self.phase.kind);
        let reason = reason.map(|skipped| skipped.reason.clone());
        reason.or_else(|| Some("the run did not come so far".to_owned()))
    }

    /// How the p50 of each round compares with that of the reference in the same round.
    fn ratio(&self, rounds: &[RunRecord], base: &[RunRecord]) -> Option<Ratio> {
        let p50 = |record| Quantile::P50.of(headline_series(self.of(record)?)?);
        let pairs = rounds.iter().zip(base);
        let pairs = pairs.filter_map(|(ours, theirs)| Some((p50(ours)?, p50(theirs)?)));
        #[expect(clippy::cast_precision_loss, reason = "two digits are printed")]
        let ratios = pairs.map(|(ours, theirs)| ours as f64 / theirs.max(1) as f64);
        let ratios: Vec<f64> = ratios.collect();
        let lowest = ratios.iter().copied().reduce(f64::min)?;
        let highest = ratios.iter().copied().reduce(f64::max)?;
        Some(Ratio {
            median: median(ratios)?,
            lowest,
            highest,
        })
    }
}

#[derive(Default)]
struct Quantiles {
    count: u64,
    p50: Option<u64>,
    p99: Option<u64>,
}

/// Over all rounds. Histograms of this process, so that none is unreadable; if one were, there would be no figure.
fn quantiles<'a>(rounds: impl Iterator<Item = &'a PhaseRecord>) -> Quantiles {
    let series = rounds.filter_map(headline_series);
    let Ok(all) = merged(series.map(|series| series.histogram.as_str())) else {
        return Quantiles::default();
    };
    let series = all.to_series("", "all");
    Quantiles {
        count: series.count,
        p50: Quantile::P50.of(&series),
        p99: Quantile::P99.of(&series),
    }
}

/// The middle one, or the mean of the middle two.
fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    if figures.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(figures[middle - 1], upper))
}

/// `59 (57–61)`: the median of the rounds, and the smallest and the largest of more than one.
fn ratio_text(row: &Row) -> String {
    let Some(ratio) = row.ratio else {
        return "–".to_owned();
    };
    let digits = |figure: f64| {
        let decimals = if figure < 10.0 {
            2
        } else {
            usize::from(figure < 100.0)
        };
        format!("{figure:.decimals$}")
    };
    if row.rounds < 2 || (ratio.lowest - ratio.highest).abs() < f64::EPSILON {
        return digits(ratio.median);
    }
    let (lowest, highest) = (digits(ratio.lowest), digits(ratio.highest));
    format!("{} ({lowest}–{highest})", digits(ratio.median))
}

/// The headings of the columns, beside phase and target.
fn headings(table: &ComparisonTable) -> [String; 7] {
    let reference = table.reference.as_deref().unwrap_or("the first");
    [
        "n".to_owned(),
        "p50".to_owned(),
        format!("× {reference}"),
        "p99".to_owned(),
        "answers".to_owned(),
        "wrong".to_owned(),
        "lost".to_owned(),
    ]
}

/// The cells under them. A row of fewer rounds than were asked for says so.
fn cells(table: &ComparisonTable, row: &Row) -> [String; 7] {
    if row.rounds == 0 {
        return std::array::from_fn(|_| "–".to_owned());
    }
    let duration = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), crate::units::duration);
    let rate = row.requests_per_second.map(super::figures::rate);
    let count = if row.rounds < table.rounds {
        format!("{} in {} of {} rounds", row.count, row.rounds, table.rounds)
    } else {
        row.count.to_string()
    };
    [
        count,
        duration(row.p50_ns),
        ratio_text(row),
        duration(row.p99_ns),
        rate.unwrap_or_else(|| "–".to_owned()),
        row.wrong_decisions.to_string(),
        row.lost.to_string(),
    ]
}

/// What the rows cannot say: a phase that a target did not have, and a target that is not there, each reason once.
fn notes(table: &ComparisonTable) -> Vec<(String, String)> {
    let mut notes: Vec<(String, String)> = Vec::new();
    for remark in &table.remarks {
        notes.push((remark.target.clone(), remark.text.clone()));
    }
    for phase in &table.phases {
        for row in &phase.rows {
            let told = table
                .remarks
                .iter()
                .any(|remark| remark.target == row.target);
            let Some(reason) = row.reason.as_ref().filter(|_| !(told && row.count == 0)) else {
                continue;
            };
            let not = if row.count == 0 { "not measured: " } else { "" };
            notes.push((
                row.target.clone(),
                format!("{}: {not}{reason}", phase.phase),
            ));
        }
    }
    notes
}

/// Where and when, and what the figures are.
fn provenance(table: &ComparisonTable) -> String {
    let machine = &table.machine;
    let rounds = if table.rounds == 1 { "round" } else { "rounds" };
    let floor = table.floor_p50_ns.map(|ns| {
        let floor = crate::units::duration(ns);
        format!(" · floor {floor} (the same client at a route that decides nothing)")
    });
    format!(
        "scenario {} · {} {rounds} in turn · {} · {} · {} cores · {} · {} build · load average {:.2} at the start{}",
        table.scenario,
        table.rounds,
        table.started_at,
        machine.cpu,
        machine.cores,
        machine.os,
        machine.build,
        machine.load_average,
        floor.unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{TerminalStyle, sample};
    use super::*;
    use crate::record::{RunStatus, SkippedPhase};
    use crate::recorder::Distribution;
    use crate::survey::{LeftOut, LeftOutReason};

    /// A round whose verification took so long, and whose cold start is none.
    fn round(micros: u64) -> RunRecord {
        let mut record = sample::failing();
        record.conformance = None;
        record.phases.remove(0);
        let mut distribution = Distribution::default();
        for _ in 0..200 {
            distribution.record(Duration::from_micros(micros));
        }
        let phase = &mut record.phases[0];
        phase.series = vec![distribution.to_series("service time", "all")];
        phase.requests_per_second = 1e6 / f64::from(u32::try_from(micros).expect("small"));
        record.skipped.push(SkippedPhase {
            kind: "cold-start".to_owned(),
            reason: "no process | of its own".to_owned(),
        });
        record
    }

    fn compared(name: &str, micros: &[u64]) -> Compared {
        Compared {
            name: name.to_owned(),
            rounds: micros.iter().copied().map(round).collect(),
            dropped: None,
            misplaced: false,
        }
    }

    fn comparison(targets: Vec<Compared>) -> Comparison {
        let name = |kind| PhaseName { kind, name: None };
        Comparison {
            scenario: "three".to_owned(),
            phases: vec![name("cold-start"), name("verification")],
            started_at: "2026-01-01T00:00:00Z".to_owned(),
            machine: Machine::detect(),
            rounds: 3,
            targets,
            left_out: vec![LeftOut {
                name: "gone".to_owned(),
                why: LeftOutReason::Stopped,
            }],
        }
    }

    /// The reference gets twice as slow after the first round, and the other one with it: a ratio of the sums would say 1.6.
    #[test]
    fn a_ratio_is_that_of_the_rounds_and_not_of_their_sums() {
        let targets = vec![
            compared("first", &[100, 200, 200]),
            compared("second", &[300, 400, 400]),
        ];
        let table = table(&comparison(targets));
        let row = &table.phases[1].rows[1];
        let ratio = row.ratio.expect("three rounds");
        assert!((ratio.median - 2.0).abs() < 0.01, "{ratio:?}");
        assert!((ratio.highest - 3.0).abs() < 0.01, "{ratio:?}");
        assert_eq!((row.rounds, row.count), (3, 600));
        assert_eq!(ratio_text(row), "2.00 (2.00–3.00)");
        assert_eq!(ratio_text(&table.phases[1].rows[0]), "1.00");
    }

    #[test]
    fn samples_of_all_rounds_are_one_population() {
        let table = table(&comparison(vec![compared("first", &[100, 100, 900])]));
        let row = &table.phases[1].rows[0];
        // Two thirds are at 100 µs: a mean of three medians would be far from it.
        assert_eq!(row.p50_ns.map(|ns| ns / 1000), Some(100));
        assert_eq!(row.p99_ns.map(|ns| ns / 100_000), Some(9));
        let rate = row.requests_per_second.expect("three rounds");
        assert!((rate - 10_000.0).abs() < 1.0, "{rate}");
    }

    #[test]
    fn who_was_not_measured_is_told_by_name_and_reason() {
        let mut second = compared("sec|ond", &[100]);
        second.dropped = Some("it died\nat once".to_owned());
        second.rounds[0].status = RunStatus::Failed;
        second.rounds[0].phases.clear();
        second.rounds[0].skipped.clear();
        let table = table(&comparison(vec![compared("first", &[100]), second]));
        let markdown = markdown(&table);
        for part in [
            "| cold start | first | – |",
            "- first: cold start: not measured: no process \\| of its own\n",
            "|  | sec\\|ond | – |",
            "- sec\\|ond: took no part after round 1: it died\\\\nat once\n",
            "- gone: left out: stopped by a signal",
        ] {
            assert!(
                markdown.contains(part),
                "{part:?} is missing in: {markdown}"
            );
        }
        // The reason of a target that took no part is told once.
        assert_eq!(
            markdown.matches("did not come so far").count(),
            0,
            "{markdown}"
        );
    }

    #[test]
    fn a_row_of_fewer_rounds_than_were_asked_for_says_so() {
        let targets = vec![
            compared("first", &[100, 100, 100]),
            compared("second", &[100, 100]),
        ];
        let table = table(&comparison(targets));
        let style = TerminalStyle {
            color: false,
            width: 160,
        };
        for text in [markdown(&table), terminal(&table, style)] {
            assert_eq!(text.matches("400 in 2 of 3 rounds").count(), 1, "{text}");
            assert_eq!(text.matches("of 3 rounds").count(), 1, "{text}");
        }
    }

    #[test]
    fn the_reference_is_the_first_one_that_was_measured() {
        let mut first = compared("first", &[100]);
        first.rounds[0].phases.clear();
        let table = table(&comparison(vec![first, compared("second", &[100])]));
        assert_eq!(table.reference.as_deref(), Some("second"));
        assert!(markdown(&table).contains("× second"));
    }
}
