//! `authbench authorizer snippet`: a template that deploys the authorizer.

use clap::{Args, ValueEnum};
use loadgen::authorizer_bundle::Architecture;
use loadgen::authorizer_snippet::{Api, DEFAULT_TTL_S, Deployment, MAX_TTL_S, Source};

use super::settings::SettingsArguments;
use super::{Failure, output};

#[derive(Debug, Args)]
pub(crate) struct SnippetArguments {
    /// What the template is for
    format: Format,
    /// The API that the authorizer guards [default: http for simple answers, else request for a header of its own, else token]
    #[arg(long, value_enum)]
    api: Option<ApiArgument>,
    /// The processor that the zip is for
    #[arg(long, value_enum, default_value = "x86_64")]
    arch: ArchitectureArgument,
    /// The zip, as `authbench authorizer bundle` wrote it (with --config FILE there, too, when it is given here)
    #[arg(long, default_value = "authorizer.zip", value_name = "FILE")]
    zip: String,
    /// For how long API Gateway keeps an answer
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_TTL_S, value_parser = clap::value_parser!(u16).range(..=i64::from(MAX_TTL_S)))]
    ttl: u16,
    #[command(flatten)]
    settings: SettingsArguments,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// AWS SAM, a template in YAML
    Sam,
    /// Terraform, a configuration in HCL
    Terraform,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ApiArgument {
    /// An HTTP API, payload 2.0
    Http,
    /// A REST API with a REQUEST authorizer
    Request,
    /// A REST API with a TOKEN authorizer
    Token,
}

/// A processor, as Lambda names it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ArchitectureArgument {
    /// AWS Graviton
    Arm64,
    /// Intel and AMD
    #[value(name = "x86_64")]
    X86_64,
}

impl From<ArchitectureArgument> for Architecture {
    fn from(argument: ArchitectureArgument) -> Architecture {
        match argument {
            ArchitectureArgument::Arm64 => Architecture::Arm64,
            ArchitectureArgument::X86_64 => Architecture::X86_64,
        }
    }
}

pub(crate) fn run(arguments: &SnippetArguments) -> Result<u8, Failure> {
    let settings = arguments.settings.read()?;
    let source = if arguments.settings.is_file() {
        Source::Bundle
    } else {
        Source::Environment
    };
    let mut deployment = Deployment::new(&settings, source)
        .map_err(Failure::usage)?
        .architecture(arguments.arch.into())
        .zip(&arguments.zip)
        .ttl_s(arguments.ttl);
    if let Some(api) = arguments.api {
        deployment = deployment.api(match api {
            ApiArgument::Http => Api::Http,
            ApiArgument::Request => Api::RestRequest,
            ApiArgument::Token => Api::RestToken,
        });
    }
    let text = match arguments.format {
        Format::Sam => deployment.sam().map_err(Failure::usage)?,
        Format::Terraform => deployment.terraform(),
    };
    output::print(&text)?;
    Ok(0)
}
