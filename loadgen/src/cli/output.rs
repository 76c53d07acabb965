//! What goes to standard output and standard error.

use std::io::{IsTerminal, Write};

use loadgen::report::TerminalStyle;

use super::Failure;

/// Columns of a table when standard output is no terminal, or does not say how wide it is.
const DEFAULT_WIDTH: usize = 100;

/// Writes a text to standard output. A reader that has gone (`| head`) is no error.
pub(crate) fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// Writes a failure and its causes to standard error, on one line.
pub(crate) fn error(failure: &Failure) {
    let _ = writeln!(std::io::stderr(), "authbench: {:#}", failure.cause);
}

/// Colour on a terminal, unless `NO_COLOR` (no-color.org) is set to anything.
pub(crate) fn style() -> TerminalStyle {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let terminal = std::io::stdout().is_terminal();
    let width = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok())
        .unwrap_or(DEFAULT_WIDTH);
    TerminalStyle {
        color: terminal && !no_color,
        width,
    }
}

/// Writes a remark to standard error, so that standard output stays what a program reads.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "authbench: {text}");
}
