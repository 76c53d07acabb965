//! `authbench load URL`: a load generator for any server, as handy as any, whose latencies are true.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use loadgen::load::{Needed, PoolFile, PoolFileError, Timeline, UrlLoad, Wanted, load_url};
use loadgen::progress::Progress;
use loadgen::record::RunRecord;
use loadgen::report;
use loadgen::run::Finished;
use loadgen::scenario::LoadPhase;
use loadgen::stop::StopSignal;
use loadgen::target::{CaseRequest, HttpTarget, RequestShape, ServerUrl, Target, Trust};

use super::{Kind, LoadArguments, usage};
use crate::cli::{Failure, output, run};

/// Length of a run when none is given.
const DEFAULT_DURATION: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct UrlArguments {
    /// A header field, such as 'accept: application/json'; `{token}` in it stands for a token of --token-pool. A Host takes the
    /// place of the URL's, to which the connection goes and whose name a certificate is for all the same. May be given more than
    /// once
    #[arg(short = 'H', long, value_name = "NAME: VALUE", requires = "at", value_parser = parse_header)]
    header: Vec<(String, String)>,
    /// The method [default: GET, or POST with --data]
    #[arg(short = 'X', long, value_name = "METHOD", requires = "at")]
    method: Option<String>,
    /// The body of each request, or @FILE for the bytes of a file; sent as application/x-www-form-urlencoded unless --header
    /// says otherwise
    #[arg(short = 'd', long, value_name = "TEXT", requires = "at")]
    data: Option<String>,
    /// Believe any certificate of an https server
    #[arg(long, requires = "at")]
    insecure: bool,
    /// A PEM file of the authorities that an https server's certificate may come from [default: Mozilla's]
    #[arg(
        long,
        value_name = "FILE",
        requires = "at",
        conflicts_with = "insecure"
    )]
    ca_file: Option<PathBuf>,
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

fn server(url: &str, flags: &UrlArguments) -> Result<HttpTarget, Failure> {
    let parts = ServerUrl::parse(url).ok_or_else(|| {
        usage(format!(
            "url {url:?} is not of the form http://host:port/path or https://host/path"
        ))
    })?;
    let target = HttpTarget::new(parts.authority, parts.path);
    if !parts.is_https {
        if flags.insecure || flags.ca_file.is_some() {
            return Err(usage(format!(
                "--insecure and --ca-file are for https, and {url} is not"
            )));
        }
        return Ok(target);
    }
    let trust = match &flags.ca_file {
        Some(file) => Trust::Authorities(file.clone()),
        None if flags.insecure => Trust::Anyone,
        None => Trust::Public,
    };
    target
        .over_tls(&trust)
        .map_err(|error| usage(error.to_string()))
}

/// The body, and a content type where no header field gives one.
fn body(flags: &UrlArguments) -> Result<(Bytes, Option<(String, String)>), Failure> {
    let Some(data) = &flags.data else {
        return Ok((Bytes::new(), None));
    };
    let body = match data.strip_prefix('@') {
        None => data.clone().into(),
        Some(file) => std::fs::read(file)
            .map_err(|error| usage(format!("--data @{file}: {error}")))?
            .into(),
    };
    let given = |(name, _): &(String, String)| name.eq_ignore_ascii_case("content-type");
    let content_type = (!flags.header.iter().any(given)).then(|| {
        (
            "content-type".to_owned(),
            "application/x-www-form-urlencoded".to_owned(),
        )
    });
    Ok((body, content_type))
}

/// Whether tokens are sent as `Authorization: Bearer`, and not where a header field names them.
fn sends_bearer(flags: &UrlArguments, has_tokens: bool) -> Result<bool, Failure> {
    let wrong = |message: &str| Err(usage(message.to_owned()));
    let named = |wanted: &str| {
        let names = flags.header.iter().map(|(name, _)| name);
        names
            .filter(|name| name.eq_ignore_ascii_case(wanted))
            .count()
    };
    if named("host") > 1 {
        return wrong("--header: Host is given more than once; a request has one");
    }
    let places_token = |(_, value): &(String, String)| value.contains("{token}");
    match (flags.header.iter().any(places_token), has_tokens) {
        (true, false) => {
            wrong("--header: {token} stands for a token of --token-pool, which is not given")
        }
        (false, true) if named("authorization") > 0 => wrong(
            "--token-pool: --header sets Authorization without {token}, so that no token would be sent",
        ),
        (placed, has_tokens) => Ok(has_tokens && !placed),
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
    .and_then(|phase| arguments.with_connections(phase, Kind::Verification.word()))
    .map_err(usage)?;
    let tokens = match &flags.token_pool {
        None => Vec::new(),
        Some(file) => read_tokens(file, phase.length().unwrap_or_default())?,
    };
    let popularity = arguments.tokens.popularity;
    if popularity.is_some() && tokens.is_empty() {
        return Err(usage(
            "--popularity is of the tokens of --token-pool, which is not given".to_owned(),
        ));
    }
    let bearer = sends_bearer(flags, !tokens.is_empty())?;
    let (body, content_type) = body(flags)?;
    let post = || flags.data.as_ref().map(|_| "POST".to_owned());
    let request = CaseRequest {
        authorization: (!bearer).then(|| "$absent".to_owned()),
        headers: flags.header.iter().cloned().chain(content_type).collect(),
        method: flags.method.clone().or_else(post),
        ..CaseRequest::default()
    };
    let target = server(url, flags)?;
    Target::Http(Arc::new(target.clone()))
        .with_connections(phase.connections)
        .prepare(&RequestShape::from(&request), "token")
        .map_err(|error| usage(error.to_string()))?;
    Ok(UrlLoad {
        url: url.to_owned(),
        target,
        request,
        body,
        tokens,
        popularity: popularity.unwrap_or_default(),
        wanted: flags.expect.map_or(Wanted::Success, Wanted::Status),
        phase: LoadPhase {
            fail_fast: arguments.fail_fast,
            dashboard: arguments.goose_dashboard,
            ..phase
        },
        seed,
    })
}
