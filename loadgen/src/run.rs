//! One run, from a parsed scenario to a saved record. The main flow of the bench.
//!
//! The record is saved after every step, before anything is printed: a run that is stopped or that fails half-way keeps
//! what it measured. A save that fails does not end the run, for there are more, and the last one is not given up.

use std::sync::Arc;
use std::time::Instant;

use mock_idp::JwksDocument;

use crate::catalogue::{Case, Feature, Sequence};
use crate::conform::{Conformance, SideBySide, Unasked, diagnose, fingerprint};
use crate::exit::Exit;
use crate::load::{self, LoadContext, PhaseError, Timeline};
use crate::plan::RunPlan;
use crate::progress::Progress;
use crate::record::{
    CaseRecord, ConformanceRecord, IssuerSummary, PhaseRecord, RecordError, RecordStore, Rescued,
    RunRecord, RunStatus, ScenarioSummary, SkippedPhase, SubjectSummary,
};
use crate::scenario::{ConformancePlan, Phase};
use crate::stop::StopSignal;
use crate::subject::Subject;
use crate::target::{Decision, Target};
use crate::testbed::{ColdSample, Testbed, TestbedError};
use crate::verdict;

mod answering;

use answering::{decides, no_decision, still_decides};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Phase(#[from] PhaseError),
    #[error("stopped by a signal")]
    Stopped,
    #[error(transparent)]
    Testbed(#[from] TestbedError),
    #[error(transparent)]
    Unasked(#[from] Unasked),
}

/// A run that is over.
#[derive(Debug)]
pub struct Finished {
    /// What came out.
    pub record: RunRecord,
    /// The folder that holds it: the one that was meant, or another one where that could not be written, or none.
    pub store: Option<RecordStore>,
    /// Whether it is not where it was meant to be.
    pub misplaced: bool,
}

impl Finished {
    /// The exit code: the verdict's, unless the record is not where it was meant to be.
    pub fn exit_code(&self) -> u8 {
        if self.misplaced {
            Exit::TestbedFailed.code()
        } else {
            self.record.verdict.exit_code
        }
    }

    /// Writes a report beside the record; false where it cannot be written, which is said. The record has everything.
    pub fn write(&self, name: &str, content: &[u8], progress: &Progress) -> bool {
        let Some(store) = &self.store else {
            return false;
        };
        let written = store.write(name, content);
        if let Err(error) = written {
            progress.note(&format!("{:#}", anyhow::Error::from(error)));
            return false;
        }
        true
    }

    /// Keeps a record that is complete, and says so where it cannot be kept where it was meant to be.
    pub fn keep(record: RunRecord, store: &RecordStore, progress: &Progress) -> Self {
        let kept = store.keep(&record);
        if let Err(rescued) = &kept {
            progress.note(&rescued.to_string());
        }
        let misplaced = kept.is_err();
        let store = match kept.map_err(|rescued| *rescued) {
            Ok(()) => Some(store.clone()),
            Err(Rescued { place, .. }) => place.ok(),
        };
        Self {
            record,
            store,
            misplaced,
        }
    }
}

/// Runs a plan. Only a record that cannot be written before anything is measured is an error; everything else is in the record.
pub async fn run(
    plan: &RunPlan,
    store: &RecordStore,
    progress: &mut Progress,
    stop: &StopSignal,
) -> Result<Finished, RecordError> {
    let mut run = Run {
        plan,
        store,
        record: begin(plan),
        started: Instant::now(),
        complained: false,
        first_start: None,
    };
    store.save(&run.record)?;
    let ended = run.steps(progress, stop).await;
    progress.finish();
    let failure = ended.err();
    run.record.status = match &failure {
        _ if stop.is_raised() => RunStatus::Interrupted,
        Some(_) => RunStatus::Failed,
        None => RunStatus::Complete,
    };
    run.record.verdict = verdict::of(&run.record, failure.map(with_causes));
    run.note_time();
    Ok(Finished::keep(run.record, store, progress))
}

/// A failure and its causes on one line.
fn with_causes(failure: Failure) -> String {
    format!("{:#}", anyhow::Error::from(failure))
}

struct Run<'a> {
    plan: &'a RunPlan,
    store: &'a RecordStore,
    record: RunRecord,
    started: Instant,
    /// Whether it has been said that the record cannot be saved.
    complained: bool,
    /// Of the target, for the first phase of cold starts.
    first_start: Option<ColdSample>,
}

impl Run<'_> {
    fn note_time(&mut self) {
        self.record.elapsed_ms =
            u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
    }

    /// Saves what there is so far. What does not arrive is in memory still, and goes with the next save.
    fn save(&mut self, progress: &Progress) {
        self.note_time();
        if let Err(error) = self.store.save(&self.record)
            && !self.complained
        {
            self.complained = true;
            let error = anyhow::Error::from(error);
            progress.note(&format!("{error:#}; the run goes on, and tries again"));
        }
    }

    async fn steps(&mut self, progress: &mut Progress, stop: &StopSignal) -> Result<(), Failure> {
        progress.begin("testbed", None);
        let mut testbed = tokio::select! {
            started = Testbed::start(&self.plan.scenario, &self.plan.subject) => started?,
            () = stop.raised() => return Err(Failure::Stopped),
        };
        testbed.issuer().clone_into(&mut self.record.issuer.issuer);
        testbed
            .key_origin()
            .clone_into(&mut self.record.issuer.signing_key);
        testbed
            .invocation()
            .clone_into(&mut self.record.subject.invocation);
        let ended = self.measure(&mut testbed, progress, stop).await;
        self.record.issuer.jwks_fetches = testbed.idp().fetch_count();
        testbed.shutdown().await;
        ended
    }

    async fn measure(
        &mut self,
        testbed: &mut Testbed,
        progress: &mut Progress,
        stop: &StopSignal,
    ) -> Result<(), Failure> {
        self.first_start = self.first_start(testbed, stop).await;
        if let Some(plan) = &self.plan.scenario.conformance {
            self.conform(plan, testbed, progress, stop).await?;
            self.save(progress);
        }
        if let Some(reason) = self
            .record
            .conformance
            .as_ref()
            .and_then(verdict::gate_refusal)
        {
            self.skip_all(&format!("the subject failed the gate: {reason}"));
            return Ok(());
        }
        for phase in &self.plan.scenario.phases {
            if stop.is_raised() {
                break;
            }
            self.phase(phase, testbed, progress, stop).await?;
            self.save(progress);
        }
        Ok(())
    }

    /// The first start of the target, where the scenario times its starts. One without the right decision is none; what is
    /// asked next says why.
    async fn first_start(&self, testbed: &Testbed, stop: &StopSignal) -> Option<ColdSample> {
        let is_timed = |phase: &Phase| matches!(phase, Phase::ColdStart(_));
        if !self.plan.scenario.phases.iter().any(is_timed) || !testbed.can_start_cold() {
            return None;
        }
        let token = load::cold_start_token(testbed).ok()?;
        let first = stop.unless_raised(testbed.first_start(&token)).await;
        let first = first.and_then(Result::ok);
        first.filter(|first| first.decision == Decision::Allow)
    }

    async fn conform(
        &mut self,
        plan: &ConformancePlan,
        testbed: &mut Testbed,
        progress: &mut Progress,
        stop: &StopSignal,
    ) -> Result<(), Failure> {
        let catalogue = &self.plan.catalogue;
        let (cases, own_keys): (Vec<&Case>, Vec<&Case>) = catalogue
            .select(&plan.selection)
            .into_iter()
            .partition(|case| case.jwks == JwksDocument::Default);
        let sequences = catalogue.select_sequences(&plan.selection);
        let count = cases.len() + own_keys.len() + sequences.len();
        progress.begin("conformance", Some(count));
        let found = stop
            .unless_raised(fingerprint::take(testbed.target(), testbed.minter()))
            .await
            .flatten();
        let mut features = match &self.plan.subject.features {
            Some(declared) => declared.clone(),
            None => fingerprint::features(found.as_ref(), self.plan.subject.kind.is_function()),
        };
        features.extend(fingerprint::token_features(testbed.minter()));
        let mut subject = self.plan.subject.clone();
        if subject.features.is_none() {
            let echo = found
                .as_ref()
                .and_then(|found| found.principal_echo.clone());
            subject.echo = subject.echo.or(echo);
        }
        let conformance = Conformance {
            target: testbed.target(),
            features: &features,
            divergences: &self.plan.subject.divergences,
            minter: testbed.minter(),
            listener: Some(testbed.listener()),
            gate: plan.gate,
            fail_on: plan.fail_on,
            processes: Some(testbed),
        };
        let judged = conformance.run(&cases, stop, |_| progress.advance(1)).await;
        match judged {
            Ok(record) => {
                let judged = record.not_judged.is_none();
                self.record.conformance = Some(ConformanceRecord {
                    fingerprint: found,
                    ..record
                });
                if judged && !stop.is_raised() {
                    self.save(progress);
                    let rest = (own_keys, sequences);
                    self.side_by_side(rest, (subject, features), testbed, progress, stop)
                        .await?;
                }
            }
            Err(unfinished) => {
                let asked = !unfinished.judged.cases.is_empty();
                self.record.conformance = asked.then_some(unfinished.judged);
                return Err(no_decision(unfinished.cause, testbed).await);
            }
        }
        Ok(())
    }

    /// What needs a target of its own, after what does not.
    async fn side_by_side(
        &mut self,
        (cases, sequences): (Vec<&Case>, Vec<&Sequence>),
        (subject, features): (Subject, Vec<Feature>),
        testbed: &Testbed,
        progress: &mut Progress,
        stop: &StopSignal,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let bench = SideBySide {
            scenario: self.plan.scenario.clone(),
            subject,
            features,
            running: testbed.target().clone(),
            minter: testbed.minter().clone(),
        };
        let cases = cases.into_iter().cloned().collect();
        let sequences = sequences.into_iter().cloned().collect();
        let advance = |_: &_| progress.advance(1);
        let (judged, unasked) = bench.run(cases, sequences, stop, advance).await;
        if let Some(record) = &mut self.record.conformance {
            record.cases.extend(judged);
            let place = |case: &CaseRecord| self.plan.catalogue.place(&case.id);
            record.cases.sort_by_cached_key(place);
            diagnose(record, &self.plan.catalogue.questions());
            let took = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            record.elapsed_ms = record.elapsed_ms.saturating_add(took);
        }
        unasked.map_or(Ok(()), |reason| Err(reason.into()))
    }

    async fn phase(
        &mut self,
        phase: &Phase,
        testbed: &mut Testbed,
        progress: &mut Progress,
        stop: &StopSignal,
    ) -> Result<(), Failure> {
        if let Some(reason) = unfit(phase, testbed) {
            self.record.skipped.push(SkippedPhase {
                kind: phase.kind().to_owned(),
                reason: reason.to_owned(),
            });
            return Ok(());
        }
        if let Some(load) = phase.load() {
            decides(&asked(testbed, phase), testbed, stop).await?;
            if self.record.calibration.is_none() {
                progress.begin("calibration", None);
                let null = testbed.null_target();
                self.record.calibration =
                    Some(load::calibrate(&null, load.users, self.started, stop).await?);
            }
        }
        let (record, failure) = self.measured(phase, testbed, progress, stop).await?;
        let (answered, lost) = (record.requests + record.wrong_decisions, record.errors);
        if answered + lost > 0 || failure.is_none() {
            self.record.phases.push(record);
        }
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        if lost > 0 {
            self.save(progress);
            let after = (answered > 0).then(|| phase.kind());
            still_decides(after, &asked(testbed, phase), testbed, stop).await?;
        }
        Ok(())
    }

    async fn measured(
        &mut self,
        phase: &Phase,
        testbed: &mut Testbed,
        progress: &mut Progress,
        stop: &StopSignal,
    ) -> Result<(PhaseRecord, Option<TestbedError>), Failure> {
        let (catalogue, run_started) = (&self.plan.catalogue, self.started);
        let timeline = &Arc::new(Timeline::default());
        let samples = match phase {
            Phase::ColdStart(plan) => Some(plan.samples + plan.cold_disk),
            _ => None,
        };
        progress.begin(phase.label(), samples);
        let _live = phase.load().map(|_| progress.watch(timeline));
        let seed = self.plan.scenario.seed;
        let context = |testbed| LoadContext {
            testbed,
            catalogue,
            run_started,
            stop,
            timeline,
            seed,
        };
        let record = match phase {
            Phase::ColdStart(plan) => {
                let advance = || progress.advance(1);
                let first = self.first_start.take();
                let run = (run_started, stop);
                let cold = load::cold_start(plan, testbed, first, run, advance).await;
                return Ok((cold.record, cold.failure));
            }
            Phase::CacheHit(plan) => load::cache_hit(plan, context(testbed)).await?,
            Phase::ExpiryStampede(plan) => load::expiry_stampede(plan, context(testbed)).await?,
            Phase::Verification(plan) => load::verification(plan, context(testbed)).await?,
        };
        Ok((record, None))
    }

    fn skip_all(&mut self, reason: &str) {
        let skipped = self.plan.scenario.phases.iter();
        self.record
            .skipped
            .extend(skipped.map(|phase| SkippedPhase {
                kind: phase.kind().to_owned(),
                reason: reason.to_owned(),
            }));
    }
}

/// The target over the connections of a phase.
fn asked(testbed: &Testbed, phase: &Phase) -> Target {
    let connections = phase.load().map(|load| load.connections);
    testbed
        .target()
        .with_connections(connections.unwrap_or_default())
}

/// Why a phase means nothing for this subject.
fn unfit(phase: &Phase, testbed: &Testbed) -> Option<&'static str> {
    match phase {
        Phase::ColdStart(_) if !testbed.can_start_cold() => {
            Some("no process was started for this target, so none can be started afresh")
        }
        Phase::CacheHit(_) | Phase::ExpiryStampede(_) if testbed.gateway_counts().is_none() => {
            Some("no gateway stands in front of this target, so there is no policy cache")
        }
        _ => None,
    }
}

fn begin(plan: &RunPlan) -> RunRecord {
    let (scenario, subject) = (&plan.scenario, &plan.subject);
    RunRecord::begin(
        ScenarioSummary {
            name: scenario.name.clone(),
            description: scenario.description.clone(),
            source: scenario.source.clone(),
            seed: scenario.seed,
        },
        SubjectSummary {
            name: subject.name.clone(),
            kind: subject.kind.word().to_owned(),
            description: subject.description.clone(),
            version: subject.version.clone(),
            invocation: String::new(),
        },
        IssuerSummary {
            profile: match scenario.real_issuer {
                None => scenario.issuer.clone(),
                Some(_) => "a token of its own".to_owned(),
            },
            issuer: String::new(),
            signing_key: String::new(),
            jwks_fetches: 0,
        },
    )
}
