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
        SettingsError::Invalid { .. } | SettingsError::Routes(_) => {
            let source = std::error::Error::source(&error);
            in_file(source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}")))
        }
        error => error,
    })
}
