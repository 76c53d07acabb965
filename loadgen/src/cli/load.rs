//! `authbench load`: a scenario of one or two phases of load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use loadgen::scenario::{ConnectionKeys, LoadPhase, Phase, Threshold};
use loadgen::units::parse_duration;

use super::arrivals::ArrivalArguments;
use super::record_folder::RecordFolder;
use super::subject::SubjectArguments;
use super::{Failure, output};

mod at_url;
mod tokens;

/// Requests of a verification phase when neither requests nor rate with duration is given.
const DEFAULT_REQUESTS: u64 = 2000;

/// Length of a cache-hit phase when none is given.
const DEFAULT_DURATION: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(crate) struct LoadArguments {
    /// A URL to put load on, any server's: http://host:port/path. Without it the mock issuer, the gateway and a target are
    /// started, and tokens are minted
    #[arg(value_name = "URL", conflicts_with_all = ["target", "url", "issuer", "issuer_listen", "audience", "scope", "phase", "mix"])]
    at: Option<String>,
    #[command(flatten)]
    at_url: at_url::UrlArguments,
    #[command(flatten)]
    subject: SubjectArguments,
    /// What to measure
    #[arg(long, value_enum, default_value_t = Kind::Verification)]
    phase: Kind,
    /// Virtual users: the most requests in flight
    #[arg(long, default_value_t = 4)]
    users: usize,
    /// Connections that the users share [default: one each]. Over HTTP/1.1 a multiple of --users, of which each user takes
    /// its share in turn; over HTTP/2 up to --users, each request a stream
    #[arg(long, value_name = "NUMBER")]
    connections: Option<usize>,
    /// Open a new connection for each request; its set-up is in the latency, and is shown apart, too
    #[arg(long, conflicts_with = "connections")]
    no_keep_alive: bool,
    /// Speak HTTP/2 to an HTTP server: at once over http, agreed on by ALPN over https
    #[arg(long, conflicts_with = "no_keep_alive")]
    http2: bool,
    #[command(flatten)]
    arrivals: ArrivalArguments,
    #[command(flatten)]
    tokens: tokens::TokenArguments,
    /// A conformance case and its weight in the mix, such as `rfc7519::aud-wrong=5`; may be given more than once
    #[arg(long, value_name = "CASE=WEIGHT", value_parser = parse_weight)]
    mix: Vec<(String, u32)>,
    /// A limit on a quantile, such as p99=5ms; may be given more than once
    #[arg(long, value_name = "QUANTILE=LIMIT", value_parser = parse_threshold)]
    threshold: Vec<Threshold>,
    /// End the load at the first threshold that is broken; what was measured is kept
    #[arg(long, requires = "threshold")]
    fail_fast: bool,
    /// Serve goose's dashboard, which is experimental there, while the load runs. It costs: figures with it are not to be
    /// compared with figures without. Goose leaves a report of its own in goose-runs
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:5118", value_parser = parse_loopback)]
    goose_dashboard: Option<SocketAddr>,
    #[command(flatten)]
    folder: RecordFolder,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Decided by the gateway's policy cache
    CacheHit,
    /// Decided by the authorizer, each token new
    Verification,
}

impl Kind {
    /// The word of scenarios.
    fn word(self) -> &'static str {
        match self {
            Self::CacheHit => "cache-hit",
            Self::Verification => "verification",
        }
    }
}

fn parse_weight(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("{text:?} is not of the form CASE=WEIGHT, such as rfc7519::aud-wrong=5");
    let (case, weight) = text.rsplit_once('=').ok_or_else(wrong)?;
    Ok((case.to_owned(), weight.parse().map_err(|_| wrong())?))
}

fn parse_threshold(text: &str) -> Result<Threshold, String> {
    let (name, limit) = text
        .split_once('=')
        .ok_or_else(|| format!("{text:?} is not of the form QUANTILE=LIMIT, such as p99=5ms"))?;
    Threshold::new(
        name,
        parse_duration(limit).map_err(|error| error.to_string())?,
    )
}

/// Goose's dashboard shows figures to whoever can reach it.
fn parse_loopback(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| format!("{text:?} is no address with a port, such as 127.0.0.1:5118"))?;
    if !address.ip().is_loopback() || address.port() == 0 {
        return Err(format!(
            "{text} is no address of this machine alone with a port of its own; take one such as 127.0.0.1:5118"
        ));
    }
    Ok(address)
}

impl LoadArguments {
    /// Says where goose's dashboard will be, which goose itself does not.
    fn announce(&self) {
        if let Some(address) = self.goose_dashboard {
            output::note(&format!(
                "goose's dashboard is at http://{address}/ while the load runs"
            ));
        }
    }

    fn with_connections(&self, phase: LoadPhase, kind: &str) -> Result<LoadPhase, String> {
        let keys = ConnectionKeys {
            connections: self.connections,
            http2: self.http2,
            keep_alive: !self.no_keep_alive,
        };
        phase
            .with_connections(kind, keys)
            .map_err(|message| message.replacen("connections is", "--connections is", 1))
            .map_err(|message| message.replacen("http2 is", "--http2 is", 1))
    }
}

fn usage(message: String) -> Failure {
    Failure::usage(anyhow::anyhow!(message))
}

pub(crate) fn run(arguments: &LoadArguments) -> Result<u8, Failure> {
    if let Some(url) = &arguments.at {
        return at_url::run(url, arguments);
    }
    let mut keys = arguments.arrivals.keys();
    if keys.ends_by_default() {
        match arguments.phase {
            Kind::Verification => keys.requests = Some(DEFAULT_REQUESTS),
            Kind::CacheHit => keys.duration = Some(DEFAULT_DURATION),
        }
    }
    let arrival = keys.plan(arguments.subject.issuer.seed).map_err(usage)?;
    let mix: BTreeMap<String, u32> = arguments.mix.iter().cloned().collect();
    let load = LoadPhase::new(arguments.users, arrival, mix, arguments.threshold.clone())
        .and_then(|phase| arguments.with_connections(phase, arguments.phase.word()))
        .and_then(|phase| arguments.tokens.added_to(phase, arguments.phase.word()))
        .map_err(usage)?;
    arguments.announce();
    let load = LoadPhase {
        fail_fast: arguments.fail_fast,
        dashboard: arguments.goose_dashboard,
        ..load
    };
    let mut scenario = arguments.subject.scenario("load");
    "Load alone; conformance is not asked.".clone_into(&mut scenario.description);
    scenario.phases.push(match arguments.phase {
        Kind::CacheHit => Phase::CacheHit(load),
        Kind::Verification => Phase::verification(load).map_err(usage)?,
    });
    let subject = arguments.subject.subject()?;
    if arguments.http2 && subject.kind.word() != "http" {
        return Err(usage(format!(
            "--http2: HTTP/2 is spoken to HTTP servers, and the target is of kind {:?}",
            subject.kind.word()
        )));
    }
    super::run::execute(scenario, subject, &arguments.folder)
}
