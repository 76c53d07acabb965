//! A strict reader of `.env` files: `NAME=value` lines, comments and quotes, and nothing else.
//!
//! No interpolation, no escapes, no change of the environment.

use std::{collections::BTreeMap, fs, path::Path};

use thiserror::Error;

use super::SettingsError;

/// What is wrong with a line of a `.env` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DotenvFault {
    /// The name is set twice.
    #[error("this name is set on an earlier line, too; keep one")]
    Duplicate,
    /// The line is not an assignment.
    #[error("expected NAME=value")]
    NotAnAssignment,
    /// There is text after the closing quote.
    #[error("unexpected text after the closing quote")]
    TextAfterQuote,
    /// The name is none of the settings.
    #[error(
        "unknown setting; expected TOKEN_ISSUER, JWKS_URI, AUDIENCE, REQUIRED_SCOPE or one of those that start with AUTHORIZER_"
    )]
    Unknown,
    /// The closing quote is missing.
    #[error("the closing quote is missing")]
    Unquoted,
}

/// Reads a file into names and values. A name that is not in `known` is refused: a mistyped `REQUIRED_SCOPE` must not
/// silently mean that no scope is required.
pub(super) fn read(path: &Path, known: &[&str]) -> Result<BTreeMap<String, String>, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, known).map_err(|(line, fault)| SettingsError::Dotenv {
        path: path.to_owned(),
        line,
        fault,
    })
}

fn parse(text: &str, known: &[&str]) -> Result<BTreeMap<String, String>, (usize, DotenvFault)> {
    let mut values = BTreeMap::new();
    // `lines` ends a line at LF or CR LF. A byte order mark is what some editors put first.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let at_line = |fault| (index + 1, fault);
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .ok_or(at_line(DotenvFault::NotAnAssignment))?;
        let name = name.trim_end();
        if !known.contains(&name) {
            return Err(at_line(DotenvFault::Unknown));
        }
        let value = parse_value(value.trim_start()).map_err(at_line)?;
        if values.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(at_line(DotenvFault::Duplicate));
        }
    }
    Ok(values)
}

/// A quoted value is what stands between the quotes. An unquoted one ends at white space followed by `#`.
fn parse_value(value: &str) -> Result<&str, DotenvFault> {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
        let comment = value
            .char_indices()
            .find(|&(at, c)| c == '#' && value[..at].ends_with([' ', '\t']))
            .map_or(value.len(), |(at, _)| at);
        let comment = if value.starts_with('#') { 0 } else { comment };
        return Ok(value[..comment].trim_end());
    };
    let (quoted, rest) = value[1..].split_once(quote).ok_or(DotenvFault::Unquoted)?;
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(quoted)
    } else {
        Err(DotenvFault::TextAfterQuote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_a_value_are_read() {
        let cases = [
            ("A=x", "x"),
            ("A=x \t", "x"),
            ("A = x\r", "x"),
            ("A=\"x y\" # note", "x y"),
            ("A='x # y'", "x # y"),
            ("A=x # note", "x"),
            ("A=x#y", "x#y"),
            ("A=https://a.example/?b=c", "https://a.example/?b=c"),
            ("A=", ""),
            ("A=\"\"", ""),
            ("A= # note", ""),
            ("\u{feff}A=x", "x"),
            ("# note\n\n  \nA=x\n", "x"),
        ];
        for (text, value) in cases {
            assert_eq!(parse(text, &["A"]).unwrap()["A"], value, "{text:?}");
        }
    }

    #[test]
    fn a_fault_names_its_line() {
        let cases = [
            ("A=x\nA=y", (2, DotenvFault::Duplicate)),
            ("A=x\r\n\r\nB=y", (3, DotenvFault::Unknown)),
            ("export A=x", (1, DotenvFault::Unknown)),
            ("A", (1, DotenvFault::NotAnAssignment)),
            ("A=\"x", (1, DotenvFault::Unquoted)),
            ("A='x\"", (1, DotenvFault::Unquoted)),
            ("A='x'y", (1, DotenvFault::TextAfterQuote)),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text, &["A"]), Err(expected), "{text:?}");
        }
    }
}
