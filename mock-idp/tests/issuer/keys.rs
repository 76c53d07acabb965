use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use mock_idp::{KeyOrigin, KeyStore, KeyStoreError};

use crate::fixture::{SEED, keys};

/// The whole point of a seed: this key on every machine. A new version of the generator that breaks it fails here.
#[test]
fn seed_and_role_fix_the_key_for_ever() {
    assert_eq!(
        keys().signing.kid(),
        "aXlVWP34Hy4KKol_9OILPdc8kd1P822EyxAOP58Ul_w"
    );
    assert_ne!(keys().attacker.kid(), keys().signing.kid());
}

#[test]
fn second_open_is_cached_and_identical() {
    let directory = tempfile::tempdir().unwrap();
    let nested = directory.path().join("not/yet/there");
    let made = KeyStore::open(&nested).signing_key(SEED, "issuer").unwrap();
    let file = fs::read_dir(&nested).unwrap().next().unwrap().unwrap();
    let bytes = fs::read(file.path()).unwrap();
    let read = KeyStore::open(&nested).signing_key(SEED, "issuer").unwrap();

    assert_eq!(made.origin(), KeyOrigin::Generated);
    assert_eq!(read.origin(), KeyOrigin::Cached);
    assert_eq!(made.public_jwk(), read.public_jwk());
    assert_eq!(made.public_jwk(), keys().signing.public_jwk());
    assert_eq!(fs::read(file.path()).unwrap(), bytes);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(
        fs::read_dir(&nested).unwrap().count(),
        1,
        "no temporary file stays"
    );

    for damaged in [
        &b""[..],
        b"not a key",
        &bytes[..bytes.len() - 1],
        &[0; 9_000],
    ] {
        fs::write(file.path(), damaged).unwrap();
        let error = KeyStore::open(&nested)
            .signing_key(SEED, "issuer")
            .unwrap_err();
        assert!(
            matches!(&error, KeyStoreError::Damaged { path, .. } if *path == file.path()),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .contains(&file.path().display().to_string()),
            "{error}"
        );
    }
}

#[test]
fn role_that_is_no_file_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for role in ["", "../issuer", "Issuer", "a b", &"a".repeat(33)] {
        let error = KeyStore::open(directory.path())
            .signing_key(SEED, role)
            .unwrap_err();
        assert!(
            matches!(&error, KeyStoreError::Role(named) if named == role),
            "{error}"
        );
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn directory_that_cannot_be_made_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = KeyStore::open(&file)
        .signing_key(SEED, "issuer")
        .unwrap_err();
    assert!(
        matches!(
            error,
            KeyStoreError::Read { .. } | KeyStoreError::Write { .. }
        ),
        "{error}"
    );
    assert!(
        error.to_string().contains(&file.display().to_string()),
        "{error}"
    );
}

#[test]
fn debug_shows_no_key_material() {
    let shown = format!("{:?}", keys());
    let modulus = keys().signing.public_jwk()["n"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(shown.contains(keys().signing.kid()));
    assert!(
        !shown.contains(&modulus[..20]) && shown.len() < 450,
        "{shown}"
    );
}
