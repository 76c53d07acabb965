//! A record whose texts are safe to print: names in it come from files, and may be somebody else's.
//!
//! A control character in a name would write over the verdict (ECMA-48 moves the cursor, clears the screen) or begin a
//! line that looks like one of ours.

use serde_json::Value;

use crate::record::RunRecord;

/// The record with every control character in its texts escaped. Going through JSON reaches all texts, those of fields
/// that will be added as well.
pub(super) fn record(record: &RunRecord) -> RunRecord {
    let escaped = serde_json::to_value(record).and_then(|mut value| {
        escape(&mut value);
        serde_json::from_value(value)
    });
    // A record that JSON cannot say, with a figure that is no number, was never in a file: it is of this run and ours.
    escaped.unwrap_or_else(|_| record.clone())
}

fn escape(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(escape),
        Value::Object(members) => members.values_mut().for_each(escape),
        Value::String(text) if text.contains(char::is_control) => *text = self::text(text),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => {}
    }
}

/// The text with every control character escaped.
pub(super) fn text(text: &str) -> String {
    let escaped = |c: char| {
        if c.is_control() {
            c.escape_default().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escaped).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{TerminalStyle, sample, terminal};

    #[test]
    fn no_text_of_a_record_moves_the_cursor_or_begins_a_line() {
        let mut record = sample::failing();
        let hostile = "x\u{1b}[2J\nGOOD  all is well\r\u{9b}1A é".to_owned();
        record.subject.name.clone_from(&hostile);
        record.verdict.reasons = vec![hostile.clone()];
        if let Some(conformance) = &mut record.conformance {
            for case in &mut conformance.cases {
                case.id.clone_from(&hostile);
                case.group.clone_from(&hostile);
            }
        }
        record.machine.cpu = hostile;
        let style = TerminalStyle {
            color: false,
            width: 100,
        };
        let text = terminal(&record, style);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'));
        assert!(text.lines().all(|line| !line.starts_with("GOOD")), "{text}");
        assert!(text.contains("x\\u{1b}[2J\\nGOOD") && text.contains('é'));
    }
}
