//! The record's histograms as an HdrHistogram interval log, version 1.3, for the tools that read and plot such logs.
//!
//! One interval for each series of each phase, with a tag `PHASE.SERIES.CLASS`; it is as long as its phase, for exact
//! distributions exist of whole phases alone. Values are nanoseconds; the column `Interval_Max`, which only people read, is
//! in milliseconds as the reference implementation writes it.

use std::fmt::Write as _;

use crate::clock::unix_of_rfc3339;
use crate::record::{PhaseRecord, RunRecord};
use crate::recorder::{RecorderError, check_histogram};

/// A series whose histogram cannot be handed on.
#[derive(Debug, thiserror::Error)]
#[error("{phase}: {series} of {class}: {source}")]
pub struct HlogError {
    phase: String,
    series: String,
    class: String,
    source: RecorderError,
}

/// The log, its intervals in the order of their start.
pub(super) fn text(record: &RunRecord) -> Result<String, HlogError> {
    let mut log = format!(
        "#[authbench {}, scenario {}, subject {}; values in ns, Interval_Max in ms]\n\
         #[Histogram log format version 1.3]\n",
        plain(&record.authbench_version, " .,:/"),
        plain(&record.scenario.name, " .,:/"),
        plain(&record.subject.name, " .,:/"),
    );
    // Without a start the intervals count from the run's, whenever that was.
    if let Some(start) = unix_of_rfc3339(&record.started_at) {
        let _ = write!(
            log,
            "#[BaseTime: {start}.000 (seconds since epoch)]\n#[StartTime: {start}.000 (seconds since epoch), {}]\n",
            plain(&record.started_at, ":+.")
        );
    }
    log.push_str(
        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
    );
    let mut phases: Vec<&PhaseRecord> = record.phases.iter().chain(&record.calibration).collect();
    phases.sort_by_key(|phase| phase.started_after_ms);
    for phase in phases {
        intervals(&mut log, phase)?;
    }
    Ok(log)
}

fn intervals(log: &mut String, phase: &PhaseRecord) -> Result<(), HlogError> {
    for series in &phase.series {
        check_histogram(&series.histogram).map_err(|source| HlogError {
            phase: phase.key().to_owned(),
            series: series.name.clone(),
            class: series.class.clone(),
            source,
        })?;
        let tag = |text| plain(text, ":/");
        let _ = writeln!(
            log,
            "Tag={}.{}.{},{},{},{}.{:03},{}",
            tag(phase.key()),
            tag(&series.name),
            tag(&series.class),
            thousandths(phase.started_after_ms),
            thousandths(phase.elapsed_ms),
            series.max_ns / 1_000_000,
            series.max_ns / 1_000 % 1_000,
            series.histogram,
        );
    }
    Ok(())
}

/// Milliseconds as seconds with three decimals.
fn thousandths(ms: u64) -> String {
    format!("{}.{:03}", ms / 1_000, ms % 1_000)
}

/// ASCII letters, digits, `-`, `_` and what is `kept`; everything else is a hyphen. Readers cut lines at commas, spaces and, in
/// Java, at line breaks of Unicode.
fn plain(text: &str, kept: &str) -> String {
    let keeps = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c) || kept.contains(c);
    text.chars()
        .map(|c| if keeps(c) { c } else { '-' })
        .collect()
}
