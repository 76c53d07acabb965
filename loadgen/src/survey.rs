//! Many targets, one after another: every one is installed first, then every one is asked the same cases.
//!
//! A target that cannot be had on this machine, or whose setup fails, is left out by name with its reason; one that dies
//! half-way keeps the record that it has. Neither holds up the others.

use crate::exit::Exit;
use crate::plan::RunPlan;
use crate::progress::Progress;
use crate::record::{RecordError, RecordStore, RunRecord};
use crate::run::Finished;
use crate::stop::StopSignal;
use crate::subject::Subject;
use crate::testbed::{self, TestbedError};
use crate::{report, verdict};

/// A target that was asked.
#[derive(Debug)]
pub struct Surveyed {
    /// The name that it was asked by, which is that of its folder, too.
    pub name: String,
    /// What came out.
    pub record: RunRecord,
    /// Whether its record is not where it was meant to be.
    pub misplaced: bool,
}

/// A target that was left out.
#[derive(Debug)]
pub struct LeftOut {
    /// The name that it would have been asked by.
    pub name: String,
    /// Why.
    pub why: LeftOutReason,
}

/// Why a target is left out.
#[derive(Debug, thiserror::Error)]
pub enum LeftOutReason {
    /// It is not to be had on this machine, or its setup fails.
    #[error(transparent)]
    NotInstalled(#[from] TestbedError),
    /// A signal came before its turn.
    #[error("stopped by a signal before its turn")]
    Stopped,
}

impl LeftOut {
    /// The reason and its causes on one line.
    pub fn reason(&self) -> String {
        let causes: Vec<String> = anyhow::Chain::new(&self.why)
            .map(ToString::to_string)
            .collect();
        causes.join(": ")
    }
}

/// What became of a list of targets.
#[derive(Debug, Default)]
pub struct Survey {
    /// Those that were asked, in the order of the list.
    pub surveyed: Vec<Surveyed>,
    /// Those that were left out.
    pub left_out: Vec<LeftOut>,
}

/// A plan under the target's name, and where its record goes.
#[derive(Debug)]
pub struct Planned {
    /// The name.
    pub name: String,
    /// What is asked.
    pub plan: RunPlan,
    /// The folder of its own.
    pub store: RecordStore,
}

/// Installs every target that can be had; those that are left out are told with their reasons.
pub async fn install<'a>(
    targets: impl IntoIterator<Item = (&'a str, &'a Subject)>,
    progress: &mut Progress,
    stop: &StopSignal,
) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    for (name, subject) in targets {
        progress.begin(&format!("setup {name}"), None);
        let why = match stop.unless_raised(testbed::install(subject)).await {
            Some(Ok(())) => continue,
            Some(Err(error)) => error.into(),
            None => LeftOutReason::Stopped,
        };
        let name = name.to_owned();
        left_out.push(LeftOut { name, why });
    }
    progress.finish();
    left_out
}

impl Survey {
    /// Asks one target after the other; `begin` hears of each before its turn. Only a record that cannot be written before its
    /// target is asked is an error: it ends the survey, which would measure for nobody.
    pub async fn ask(
        &mut self,
        planned: Vec<Planned>,
        progress: &mut Progress,
        stop: &StopSignal,
        begin: impl Fn(&str),
    ) -> Result<(), RecordError> {
        for Planned { name, plan, store } in planned {
            if stop.is_raised() {
                let why = LeftOutReason::Stopped;
                self.left_out.push(LeftOut { name, why });
                continue;
            }
            begin(&name);
            let finished = crate::run::run(&plan, &store, progress, stop).await?;
            let Finished {
                record, misplaced, ..
            } = &finished;
            let written = finished.write("report.html", report::html(record).as_bytes(), progress);
            let misplaced = *misplaced || !written;
            let record = finished.record;
            self.surveyed.push(Surveyed {
                name,
                record,
                misplaced,
            });
        }
        Ok(())
    }

    /// One code for all: a signal overrules everything, a target found wrong comes before one that could not be asked to
    /// the end, and nobody asked is nothing known.
    pub fn exit(&self) -> Exit {
        let ended_with = |exit: Exit| {
            self.surveyed
                .iter()
                .any(|target| target.record.verdict.exit_code == exit.code())
        };
        let wrong = self.surveyed.iter().any(|target| {
            let conformance = target.record.conformance.as_ref();
            conformance.is_some_and(|found| {
                found.not_judged.is_some() || verdict::counting_failures(found).next().is_some()
            })
        });
        let misplaced = self.surveyed.iter().any(|target| target.misplaced);
        let stopped = |left: &LeftOut| matches!(left.why, LeftOutReason::Stopped);
        if ended_with(Exit::Interrupted) || self.left_out.iter().any(stopped) {
            Exit::Interrupted
        } else if wrong {
            Exit::Nonconformant
        } else if self.surveyed.is_empty() || misplaced || ended_with(Exit::TestbedFailed) {
            Exit::TestbedFailed
        } else if ended_with(Exit::Invalid) {
            Exit::Invalid
        } else {
            Exit::Good
        }
    }
}
