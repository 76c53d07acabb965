//! Starts with a cold disk: before each of them the subject's files are evicted from the page cache.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use gateway::{Function, FunctionError};

use super::page_cache::{Evicted, Footprint, Maps};
use super::running::FunctionPlan;
use crate::subject::{CommandPlan, PlaceholderError};

/// Files that stayed in the page cache and are named in the record; a process has some ten libraries.
const NAMED_MAX: usize = 16;

/// How long a copy may still be open for writing in a process that is just being started: a fork takes milliseconds.
const BUSY_MAX: Duration = Duration::from_secs(1);

/// What it takes to start a subject with a cold disk.
#[derive(Debug)]
pub struct ColdDisk {
    footprint: Arc<Footprint>,
    /// In the place of this program's own executable: what is running, as this program is, stays in the page cache.
    copy: Option<ProgramCopy>,
    /// The function whose processes are started from the copy.
    function: Option<Function>,
    /// Found out at the first eviction, when no process of the subject is left.
    elsewhere: Option<Arc<Maps>>,
    evicted: Evicted,
}

/// Why no start has a cold disk.
#[derive(Debug, thiserror::Error)]
pub enum NoColdDisk {
    /// Nothing says where the cache folder is.
    #[error(
        "there is no folder for a copy of the program; set {}",
        crate::cache::VARIABLES
    )]
    CacheFolder,
    /// The executable cannot be copied.
    #[error("no copy of the program can be made in {}: {source}", .folder.display())]
    Copy {
        /// The cache folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No function can be made of the copy.
    #[error("the program cannot be started from a copy: {0}")]
    Function(#[from] FunctionError),
    /// The target starts this program, and does not say where in its command it is.
    #[error(
        "the target runs this program, {}, which its file has to name {{authbench}} to be started from a copy", .0.display()
    )]
    OwnPath(PathBuf),
    /// A placeholder that there is not.
    #[error(transparent)]
    Placeholder(#[from] PlaceholderError),
    /// The copy cannot be executed, as on a file system that is mounted `noexec`.
    #[error(
        "a copy of the program cannot be executed in {}: {source}; name another folder with AUTHBENCH_CACHE", .folder.display()
    )]
    Start {
        /// Where it was.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The thread that evicts has failed.
    #[error("what the page cache holds could not be found out")]
    Thread,
    /// Nothing is known of a process: this is not Linux, the process is gone, or belongs to somebody else.
    #[error("which files the target's process has mapped is not known here")]
    Unknown,
}

impl ColdDisk {
    /// Looks at a process of the subject, which has to be alive, and copies the executable where that is this program's own.
    pub(super) async fn prepare(
        process: Option<u32>,
        command: &CommandPlan,
        function: Option<&FunctionPlan>,
    ) -> Result<Self, NoColdDisk> {
        let process = process.ok_or(NoColdDisk::Unknown)?;
        let (working_dir, has_authbench) = (command.working_dir.clone(), command.has_authbench());
        let looked = tokio::task::spawn_blocking(move || {
            let mut footprint = Footprint::of(process, working_dir.as_deref());
            let own = std::env::current_exe().ok();
            let copy = match own.filter(|own| footprint.maps(own)) {
                None => None,
                Some(own) if !has_authbench => return Err(NoColdDisk::OwnPath(own)),
                Some(own) => {
                    let cache = crate::cache::folder().ok_or(NoColdDisk::CacheFolder)?;
                    let copy = ProgramCopy::of(own, &cache)?;
                    copy.probe()?;
                    footprint.replace(&copy.original, copy.path.clone());
                    Some(copy)
                }
            };
            Ok::<_, NoColdDisk>((footprint, copy))
        });
        let (footprint, copy) = looked.await.map_err(|_| NoColdDisk::Thread)??;
        if footprint.is_empty() {
            return Err(NoColdDisk::Unknown);
        }
        let function = match (&copy, function) {
            (Some(copy), Some(function)) => Some(function.start_from(&copy.path).await?),
            _ => None,
        };
        Ok(Self {
            footprint: Arc::new(footprint),
            copy,
            function,
            elsewhere: None,
            evicted: Evicted::default(),
        })
    }

    /// The function whose processes are to be started, where it is not the subject's own.
    pub(super) fn function(&self) -> Option<&Function> {
        self.function.as_ref()
    }

    /// What stands in the place of this program's executable.
    pub(super) fn program(&self) -> Option<&Path> {
        self.copy.as_ref().map(|copy| copy.path.as_path())
    }

    /// Evicts the files. The subject's processes have to have ended: a mapped page stays.
    pub(super) async fn evict(&mut self) {
        let (footprint, known) = (Arc::clone(&self.footprint), self.elsewhere.clone());
        let done = tokio::task::spawn_blocking(move || {
            let elsewhere = known.unwrap_or_else(|| Arc::new(footprint.mapped_elsewhere()));
            let evicted = footprint.evict(&elsewhere);
            (elsewhere, evicted)
        });
        // A thread that failed has evicted nothing that could be counted: the start's own reading tells.
        if let Ok((elsewhere, evicted)) = done.await {
            self.elsewhere = Some(elsewhere);
            self.evicted = evicted;
        }
    }

    /// What was evicted last.
    pub fn evicted(&self) -> &Evicted {
        &self.evicted
    }

    /// Files that stayed, because other processes have them mapped: the C library, at least.
    pub fn mapped_elsewhere(&self) -> Vec<String> {
        let files = self.elsewhere.iter().flat_map(|files| files.values());
        let mut files: Vec<_> = files
            .map(|file| file.to_string_lossy().into_owned())
            .collect();
        files.sort_unstable();
        files.truncate(NAMED_MAX);
        files
    }

    /// Ends what was started for it, and removes the copy.
    pub async fn end(self) {
        if let Some(function) = &self.function {
            function.shutdown().await;
        }
    }
}

/// What the folders of copies are called, before the id of the process that made one.
const PREFIX: &str = "cold-disk-";

/// A copy of an executable, removed when it is dropped.
#[derive(Debug)]
struct ProgramCopy {
    original: PathBuf,
    folder: PathBuf,
    path: PathBuf,
    /// Of the folder, for as long as this is used; the system gives it up with the process.
    _lock: Option<File>,
}

impl ProgramCopy {
    /// A copy in the cache folder, which is on a disk where the temporary folder is often memory. It is on the disk
    /// afterwards: what is not written cannot be evicted.
    fn of(original: PathBuf, cache: &Path) -> Result<Self, NoColdDisk> {
        let failed = |source| NoColdDisk::Copy {
            folder: cache.to_owned(),
            source,
        };
        // A subject may be started in a folder of its own, from which a relative path leads elsewhere.
        let absolute = cache.canonicalize().map_err(failed)?;
        let (folder, lock) = own_folder(&absolute).map_err(failed)?;
        let copy = Self {
            path: folder.join("program"),
            folder,
            original,
            _lock: lock,
        };
        let made = std::fs::copy(&copy.original, &copy.path)
            .and_then(|_| File::open(&copy.path)?.sync_all());
        made.map_err(failed)?;
        Ok(copy)
    }

    /// Executes it once, so that no start of a subject has to fail to find out that it cannot be.
    fn probe(&self) -> Result<(), NoColdDisk> {
        let mut command = Command::new(&self.path);
        command
            .arg("--version")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = Instant::now();
        let ended = loop {
            match command.status() {
                // A process that another thread is just starting holds what was open for writing, until its program has begun.
                Err(busy)
                    if busy.kind() == io::ErrorKind::ExecutableFileBusy
                        && started.elapsed() < BUSY_MAX =>
                {
                    std::thread::yield_now();
                }
                Ok(status) if !status.success() => {
                    break Err(io::Error::other(format!("it ended with {status}")));
                }
                ended => break ended,
            }
        };
        ended.map(drop).map_err(|source| NoColdDisk::Start {
            folder: self.folder.clone(),
            source,
        })
    }
}

impl Drop for ProgramCopy {
    fn drop(&mut self) {
        // What stays is in the cache folder, where everything may be removed at any time.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A folder for a copy, locked, which nobody else may write to: what is in it is executed.
fn own_folder(cache: &Path) -> io::Result<(PathBuf, Option<File>)> {
    static COPIES: AtomicU64 = AtomicU64::new(0);
    // No folder is without its lock for whoever sweeps. A network's file system may lock none; then nothing is swept.
    let others = File::open(cache)?;
    let is_alone = others.lock().is_ok();
    if is_alone {
        sweep(cache);
    }
    loop {
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let folder = cache.join(format!("{PREFIX}{}-{number}", std::process::id()));
        match DirBuilder::new().mode(0o700).create(&folder) {
            // Another container's process may have the same id.
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => {
                let lock = File::open(&folder)?;
                let lock = (is_alone && lock.try_lock().is_ok()).then_some(lock);
                return Ok((folder, lock));
            }
        }
    }
}

/// Removes the copies of processes that are gone without having done so, which nobody has locked; another user's stay.
fn sweep(cache: &Path) {
    for entry in std::fs::read_dir(cache).into_iter().flatten().flatten() {
        let is_copy = entry.file_name().to_string_lossy().starts_with(PREFIX);
        let is_free = |folder: File| folder.try_lock().is_ok();
        if is_copy && File::open(entry.path()).is_ok_and(is_free) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn program(name: &str) -> PathBuf {
        let path = std::env::var_os("PATH").expect("a PATH");
        let folders = std::env::split_paths(&path);
        let mut found = folders.map(|folder| folder.join(name));
        found.find(|file| file.is_file()).expect(name)
    }

    #[test]
    fn a_copy_that_cannot_be_executed_is_found_out_before_a_subject_is_started_from_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = folder.path().join("text");
        std::fs::write(&text, "no program").expect("written");
        let reason = |original: PathBuf| {
            let copy = ProgramCopy::of(original, folder.path()).expect("a copy");
            copy.probe().err().map(|error| error.to_string())
        };
        assert_eq!(reason(program("true")), None);
        let denied = reason(text).expect("a reason");
        assert!(denied.contains("Permission denied"), "{denied}");
        assert!(denied.contains("AUTHBENCH_CACHE"), "{denied}");
        let ended = reason(program("false")).expect("a reason");
        assert!(ended.contains("it ended with"), "{ended}");
    }

    #[test]
    fn a_copy_has_the_path_that_leads_to_it_from_everywhere() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let cache = folder.path().join("cache");
        std::fs::create_dir(&cache).expect("made");
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("cache", &link).expect("a link");
        let copy = ProgramCopy::of(program("true"), &link).expect("a copy");
        assert!(copy.path.starts_with(cache.canonicalize().expect("a path")));
    }

    #[test]
    fn a_copy_is_its_owners_alone_and_goes_with_it_or_is_swept_by_the_next() {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| cache.path().join(name);
        // The first process is alive in every container, and made neither of these.
        for left in ["cold-disk-1-0", "keys"] {
            std::fs::create_dir(at(left)).expect("made");
            std::fs::write(at(left).join("program"), "left").expect("written");
        }
        let copy = ProgramCopy::of(program("true"), cache.path()).expect("a copy");
        let another = ProgramCopy::of(program("true"), cache.path()).expect("a copy");
        assert!(copy.path.is_file() && another.path.is_file());
        assert!(!at("cold-disk-1-0").exists() && at("keys").exists());
        let mode = copy
            .folder
            .metadata()
            .expect("a folder")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o700);
        drop((copy, another));
        assert_eq!(
            std::fs::read_dir(cache.path()).expect("a folder").count(),
            1
        );
        let nowhere = ProgramCopy::of(program("true"), &at("nowhere"));
        assert!(
            matches!(nowhere, Err(NoColdDisk::Copy { .. })),
            "{nowhere:?}"
        );
    }
}
