use std::time::{Duration, UNIX_EPOCH};

use super::*;

fn elf(machine: u8, tail: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(18, 0);
    bytes.extend([machine, 0]);
    bytes.extend(tail);
    bytes
}

#[test]
fn a_bundle_holds_one_executable_called_bootstrap() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (binary, zip) = (folder.path().join("b"), folder.path().join("b.zip"));
    let content = elf(
        0x3e,
        b"\0GLIBC_2.17\0GLIBC_2.34\0GLIBC_2.4\0AWS_LAMBDA_RUNTIME_API\0",
    );
    std::fs::write(&binary, &content).expect("written");
    let bundle = write(&binary, None, None, &zip, false).expect("a good executable");
    assert_eq!(
        (bundle.architecture, bundle.glibc),
        (Architecture::X86_64, Some((2, 34)))
    );
    let mut archive = zip::ZipArchive::new(File::open(&zip).expect("the zip")).expect("an archive");
    assert_eq!(archive.len(), 1);
    let mut file = archive.by_name("bootstrap").expect("its one file");
    assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
    let mut unpacked = Vec::new();
    io::Read::read_to_end(&mut file, &mut unpacked).expect("unpacked");
    assert_eq!(unpacked, content);
}

#[test]
fn a_failed_write_leaves_the_zip_that_was_there() {
    let folder = folder("");
    let zip = folder.path().join("b.zip");
    std::fs::write(&zip, "good").expect("written");
    let failure = replace(&zip, |mut file| {
        file.write_all(b"half")?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    });
    assert_eq!(failure.unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(std::fs::read(&zip).expect("still there"), b"good");
    write(&folder.path().join("b"), None, None, &zip, false).expect("packed");
    assert!(zip::ZipArchive::new(File::open(&zip).expect("the zip")).is_ok());
    // The zip's name is a folder's, which no file can take the place of.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).expect("made");
    write(&folder.path().join("b"), None, None, &taken, false).expect_err("a folder");
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["b", "b.zip", "prod.toml", "taken"],
        "nothing half-written stays"
    );
}

#[test]
fn an_executable_for_another_processor_is_never_packed() {
    let folder = folder("");
    let (binary, zip) = (folder.path().join("b"), folder.path().join("b.zip"));
    for force in [false, true] {
        let error = write(&binary, Some(Architecture::Arm64), None, &zip, force)
            .expect_err("it is for x86-64")
            .to_string();
        assert!(
            error.contains("x86_64") && error.contains("arm64"),
            "{error}"
        );
        assert!(!zip.exists());
    }
    write(&binary, Some(Architecture::X86_64), None, &zip, false).expect("it is for this one");
}

#[test]
fn what_lambda_could_not_start_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let zip = folder.path().join("b.zip");
    let table = [
        (
            "script",
            b"#!/bin/sh\n".to_vec(),
            "not a 64-bit Linux executable",
        ),
        ("riscv", elf(0xf3, b""), "not a 64-bit Linux executable"),
        (
            "new",
            elf(0xb7, b"\0GLIBC_2.38\0AWS_LAMBDA_RUNTIME_API\0"),
            "needs glibc 2.38",
        ),
        ("tool", elf(0x3e, b"\0GLIBC_2.17\0"), "no Lambda runtime"),
    ];
    for (name, content, message) in table {
        let binary = folder.path().join(name);
        std::fs::write(&binary, content).expect("written");
        let error = write(&binary, None, None, &zip, false)
            .expect_err(name)
            .to_string();
        assert!(error.contains(message) && error.contains(name), "{error}");
    }
    for name in ["new", "tool"] {
        write(&folder.path().join(name), None, None, &zip, true).expect("--force packs it");
    }
    let missing = write(&folder.path().join("none"), None, None, &zip, false)
        .expect_err("no file")
        .to_string();
    assert!(
        missing.contains("cargo build --release -p authorizer"),
        "{missing}"
    );
}

const RUNTIME: &[u8] = b"\0AWS_LAMBDA_RUNTIME_API\0";

const ISSUER: &str = "[[issuer]]\nissuer = \"https://issuer.example/\"\naudiences = [\"api\"]\n";

/// A folder with an executable and a settings file.
fn folder(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("b"), elf(0x3e, RUNTIME)).expect("written");
    std::fs::write(folder.path().join("prod.toml"), settings).expect("written");
    folder
}

/// A key of RFC 7515, appendix A.2.
const KEYS: &str = r#"{"keys":[{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;

#[test]
fn settings_and_their_key_sets_go_along_and_work_where_they_are_unpacked() {
    let text = format!("{ISSUER}jwks_file = \"./keys/issuer.json\"\n");
    let folder = folder(&text);
    std::fs::create_dir(folder.path().join("keys")).expect("made");
    std::fs::write(folder.path().join("keys/issuer.json"), KEYS).expect("written");
    let settings = SettingsFiles::read(&folder.path().join("prod.toml")).expect("good settings");
    let zip = folder.path().join("b.zip");
    let mut bundles = Vec::new();
    for _ in 0..2 {
        write(&folder.path().join("b"), None, Some(&settings), &zip, false).expect("packed");
        bundles.push(std::fs::read(&zip).expect("the zip"));
    }
    assert_eq!(
        bundles[0], bundles[1],
        "the same input gives the same bytes"
    );
    let unpacked = tempfile::tempdir().expect("a temporary folder");
    let mut archive = zip::ZipArchive::new(File::open(&zip).expect("the zip")).expect("an archive");
    let names: Vec<_> = archive
        .file_names()
        .map(|name| name.expect("a name").into_owned())
        .collect();
    assert_eq!(
        names,
        ["bootstrap", ".env", "authorizer.toml", "keys/issuer.json"]
    );
    archive.extract(unpacked.path()).expect("unpacked");
    let dotenv = std::fs::read_to_string(unpacked.path().join(".env")).expect("there");
    // The function reads it in its working directory, where this test is not.
    let (name, file) = dotenv.trim().split_once('=').expect("NAME=value");
    assert_eq!(name, "AUTHORIZER_CONFIG");
    let there = authorizer::Settings::from_toml(unpacked.path().join(file)).expect("settings");
    assert!(there.to_string().contains("keys/issuer.json"), "{there}");
    assert!(authorizer::Authorizer::new(there).is_ok());
}

#[test]
fn a_key_set_keeps_the_date_of_its_file_and_nothing_else_has_one() {
    let text = format!(
        "{ISSUER}jwks_uri = \"https://issuer.example/jwks.json\"\njwks_file = \"keys.json\"\n"
    );
    let folder = folder(&text);
    let (keys, zip) = (folder.path().join("keys.json"), folder.path().join("b.zip"));
    std::fs::write(&keys, KEYS).expect("written");
    let bundle_of = |seconds| {
        let file = File::options().write(true).open(&keys).expect("there");
        file.set_modified(UNIX_EPOCH + Duration::from_secs(seconds))
            .expect("dated");
        let settings = SettingsFiles::read(&folder.path().join("prod.toml")).expect("settings");
        write(&folder.path().join("b"), None, Some(&settings), &zip, false).expect("packed");
        let bytes = std::fs::read(&zip).expect("the zip");
        let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes.clone())).expect("an archive");
        for name in ["bootstrap", ".env", "authorizer.toml"] {
            let entry = archive.by_name(name).expect(name);
            assert_eq!(entry.last_modified(), Some(zip::DateTime::default()));
            assert_eq!(entry.extra_data_fields().count(), 0);
        }
        let entry = archive.by_name("keys.json").expect("the key set");
        let extended = entry.extra_data_fields().find_map(|field| match field {
            zip::ExtraField::ExtendedTimestamp(times) => times.mod_time(),
            _ => None,
        });
        let dos = entry.last_modified().expect("a date").to_string();
        (bytes, extended, dos)
    };
    // 2026-06-03T12:30:45Z: MS-DOS time has even seconds.
    let first = bundle_of(1_780_489_845);
    assert_eq!(first.1, Some(1_780_489_845));
    assert_eq!(first.2, "2026-06-03 12:30:44");
    assert_eq!(
        first,
        bundle_of(1_780_489_845),
        "the same input, the same bytes"
    );
    assert_ne!(first.0, bundle_of(1_780_489_846).0);
    let before_dos = bundle_of(1_000);
    assert_eq!(before_dos.1, Some(1_000));
    assert_eq!(before_dos.2, "1980-01-01 00:00:00");
}

#[test]
fn settings_that_would_not_start_are_refused_by_file_line_and_key() {
    let uri = "jwks_uri = \"https://issuer.example/jwks.json\"\n";
    let table = [
        (format!("leeway = 1\n{ISSUER}{uri}"), "line 1", "leeway"),
        (
            format!("{ISSUER}{uri}leeway_s = 301\n"),
            "line 5",
            "leeway_s",
        ),
        (
            format!("{ISSUER}{uri}leeway_s = 3x\n"),
            "line 5",
            "leeway_s",
        ),
        (ISSUER.to_owned(), "prod.toml", "jwks_uri"),
        (
            format!("{ISSUER}jwks_file = \"none.json\"\n"),
            "none.json",
            "cannot read",
        ),
        (format!("{ISSUER}jwks_file = \"b\"\n"), "/b", "key file"),
        (
            format!("{ISSUER}jwks_file = \"../up.json\"\n"),
            "prod.toml:4",
            "jwks_file ../up.json",
        ),
        (
            format!("{ISSUER}jwks_file = \"bootstrap\"\n"),
            "prod.toml:4",
            "jwks_file bootstrap",
        ),
    ];
    for (settings, place, key) in table {
        let outer = folder("");
        let inner = outer.path().join("settings");
        std::fs::create_dir(&inner).expect("made");
        for (file, content) in [
            ("up.json", KEYS),
            ("settings/bootstrap", KEYS),
            ("settings/b", "x"),
            ("settings/prod.toml", &settings),
        ] {
            std::fs::write(outer.path().join(file), content).expect("written");
        }
        let error = SettingsFiles::read(&inner.join("prod.toml")).expect_err(&settings);
        let error = format!("{:#}", anyhow::Error::from(error));
        assert!(
            error.contains(place) && error.contains(key),
            "{settings}: {error}"
        );
    }
}
