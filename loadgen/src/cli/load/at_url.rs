//! `authbench load URL`: a load generator for any server, as handy as any, whose latencies are true.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use loadgen::conform::CaseRequest;
use loadgen::load::{Needed, PoolFile, PoolFileError, Timeline, UrlLoad, Wanted, load_url};
use loadgen::progress::Progress;
use loadgen::record::RunRecord;
use loadgen::report;
use loadgen::run::Finished;
use loadgen::scenario::LoadPhase;
use loadgen::stop::StopSignal;
use loadgen::subject::{Subject, SubjectKind};
use loadgen::target::HttpTarget;

use super::{LoadArguments, usage};
use crate::cli::{Failure, output, run};

/// Length of a run when none is given.
const DEFAULT_DURATION: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct UrlArguments {
    /// A header field, such as 'accept: application/json'; `{token}` in it stands for a token of --token-pool. May be given
    /// more than once
    #[arg(short = 'H', long, value_name = "NAME: VALUE", requires = "at", value_parser = parse_header)]
    header: Vec<(String, String)>,
    /// The method
    #[arg(short = 'X', long, value_name = "METHOD", requires = "at")]
    method: Option<String>,
    /// The status that each answer must have [default: any 2xx]
    #[arg(long, value_name = "STATUS", requires = "at", value_parser = clap::value_parser!(u16).range(100..=999))]
    expect: Option<u16>,
    /// A file with a token a line, such as `authbench mint --pool` writes, which take turns; sent as `Authorization: Bearer` unless --header uses {token}
    #[arg(long, value_name = "FILE", requires = "at")]
    token_pool: Option<PathBuf>,
    /// Print one JSON object and nothing else
    #[arg(long, requires = "at")]
    json: bool,
}

fn parse_header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once(':')
        .filter(|(name, _)| !name.trim().is_empty())
        .ok_or_else(|| format!("{text:?} is no header field such as 'accept: application/json'"))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// The tokens of a file, which have to be good until the run is over where the file says what they are.
fn read_tokens(file: &Path, length: Duration) -> Result<Vec<String>, Failure> {
    let told = |error: PoolFileError| usage(format!("--token-pool {error}"));
    let pool = PoolFile::read(file).map_err(told)?;
    pool.fits(Needed {
        issuer: None,
        case: None,
        tokens: 1,
        now: loadgen::clock::unix_now(),
        length,
    })
    .map_err(told)?;
    Ok(pool.tokens().map(str::to_owned).collect())
}

pub(super) fn run(url: &str, arguments: &LoadArguments) -> Result<u8, Failure> {
    let plan = plan(url, arguments)?;
    arguments.announce();
    let store = arguments
        .folder
        .chosen()
        .map(|_| arguments.folder.create("load"))
        .transpose()?;
    let stop = StopSignal::on_ctrl_c().map_err(Failure::testbed)?;
    let timeline = Arc::new(Timeline::default());
    let mut progress = if arguments.at_url.json {
        Progress::silent()
    } else {
        Progress::on_stderr()
    };
    progress.begin("load", None);
    let live = progress.watch(&timeline);
    let record = crate::cli::runtime()?.block_on(load_url(plan, &timeline, &stop));
    drop(live);
    progress.clear();
    let record = record.map_err(Failure::testbed)?;
    let Some(store) = store else {
        print(&record, arguments.at_url.json)?;
        return Ok(record.verdict.exit_code);
    };
    let finished = Finished::keep(record, &store, &progress);
    if arguments.at_url.json {
        print(&finished.record, true)?;
        return Ok(finished.exit_code());
    }
    run::present(&finished, &progress)
}

fn print(record: &RunRecord, json: bool) -> Result<(), Failure> {
    output::print(&if json {
        report::load_json(record)
    } else {
        report::terminal(record, output::style())
    })
}

fn server(url: &str) -> Result<HttpTarget, Failure> {
    match Subject::at_url(url).map(|subject| subject.kind) {
        Ok(SubjectKind::HttpUrl { authority, path }) => Ok(HttpTarget::new(authority, path)),
        Ok(_) => Err(usage(format!("{url}: load is put on an HTTP server"))),
        Err(error) => Err(usage(error.to_string().replacen("--url: ", "", 1))),
    }
}

fn plan(url: &str, arguments: &LoadArguments) -> Result<UrlLoad, Failure> {
    let flags = &arguments.at_url;
    let seed = arguments.subject.issuer.seed;
    let mut keys = arguments.arrivals.keys();
    if keys.ends_by_default() {
        keys.duration = Some(DEFAULT_DURATION);
    }
    let phase = LoadPhase::new(
        arguments.users,
        keys.plan(seed).map_err(usage)?,
        BTreeMap::new(),
        arguments.threshold.clone(),
    )
    .map_err(usage)?;
    let tokens = match &flags.token_pool {
        None => Vec::new(),
        Some(file) => read_tokens(file, phase.length().unwrap_or_default())?,
    };
    let names_token = |(_, value): &(String, String)| value.contains("{token}");
    let placed = flags.header.iter().any(names_token);
    if placed && tokens.is_empty() {
        return Err(usage(
            "--header: {token} stands for a token of --token-pool, which is not given".to_owned(),
        ));
    }
    let authorized = |(name, _): &(String, String)| name.eq_ignore_ascii_case("authorization");
    if !tokens.is_empty() && !placed && flags.header.iter().any(authorized) {
        return Err(usage(
            "--token-pool: --header sets Authorization without {token}, so that no token would be sent"
                .to_owned(),
        ));
    }
    let bearer = !tokens.is_empty() && !placed;
    Ok(UrlLoad {
        url: url.to_owned(),
        target: server(url)?,
        request: CaseRequest {
            authorization: (!bearer).then(|| "$absent".to_owned()),
            headers: flags.header.clone(),
            method: flags.method.clone(),
            ..CaseRequest::default()
        },
        tokens,
        wanted: flags.expect.map_or(Wanted::Success, Wanted::Status),
        phase: LoadPhase {
            fail_fast: arguments.fail_fast,
            dashboard: arguments.goose_dashboard,
            ..phase
        },
        seed,
    })
}
