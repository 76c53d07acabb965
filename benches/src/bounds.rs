//! What each way of the group `verify` may take, as a multiple of `raw_rsa`, and whether criterion's estimates keep to it.

use std::fmt::Write as _;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

/// What the others are measured in: the signature alone.
const YARDSTICK: &str = "raw_rsa";

/// The most that a median may be, in medians of the yardstick. A decision is little more than its signature, and a
/// refusal without a signature, or an answer from memory, a small part of one.
const BOUNDS: [(&str, f64); 5] = [
    ("decision", 1.10),
    ("cached_decision", 0.08),
    ("reject_malformed", 0.10),
    ("reject_expired", 0.10),
    ("reject_unknown_kid", 0.10),
];

/// Ratios beside their bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// A row for each bound.
    pub table: String,
    /// Whether no bound is exceeded.
    pub is_within: bool,
}

/// Reads the estimates of a run that began at `began` from the folder of the group. An estimate that is missing, unreadable
/// or of an earlier run is an error, which names its file.
pub fn hold(folder: &Path, began: SystemTime) -> Result<Verdict, String> {
    let yardstick = Estimate::read(folder, YARDSTICK, began)?;
    let mut table = format!(
        "{:<18}  {:>11}  {:>8}  {:>5}  {:>9}\n{:<18}  {:>11.1}  {:>8.3}  {:>5}  {:>9}\n",
        "row",
        "median ns",
        "ratio",
        "bound",
        "n",
        YARDSTICK,
        yardstick.median_ns,
        1.0,
        "",
        yardstick.n
    );
    let mut is_within = true;
    for (name, bound) in BOUNDS {
        let Estimate { median_ns, n } = Estimate::read(folder, name, began)?;
        let ratio = median_ns / yardstick.median_ns;
        let exceeded = ratio > bound;
        is_within &= !exceeded;
        let mark = if exceeded { "  above" } else { "" };
        // Writing into a `String` does not fail.
        let _ = writeln!(
            table,
            "{name:<18}  {median_ns:>11.1}  {ratio:>8.3}  {bound:>5.2}  {n:>9}{mark}"
        );
    }
    Ok(Verdict { table, is_within })
}

/// One row as criterion saved it.
#[derive(Debug, Clone, Copy)]
struct Estimate {
    median_ns: f64,
    /// Calls that were timed.
    n: f64,
}

impl Estimate {
    fn read(folder: &Path, name: &str, began: SystemTime) -> Result<Estimate, String> {
        let folder = folder.join(name).join("new");
        let estimates = folder.join("estimates.json");
        let written = std::fs::metadata(&estimates).and_then(|metadata| metadata.modified());
        let written = written.map_err(|error| format!("{}: {error}", estimates.display()))?;
        if written < began {
            return Err(format!("{} is of an earlier run", estimates.display()));
        }
        let positive = |value: Option<f64>, path: &Path| {
            let value = value.filter(|value| value.is_finite() && *value > 0.0);
            value.ok_or_else(|| format!("{} is not what criterion writes", path.display()))
        };
        let median_ns = json(&estimates)?["median"]["point_estimate"].as_f64();
        let sample = folder.join("sample.json");
        let n = json(&sample)?["iters"]
            .as_array()
            .map(|iters| iters.iter().filter_map(Value::as_f64).sum());
        Ok(Estimate {
            median_ns: positive(median_ns, &estimates)?,
            n: positive(n, &sample)?,
        })
    }
}

fn json(path: &Path) -> Result<Value, String> {
    let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;

    /// A folder as criterion leaves it: the yardstick takes 1,000 ns, each other row exactly its bound.
    fn group(test: &str) -> PathBuf {
        let name = format!("authbench-bounds-{test}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        for (name, bound) in BOUNDS.into_iter().chain([(YARDSTICK, 1.0)]) {
            set(&folder, name, bound * 1_000.0);
        }
        folder
    }

    fn set(folder: &Path, name: &str, median_ns: f64) {
        let folder = folder.join(name).join("new");
        fs::create_dir_all(&folder).unwrap();
        let estimates = serde_json::json!({
            "mean": { "point_estimate": 1e9 },
            "median": { "point_estimate": median_ns },
        });
        fs::write(folder.join("estimates.json"), estimates.to_string()).unwrap();
        let sample = serde_json::json!({ "iters": [20.0, 22.0], "times": [1.0, 1.0] });
        fs::write(folder.join("sample.json"), sample.to_string()).unwrap();
    }

    #[test]
    fn what_is_at_its_bound_is_within_and_what_is_above_is_named() {
        let folder = group("above");
        let within = hold(&folder, SystemTime::UNIX_EPOCH).unwrap();
        assert!(within.is_within, "{}", within.table);
        assert_eq!(within.table.lines().count(), 2 + BOUNDS.len());
        for (name, bound) in BOUNDS {
            set(&folder, name, bound * 1_001.0);
            let above = hold(&folder, SystemTime::UNIX_EPOCH).unwrap();
            assert!(!above.is_within);
            let marked: Vec<_> = above
                .table
                .lines()
                .filter(|line| line.ends_with("above"))
                .collect();
            assert!(
                matches!(marked[..], [row] if row.starts_with(name) && row.contains(" 42 ")),
                "{}",
                above.table
            );
            set(&folder, name, bound * 1_000.0);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_was_not_measured_in_this_run_holds_nothing() {
        let folder = group("stale");
        let later = SystemTime::now() + Duration::from_hours(1);
        let error = hold(&folder, later).unwrap_err();
        assert!(
            error.contains("raw_rsa/new/estimates.json is of an earlier run"),
            "{error}"
        );
        set(&folder, "decision", 0.0);
        let error = hold(&folder, SystemTime::UNIX_EPOCH).unwrap_err();
        assert!(error.contains("decision/new/estimates.json"), "{error}");
        fs::remove_dir_all(folder.join("decision")).unwrap();
        let error = hold(&folder, SystemTime::UNIX_EPOCH).unwrap_err();
        assert!(error.contains("decision/new/estimates.json"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }
}
