//! The command line: arguments in, exit code out. What a command does lives in the library.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use loadgen::exit::Exit;

mod arrivals;
mod authorizer;
mod case;
mod conform;
mod explain;
mod issuer;
mod lint;
mod list;
mod load;
mod many_targets;
mod mint;
mod output;
mod record_folder;
mod report;
mod run;
mod selection;
mod serve;
mod settings;
mod snippet;
mod subject;
mod survey;

/// Is a JWT authorizer right, how fast is it, and how much of it will be needed: on one laptop, with no cloud account.
///
/// Without a command, `authbench run` with the built-in scenario `quick`.
#[derive(Debug, Parser)]
#[command(name = "authbench", version, after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXIT_CODES: &str = "Exit codes: 0 good, 1 the invoked authorizer answered with an error or the explained token is not let in, 2 usage, 10 nonconformant or found wrong, \
11 threshold missed, 13 invalid, 14 the testbed failed or the target stopped answering, 130 interrupted.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Try and pack this project's authorizer
    #[command(subcommand)]
    Authorizer(authorizer::AuthorizerCommand),
    /// The authorizer as a Lambda: what an execution environment runs
    #[command(hide = true)]
    Bootstrap,
    /// Print a conformance case: why it is asked, the exact request, the token decoded
    Case(case::CaseArguments),
    /// Ask a target every conformance case
    Conform(conform::ConformArguments),
    /// Say what is wrong with a policy, a trust policy, an authorizer's answer, its settings or a document about them
    Lint(lint::LintArguments),
    /// Say why this project's authorizer answers a token as it does
    Explain(explain::ExplainArguments),
    /// Print the built-in cases, issuers, scenarios or targets
    List(list::ListArguments),
    /// Put load on a target and print latencies
    Load(Box<load::LoadArguments>),
    /// Print a token
    Mint(mint::MintArguments),
    /// Render a saved record
    Report(report::ReportArguments),
    /// Run a scenario: conformance, then the measured phases, then the report
    Run(run::RunArguments),
    /// Run the issuer or the gateway stand-in until stopped
    #[command(subcommand)]
    Serve(serve::ServeCommand),
    /// Install many targets, ask each every conformance case, and compare them in one table
    Survey(survey::SurveyArguments),
}

/// Parses and dispatches. Errors of every command end here, as one line on standard error.
pub(crate) fn main() -> ExitCode {
    let arguments = match Arguments::command()
        .try_get_matches()
        .and_then(|matches| Arguments::from_arg_matches(&matches))
    {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come as errors, too, and go to standard output with code 0.
            let code = u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code());
            return match output::written(error.print()) {
                Err(failure) if !error.use_stderr() => failed(&failure),
                Ok(()) | Err(_) => ExitCode::from(code),
            };
        }
    };
    if matches!(arguments.command, Some(Command::Bootstrap)) {
        return bootstrap();
    }
    match dispatch(arguments.command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => failed(&failure),
    }
}

fn failed(failure: &Failure) -> ExitCode {
    output::error(failure);
    ExitCode::from(failure.exit.code())
}

/// A command that failed: the exit code is chosen where the cause is known.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) cause: anyhow::Error,
}

impl Failure {
    /// The command line or an input file is wrong.
    pub(crate) fn usage(cause: impl Into<anyhow::Error>) -> Self {
        Self {
            exit: Exit::Usage,
            cause: cause.into(),
        }
    }

    /// The testbed failed.
    pub(crate) fn testbed(cause: impl Into<anyhow::Error>) -> Self {
        Self {
            exit: Exit::TestbedFailed,
            cause: cause.into(),
        }
    }
}

fn dispatch(command: Option<Command>) -> Result<u8, Failure> {
    match command {
        None => run::run(&run::RunArguments::default()),
        Some(Command::Authorizer(command)) => authorizer::run(command),
        Some(Command::Bootstrap) => unreachable!("handled before, on a runtime of its own"),
        Some(Command::Case(arguments)) => case::run(&arguments),
        Some(Command::Conform(arguments)) => conform::run(&arguments),
        Some(Command::Lint(arguments)) => lint::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
        Some(Command::List(arguments)) => list::run(&arguments),
        Some(Command::Load(arguments)) => load::run(&arguments),
        Some(Command::Mint(arguments)) => mint::run(&arguments),
        Some(Command::Report(arguments)) => report::run(&arguments),
        Some(Command::Run(arguments)) => run::run(&arguments),
        Some(Command::Serve(command)) => serve::run(command),
        Some(Command::Survey(arguments)) => survey::run(&arguments),
    }
}

/// The function's `bootstrap`, on one thread as `authorizer/src/main.rs` has it.
fn bootstrap() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let ended = runtime
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(::authorizer::lambda::run()));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// The runtime of every command but `bootstrap`.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::testbed)
}
