//! Installs a target once: `npm ci`, `pip install`, whatever its file says.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::TestbedError;
use super::error::tail;
use crate::subject::CommandPlan;

/// A package manager on a slow line needs minutes; one that needs ten is stuck.
const SETUP_TIMEOUT: Duration = Duration::from_mins(10);

/// Runs the plan's setup unless what it creates is there.
pub(super) async fn ensure(plan: &CommandPlan) -> Result<(), TestbedError> {
    let Some(setup) = &plan.setup else {
        return Ok(());
    };
    let folder = plan.working_dir.as_deref().unwrap_or(Path::new("."));
    if folder.join(&setup.creates).exists() {
        return Ok(());
    }
    let command = setup.command.join(" ");
    let failed = |status: String, log: String| TestbedError::Setup {
        command: command.clone(),
        folder: folder.to_owned(),
        status,
        log,
    };
    let Some((program, args)) = setup.command.split_first() else {
        return Ok(());
    };
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(SETUP_TIMEOUT, output)
        .await
        .map_err(|_| failed(format!("no end within {SETUP_TIMEOUT:?}"), String::new()))?
        .map_err(|error| failed(error.to_string(), String::new()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Err(failed(output.status.to_string(), tail(&lines)))
}
