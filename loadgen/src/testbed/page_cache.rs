//! The page cache, as far as a start depends on it: which files a subject's processes use, their eviction, and what a process
//! has read from storage.
//!
//! Linux tells and evicts (proc(5), `posix_fadvise(2)`); elsewhere nothing is found, and so nothing is said to be cold. What the
//! kernel keeps of folders and inodes stays, and a device may have a cache of its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod proc;
pub(crate) use proc::with_groups;
pub(super) use proc::{Maps, read_bytes};

/// Files that are looked for beside those that are mapped: several times those of a Python with its packages. More would be
/// a folder that is not the subject's own.
const FILES_MAX: usize = 20_000;

/// Folders that are looked into, in all. There are fewer of them than of files where there is anything to find.
const FOLDERS_MAX: usize = FILES_MAX;

/// The kernel writes back what is older than 30 s (`vm.dirty_expire_centisecs`), and a page that is not written cannot be
/// evicted.
const UNWRITTEN: Duration = Duration::from_mins(1);

/// The files that the start of a subject reads, as far as they can be known.
#[derive(Debug, Default)]
pub(super) struct Footprint {
    /// Those that its processes have mapped: executables, libraries.
    mapped: Maps,
    /// Stands in the place of one that is mapped.
    copy: Option<PathBuf>,
    /// Those that an interpreter may read: the working directory's, the script's and its packages'.
    read: BTreeSet<PathBuf>,
}

/// What an eviction came to.
#[derive(Debug, Clone, Default)]
pub struct Evicted {
    /// Files of which the kernel was asked to keep no page.
    pub files: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// That of the files among them that the subject's processes had mapped, or that stand in their place.
    pub mapped_bytes: u64,
}

impl Footprint {
    /// The files of a process and of its group. `working_dir` is the subject's own folder, where it has one.
    pub(super) fn of(process: u32, working_dir: Option<&Path>) -> Self {
        let mut footprint = Self::default();
        // In the order of how much they are the subject's own: the last ones may not be walked to their end.
        let mut folders: Vec<PathBuf> = working_dir.map(Path::to_owned).into_iter().collect();
        for member in with_groups(&[process]) {
            footprint.mapped.extend(proc::maps(member));
            for script in proc::files_named(member) {
                folders.extend(packages_beside(&script));
                folders.extend(package_folder(&script));
                footprint.read.insert(script);
            }
        }
        let libraries = footprint.mapped.values();
        let libraries: BTreeSet<PathBuf> =
            libraries.filter_map(|file| package_folder(file)).collect();
        folders.extend(libraries);
        let mut folders_left = FOLDERS_MAX;
        for folder in folders {
            // As the kernel names what is mapped: a folder may be reached by a link.
            if let Ok(folder) = folder.canonicalize() {
                walk(&folder, &mut footprint.read, &mut folders_left);
            }
        }
        footprint
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.mapped.is_empty()
    }

    /// Whether a file is among those that are mapped.
    pub(super) fn maps(&self, file: &Path) -> bool {
        self.mapped.values().any(|mapped| mapped == file)
    }

    /// Puts a copy in the place of a file.
    pub(super) fn replace(&mut self, file: &Path, copy: PathBuf) {
        self.mapped.retain(|_, mapped| mapped != file);
        self.copy = Some(copy);
    }

    /// The files that a process has mapped that is none of the subject's: what it has mapped of them cannot be evicted. To be
    /// asked when the subject's processes have ended. Processes of other users do not tell.
    pub(super) fn mapped_elsewhere(&self) -> Maps {
        let mut elsewhere = Maps::new();
        for process in proc::all() {
            let shared = proc::maps(process)
                .filter(|(file, path)| self.mapped.contains_key(file) || self.read.contains(path));
            elsewhere.extend(shared);
        }
        elsewhere
    }

    /// Evicts each file from the page cache but those of `elsewhere`: what would go of a library that others use says nothing of
    /// the subject, and is read again for them.
    pub(super) fn evict(&self, elsewhere: &Maps) -> Evicted {
        // A library is known by its path alone where it was found in a folder of packages.
        let stay: BTreeSet<&PathBuf> = elsewhere
            .iter()
            .flat_map(|(file, path)| self.mapped.get(file).into_iter().chain([path]))
            .collect();
        let mapped: BTreeSet<&PathBuf> = self.mapped.values().chain(&self.copy).collect();
        let mut paths = mapped.clone();
        paths.extend(&self.read);
        let mut evicted = Evicted::default();
        for path in paths.difference(&stay) {
            let Some(bytes) = evict(path) else {
                continue;
            };
            evicted.files += 1;
            evicted.bytes += bytes;
            if mapped.contains(path) {
                evicted.mapped_bytes += bytes;
            }
        }
        evicted
    }
}

/// Asks the kernel to keep no page of a file. Its size, where it could be asked.
#[cfg(target_os = "linux")]
fn evict(path: &Path) -> Option<u64> {
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

    // Opening a pipe or a device waits or acts.
    if !path.metadata().ok()?.is_file() {
        return None;
    }
    let file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    let age = metadata.modified().ok()?.elapsed();
    if age.is_ok_and(|age| age < UNWRITTEN) {
        file.sync_data().ok()?;
    }
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).ok()?;
    Some(metadata.len())
}

#[cfg(not(target_os = "linux"))]
fn evict(_: &Path) -> Option<u64> {
    None
}

/// The folder of packages or of a language's own library that a file is in: the outermost one.
fn package_folder(file: &Path) -> Option<PathBuf> {
    let is_one = |name: &OsStr| {
        let name = name.to_string_lossy();
        name == "node_modules" || name == "site-packages" || name.starts_with("python3.")
    };
    let folders = file.ancestors().skip(1);
    folders
        .filter(|folder| folder.file_name().is_some_and(is_one))
        .last()
        .map(Path::to_owned)
}

/// The folder of packages beside a script, where Node looks for it first.
fn packages_beside(script: &Path) -> Option<PathBuf> {
    let folder = script.parent()?.join("node_modules");
    folder.is_dir().then_some(folder)
}

/// Takes every regular file below a folder and on its device, up to [`FILES_MAX`] in all, and as long as there is any of
/// `folders_left`. Other devices are mounted: `/proc` and `/sys` are no files, and nothing else there is the subject's own.
/// Links are not followed, which may lead anywhere.
fn walk(folder: &Path, files: &mut BTreeSet<PathBuf>, folders_left: &mut usize) {
    let Ok(device) = folder.metadata().map(|start| start.dev()) else {
        return;
    };
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            if files.len() >= FILES_MAX {
                return;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => {
                    let is_here = entry.metadata().is_ok_and(|found| found.dev() == device);
                    if is_here && *folders_left > 0 {
                        *folders_left -= 1;
                        folders.push(entry.path());
                    }
                }
                Ok(kind) if kind.is_file() => {
                    files.insert(entry.path());
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Child, Command, Stdio};

    use nix::sys::statfs::{TMPFS_MAGIC, statfs};

    use super::*;

    /// A process that leads a group and lives until it is ended.
    fn start(program: &Path, arguments: &[&str]) -> Child {
        use std::os::unix::process::CommandExt as _;
        Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("it starts")
    }

    fn end(mut child: Child) {
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    }

    /// On the disk that the target folder is on, where the temporary folder may be memory.
    fn folder() -> tempfile::TempDir {
        let own = std::env::current_exe().expect("a path");
        tempfile::tempdir_in(own.parent().expect("a folder")).expect("a folder")
    }

    fn program(name: &str) -> PathBuf {
        let path = std::env::var_os("PATH").expect("a PATH");
        let folders = std::env::split_paths(&path);
        let mut found = folders.map(|folder| folder.join(name));
        found.find(|file| file.is_file()).expect(name)
    }

    /// The footprint of a process that has mapped its program, which is not yet so right after its start.
    fn footprint_of(child: &Child, mapped: &Path, working_dir: Option<&Path>) -> Footprint {
        let started = std::time::Instant::now();
        while started.elapsed() < Duration::from_secs(10) {
            let footprint = Footprint::of(child.id(), working_dir);
            if footprint.maps(mapped) {
                return footprint;
            }
            std::thread::yield_now();
        }
        panic!("{} is not mapped", mapped.display());
    }

    #[test]
    fn an_evicted_program_is_read_from_storage_by_its_next_process() {
        let folder = folder();
        let cat = folder.path().join("cat");
        std::fs::copy(program("cat"), &cat).expect("copied");
        let child = start(&cat, &[]);
        let footprint = footprint_of(&child, &cat, None);
        end(child);
        let elsewhere = footprint.mapped_elsewhere();
        assert!(!elsewhere.values().any(|file| *file == cat));
        let evicted = footprint.evict(&elsewhere);
        let size = cat.metadata().expect("a file").len();
        assert!(
            evicted.files >= 1 && evicted.mapped_bytes >= size,
            "{evicted:?}"
        );
        assert!(evicted.bytes >= evicted.mapped_bytes, "{evicted:?}");
        let cold = start(&cat, &[]);
        footprint_of(&cold, &cat, None);
        let read = read_bytes(cold.id()).expect("its own process");
        end(cold);
        let in_memory = statfs(folder.path()).expect("a folder").filesystem_type() == TMPFS_MAGIC;
        assert_eq!(read == 0, in_memory, "{read} bytes");
    }

    #[test]
    fn what_another_process_has_mapped_is_known() {
        let cat = program("cat");
        let (subject, other) = (start(&cat, &[]), start(&cat, &[]));
        let file = cat.canonicalize().expect("a path");
        let footprint = footprint_of(&subject, &file, None);
        footprint_of(&other, &file, None);
        end(subject);
        let elsewhere = footprint.mapped_elsewhere();
        end(other);
        assert!(elsewhere.values().any(|mapped| *mapped == file));
    }

    #[test]
    fn what_another_process_has_mapped_is_not_evicted_where_a_folder_holds_it() {
        let folder = folder();
        let packages = folder.path().join("node_modules");
        std::fs::create_dir(&packages).expect("made");
        let library = packages.join("cat");
        std::fs::copy(program("cat"), &library).expect("copied");
        std::fs::write(packages.join("a.js"), "a").expect("written");
        // The subject has the folder by a link, and has not mapped the library.
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&packages, &link).expect("a link");
        let other = start(&library, &[]);
        footprint_of(&other, &library, None);
        let footprint = Footprint::of(u32::MAX, Some(&link));
        let elsewhere = footprint.mapped_elsewhere();
        let shared = footprint.evict(&elsewhere);
        let alone = footprint.evict(&Maps::new());
        end(other);
        assert_eq!(elsewhere.into_values().collect::<Vec<_>>(), [library]);
        assert_eq!((shared.files, alone.files), (1, 2));
    }

    #[test]
    fn a_script_its_packages_and_the_working_directory_are_part_of_it() {
        let folder = folder();
        let at = |path: &str| folder.path().join(path);
        let files = [
            "app/lib/a.js",
            "app/settings.json",
            "site/main.sh",
            "site/node_modules/b/b.js",
            "site/beside.txt",
        ];
        for file in files {
            std::fs::create_dir_all(at(file).parent().expect("a folder")).expect("made");
            std::fs::write(at(file), "read -r line\n").expect("written");
        }
        std::os::unix::fs::symlink("/etc", at("app/link")).expect("a link");
        let shell = program("sh");
        let main = at("site/main.sh");
        let child = start(&shell, &[&main.to_string_lossy()]);
        let mapped = shell.canonicalize().expect("a path");
        let footprint = footprint_of(&child, &mapped, Some(&at("app")));
        end(child);
        let found: Vec<PathBuf> = footprint.read.into_iter().collect();
        assert_eq!(
            found,
            files[..4].iter().map(|file| at(file)).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_walk_has_a_bound_on_its_folders_and_stays_on_its_device() {
        let folder = folder();
        for name in ["a", "b", "c"] {
            std::fs::create_dir(folder.path().join(name)).expect("made");
            std::fs::write(folder.path().join(name).join("file"), name).expect("written");
        }
        let (mut files, mut left) = (BTreeSet::new(), 2);
        walk(folder.path(), &mut files, &mut left);
        assert_eq!((files.len(), left), (2, 0));

        let (devices, memory) = (Path::new("/dev"), Path::new("/dev/shm"));
        let device = |folder: &Path| folder.metadata().map(|folder| folder.dev()).ok();
        if device(memory).is_none() || device(memory) == device(devices) {
            return;
        }
        let mounted = tempfile::NamedTempFile::new_in(memory).expect("a file in memory");
        for (start, is_found) in [(memory, true), (devices, false)] {
            let found = Footprint::of(u32::MAX, Some(start)).read;
            assert_eq!(
                found.contains(mounted.path()),
                is_found,
                "{}",
                start.display()
            );
        }
    }

    #[test]
    fn a_process_that_is_not_there_tells_nothing() {
        assert!(Footprint::of(u32::MAX, None).is_empty());
        assert_eq!(read_bytes(u32::MAX), None);
    }

    #[test]
    fn the_folder_of_packages_is_the_outermost_one() {
        let table = [
            (
                "/a/node_modules/b/node_modules/c/d.node",
                Some("/a/node_modules"),
            ),
            (
                "/usr/lib/python3.12/lib-dynload/_json.so",
                Some("/usr/lib/python3.12"),
            ),
            (
                "/v/lib/python3.12/site-packages/x/y.so",
                Some("/v/lib/python3.12"),
            ),
            ("/usr/lib/libc.so.6", None),
            ("/usr/bin/python3.12", None),
        ];
        for (file, folder) in table {
            assert_eq!(
                package_folder(Path::new(file)),
                folder.map(PathBuf::from),
                "{file}"
            );
        }
    }
}
