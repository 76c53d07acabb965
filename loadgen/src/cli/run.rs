//! `authbench run`: a scenario from its file to its report.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use loadgen::builtin;
use loadgen::catalogue::Catalogue;
use loadgen::exit::Exit;
use loadgen::load::PoolFile;
use loadgen::plan::RunPlan;
use loadgen::progress::Progress;
use loadgen::run::Finished;
use loadgen::scenario::{IssuerFrom, Phase, Scenario};
use loadgen::stop::StopSignal;
use loadgen::subject::Subject;

use super::record_folder::RecordFolder;
use super::{Failure, output};

mod several;

#[derive(Debug, Args, Default)]
pub(crate) struct RunArguments {
    /// A built-in scenario, or the path of a scenario file [default: quick]
    scenario: Option<String>,
    /// Ask this target instead of the scenario's: a built-in name or a path. Given more than once, each is measured in
    /// rounds, and one table compares them; the first is what the others are held against
    #[arg(long, value_name = "TARGET")]
    target: Vec<String>,
    /// Use this issuer profile instead of the scenario's: a built-in name or a path. A target whose file names another is
    /// refused
    #[arg(long, value_name = "PROFILE")]
    issuer: Option<String>,
    /// The seed of keys and token pools, instead of the scenario's
    #[arg(long)]
    seed: Option<u64>,
    /// End each phase of load at the first threshold or limit that is broken; what was measured is kept
    #[arg(long)]
    fail_fast: bool,
    /// Measure every target so many times, in turn [default: 3 for several targets]
    #[arg(long, value_name = "N")]
    rounds: Option<NonZeroUsize>,
    /// Write the table of several targets or rounds into this page, too: between its lines `<!-- comparison -->` and
    /// `<!-- /comparison -->`
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    #[command(flatten)]
    folder: RecordFolder,
}

impl RunArguments {
    /// Whether there is something to put into a table of many records.
    fn compares(&self) -> bool {
        self.target.len() > 1 || self.rounds.is_some() || self.markdown.is_some()
    }
}

pub(crate) fn run(arguments: &RunArguments) -> Result<u8, Failure> {
    let name = arguments.scenario.as_deref().unwrap_or("quick");
    let mut scenario = builtin::scenario(name).map_err(Failure::usage)?;
    if let Some(issuer) = &arguments.issuer {
        scenario.issuer.clone_from(issuer);
        scenario.issuer_from = IssuerFrom::CommandLine;
    }
    scenario.seed = arguments.seed.unwrap_or(scenario.seed);
    if arguments.fail_fast {
        scenario.fail_fast();
    }
    if arguments.compares() {
        return several::run(&scenario, arguments);
    }
    if let Some(target) = arguments.target.first() {
        scenario.target.clone_from(target);
    }
    let subject = builtin::subject(&scenario.target).map_err(Failure::usage)?;
    execute(scenario, subject, &arguments.folder)
}

/// Runs a scenario, saves its record, then its report, then prints. Every command that measures ends here.
pub(crate) fn execute(
    scenario: Scenario,
    subject: Subject,
    folder: &RecordFolder,
) -> Result<u8, Failure> {
    let plan = plan(scenario, subject)?;
    let store = folder.create(plan.name())?;
    let stop = StopSignal::on_ctrl_c().map_err(Failure::testbed)?;
    let mut progress = Progress::on_stderr();
    let finished = super::runtime()?
        .block_on(loadgen::run::run(&plan, &store, &mut progress, &stop))
        .map_err(Failure::testbed)?;
    present(&finished, &progress)
}

/// Reads everything that a scenario names, so that no mistake in it is left when something is started.
pub(crate) fn plan(scenario: Scenario, subject: Subject) -> Result<RunPlan, Failure> {
    let catalogue = builtin::catalogue_with(&scenario.cases).map_err(Failure::usage)?;
    let plan = RunPlan::new(scenario, subject, catalogue).map_err(Failure::usage)?;
    check(plan.scenario(), plan.catalogue())?;
    check_pools(plan.scenario())?;
    Ok(plan)
}

/// Holds the cases of the user's own files against the parts that make tokens and requests of them.
fn check(scenario: &Scenario, catalogue: &Catalogue) -> Result<(), Failure> {
    if scenario.cases.is_empty() {
        return Ok(());
    }
    let issuer = super::mint::issuer(
        &scenario.issuer,
        &scenario.audience,
        &scenario.scope,
        scenario.seed,
    )?;
    let minter = issuer
        .minter(super::mint::DEFAULT_BASE)
        .map_err(Failure::testbed)?;
    for file in &scenario.cases {
        catalogue
            .check(file, &minter, loadgen::clock::unix_now())
            .map_err(Failure::usage)?;
    }
    Ok(())
}

/// Holds files of tokens against the issuer that the run will have. It listens where the scenario says, because its address is
/// in every token.
fn check_pools(scenario: &Scenario) -> Result<(), Failure> {
    let with_files = scenario
        .phases
        .iter()
        .filter_map(|phase| phase.load().map(|load| (phase, load)))
        .filter_map(|(phase, load)| load.tokens.file.as_ref().map(|file| (phase, load, file)));
    for (phase, load, file) in with_files {
        let refuse = |reason: String| Failure::usage(anyhow::anyhow!("{}: {reason}", load.mix_at));
        let Some(listen) = scenario.issuer_listen else {
            return Err(refuse(
                "token_pool needs issuer_listen, such as \"127.0.0.1:9000\": the issuer's address is in every token"
                    .to_owned(),
            ));
        };
        let issuer = super::mint::issuer(
            &scenario.issuer,
            &scenario.audience,
            &scenario.scope,
            scenario.seed,
        )?;
        let minter = issuer
            .minter(&format!("http://{listen}"))
            .map_err(Failure::testbed)?;
        let pool = PoolFile::read(file).map_err(|error| refuse(format!("token_pool: {error}")))?;
        let tokens = match phase {
            Phase::Verification(_) => load.arrival.requests().unwrap_or_default(),
            _ => load.tokens.population(),
        };
        pool.fits_phase(load, &minter, tokens)
            .map_err(|error| refuse(format!("token_pool: {error}")))?;
    }
    Ok(())
}

/// Writes the report beside the record, and prints; the exit code.
pub(super) fn present(finished: &Finished, progress: &Progress) -> Result<u8, Failure> {
    let record = &finished.record;
    let html = loadgen::report::html(record);
    let written = finished.write("report.html", html.as_bytes(), progress);
    output::print(&loadgen::report::terminal(record, output::style()))?;
    if let Some(store) = &finished.store {
        output::print(&format!("\nrecord  {}\n", store.record_path().display()))?;
        if written {
            let html = store.folder().join("report.html");
            output::print(&format!("report  {}\n", html.display()))?;
        }
    }
    summarize(&loadgen::report::markdown(record));
    Ok(if written {
        finished.exit_code()
    } else {
        Exit::TestbedFailed.code()
    })
}

/// Adds a text to a job's summary, where GitHub Actions shows it. A summary that cannot be written is a remark: the record
/// and the exit code are what the run is about.
pub(super) fn summarize(markdown: &str) {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return;
    };
    let path = Path::new(&path);
    let added = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(markdown.as_bytes()));
    if let Err(error) = added {
        output::note(&format!(
            "GITHUB_STEP_SUMMARY: cannot write {}: {error}",
            path.display()
        ));
    }
}
