//! Text as a quoted string of YAML and of HCL.

use std::fmt::Write as _;

/// A double-quoted scalar of YAML (YAML 1.2.2 §7.3.1), which leaves nothing to its rules about plain ones.
pub(super) fn yaml(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A quoted template of HCL without anything that it would evaluate ("HCL Native Syntax Specification", templates).
pub(super) fn hcl(text: &str) -> String {
    let text = escaped(text).replace("${", "$${").replace("%{", "%%{");
    format!("\"{text}\"")
}

/// The escapes that both have, and JSON does not contradict below U+10000.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '"' | '\\' => escaped.extend(['\\', char]),
            // Line ends and invisible marks of Unicode, which YAML treats as line breaks or does not print.
            '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                // Writing into a `String` does not fail.
                let _ = write!(escaped, "\\u{:04x}", u32::from(char));
            }
            char if char.is_control() => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(char));
            }
            char => escaped.push(char),
        }
    }
    escaped
}
