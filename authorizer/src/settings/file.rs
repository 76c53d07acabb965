//! The settings file in TOML: several issuers, routes as tables.

use std::{fs, path::Path};

use super::{Settings, SettingsError, raw::RawSettings};

pub(super) fn read(path: &Path) -> Result<Settings, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let in_file = |fault: String| SettingsError::File {
        path: path.to_owned(),
        fault,
    };
    let mut raw: RawSettings =
        toml::from_str(&text).map_err(|error| in_file(error.to_string().trim_end().to_owned()))?;
    // A file beside the settings is named as seen from there.
    let folder = path.parent().unwrap_or(Path::new(""));
    for issuer in &mut raw.issuer {
        issuer.jwks_file = issuer.jwks_file.take().map(|file| folder.join(file));
    }
    raw.parse().map_err(|error| match error {
        SettingsError::Invalid { name, .. } => in_file(match line_of(&text, name) {
            Some(line) => format!("line {line}: {error}"),
            None => error.to_string(),
        }),
        SettingsError::Routes(source) => in_file(format!("the routes cannot be used: {source}")),
        error => error,
    })
}

/// The line of a key, from 1; nothing where the file does not have it, or for several issuers.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let is_key = |line: &str| {
        line.split_once('=')
            .is_some_and(|(name, _)| name.trim() == key)
    };
    let mut lines = text.lines().enumerate().filter(|(_, line)| is_key(line));
    let (index, _) = lines.next()?;
    lines.next().is_none().then_some(index + 1)
}
