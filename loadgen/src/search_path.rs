//! Programs by their bare names, as `execvp` looks them up.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// Whether a folder of `PATH` holds a program of that name.
pub(crate) fn holds(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    any_folder_holds(&path, program)
}

fn any_folder_holds(path: &OsStr, program: &str) -> bool {
    std::env::split_paths(path).any(|folder| is_executable(&folder.join(program)))
}

/// A file with one of the three execute bits, whoever may use it: a program of somebody else fails by name when it is
/// started.
fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_there_when_a_folder_of_the_path_holds_it_and_it_can_be_run() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, mode) in [("node", 0o755), ("readme", 0o644)] {
            let file = folder.path().join(name);
            std::fs::write(&file, "").expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("a mode");
        }
        let path = std::env::join_paths([Path::new("/nowhere"), folder.path()]).expect("a path");
        assert!(any_folder_holds(&path, "node"));
        assert!(!any_folder_holds(&path, "npm"));
        assert!(!any_folder_holds(&path, "readme"));
        assert!(!any_folder_holds(OsStr::new("/nowhere"), "node"));
    }
}
