//! The flags by which `run`, `conform` and `load` say where the record goes.

use std::path::{Path, PathBuf};

use clap::Args;
use loadgen::record::{RecordError, RecordStore};

use super::Failure;

#[derive(Debug, Args, Default)]
pub(crate) struct RecordFolder {
    /// The folder for run.json and report.html; one that holds a record is refused [default: a new folder
    /// authbench-results/TIME-NAME]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace the record that the folder of --out holds
    #[arg(long, requires = "out")]
    force: bool,
}

impl RecordFolder {
    /// The one that somebody has chosen.
    pub(crate) fn chosen(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    /// Whether a record in it is replaced.
    pub(crate) fn replaces(&self) -> bool {
        self.force
    }

    /// The folder that is meant, made. `name` is the scenario's.
    pub(crate) fn create(&self, name: &str) -> Result<RecordStore, Failure> {
        let store = if let Some(folder) = &self.out {
            RecordStore::create(folder, self.force)
        } else {
            let stamp = loadgen::clock::folder_stamp();
            let folder = PathBuf::from("authbench-results").join(format!("{stamp}-{name}"));
            RecordStore::create_beside(&folder)
        };
        store.map_err(|error| match error {
            RecordError::Taken { .. } => Failure::usage(error),
            _ => Failure::testbed(error),
        })
    }
}
