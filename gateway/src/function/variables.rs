//! The environment variables of an environment ("Using Lambda environment variables", developer guide).

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::config::FunctionConfig;
use crate::api::REGION;

/// All variables of a function's process: defaults that it may replace, its own, and those that are reserved.
pub(super) fn of(config: &FunctionConfig, runtime_api: &str) -> BTreeMap<OsString, OsString> {
    let mut all = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        all.insert(OsString::from(name), OsString::from(value));
    };
    for (name, value) in DEFAULTS {
        set(name, value);
    }
    for (name, value) in &config.env {
        set(name, value);
    }
    // Absolute, as Lambda's is: runtimes join it with the handler after they have changed folders.
    let task_root = match &config.working_dir {
        Some(folder) => std::path::absolute(folder),
        None => std::env::current_dir(),
    }
    .unwrap_or_default();
    set(
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        &config.memory_mb.to_string(),
    );
    set("AWS_LAMBDA_FUNCTION_NAME", &config.name);
    set("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    // The Node client notices a missing log name only at the first invocation, and ends.
    set(
        "AWS_LAMBDA_LOG_GROUP_NAME",
        &format!("/aws/lambda/{}", config.name),
    );
    set("AWS_LAMBDA_LOG_STREAM_NAME", "local");
    set("AWS_LAMBDA_RUNTIME_API", runtime_api);
    set("_HANDLER", &config.handler);
    all.insert("LAMBDA_TASK_ROOT".into(), task_root.into_os_string());
    all.insert("PATH".into(), config.path());
    all
}

/// Variables that a function's configuration may replace. The credentials open nothing: a function under test must not
/// find the developer's.
const DEFAULTS: [(&str, &str); 9] = [
    ("AWS_ACCESS_KEY_ID", "testing"),
    ("AWS_DEFAULT_REGION", REGION),
    ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023"),
    ("AWS_REGION", REGION),
    ("AWS_SECRET_ACCESS_KEY", "testing"),
    ("AWS_SESSION_TOKEN", "testing"),
    ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
    ("LANG", "en_US.UTF-8"),
    ("TZ", ":UTC"),
];

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn a_relative_working_directory_is_told_as_an_absolute_one() {
        let config = FunctionConfig {
            working_dir: Some(PathBuf::from("some/folder")),
            ..FunctionConfig::default()
        };
        let variables = of(&config, "127.0.0.1:9001");
        let root = Path::new(&variables[&OsString::from("LAMBDA_TASK_ROOT")]);
        assert!(
            root.is_absolute() && root.ends_with("some/folder"),
            "{}",
            root.display()
        );
    }
}
