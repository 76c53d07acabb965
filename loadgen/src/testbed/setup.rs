//! Installs a target once: its own files where it is built in, then `npm ci`, `pip install`, whatever its file says.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway::{ChildProcess, LogTail};
use tokio::process::Command;

use super::TestbedError;
use super::error::tail;
use super::server::LAST_WORDS;
use crate::search_path;
use crate::subject::{CommandPlan, SetupPlan};

/// A package manager on a slow line needs minutes; one that needs ten is stuck.
const SETUP_TIMEOUT: Duration = Duration::from_mins(10);

/// Puts a built-in target's files in place, and runs the plan's setup unless what it creates is there, and whole. Dropping
/// this ends what the setup has started.
pub(super) async fn ensure(plan: &CommandPlan) -> Result<(), TestbedError> {
    let there = |program: &&String| search_path::holds(program);
    if let Some(program) = plan.requires.iter().find(|program| !there(program)) {
        return Err(TestbedError::Missing {
            program: program.clone(),
        });
    }
    let folder = plan.working_dir.as_deref().unwrap_or(Path::new("."));
    if let Some(files) = plan.files {
        files
            .lay_out(folder)
            .map_err(|reason| TestbedError::Files {
                folder: folder.to_owned(),
                reason,
            })?;
    }
    if !folder.is_dir() {
        return Err(TestbedError::WorkingDir(folder.to_owned()));
    }
    let Some(setup) = &plan.setup else {
        return Ok(());
    };
    let unfinished = unfinished_mark(folder, &setup.creates);
    if folder.join(&setup.creates).exists() && !unfinished.exists() {
        return Ok(());
    }
    let failed = |status: String, log: String| TestbedError::Setup {
        command: setup.command.join(" "),
        folder: folder.to_owned(),
        status,
        log,
    };
    std::fs::write(&unfinished, "").map_err(|error| failed(error.to_string(), tail(&[])))?;
    run(setup, folder)
        .await
        .map_err(|(status, log)| failed(status, tail(&log)))?;
    std::fs::remove_file(&unfinished).map_err(|error| failed(error.to_string(), tail(&[])))
}

/// In the working directory for as long as the setup has not ended well: a package manager that is stopped half way
/// leaves a folder that looks installed.
fn unfinished_mark(folder: &Path, creates: &Path) -> PathBuf {
    let name = creates.to_string_lossy().replace('/', "-");
    folder.join(format!(".{name}.unfinished"))
}

/// Runs the setup to its end. A failure is how it ended, and what it printed on either stream: not every package manager
/// complains on standard error.
async fn run(setup: &SetupPlan, folder: &Path) -> Result<(), (String, Vec<String>)> {
    let Some((program, args)) = setup.command.split_first() else {
        return Ok(());
    };
    let mut command = Command::new(program);
    command.args(args).current_dir(folder);
    let mut child = ChildProcess::spawn(&mut command, LogTail::default())
        .map_err(|error| (error.to_string(), Vec::new()))?;
    let ended = tokio::time::timeout(SETUP_TIMEOUT, child.wait()).await;
    let status = match ended {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(Ok(status)) => {
            child.last_words(LAST_WORDS).await;
            status.to_string()
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => {
            child.kill().await;
            format!("no end within {SETUP_TIMEOUT:?}")
        }
    };
    Err((status, child.log().lines()))
}
