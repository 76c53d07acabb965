//! `authbench authorizer`: this project's authorizer outside of a Lambda.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use authorizer::AuthorizerError;
use clap::{Args, Subcommand};
use loadgen::authorizer_bundle::{self, SETTINGS_FILE, SettingsFiles};

use super::settings::SettingsArguments;
use super::snippet::{self, ArchitectureArgument, SnippetArguments};
use super::{Failure, output};

/// The exit code of an invocation that ends in an error, as `Unauthorized` is one.
const INVOCATION_ERROR: u8 = 1;

#[derive(Debug, Subcommand)]
pub(crate) enum AuthorizerCommand {
    /// Write the zip that Lambda's provided.al2023 takes
    Bundle(BundleArguments),
    /// Print the settings as they count, as the TOML file that gives the same ones
    Config(ConfigArguments),
    /// Run one event and print the policy
    Invoke(InvokeArguments),
    /// Print what deploys it behind API Gateway, for the settings as they count
    Snippet(SnippetArguments),
}

#[derive(Debug, Args)]
pub(crate) struct BundleArguments {
    /// The zip to write
    #[arg(long, default_value = "authorizer.zip")]
    out: PathBuf,
    /// The executable to pack [default: what --arch builds, else `bootstrap` beside this program]
    #[arg(long)]
    binary: Option<PathBuf>,
    /// The processor that it is for; without --binary it is built for it, from the source in the working directory
    #[arg(long, value_enum)]
    arch: Option<ArchitectureArgument>,
    /// A TOML settings file to pack with it, checked before; the function finds it by itself
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Pack it even when provided.al2023 could not run it: it needs a newer glibc, or is no Lambda runtime
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InvokeArguments {
    /// The event, such as {"type":"TOKEN","authorizationToken":"Bearer …","methodArn":"arn:aws:execute-api:…"}
    event: PathBuf,
    #[command(flatten)]
    settings: SettingsArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    settings: SettingsArguments,
}

pub(crate) fn run(command: AuthorizerCommand) -> Result<u8, Failure> {
    match command {
        AuthorizerCommand::Bundle(arguments) => bundle(&arguments),
        AuthorizerCommand::Config(arguments) => {
            output::print(&arguments.settings.read()?.to_string())?;
            Ok(0)
        }
        AuthorizerCommand::Invoke(arguments) => invoke(&arguments),
        AuthorizerCommand::Snippet(arguments) => snippet::run(&arguments),
    }
}

fn bundle(arguments: &BundleArguments) -> Result<u8, Failure> {
    let architecture = arguments.arch.map(Into::into);
    let settings = arguments.config.as_deref().map(SettingsFiles::read);
    let settings = settings.transpose().map_err(Failure::usage)?;
    let binary = match (&arguments.binary, architecture) {
        (Some(binary), _) => binary.clone(),
        (None, Some(architecture)) => {
            authorizer_bundle::build(architecture).map_err(Failure::usage)?
        }
        (None, None) => {
            let own = std::env::current_exe().map_err(Failure::testbed)?;
            own.parent().unwrap_or(Path::new(".")).join("bootstrap")
        }
    };
    let bundle = authorizer_bundle::write(
        &binary,
        architecture,
        settings.as_ref(),
        &arguments.out,
        arguments.force,
    )
    .map_err(Failure::usage)?;
    let glibc = bundle
        .glibc
        .map_or("a static executable".to_owned(), |(major, minor)| {
            format!("glibc {major}.{minor}")
        });
    let with = settings.map_or(String::new(), |_| format!(", settings in {SETTINGS_FILE}"));
    output::print(&format!(
        "{}: {} bytes (bootstrap: {} bytes, {}, {glibc}{with})\n",
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
    let authorizer = arguments.settings.authorizer()?;
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
            output::note(&format!("{:#}{reason}", anyhow::Error::new(error)));
            Ok(INVOCATION_ERROR)
        }
    }
}
