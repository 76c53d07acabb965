//! The settings file of a deployment, with the key sets that it names.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

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
    files: Vec<SettingsFile>,
}

/// A file as it is in the deployment.
#[derive(Debug)]
pub(super) struct SettingsFile {
    pub(super) name: String,
    pub(super) content: Vec<u8>,
    /// When it was last changed, in seconds since 1970, where that means something there: the authorizer takes it for the
    /// time at which a key set was got.
    pub(super) modified: Option<u32>,
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
        let undated = |name: &str, content| SettingsFile {
            name: name.to_owned(),
            content,
            modified: None,
        };
        let mut files = vec![
            undated(DOTENV, dotenv.into_bytes()),
            undated(SETTINGS_FILE, text.clone()),
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
            if !files.iter().any(|known| known.name == name) {
                files.push(key_set(name, &folder.join(file.get_ref()))?);
            }
        }
        Ok(SettingsFiles { files })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &SettingsFile> {
        self.files.iter()
    }
}

fn key_set(name: String, path: &Path) -> Result<SettingsFile, SettingsError> {
    let content = read(path)?;
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let modified = modified.map_err(in_file(path))?;
    // A time that a zip cannot hold is none, and the keys are old.
    let since_1970 = modified.duration_since(UNIX_EPOCH).ok();
    Ok(SettingsFile {
        name,
        content,
        modified: since_1970.and_then(|time| u32::try_from(time.as_secs()).ok()),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, SettingsError> {
    std::fs::read(path).map_err(in_file(path))
}

fn in_file(path: &Path) -> impl Fn(io::Error) -> SettingsError {
    |source| SettingsError::Read {
        path: path.to_owned(),
        source,
    }
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
