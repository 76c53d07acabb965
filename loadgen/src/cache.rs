//! The user's cache folder: what can be made again at any time, such as test keys and the files of built-in targets.

use std::path::PathBuf;

/// The variables that [`folder`] looks at, for messages.
pub(crate) const VARIABLES: &str = "AUTHBENCH_CACHE, XDG_CACHE_HOME or HOME";

/// `AUTHBENCH_CACHE`, or this program's folder in the cache folder of the user (XDG Base Directory Specification).
pub(crate) fn folder() -> Option<PathBuf> {
    let variable = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    variable("AUTHBENCH_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|folder| folder.join("authbench")))
        .or_else(|| variable("HOME").map(|folder| folder.join(".cache").join("authbench")))
}
