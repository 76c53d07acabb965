//! Settings as somebody writes them: as `NAME=value` lines, and as a TOML file.
//!
//! Key files are left out, because the fuzzer would have any file read.

#![no_main]

use std::{path::PathBuf, sync::LazyLock};

use authorizer::{Authorizer, Settings};
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
    std::env::temp_dir().join(format!("fuzz-settings-{}.toml", std::process::id()))
});

fuzz_target!(|input: &[u8]| {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .collect();
    let settings = Settings::from_lookup(|name| {
        if matches!(name, "AUTHORIZER_CONFIG" | "AUTHORIZER_JWKS_FILE") {
            return None;
        }
        let line = lines.iter().find(|(known, _)| *known == name)?;
        Some(line.1.to_owned())
    });
    use_or_say(settings);
    if text.contains("jwks_file") || text.contains('\\') {
        return;
    }
    std::fs::write(&*FILE, text).expect("a temporary file can be written");
    use_or_say(Settings::from_toml(&*FILE));
});

/// Settings that are taken make an authorizer; others have a message.
fn use_or_say(settings: Result<Settings, authorizer::SettingsError>) {
    match settings {
        Ok(settings) => assert!(Authorizer::new(settings).is_ok()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
