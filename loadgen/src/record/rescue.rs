//! Where a record goes that its own folder does not take.

use std::fs::{self, DirBuilder, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use nix::unistd::{Uid, geteuid};

use super::RecordError;

/// What its owner alone may look into.
const PRIVATE: u32 = 0o700;

/// The user's own folder among the temporary files, made where it is missing. Not in `XDG_RUNTIME_DIR`, which is emptied when
/// its user logs out.
pub(super) fn folder() -> Result<PathBuf, RecordError> {
    let user = geteuid();
    let path = std::env::temp_dir().join(format!("authbench-rescued-{user}"));
    private(&path, user)?;
    Ok(path)
}

/// Makes sure that a folder is there, is this user's, and is closed to others. Its name is known beforehand and everybody may
/// write where it is: one that is there already may be another user's, or lead somewhere else.
fn private(path: &Path, user: Uid) -> Result<(), RecordError> {
    let failed = |source| RecordError::Write {
        path: path.to_owned(),
        source,
    };
    match DirBuilder::new().mode(PRIVATE).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let found = fs::symlink_metadata(path).map_err(failed)?;
    if !found.is_dir() || found.uid() != user.as_raw() {
        return Err(RecordError::NotOwn {
            path: path.to_owned(),
        });
    }
    if found.mode() & 0o777 != PRIVATE {
        fs::set_permissions(path, Permissions::from_mode(PRIVATE)).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o777
    }

    #[test]
    fn the_folder_is_made_for_its_user_and_closed_to_others() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let path = parent.path().join("rescued");
        private(&path, geteuid()).expect("made");
        assert_eq!(mode(&path), 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o777)).expect("opened");
        private(&path, geteuid()).expect("closed again");
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn what_belongs_to_another_or_is_no_folder_is_refused() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let path = parent.path().join("rescued");
        private(&path, geteuid()).expect("made");
        let another = Uid::from_raw(geteuid().as_raw() + 1);
        let refused = private(&path, another).expect_err("another user's");
        let said = refused.to_string();
        assert!(
            said.contains("rescued") && said.contains("TMPDIR"),
            "{said}"
        );

        let link = parent.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let file = parent.path().join("file");
        fs::write(&file, "").expect("a file");
        for place in [link, file] {
            assert!(matches!(
                private(&place, geteuid()),
                Err(RecordError::NotOwn { .. })
            ));
        }
    }
}
