//! What `/proc` tells of a process (proc(5)): its group, its mapped files, what it has read from storage.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Mapped files with their paths, by device and inode as `/proc/PID/maps` names them: a path may differ between containers.
pub(crate) type Maps = BTreeMap<String, PathBuf>;

/// Every process that there is.
pub(super) fn all() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let id = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    entries.flatten().filter_map(id).collect()
}

/// Those that lead a group, and behind them the other processes of their groups: a subject is started as the leader of one. Looks
/// at every process that there is.
pub(crate) fn with_groups(leaders: &[u32]) -> Vec<u32> {
    if leaders.is_empty() {
        return Vec::new();
    }
    let is_led = |process: &u32| group_of(*process).is_some_and(|group| leaders.contains(&group));
    let others = all()
        .into_iter()
        .filter(|process| !leaders.contains(process) && is_led(process));
    leaders.iter().copied().chain(others).collect()
}

fn group_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name, in parentheses, may hold anything; the state, the parent and the group follow.
    let (_, after_name) = stat.rsplit_once(')')?;
    after_name.split_ascii_whitespace().nth(2)?.parse().ok()
}

/// The files that a process has mapped; none of a process of another user.
pub(super) fn maps(process: u32) -> impl Iterator<Item = (String, PathBuf)> {
    let maps = std::fs::read(format!("/proc/{process}/maps")).unwrap_or_default();
    let files: Maps = maps
        .split(|byte| *byte == b'\n')
        .filter_map(mapped_file)
        .collect();
    files.into_iter()
}

/// The file of a line such as `7f0a-7f0b r-xp 0000 fe:00 247282    /usr/lib/libc.so.6`. One that is deleted cannot be opened.
fn mapped_file(line: &[u8]) -> Option<(String, PathBuf)> {
    // No field before the path holds a slash.
    let start = line.iter().position(|byte| *byte == b'/')?;
    let (fields, path) = line.split_at(start);
    let mut fields = std::str::from_utf8(fields).ok()?.split_ascii_whitespace();
    let (device, inode) = (fields.nth(3)?, fields.next()?);
    if path.ends_with(b" (deleted)") || path.starts_with(b"/dev/") {
        return None;
    }
    let path = Path::new(OsStr::from_bytes(path)).to_owned();
    Some((format!("{device} {inode}"), path))
}

/// The files that the arguments of a process name, such as an interpreter's script.
pub(super) fn files_named(process: u32) -> Vec<PathBuf> {
    let folder = std::fs::read_link(format!("/proc/{process}/cwd"));
    let arguments = std::fs::read(format!("/proc/{process}/cmdline"));
    let (Ok(folder), Ok(arguments)) = (folder, arguments) else {
        return Vec::new();
    };
    arguments
        .split(|byte| *byte == 0)
        .skip(1)
        .filter(|argument| !argument.is_empty())
        .map(|argument| folder.join(OsStr::from_bytes(argument)))
        .filter(|path| path.is_file())
        .collect()
}

/// Bytes that a process, its group and those of its children that it has waited for made the kernel fetch from storage, page
/// faults and reading ahead included. `None` where that is not told.
pub(crate) fn read_bytes(leader: u32) -> Option<u64> {
    let of = |process: u32| {
        let io = std::fs::read_to_string(format!("/proc/{process}/io")).ok()?;
        let bytes = io.lines().find_map(|line| line.strip_prefix("read_bytes:"));
        bytes?.trim().parse::<u64>().ok()
    };
    let told: Vec<u64> = with_groups(&[leader]).into_iter().filter_map(of).collect();
    (!told.is_empty()).then(|| told.iter().sum())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;

    use super::*;

    #[test]
    fn the_workers_that_a_process_has_started_are_in_its_group() {
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 60 & sleep 60 & wait"])
            .process_group(0)
            .spawn()
            .expect("a shell");
        let started = Instant::now();
        let mut members = with_groups(&[leader.id()]);
        while members.len() < 3 && started.elapsed() < Duration::from_secs(10) {
            std::thread::yield_now();
            members = with_groups(&[leader.id()]);
        }
        let own = i32::try_from(leader.id()).expect("an id");
        killpg(Pid::from_raw(own), Signal::SIGKILL).expect("they run");
        leader.wait().expect("it ends");
        assert_eq!(members.len(), 3, "{members:?}");
        assert_eq!(members[0], leader.id());
    }
}
