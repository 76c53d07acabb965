//! Where test keys are kept between runs: the user's cache folder.

use std::path::PathBuf;

use super::TestbedError;

/// The folder of cached test keys: `AUTHBENCH_CACHE`, or the XDG cache folder of the user.
pub fn key_folder() -> Result<PathBuf, TestbedError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("AUTHBENCH_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("authbench")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache").join("authbench")))
        .map(|folder| folder.join("keys"))
        .ok_or(TestbedError::CacheFolder)
}
