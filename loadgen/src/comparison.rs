//! One scenario, many targets, in rounds.
//!
//! A machine gets warmer, busier and quieter while it measures. Each round measures every target once, and begins with
//! another one than the round before, so that whatever drifts is shared by all. Nothing of another target runs meanwhile.

use std::path::PathBuf;

use crate::exit::Exit;
use crate::plan::RunPlan;
use crate::progress::Progress;
use crate::record::{Machine, RecordError, RecordStore, RunRecord, RunStatus};
use crate::report;
use crate::scenario::Phase;
use crate::stop::StopSignal;
use crate::survey::{LeftOut, LeftOutReason};
use crate::verdict;

/// A phase of the scenario, by which rounds are put together.
#[derive(Debug, Clone)]
pub struct PhaseName {
    /// The word of its kind.
    pub kind: &'static str,
    /// What the scenario calls it.
    pub name: Option<String>,
}

impl From<&Phase> for PhaseName {
    fn from(phase: &Phase) -> Self {
        let name = phase.load().and_then(|load| load.name.clone());
        let kind = phase.kind();
        Self { kind, name }
    }
}

/// What came out of one target, round by round.
#[derive(Debug)]
pub struct Compared {
    /// The name that it was asked by, which is that of its folder, too.
    pub name: String,
    /// A record each round that it took part in.
    pub rounds: Vec<RunRecord>,
    /// Why it took part in no further round.
    pub dropped: Option<String>,
    /// Whether one of its records is not where it was meant to be.
    pub misplaced: bool,
}

/// What came out of all of them.
#[derive(Debug)]
pub struct Comparison {
    /// The scenario's name.
    pub scenario: String,
    /// Its phases, in order.
    pub phases: Vec<PhaseName>,
    /// Start of the first round, UTC, RFC 3339.
    pub started_at: String,
    /// The machine that all figures belong to.
    pub machine: Machine,
    /// Rounds that were asked for.
    pub rounds: usize,
    /// The targets, in the order in which they were given; the first one is what the others are held against.
    pub targets: Vec<Compared>,
    /// Those that were left out.
    pub left_out: Vec<LeftOut>,
}

/// A target that takes part.
#[derive(Debug)]
pub struct Entrant {
    /// The name.
    pub name: String,
    /// The scenario for the first round.
    pub first: RunPlan,
    /// The scenario for all others: its cases are asked once.
    pub others: RunPlan,
    /// The folder of its rounds.
    pub folder: PathBuf,
}

impl Comparison {
    /// The folder of a round's record within that of its target.
    pub fn round_folder(round: usize) -> String {
        format!("round-{}", round + 1)
    }

    /// Measures every target once a round; `begin` hears of each turn. Only a record that cannot be written before its turn is
    /// an error: it ends the comparison, which would measure for nobody.
    pub async fn measure(
        &mut self,
        entrants: &[Entrant],
        progress: &mut Progress,
        stop: &StopSignal,
        begin: impl Fn(usize, &str),
    ) -> Result<(), RecordError> {
        self.targets = entrants.iter().map(Compared::new).collect();
        for round in 0..self.rounds {
            for place in 0..entrants.len() {
                let turn = (round + place) % entrants.len();
                let (entrant, compared) = (&entrants[turn], &mut self.targets[turn]);
                if stop.is_raised() || compared.dropped.is_some() {
                    continue;
                }
                begin(round, &entrant.name);
                let store =
                    RecordStore::create(entrant.folder.join(Self::round_folder(round)), true)?;
                let plan = if round == 0 {
                    &entrant.first
                } else {
                    &entrant.others
                };
                let finished = crate::run::run(plan, &store, progress, stop).await?;
                let html = report::html(&finished.record);
                let written = finished.write("report.html", html.as_bytes(), progress);
                compared.misplaced |= finished.misplaced || !written;
                compared.add(finished.record);
            }
        }
        self.leave_out_the_unasked();
        Ok(())
    }

    /// Those to whom a signal left no turn.
    fn leave_out_the_unasked(&mut self) {
        let unasked = |target: &mut Compared| target.rounds.is_empty();
        for target in self.targets.extract_if(.., unasked) {
            self.left_out.push(LeftOut {
                name: target.name,
                why: LeftOutReason::Stopped,
            });
        }
    }

    /// One code for all: that of the cause which overrules the others in one run, too. Nobody measured is nothing known.
    pub fn exit_code(&self) -> u8 {
        let rounds = self.targets.iter().flat_map(|target| &target.rounds);
        let mut codes: Vec<u8> = rounds.map(|record| record.verdict.exit_code).collect();
        if self.targets.iter().any(|target| target.misplaced) {
            codes.push(Exit::TestbedFailed.code());
        }
        let stopped = |left: &LeftOut| matches!(left.why, LeftOutReason::Stopped);
        verdict::worst(&codes, self.left_out.iter().any(stopped)).code()
    }
}

impl Compared {
    fn new(entrant: &Entrant) -> Self {
        Self {
            name: entrant.name.clone(),
            rounds: Vec::new(),
            dropped: None,
            misplaced: false,
        }
    }

    /// Keeps a round. A target that failed, or that is wrong and was not timed, takes part in no other.
    fn add(&mut self, record: RunRecord) {
        let refused = record.conformance.as_ref().and_then(verdict::gate_refusal);
        self.dropped = match (record.status, refused) {
            (RunStatus::Failed, _) => Some(record.verdict.reasons.join("; ")),
            (_, refused) => refused,
        };
        self.rounds.push(record);
    }
}
