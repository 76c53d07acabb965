//! Latencies as comma-separated values (RFC 4180): a row for each series and class of each phase.

use std::fmt::Write as _;

use super::figures::Quantile;
use crate::record::{PhaseRecord, RunRecord, SeriesRecord};

/// The header. `requests_per_second` and what follows are the phase's, the same in each of its rows.
const HEADER: &str = "started_at,scenario,subject,phase,series,class,count,min_ns,mean_ns,p50_ns,p90_ns,p99_ns,p999_ns,max_ns,\
                      requests_per_second,right,wrong,lost";

/// The document. A quantile without a sample beyond it is an empty field. The record's texts hold no control characters.
pub(super) fn document(record: &RunRecord) -> String {
    let mut csv = format!("{HEADER}\r\n");
    for phase in record.phases.iter().chain(&record.calibration) {
        for series in &phase.series {
            row(&mut csv, record, phase, series);
        }
    }
    csv
}

fn row(csv: &mut String, record: &RunRecord, phase: &PhaseRecord, series: &SeriesRecord) {
    let key = phase.key().to_owned();
    let names = [
        &record.started_at,
        &record.scenario.name,
        &record.subject.name,
        &key,
        &series.name,
        &series.class,
    ];
    for name in names {
        let _ = write!(csv, "{},", field(name));
    }
    let measured = |figure: String| {
        if series.count > 0 {
            figure
        } else {
            String::new()
        }
    };
    let _ = write!(
        csv,
        "{},{},{},",
        series.count,
        measured(series.min_ns.to_string()),
        measured(format!("{:.1}", series.mean_ns))
    );
    for quantile in Quantile::ALL {
        let value = quantile.of(series).map(|ns| ns.to_string());
        let _ = write!(csv, "{},", value.unwrap_or_default());
    }
    let _ = write!(
        csv,
        "{},{:.3},{},{},{}\r\n",
        measured(series.max_ns.to_string()),
        phase.requests_per_second,
        phase.requests,
        phase.wrong_decisions,
        phase.errors
    );
}

/// A text as a field: quoted where it has to be. One that a spreadsheet would take for a formula begins with an apostrophe
/// (OWASP, CSV Injection).
fn field(text: &str) -> String {
    let apostrophe = if text.starts_with(['=', '+', '-', '@']) {
        "'"
    } else {
        ""
    };
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{apostrophe}{}\"", text.replace('"', "\"\""))
    } else {
        format!("{apostrophe}{text}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::{csv, sample};

    /// Rows of fields, by the grammar of RFC 4180 §2.
    fn parse(csv: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut text) = (Vec::new(), Vec::new(), String::new());
        let mut quoted = false;
        let mut characters = csv.chars().peekable();
        while let Some(character) = characters.next() {
            match (quoted, character) {
                (true, '"') if characters.peek() == Some(&'"') => {
                    characters.next();
                    text.push('"');
                }
                (_, '"') => quoted = !quoted,
                (false, ',') => row.push(std::mem::take(&mut text)),
                (false, '\r') if characters.peek() == Some(&'\n') => {
                    characters.next();
                    row.push(std::mem::take(&mut text));
                    rows.push(std::mem::take(&mut row));
                }
                _ => text.push(character),
            }
        }
        assert!(row.is_empty() && text.is_empty(), "ends with a line break");
        rows
    }

    #[test]
    fn a_row_for_each_series_and_a_dash_of_nothing_where_the_sample_is_too_small() {
        let record = sample::failing();
        let rows = parse(&csv(&record));
        assert_eq!(rows.len(), 1 + 4);
        let place = |name: &str| {
            rows[0]
                .iter()
                .position(|column| column == name)
                .expect(name)
        };
        let cell = |row: usize, name: &str| rows[row][place(name)].as_str();
        assert_eq!(cell(1, "phase"), "cold-start");
        assert_eq!(
            (cell(1, "count"), cell(1, "p99_ns")),
            ("30", ""),
            "30 have no p99"
        );
        assert_eq!(cell(3, "phase"), "verification");
        assert_eq!(
            cell(3, "p999_ns"),
            record.phases[1].series[0].p999_ns.to_string()
        );
        assert_eq!(cell(4, "class"), "t::case-1");
    }

    #[test]
    fn no_name_breaks_a_row_or_is_a_formula() {
        let mut record = sample::failing();
        let hostile = "=1+1,\"x\"\r\nverification,\u{1b}[2J\u{85}".to_owned();
        record.subject.name.clone_from(&hostile);
        record.phases[0].series[0].class = hostile;
        let text = csv(&record);
        let rows = parse(&text);
        assert_eq!(rows.len(), 5);
        assert!(
            rows.iter().all(|row| row.len() == rows[0].len()),
            "{rows:?}"
        );
        assert!(
            rows[1][2].starts_with("'=1+1,\"x\"\\r\\n"),
            "{}",
            rows[1][2]
        );
        assert!(!text.replace("\r\n", "").contains(char::is_control));
    }
}
