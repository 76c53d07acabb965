//! The settings file of a deployment, with the key sets that it names.

use std::path::{Component, Path, PathBuf};

use authorizer::{Authorizer, Settings, SettingsError};
use serde::Deserialize;

use super::{BOOTSTRAP, BundleError};

/// What the settings file is called in the deployment.
pub const SETTINGS_FILE: &str = "authorizer.toml";

/// The file from which the function takes what its environment lacks, in its working directory.
const DOTENV: &str = ".env";

/// The files of a deployment beside the executable: a settings file that the authorizer takes, the key sets that it
/// names, and the `.env` that leads to it, so that a function without any environment variable finds it.
#[derive(Debug)]
pub struct SettingsFiles {
    files: Vec<(String, Vec<u8>)>,
}

/// Of the settings, what names other files. All of it was checked by the authorizer's own parser before.
#[derive(Debug, Deserialize)]
struct KeyFiles {
    #[serde(default)]
    issuer: Vec<IssuerKeyFile>,
}

#[derive(Debug, Deserialize)]
struct IssuerKeyFile {
    jwks_file: Option<toml::Spanned<PathBuf>>,
}

impl SettingsFiles {
    /// Reads a settings file and its key sets. Whatever would keep the function from starting is an error.
    pub fn read(path: &Path) -> Result<SettingsFiles, BundleError> {
        let settings = Settings::from_toml(path)?;
        Authorizer::new(settings)?;
        let text = read(path)?;
        let named: KeyFiles = toml::from_slice(&text).map_err(|error| SettingsError::File {
            path: path.to_owned(),
            fault: error.to_string(),
        })?;
        let dotenv = format!("AUTHORIZER_CONFIG={SETTINGS_FILE}\n");
        let mut files = vec![
            (DOTENV.to_owned(), dotenv.into_bytes()),
            (SETTINGS_FILE.to_owned(), text.clone()),
        ];
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in named
            .issuer
            .into_iter()
            .filter_map(|issuer| issuer.jwks_file)
        {
            let name = deployed_name(file.get_ref()).ok_or_else(|| BundleError::KeyFileName {
                path: path.to_owned(),
                line: line(&text, file.span().start),
                key_file: file.get_ref().clone(),
            })?;
            if !files.iter().any(|(known, _)| *known == name) {
                files.push((name, read(&folder.join(file.get_ref()))?));
            }
        }
        Ok(SettingsFiles { files })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let files = self.files.iter();
        files.map(|(name, content)| (name.as_str(), content.as_slice()))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SettingsError> {
    std::fs::read(path).map_err(|source| SettingsError::Read {
        path: path.to_owned(),
        source,
    })
}

/// The name in the deployment of a file that the settings name; nothing for one that would not be found there, as it lies
/// outside of the settings' folder, or would take another file's place.
fn deployed_name(file: &Path) -> Option<String> {
    let mut parts = Vec::new();
    for component in file.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(part) => parts.push(part.to_str()?),
            Component::ParentDir | Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    let name = parts.join("/");
    let taken = [BOOTSTRAP, DOTENV, SETTINGS_FILE];
    (!name.is_empty() && !taken.contains(&name.as_str())).then_some(name)
}

/// The line of a byte, from 1.
fn line(text: &[u8], at: usize) -> usize {
    let before = &text[..at.min(text.len())];
    before.split(|byte| *byte == b'\n').count()
}
