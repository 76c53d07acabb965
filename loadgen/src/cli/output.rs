//! What goes to standard output and standard error.

use std::io::{self, IsTerminal, Write};

use loadgen::report::TerminalStyle;

use super::Failure;

/// Columns of a table when standard output is no terminal, or does not say how wide it is.
const DEFAULT_WIDTH: usize = 100;

/// Writes a text to standard output. A text that did not arrive is a failure: a token or a report that is half there must
/// not look whole.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    written(
        stdout
            .write_all(text.as_bytes())
            .and_then(|()| stdout.flush()),
    )
}

/// A reader that has gone (`| head`) is no error: it has read what it wanted.
pub(crate) fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::testbed(
            anyhow::anyhow!("cannot write to standard output: {error}"),
        )),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Writes a failure and its causes to standard error, on one line.
pub(crate) fn error(failure: &Failure) {
    let _ = writeln!(io::stderr(), "authbench: {:#}", failure.cause);
}

/// Colour on a terminal, unless `NO_COLOR` (no-color.org) is set to anything.
pub(crate) fn style() -> TerminalStyle {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let terminal = io::stdout().is_terminal();
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    // Shells do not export COLUMNS, so that a terminal is asked itself. The table's library asks it for its own tables.
    let width = columns.or_else(|| comfy_table::Table::new().width().map(usize::from));
    TerminalStyle {
        color: terminal && !no_color,
        width: width.filter(|width| *width > 0).unwrap_or(DEFAULT_WIDTH),
    }
}

/// Writes a remark to standard error, so that standard output stays what a program reads.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "authbench: {text}");
}
