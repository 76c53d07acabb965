//! `authbench`: is a JWT authorizer right, how fast is it, and how much of it will be needed.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::main()
}
