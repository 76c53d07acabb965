//! `authbench lint`: files in, findings out.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use loadgen::exit::Exit;
use loadgen::lint::{self, Kind, Options, Report, Severity};

use super::{Failure, output};

/// The largest file that is read. A policy has kilobytes and a long tutorial some hundred of them.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug, Args)]
pub(crate) struct LintArguments {
    /// Policies, answers, settings and documents; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What the files hold [default: found from their content]
    #[arg(long, value_enum)]
    kind: Option<KindArgument>,
    /// How long the authorizer's answers are cached [default: what the file says, or API Gateway's 300]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u32>,
    /// The answers are those to an HTTP API, whose context may hold arrays and objects
    #[arg(long)]
    http_api: bool,
    /// Print the findings as a JSON array
    #[arg(long)]
    json: bool,
    /// Exit with 10 for these too
    #[arg(long, value_enum)]
    deny: Option<Deny>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KindArgument {
    /// The whole answer of an authorizer
    Answer,
    /// A .env file, TOML, or a JSON object or template
    Config,
    /// Markdown, HTML or text
    Document,
    /// The code of an authorizer for Node.js
    Handler,
    /// An IAM policy about calling an API
    Policy,
    /// The policy that says who may assume a role
    Trust,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deny {
    /// Findings that weigh a warning
    Warnings,
}

pub(crate) fn run(arguments: &LintArguments) -> Result<u8, Failure> {
    let options = Options {
        kind: arguments.kind.map(KindArgument::kind),
        ttl_s: arguments.ttl,
        http_api: arguments.http_api,
    };
    let mut reports = Vec::with_capacity(arguments.files.len());
    for path in &arguments.files {
        let text = read(path).map_err(Failure::usage)?;
        let file = path.display().to_string();
        let findings = lint::lint(&file, &text, options);
        reports.push(Report { file, findings });
    }
    output::print(&if arguments.json {
        lint::json(&reports)
    } else {
        lint::terminal(&reports)
    })?;
    let denied = |severity| match severity {
        Severity::Error => true,
        Severity::Warning => arguments.deny == Some(Deny::Warnings),
        Severity::Note => false,
    };
    let mut findings = reports.iter().flat_map(|report| &report.findings);
    let exit = if findings.any(|finding| denied(finding.severity)) {
        Exit::Nonconformant
    } else {
        Exit::Good
    };
    Ok(exit.code())
}

impl KindArgument {
    fn kind(self) -> Kind {
        match self {
            Self::Answer => Kind::Answer,
            Self::Config => Kind::Config,
            Self::Document => Kind::Document,
            Self::Handler => Kind::Handler,
            Self::Policy => Kind::Policy,
            Self::Trust => Kind::Trust,
        }
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    let input: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        let file =
            std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        Box::new(file)
    };
    let mut bytes = Vec::new();
    input
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        anyhow::bail!("{} is larger than {FILE_BYTES_MAX} bytes", path.display());
    }
    String::from_utf8(bytes).with_context(|| format!("{} is no UTF-8 text", path.display()))
}
