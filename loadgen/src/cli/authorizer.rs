//! `authbench authorizer`: this project's authorizer outside of a Lambda.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use authorizer::{Authorizer, AuthorizerError, Settings};
use clap::{Args, Subcommand};
use loadgen::authorizer_bundle;

use super::{Failure, output};

/// The exit code of an invocation that ends in an error, as `Unauthorized` is one.
const INVOCATION_ERROR: u8 = 1;

/// The settings file that the function looks for in its working directory, too.
const DOTENV: &str = ".env";

#[derive(Debug, Subcommand)]
pub(crate) enum AuthorizerCommand {
    /// Write the zip that Lambda's provided.al2023 takes
    Bundle(BundleArguments),
    /// Run one event and print the policy
    Invoke(InvokeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct BundleArguments {
    /// The zip to write
    #[arg(long, default_value = "authorizer.zip")]
    out: PathBuf,
    /// The executable to pack [default: `bootstrap` beside this program]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Pack it even when provided.al2023 could not run it: it needs a newer glibc, or is no Lambda runtime
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    /// The event, such as {"type":"TOKEN","authorizationToken":"Bearer …","methodArn":"arn:aws:execute-api:…"}
    event: PathBuf,
    /// Read the settings from this file alone [default: the environment, and .env for what it does not have]
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
}

pub(crate) fn run(command: AuthorizerCommand) -> Result<u8, Failure> {
    match command {
        AuthorizerCommand::Bundle(arguments) => bundle(&arguments),
        AuthorizerCommand::Invoke(arguments) => invoke(&arguments),
    }
}

fn bundle(arguments: &BundleArguments) -> Result<u8, Failure> {
    let beside = || -> Result<PathBuf, Failure> {
        let own = std::env::current_exe().map_err(Failure::testbed)?;
        Ok(own.parent().unwrap_or(Path::new(".")).join("bootstrap"))
    };
    let binary = arguments.binary.clone().map_or_else(beside, Ok)?;
    let bundle = authorizer_bundle::write(&binary, &arguments.out, arguments.force)
        .map_err(Failure::usage)?;
    let glibc = bundle
        .glibc
        .map_or("a static executable".to_owned(), |(major, minor)| {
            format!("glibc {major}.{minor}")
        });
    output::print(&format!(
        "{}: {} bytes (bootstrap: {} bytes, {}, {glibc})\n",
        arguments.out.display(),
        bundle.zip_bytes,
        bundle.binary_bytes,
        bundle.architecture
    ))?;
    Ok(0)
}

fn invoke(arguments: &InvokeArguments) -> Result<u8, Failure> {
    let event = std::fs::read(&arguments.event)
        .with_context(|| format!("cannot read the event {}", arguments.event.display()))
        .map_err(Failure::usage)?;
    let settings = match &arguments.env_file {
        Some(path) => Settings::from_dotenv(path).map_err(Failure::usage)?,
        None => Settings::from_env_or_dotenv(DOTENV).map_err(Failure::usage)?,
    };
    let authorizer = Authorizer::new(settings).map_err(Failure::usage)?;
    match super::runtime()?.block_on(authorizer.authorize(&event)) {
        Ok(answer) => {
            let answer: serde_json::Value = serde_json::from_slice(&answer)
                .context("the authorizer's answer")
                .map_err(Failure::testbed)?;
            output::print(&format!("{answer:#}\n"))?;
            Ok(0)
        }
        Err(error) => {
            // Lambda sees the message alone; at a desk the rule that was broken is what one wants to know.
            let reason = match &error {
                AuthorizerError::Unauthorized(rejection) => {
                    format!(" ({}, {})", rejection.code(), rejection.clause())
                }
                _ => String::new(),
            };
            output::print(&format!(
                "{}\n",
                serde_json::json!({ "errorMessage": error.to_string() })
            ))?;
            output::note(&format!("{error}{reason}"));
            Ok(INVOCATION_ERROR)
        }
    }
}
