//! The flags by which `conform` and `list cases` say which cases are meant.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use loadgen::catalogue::{Level, Selection, Severity};
use loadgen::scenario::ConformancePlan;

#[derive(Debug, Args, Default)]
pub(crate) struct SelectionArguments {
    /// Only cases whose id holds this text; may be given more than once
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Only cases of this severity or above
    #[arg(long, value_name = "SEVERITY", value_parser = severity())]
    severity: Option<Severity>,
    /// Only cases whose rule binds so strongly, or more
    #[arg(long, value_name = "LEVEL", value_parser = level(), ignore_case = true)]
    level: Option<Level>,
    /// A file of cases of your own, beside the built-in ones; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub(crate) cases: Vec<String>,
}

impl SelectionArguments {
    /// What the flags ask for.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            texts: self.filter.clone(),
            level: self.level,
            severity: self.severity,
        }
    }

    /// The cases that the flags ask for, as a plan of them alone: nothing is timed, so that the gate decides nothing.
    pub(crate) fn plan(&self, fail_on: Severity) -> ConformancePlan {
        ConformancePlan {
            selection: self.selection(),
            selection_at: "command line".to_owned(),
            gate: fail_on.max(Severity::High),
            fail_on,
        }
    }

    /// Whether no flag is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.filter.is_empty()
            && self.severity.is_none()
            && self.level.is_none()
            && self.cases.is_empty()
    }
}

/// Parses one of the words of a severity.
pub(crate) fn severity() -> impl TypedValueParser<Value = Severity> {
    PossibleValuesParser::new(Severity::ALL.map(Severity::word)).map(|word| {
        Severity::ALL
            .into_iter()
            .find(|severity| severity.word() == word)
            .expect("the parser takes these words alone")
    })
}

fn level() -> impl TypedValueParser<Value = Level> {
    PossibleValuesParser::new(Level::ALL.map(Level::word)).map(|word| {
        Level::ALL
            .into_iter()
            .find(|level| level.word().eq_ignore_ascii_case(&word))
            .expect("the parser takes these words alone")
    })
}
