//! Pools of tokens beside raw signing, on all cores.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use benches::mint;

fn main() -> ExitCode {
    // Without `--bench`, which `cargo bench` gives, nothing is measured.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-keys");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match mint::measure(&keys, cores) {
        Ok(verdict) => {
            // A reader that has left wants no report, and is told by the exit code.
            let _ = std::io::stdout().write_all(verdict.table.as_bytes());
            if verdict.is_within {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("nothing was measured: {error}");
            ExitCode::FAILURE
        }
    }
}
