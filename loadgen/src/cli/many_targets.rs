//! What `survey` and a `run` of several targets have in common: names, installation, folders and a page.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use loadgen::progress::Progress;
use loadgen::record::{RecordError, RecordStore};
use loadgen::report::{self, Place};
use loadgen::stop::StopSignal;
use loadgen::subject::Subject;
use loadgen::survey::LeftOut;

use super::{Failure, output};

/// Names for targets, none twice.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// The name of a target that was given by its name or its path: that of its folder and its row.
    pub(super) fn add(&mut self, given: &str) -> Result<String, Failure> {
        let name = Path::new(given)
            .file_stem()
            .map_or(given.into(), |stem| stem.to_string_lossy());
        if !self.0.insert(name.to_string()) {
            return Err(Failure::usage(anyhow::anyhow!(
                "two targets are called {name}, and each needs a folder of its own: rename one of the files"
            )));
        }
        Ok(name.into_owned())
    }
}

/// Installs the targets, and tells which are left out.
pub(super) fn install<'a>(
    targets: impl IntoIterator<Item = (&'a str, &'a Subject)>,
    stop: &StopSignal,
) -> Result<Vec<LeftOut>, Failure> {
    let mut progress = Progress::on_stderr();
    let installed = loadgen::survey::install(targets, &mut progress, stop);
    let left_out = super::runtime()?.block_on(installed);
    for left in &left_out {
        output::note(&format!("{} is left out: {}", left.name, left.reason()));
    }
    Ok(left_out)
}

/// The folder of all targets, made: `out`, or a new one of that name. One of `records` in it is refused unless with `force`,
/// before anything is installed.
pub(super) fn folder(
    out: Option<&Path>,
    force: bool,
    name: &str,
    records: impl IntoIterator<Item = PathBuf>,
) -> Result<RecordStore, Failure> {
    let Some(folder) = out else {
        let stamp = loadgen::clock::folder_stamp();
        let folder = PathBuf::from("authbench-results").join(format!("{stamp}-{name}"));
        return RecordStore::create_beside(&folder).map_err(Failure::testbed);
    };
    for record in records {
        let path = folder.join(record).join(RecordStore::FILE_NAME);
        if path.exists() && !force {
            return Err(Failure::usage(RecordError::Taken { path }));
        }
    }
    // The folder itself holds no record.
    RecordStore::create(folder, true).map_err(Failure::testbed)
}

/// The page of `--markdown` with a text in its place.
pub(super) fn written_into(path: &Path, place: Place, text: &str) -> Result<String, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(anyhow::anyhow!("--markdown {}: {error}", path.display()))
    };
    let page = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    report::in_page(&page, place, text).map_err(|error| wrong(&error))
}

/// Writes the page back with a text in its place. Read again: a run takes its time, and somebody may write meanwhile.
pub(super) fn write_into(path: &Path, place: Place, text: &str) -> Result<(), Failure> {
    let page = written_into(path, place, text)?;
    std::fs::write(path, page).map_err(|error| {
        Failure::testbed(anyhow::anyhow!("cannot write {}: {error}", path.display()))
    })
}
