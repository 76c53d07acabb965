//! `authbench serve`: a stand-in on its own, until it is stopped.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Subcommand};
use gateway::LogLine;
use loadgen::builtin;
use loadgen::exit::Exit;
use loadgen::issuer::{CLIENT_ID, CLIENT_SECRET};
use loadgen::stop::StopSignal;
use loadgen::subject::Placeholders;
use loadgen::testbed;
use mock_idp::{JwksDocument, JwksFault, MockIdp};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::{Failure, mint, output};

/// Lines on their way from the function to standard error. A terminal that stands still costs lines and no memory.
const WATCHED_LINES: usize = 1_024;

/// How long the last lines may take to be written when everything else has ended.
const LAST_LINES: Duration = Duration::from_secs(1);

#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// The API Gateway stand-in with an authorizer behind it
    Gateway(GatewayArguments),
    /// The mock issuer: JWKS, discovery, token endpoint
    Idp(IdpArguments),
}

#[derive(Debug, Args)]
pub(crate) struct IdpArguments {
    /// The issuer profile: a built-in name or a path
    #[arg(long, default_value = "auth0")]
    profile: String,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// The audience of tokens whose request names none
    #[arg(long, default_value = "https://planets.example.com/")]
    audience: String,
    /// The scopes that the client may have, separated by blanks
    #[arg(long, default_value = "read:planets")]
    scope: String,
    /// The seed of the issuer's keys
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Publish this key set, by the name that case files have for it, such as `rotated`, `withdrawn` or `without-alg`
    #[arg(long, value_name = "NAME", default_value = "default", value_parser = jwks_document)]
    jwks: JwksDocument,
    /// Fail for the keys: `close`, `html`, `rubbish`, `silent`, `slow`, `truncated`, `status=503`, `redirect=URL` or
    /// `body=TEXT`
    #[arg(long, value_name = "FAULT", value_parser = jwks_fault)]
    jwks_fault: Option<JwksFault>,
}

fn jwks_document(name: &str) -> Result<JwksDocument, serde_json::Error> {
    serde_json::from_value(name.into())
}

/// A fault as a word, or as a word with its value.
fn jwks_fault(text: &str) -> Result<JwksFault, String> {
    let wanted = match text.split_once('=') {
        None => serde_json::Value::from(text),
        Some(("status", status)) => {
            let status: u16 = status
                .parse()
                .map_err(|_| format!("status={status}: a status is a number, such as 503"))?;
            serde_json::json!({ "status": status })
        }
        Some((name, value)) => serde_json::json!({ name: value }),
    };
    serde_json::from_value(wanted).map_err(|error| error.to_string())
}

#[derive(Debug, Args)]
pub(crate) struct GatewayArguments {
    /// The authorizer: a built-in target or the path of a target file of kind lambda
    #[arg(long, default_value = "authbench")]
    target: String,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// The issuer that the authorizer trusts, byte for byte
    #[arg(long, default_value = "http://127.0.0.1:9000/")]
    issuer: String,
    /// Where the issuer's keys are
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:9000/.well-known/jwks.json"
    )]
    jwks_uri: String,
    /// The audience that the authorizer checks
    #[arg(long, default_value = "https://planets.example.com/")]
    audience: String,
    /// The scope that the authorizer requires
    #[arg(long, default_value = "read:planets")]
    scope: String,
    /// How long a policy is cached: 0s to 3600s
    #[arg(long, default_value = "300s", value_parser = loadgen::units::parse_duration)]
    cache_ttl: Duration,
}

pub(crate) fn run(command: ServeCommand) -> Result<u8, Failure> {
    let stop = StopSignal::on_ctrl_c().map_err(Failure::testbed)?;
    let runtime = super::runtime()?;
    match command {
        ServeCommand::Gateway(arguments) => runtime.block_on(gateway(arguments, &stop)),
        ServeCommand::Idp(arguments) => runtime.block_on(idp(&arguments, &stop)),
    }
}

async fn idp(arguments: &IdpArguments, stop: &StopSignal) -> Result<u8, Failure> {
    let issuer = mint::issuer(
        &arguments.profile,
        &arguments.audience,
        &arguments.scope,
        arguments.seed,
    )?;
    let keys = issuer.keys().map_err(Failure::testbed)?;
    let idp = MockIdp::start(issuer.config(keys, arguments.listen))
        .await
        .map_err(Failure::testbed)?;
    idp.publish(arguments.jwks);
    idp.fail_jwks(arguments.jwks_fault.clone());
    output::print(&format!(
        "issuer          {}\njwks_uri        {}\ntoken_endpoint  {}\nclient_id       {CLIENT_ID}\nclient_secret   {CLIENT_SECRET}\n",
        idp.issuer(),
        idp.jwks_uri(),
        idp.token_endpoint(),
    ))?;
    stop.raised().await;
    idp.shutdown().await;
    Ok(0)
}

async fn gateway(arguments: GatewayArguments, stop: &StopSignal) -> Result<u8, Failure> {
    let subject = builtin::subject(&arguments.target).map_err(Failure::usage)?;
    let placeholders = Placeholders {
        audience: arguments.audience,
        authbench: testbed::own_program().map_err(Failure::testbed)?,
        ca_file: String::new(),
        client_id: CLIENT_ID.to_owned(),
        issuer: arguments.issuer,
        jwks_uri: arguments.jwks_uri,
        other_issuer: String::new(),
        other_jwks_uri: String::new(),
        port: String::new(),
        public_key_pem: String::new(),
        scope: arguments.scope,
    };
    let (watcher, heard) = mpsc::channel(WATCHED_LINES);
    let passing_on = tokio::spawn(pass_on(heard));
    let started = tokio::select! {
        started = testbed::start_gateway(
            &subject,
            arguments.listen,
            arguments.cache_ttl,
            &placeholders,
            Some(watcher),
        ) => started,
        // Dropping the start ends a setup that it may be waiting for.
        () = stop.raised() => return Ok(Exit::Interrupted.code()),
    };
    let gateway = started.map_err(Failure::testbed)?;
    output::print(&format!("planets  {}/planets\n", gateway.base_url()))?;
    stop.raised().await;
    gateway.shutdown().await;
    // A process that left the group of its parent may hold the pipe, and with it the channel, open.
    let _ = tokio::time::timeout(LAST_LINES, passing_on).await;
    Ok(0)
}

/// Writes what the function says to standard error: the caller of a failed invocation sees `{"message":null}` alone.
async fn pass_on(mut heard: mpsc::Receiver<LogLine>) {
    let mut stderr = tokio::io::stderr();
    while let Some(line) = heard.recv().await {
        let text = match line {
            LogLine::Printed(line) => format!("authorizer | {line}\n"),
            LogLine::Remark(remark) => format!("authbench: {remark}\n"),
        };
        // Nobody reads: the lines are lost, and the gateway goes on.
        let _ = stderr.write_all(text.as_bytes()).await;
        let _ = stderr.flush().await;
    }
}
