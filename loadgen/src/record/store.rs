//! Where records live on disk. A save is a write to a temporary file and a rename, so that a run that is killed in
//! the middle of a save leaves the previous one whole. A disk that is full, or a folder that is gone, costs nothing that was
//! measured: see [`RecordStore::keep`].

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{RunRecord, SCHEMA_VERSION, rescue};

/// A record that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file is not a record of this version.
    #[error("{}: not a run record that this version reads: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder for records that are rescued is another user's, or none at all.
    #[error(
        "{} is another user's, or no folder; name a folder of your own for temporary files in TMPDIR", path.display()
    )]
    NotOwn {
        /// The folder.
        path: PathBuf,
    },
    /// The file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The folder that was asked for holds a record.
    #[error("{} is there already; choose another folder with --out, or replace it with --force", path.display())]
    Taken {
        /// The record.
        path: PathBuf,
    },
    /// The file or folder cannot be written.
    #[error("cannot write {}; choose another folder with --out", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// A record that could not be kept where it was meant to be, and where it is instead.
#[derive(Debug)]
pub struct Rescued {
    /// Why.
    pub error: RecordError,
    /// The folder that holds it.
    pub place: Result<RecordStore, Unplaced>,
}

/// A record that no folder takes: it is said instead.
#[derive(Debug)]
pub struct Unplaced {
    /// Why the other folder did not take it.
    pub error: RecordError,
    /// The whole record as one line of JSON.
    pub json: String,
}

/// For standard error: why, and where the record is, or the record itself.
impl fmt::Display for Rescued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = with_causes(&self.error);
        match &self.place {
            Ok(store) => write!(f, "{why}\nthe record is {}", store.record_path().display()),
            Err(unplaced) => {
                let other = with_causes(&unplaced.error);
                let json = &unplaced.json;
                write!(
                    f,
                    "{why}; {other}\nthe record, for a file of yours:\n{json}"
                )
            }
        }
    }
}

/// An error and its causes on one line.
fn with_causes(error: &RecordError) -> String {
    let causes: Vec<String> = anyhow::Chain::new(error).map(ToString::to_string).collect();
    causes.join(": ")
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RecordStore {
    folder: PathBuf,
}

impl RecordStore {
    /// The name of the record inside its folder.
    pub const FILE_NAME: &'static str = "run.json";

    /// The folder that somebody chose, made where it is missing. A record in it is a measurement that somebody may still
    /// want: it is replaced when `replace` says so, and not otherwise.
    pub fn create(folder: impl Into<PathBuf>, replace: bool) -> Result<Self, RecordError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|source| RecordError::Write {
            path: folder.clone(),
            source,
        })?;
        let store = Self { folder };
        let path = store.record_path();
        if path.exists() && !replace {
            return Err(RecordError::Taken { path });
        }
        Ok(store)
    }

    /// A folder of that name that no other run has: where there is one already, `-2`, `-3` and so on follow the name.
    pub fn create_beside(folder: &Path) -> Result<Self, RecordError> {
        let failed = |path: &Path, source| RecordError::Write {
            path: path.to_owned(),
            source,
        };
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(|source| failed(parent, source))?;
        }
        let mut candidate = folder.to_owned();
        for number in 2.. {
            // Making it is the question whether it is there: two runs of one second ask at the same time.
            match fs::create_dir(&candidate) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(failed(&candidate, source)),
            }
            let mut name = folder.as_os_str().to_owned();
            name.push(format!("-{number}"));
            candidate = PathBuf::from(name);
        }
        Ok(Self { folder: candidate })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The record's path.
    pub fn record_path(&self) -> PathBuf {
        self.folder.join(Self::FILE_NAME)
    }

    /// Writes the record, replacing the previous save.
    pub fn save(&self, record: &RunRecord) -> Result<(), RecordError> {
        let text = serde_json::to_vec_pretty(record).map_err(|error| RecordError::Format {
            path: self.record_path(),
            reason: error.to_string(),
        })?;
        self.write(Self::FILE_NAME, &text).map(drop)
    }

    /// Writes a report beside the record and returns its path.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, RecordError> {
        let path = self.folder.join(name);
        let part = self.folder.join(format!("{name}.part"));
        let attempt = || fs::write(&part, content).and_then(|()| fs::rename(&part, &path));
        let written = attempt().or_else(|error| match error.kind() {
            // Somebody has tidied up meanwhile.
            io::ErrorKind::NotFound => fs::create_dir_all(&self.folder).and_then(|()| attempt()),
            _ => Err(error),
        });
        written.map_err(|source| {
            // Half of a file takes room on a disk that has none.
            let _ = fs::remove_file(&part);
            RecordError::Write {
                path: path.clone(),
                source,
            }
        })?;
        Ok(path)
    }

    /// Saves a record that has nothing behind it any more, in the user's own folder among the temporary files where this one does
    /// not take it.
    pub fn keep(&self, record: &RunRecord) -> Result<(), Box<Rescued>> {
        let Err(error) = self.save(record) else {
            return Ok(());
        };
        let name = self.folder.file_name().unwrap_or_default();
        let placed = rescue::folder()
            .and_then(|folder| Self::create_beside(&folder.join(name)))
            .and_then(|store| {
                store.save(record)?;
                Ok(store)
            });
        let place = placed.map_err(|error| Unplaced {
            error,
            // Figures that are no numbers are all that JSON cannot say, and the record has been in JSON before.
            json: serde_json::to_string(record).unwrap_or_default(),
        });
        Err(Box::new(Rescued { error, place }))
    }

    /// Reads a record from its file, or from the folder that holds it.
    pub fn load(path: &Path) -> Result<RunRecord, RecordError> {
        let path = if path.is_dir() {
            path.join(Self::FILE_NAME)
        } else {
            path.to_owned()
        };
        let text = fs::read(&path).map_err(|source| RecordError::Read {
            path: path.clone(),
            source,
        })?;
        let format = |reason: String| RecordError::Format {
            path: path.clone(),
            reason,
        };
        // The version is looked at first: "unknown field" would be a poor way to say "written by a newer authbench".
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| format(error.to_string()))?;
        match value
            .get("schema_version")
            .and_then(serde_json::Value::as_u64)
        {
            Some(version) if version == u64::from(SCHEMA_VERSION) => {}
            Some(version) => {
                return Err(format(format!(
                    "schema version {version}, this authbench reads {SCHEMA_VERSION}"
                )));
            }
            None => return Err(format("it has no schema_version".to_owned())),
        }
        serde_json::from_value(value).map_err(|error| format(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_one_second_get_a_folder_each() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let wanted = parent.path().join("results/20260101T000000Z-quick");
        let names: Vec<_> = (0..3)
            .map(|_| RecordStore::create_beside(&wanted).expect("a folder of its own"))
            .map(|store| {
                store
                    .folder
                    .file_name()
                    .expect("a name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        let stamp = "20260101T000000Z-quick";
        assert_eq!(
            names,
            [stamp.to_owned(), format!("{stamp}-2"), format!("{stamp}-3")]
        );
    }
}
