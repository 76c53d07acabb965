//! The files that a built-in target runs, compiled in like its target file, and laid out when it is started.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::path::{Path, PathBuf};

use crate::cache;

/// The files of one folder of `scenarios/targets`, by their names in there. Several targets may run in it.
#[derive(Debug, Clone, Copy)]
pub struct ShippedFiles {
    folder: &'static str,
    files: &'static [(&'static str, &'static str)],
}

macro_rules! shipped {
    ($folder:literal, $($name:literal),+ $(,)?) => {
        ShippedFiles {
            folder: $folder,
            files: &[$((
                $name,
                include_str!(concat!("../../../scenarios/targets/", $folder, "/", $name)),
            )),+],
        }
    };
}

/// The folders of `scenarios/targets`.
const SHIPPED: &[ShippedFiles] = &[
    shipped!(
        "express-oauth2-jwt-bearer",
        "package-lock.json",
        "package.json",
        "server.js",
    ),
    shipped!(
        "auth0-tutorial-node",
        "index.js",
        "package-lock.json",
        "package.json",
    ),
    shipped!("auth0-tutorial-python", "app.py", "requirements.txt"),
    shipped!("apache-mod-oauth2", "httpd.conf", "start.sh"),
    shipped!("haproxy-jwt-verify", "haproxy.cfg", "start.sh"),
    shipped!(
        "rust-verifiers",
        "Cargo.lock",
        "Cargo.toml",
        "by_jsonwebtoken.rs",
        "by_jwt_simple.rs",
        "by_tower_oauth2.rs",
        "keys.rs",
        "main.rs",
        "resource.rs",
    ),
    shipped!(
        "node-verifiers",
        "aws-jwt-verify-cognito.js",
        "aws-jwt-verify.js",
        "fast-jwt.js",
        "jose.js",
        "package-lock.json",
        "package.json",
        "server.js",
    ),
    shipped!(
        "python-verifiers",
        "key_set.py",
        "requirements.txt",
        "server.py",
        "with_authlib.py",
        "with_joserfc.py",
        "with_pyjwt.py",
    ),
];

impl ShippedFiles {
    /// The files of the folder that a built-in target names as its `working_dir`.
    pub(crate) fn of_folder(working_dir: &Path) -> Option<Self> {
        SHIPPED
            .iter()
            .find(|shipped| Path::new(shipped.folder) == working_dir)
            .copied()
    }

    /// Where they are laid out: in the user's cache, and named after the files, so that packages that were installed for
    /// other files are never used for these.
    pub(crate) fn folder(self) -> Option<PathBuf> {
        let mut hasher = DefaultHasher::new();
        self.files.hash(&mut hasher);
        let name = format!("{:016x}", hasher.finish());
        let targets = cache::folder()?.join("targets");
        Some(targets.join(name).join(self.folder))
    }

    /// Writes the files that are missing or changed into their folder.
    pub(crate) fn lay_out(self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, text) in self.files {
            let path = folder.join(name);
            if std::fs::read(&path).is_ok_and(|content| content == text.as_bytes()) {
                continue;
            }
            // Renamed when it is whole: another authbench may be starting the same target.
            let part = folder.join(format!(".{name}.{}", std::process::id()));
            std::fs::write(&part, text).and_then(|()| std::fs::rename(&part, &path))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_targets_folder_is_shipped() {
        let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/targets");
        let folders = std::fs::read_dir(&targets)
            .expect("the targets")
            .map(|entry| entry.expect("a readable entry").path())
            .filter(|path| path.is_dir());
        for folder in folders {
            let name = folder.file_name().expect("a name").to_string_lossy();
            let shipped = ShippedFiles::of_folder(Path::new(&*name))
                .unwrap_or_else(|| panic!("{name} is not"));
            let mut names: Vec<String> = std::fs::read_dir(&folder)
                .expect("its files")
                .map(|entry| entry.expect("a readable entry").path())
                .filter(|path| path.is_file())
                .map(|path| {
                    path.file_name()
                        .expect("a name")
                        .to_string_lossy()
                        .into_owned()
                })
                .collect();
            names.sort();
            let known: Vec<&str> = shipped.files.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, known, "{name}");
        }
    }

    #[test]
    fn a_changed_file_is_written_again_and_the_others_are_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let shipped = SHIPPED[0];
        let path = folder.path().join("deep").join("er");
        shipped.lay_out(&path).expect("laid out");
        std::fs::write(path.join("server.js"), "changed").expect("written");
        let before = std::fs::metadata(path.join("package.json")).expect("it is there");
        shipped.lay_out(&path).expect("laid out again");
        let server = std::fs::read_to_string(path.join("server.js")).expect("it is there");
        assert!(server.contains("requiredScopes"));
        let after = std::fs::metadata(path.join("package.json")).expect("it is there");
        assert_eq!(
            before.modified().expect("a time"),
            after.modified().expect("a time")
        );
    }
}
