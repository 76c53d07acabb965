//! The zip that Lambda's `provided.al2023` takes: an executable called `bootstrap`, and its settings where they are a file.

mod build;
mod executable;
mod settings_files;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use authorizer::{SettingsError, SetupError};
use chrono::{DateTime, Datelike as _, Timelike as _};
use zip::CompressionMethod;
use zip::write::{FullFileOptions, SimpleFileOptions};

pub use build::{BuildError, build};
pub use executable::Architecture;
use executable::{architecture, newest_glibc, positions};
pub use settings_files::{SETTINGS_FILE, SettingsFiles};

/// The executable's name in the zip ("Custom runtimes", Lambda developer guide).
const BOOTSTRAP: &str = "bootstrap";

/// Where Lambda unpacks the zip, `LAMBDA_TASK_ROOT` ("Defined runtime environment variables", Lambda developer guide).
pub const TASK_ROOT: &str = "/var/task";

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
    /// The settings name a key set that the function would not find.
    #[error(
        "{}:{line}: jwks_file {} would not be found in the deployment: put it beside the settings file, or in a folder \
         there, give its relative path, and call it neither {BOOTSTRAP} nor .env nor {SETTINGS_FILE}",
        path.display(), key_file.display()
    )]
    KeyFileName {
        /// The settings file.
        path: PathBuf,
        /// The line of the name, from 1.
        line: usize,
        /// The name as it is there.
        key_file: PathBuf,
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
    /// The function would not start with these settings. The text names file, line and key.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A key set that the settings name has no keys that can be used.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The executable is for another processor than the one that was asked for.
    #[error("{} is for {found}, and {wanted} was asked for", path.display())]
    OtherArchitecture {
        /// The path.
        path: PathBuf,
        /// The processor that it is for.
        found: Architecture,
        /// The processor that it was to be for.
        wanted: Architecture,
    },
    /// The executable asks for a newer C library than the runtime has.
    #[error(
        "{} needs glibc {}.{}, and provided.al2023 has {}.{}, so it would not start: install cargo-zigbuild (`pip install \
         cargo-zigbuild ziglang`) and give --arch, or build it on Amazon Linux 2023 or an older system",
        path.display(), needs.0, needs.1, AL2023_GLIBC.0, AL2023_GLIBC.1
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
    /// The processor that the executable is for.
    pub architecture: Architecture,
    /// Size of the executable in bytes.
    pub binary_bytes: u64,
    /// Size of the zip in bytes.
    pub zip_bytes: u64,
    /// The newest glibc version that the executable asks for; none for a static one.
    pub glibc: Option<(u32, u32)>,
}

/// Packs an executable and, where there are some, its settings, after looking whether the runtime could start it. `force`
/// packs what it could start and not use, and what needs a newer glibc; never what is for another processor than `wanted`.
pub fn write(
    binary: &Path,
    wanted: Option<Architecture>,
    settings: Option<&SettingsFiles>,
    zip: &Path,
    force: bool,
) -> Result<Bundle, BundleError> {
    let bytes = std::fs::read(binary).map_err(|source| BundleError::Binary {
        path: binary.to_owned(),
        source,
    })?;
    let architecture =
        architecture(&bytes).ok_or_else(|| BundleError::NotElf(binary.to_owned()))?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != architecture) {
        return Err(BundleError::OtherArchitecture {
            path: binary.to_owned(),
            found: architecture,
            wanted,
        });
    }
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
    replace(zip, |file| pack(&bytes, settings, file)).map_err(|source| BundleError::Write {
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

/// Writes a file beside the one of this path and puts it in its place when it is complete, so that a failure leaves the one
/// that was there.
fn replace(path: &Path, write: impl FnOnce(File) -> io::Result<()>) -> io::Result<()> {
    let mut part = path.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let written = File::create(&part)
        .and_then(write)
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // It may not be there, and what went wrong before says more.
        let _ = fs::remove_file(&part);
    }
    written
}

fn pack(binary: &[u8], settings: Option<&SettingsFiles>, file: File) -> io::Result<()> {
    let mut archive = zip::ZipWriter::new(file);
    // The fixed date makes the same content give the same zip, so that a deployment sees whether anything changed. Key sets
    // keep their own: with the fixed one, the function would take each for too old and fetch the keys at once.
    let file = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .unix_permissions(0o644)
        .last_modified_time(zip::DateTime::default());
    // Without the executable bit Lambda answers `Runtime.InvalidEntrypoint`.
    archive.start_file(BOOTSTRAP, file.unix_permissions(0o755))?;
    archive.write_all(binary)?;
    for entry in settings.into_iter().flat_map(SettingsFiles::iter) {
        match entry.modified {
            Some(modified) => archive.start_file(&*entry.name, dated(file, modified)?)?,
            None => archive.start_file(&*entry.name, file)?,
        }
        archive.write_all(&entry.content)?;
    }
    archive.finish()?.sync_all()
}

/// The options of an entry with a date, in seconds since 1970: as an extended timestamp, which has no zone, and as MS-DOS
/// time in UTC, Lambda's zone, for what reads that alone (APPNOTE.TXT 4.4.6; Info-ZIP, extra field 0x5455).
fn dated(
    options: SimpleFileOptions,
    modified: u32,
) -> io::Result<FullFileOptions<'static, 'static>> {
    // MS-DOS knows nothing before 1980, which then stays as the date.
    let options = options.last_modified_time(dos_time(modified).unwrap_or_default());
    Ok(options.with_extended_timestamp(Some(modified), None, None)?)
}

fn dos_time(modified: u32) -> Option<zip::DateTime> {
    let utc = DateTime::from_timestamp(modified.into(), 0)?;
    let year = u16::try_from(utc.year()).ok()?;
    let [month, day] = [utc.month(), utc.day()];
    let [hour, minute, second] = [utc.hour(), utc.minute(), utc.second()];
    // Each is below 60.
    let [month, day, hour, minute, second] =
        [month, day, hour, minute, second].map(|part| u8::try_from(part).unwrap_or_default());
    zip::DateTime::from_date_and_time(year, month, day, hour, minute, second).ok()
}
