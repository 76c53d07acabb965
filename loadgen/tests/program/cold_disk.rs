//! Cold starts through the real binary: the first one, those with a warm disk, and those with a cold one or the reason why there
//! is none.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};

use loadgen::record::{COLD_DISK, FIRST_START, PhaseRecord, RecordStore, StorageReads};

use crate::support::{AUTHBENCH, authbench};

/// On the disk that the target folder is on.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("cold-disk")
}

/// Whether a process has left a copy of its program there.
fn has_left_a_copy(process: u32) -> bool {
    let entries = std::fs::read_dir(cache()).into_iter().flatten().flatten();
    let of_it = format!("cold-disk-{process}-");
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_string_lossy().starts_with(&of_it))
}

/// Runs two starts with a warm disk and two with a cold one; their phase, and what was printed.
fn cold_starts(target: &str, folder: &Path) -> (PhaseRecord, String) {
    let (mut phases, printed) = cold_starts_before(target, folder, "");
    (phases.remove(0), printed)
}

/// The same before other phases; the phases, and what was printed.
fn cold_starts_before(target: &str, folder: &Path, others: &str) -> (Vec<PhaseRecord>, String) {
    let scenario = format!(
        "name = \"cold\"\nissuer = \"auth0\"\ntarget = \"{target}\"\naudience = \"https://planets.example.com/\"\n\
         scope = \"read:planets\"\n[[phase]]\nkind = \"cold-start\"\nsamples = 2\ncold_disk = 2\nbudget = \"60s\"\n{others}"
    );
    std::fs::write(folder.join("cold.toml"), scenario).expect("written");
    let run = authbench(folder)
        .args(["run", "cold.toml", "--force", "--out", "out"])
        .env("AUTHBENCH_CACHE", cache())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("authbench starts");
    let process = run.id();
    let output = run.wait_with_output().expect("it ends");
    assert!(!has_left_a_copy(process));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{printed}\n{said}");
    let record = RecordStore::load(&folder.join("out")).expect("a record");
    (record.phases, printed)
}

fn reads<'a>(phase: &'a PhaseRecord, class: &str) -> Option<&'a StorageReads> {
    let storage = phase.storage.as_ref().expect("a phase of cold starts");
    storage.reads.iter().find(|reads| reads.class == class)
}

fn total(phase: &PhaseRecord, class: &str) -> Option<u64> {
    let mut series = phase.series.iter();
    let total = series.find(|series| series.name == "total" && series.class == class);
    total.map(|total| total.count)
}

/// Whether the file system of a folder keeps its files in memory (statfs(2)).
fn is_in_memory(folder: &Path) -> bool {
    statfs(folder).expect("a folder").filesystem_type() == TMPFS_MAGIC
}

#[test]
fn the_first_start_and_those_with_a_warm_and_a_cold_disk_are_told_apart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (phase, printed) = cold_starts("authbench", folder.path());
    assert_eq!(total(&phase, "all"), Some(2));
    assert_eq!(total(&phase, FIRST_START), Some(1));
    assert_eq!(
        (phase.requests, phase.wrong_decisions, phase.errors),
        (2, 0, 0)
    );
    assert!(printed.contains("first start of the run, whatever the page cache held: "));

    let storage = phase.storage.as_ref().expect("a phase of cold starts");
    if is_in_memory(&cache()) {
        assert_eq!(
            storage.not_cold.as_deref(),
            Some("nothing was read from storage")
        );
        return;
    }
    assert_eq!(storage.not_cold, None);
    assert_eq!(total(&phase, COLD_DISK), Some(2));
    let cold = reads(&phase, COLD_DISK).expect("cold starts");
    let evicted = storage.evicted.as_ref().expect("an eviction");
    // The program is in the cache folder for the while, and megabytes of it are needed.
    assert!(cold.min_bytes > 1_000_000, "{cold:?} of {evicted:?}");
    assert!(
        evicted.files >= 1 && evicted.bytes > cold.max_bytes / 2,
        "{evicted:?}"
    );
    let of_c = |file: &String| file.contains("libc.so") || file.contains("ld-musl");
    assert!(evicted.mapped_elsewhere.iter().any(of_c), "{evicted:?}");
    let warm = reads(&phase, "all").expect("warm starts");
    assert!(warm.min_bytes < cold.min_bytes / 2, "{warm:?} and {cold:?}");
    assert!(printed.contains("  cold disk "), "{printed}");
}

#[test]
fn where_nothing_can_be_read_from_storage_no_start_is_called_cold() {
    let memory = Path::new("/dev/shm");
    if !memory.is_dir() || !is_in_memory(memory) {
        return;
    }
    let folder = tempfile::tempdir_in(memory).expect("a folder in memory");
    let program = folder.path().join("authbench");
    std::fs::copy(AUTHBENCH, &program).expect("copied");
    let built_in = include_str!("../../../scenarios/targets/authbench.toml");
    let target = built_in.replace("{authbench}", &program.to_string_lossy());
    std::fs::write(folder.path().join("own.toml"), target).expect("written");
    let (phase, printed) = cold_starts("own.toml", folder.path());
    assert_eq!(total(&phase, "all"), Some(2));
    assert_eq!(total(&phase, COLD_DISK), None, "{:?}", phase.storage);
    assert!(
        printed.contains("no cold disk: nothing was read from storage"),
        "{printed}"
    );
}

#[test]
fn a_server_goes_on_from_its_own_program_when_the_copy_is_gone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // This one starts its own program again, for each request that none of its processes is free for.
    let target = "name = \"own\"\nkind = \"http\"\n[command]\nprogram = \"{authbench}\"\n\
                  args = [\"serve\", \"gateway\", \"--listen\", \"127.0.0.1:{port}\", \"--issuer\", \"{issuer}\", \
                  \"--jwks-uri\", \"{jwks_uri}\", \"--audience\", \"{audience}\", \"--scope\", \"{scope}\"]\n\
                  [request]\npath = \"/test/planets\"\n";
    std::fs::write(folder.path().join("own.toml"), target).expect("written");
    let load = "[[phase]]\nkind = \"verification\"\nusers = 4\nrequests = 40\n";
    let (phases, printed) = cold_starts_before("own.toml", folder.path(), load);
    if is_in_memory(&cache()) {
        return;
    }
    assert_eq!(total(&phases[0], COLD_DISK), Some(2), "{printed}");
    let counts = (
        phases[1].requests,
        phases[1].wrong_decisions,
        phases[1].errors,
    );
    assert_eq!(counts, (40, 0, 0), "{printed}");
}

#[test]
fn a_function_is_started_from_the_copy_wherever_its_command_names_this_program() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let built_in = include_str!("../../../scenarios/targets/authbench.toml");
    let in_shell = built_in
        .replace("\"{authbench}\"", "\"sh\"")
        .replace("\"bootstrap\"", "\"-c\", \"exec {authbench} bootstrap\"");
    std::fs::write(folder.path().join("shell.toml"), in_shell).expect("written");
    let (phase, printed) = cold_starts("shell.toml", folder.path());
    let wanted = (!is_in_memory(&cache())).then_some(2);
    assert_eq!(total(&phase, COLD_DISK), wanted, "{printed}");

    let by_path = built_in.replace("{authbench}", AUTHBENCH);
    std::fs::write(folder.path().join("path.toml"), by_path).expect("written");
    let (phase, printed) = cold_starts("path.toml", folder.path());
    assert_eq!(total(&phase, COLD_DISK), None, "{printed}");
    assert!(printed.contains("has to name {authbench}"), "{printed}");
}
