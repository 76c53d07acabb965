//! The zip that Lambda's `provided.al2023` takes: one executable called `bootstrap`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

/// The newest glibc symbol version that Amazon Linux 2023 has.
const AL2023_GLIBC: (u32, u32) = (2, 34);

/// The variable that says where the Runtime API is; who does not read it gets no event ("Custom runtimes", Lambda
/// developer guide).
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// A bundle that would not run, or cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The executable is missing.
    #[error(
        "cannot read the executable {}; build it with `cargo build --release -p authorizer`, or name it with \
         --binary", path.display()
    )]
    Binary {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The executable is no 64-bit ELF for a processor that Lambda has.
    #[error("{} is not a 64-bit Linux executable for x86-64 or arm64", .0.display())]
    NotElf(PathBuf),
    /// The executable cannot be a custom runtime.
    #[error(
        "{} never names {RUNTIME_API}, so it is no Lambda runtime: build one with `cargo build --release -p authorizer`, or \
         pack it with --force", .0.display()
    )]
    NotRuntime(PathBuf),
    /// The executable asks for a newer C library than the runtime has.
    #[error(
        "{} needs glibc {}.{}, and provided.al2023 has {}.{}: build it on Amazon Linux 2023 (or an older system), or for a \
         musl target", path.display(), needs.0, needs.1, AL2023_GLIBC.0, AL2023_GLIBC.1
    )]
    TooNew {
        /// The path.
        path: PathBuf,
        /// The version that it asks for.
        needs: (u32, u32),
    },
    /// The zip cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

/// What was packed.
#[derive(Debug)]
pub struct Bundle {
    /// `x86_64` or `arm64`, as Lambda names architectures.
    pub architecture: &'static str,
    /// Size of the executable in bytes.
    pub binary_bytes: u64,
    /// Size of the zip in bytes.
    pub zip_bytes: u64,
    /// The newest glibc version that the executable asks for; none for a static one.
    pub glibc: Option<(u32, u32)>,
}

/// Packs an executable, after looking whether the runtime could start it. `force` packs what it
/// could start and not use, and what needs a newer glibc.
pub fn write(binary: &Path, zip: &Path, force: bool) -> Result<Bundle, BundleError> {
    let bytes = std::fs::read(binary).map_err(|source| BundleError::Binary {
        path: binary.to_owned(),
        source,
    })?;
    let architecture =
        architecture(&bytes).ok_or_else(|| BundleError::NotElf(binary.to_owned()))?;
    if !force && !positions(&bytes, RUNTIME_API.as_bytes()).any(|_| true) {
        return Err(BundleError::NotRuntime(binary.to_owned()));
    }
    let glibc = newest_glibc(&bytes);
    if let Some(needs) = glibc.filter(|needs| *needs > AL2023_GLIBC && !force) {
        return Err(BundleError::TooNew {
            path: binary.to_owned(),
            needs,
        });
    }
    pack(&bytes, zip).map_err(|source| BundleError::Write {
        path: zip.to_owned(),
        source,
    })?;
    let zip_bytes = std::fs::metadata(zip).map_or(0, |metadata| metadata.len());
    Ok(Bundle {
        architecture,
        binary_bytes: bytes.len() as u64,
        zip_bytes,
        glibc,
    })
}

fn pack(bytes: &[u8], path: &Path) -> io::Result<()> {
    let mut archive = zip::ZipWriter::new(File::create(path)?);
    // Without the executable bit Lambda answers `Runtime.InvalidEntrypoint`. The fixed date makes the same executable
    // give the same zip, so that a deployment sees whether anything changed.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o755)
        .last_modified_time(zip::DateTime::default());
    archive.start_file("bootstrap", options)?;
    archive.write_all(bytes)?;
    archive.finish()?.sync_all()
}

/// The architecture of a 64-bit little-endian ELF file (`e_machine`, ELF-64 object file format).
fn architecture(bytes: &[u8]) -> Option<&'static str> {
    const ELF64_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";
    if !bytes.starts_with(ELF64_LITTLE_ENDIAN) {
        return None;
    }
    match bytes.get(18..20)? {
        [0x3e, 0] => Some("x86_64"),
        [0xb7, 0] => Some("arm64"),
        _ => None,
    }
}

/// The newest `GLIBC_x.y` among the strings of an executable: what the dynamic loader will ask for.
fn newest_glibc(bytes: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let versions = positions(bytes, MARK).filter_map(|at| {
        let rest = &bytes[at + MARK.len()..];
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (major, minor) = std::str::from_utf8(&rest[..end.min(16)])
            .ok()?
            .split_once('.')?;
        let minor = minor.split('.').next()?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    });
    versions.max()
}

/// Where a mark stands in a file.
fn positions<'a>(bytes: &'a [u8], mark: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes
        .windows(mark.len())
        .enumerate()
        .filter(move |(_, window)| *window == mark)
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
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
        let bundle = write(&binary, &zip, false).expect("a good executable");
        assert_eq!(
            (bundle.architecture, bundle.glibc),
            ("x86_64", Some((2, 34)))
        );
        let mut archive =
            zip::ZipArchive::new(File::open(&zip).expect("the zip")).expect("an archive");
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_name("bootstrap").expect("its one file");
        assert_eq!(file.unix_mode().map(|mode| mode & 0o777), Some(0o755));
        let mut unpacked = Vec::new();
        io::Read::read_to_end(&mut file, &mut unpacked).expect("unpacked");
        assert_eq!(unpacked, content);
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
            let error = write(&binary, &zip, false).expect_err(name).to_string();
            assert!(error.contains(message) && error.contains(name), "{error}");
        }
        for name in ["new", "tool"] {
            write(&folder.path().join(name), &zip, true).expect("--force packs it");
        }
        let missing = write(&folder.path().join("none"), &zip, false)
            .expect_err("no file")
            .to_string();
        assert!(
            missing.contains("cargo build --release -p authorizer"),
            "{missing}"
        );
    }
}
