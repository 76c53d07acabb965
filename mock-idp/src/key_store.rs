//! Deterministic RSA keys by seed and role, made once and kept on disk.
//!
//! Owns key generation and the cache files. It does not decide which roles exist, and nothing here is secret: whoever
//! knows the seed has the key.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePrivateKey as _;

use crate::server::tls_key_server::authority_pem;
use crate::signing_key::{KeyOrigin, SigningKey};

/// RFC 7518 §3.3: RS256 keys have 2048 bits or more; 2048 is what the issuers of the profiles use.
const MODULUS_BITS: usize = 2048;

/// A PKCS#8 file of a 2048-bit key has about 1,220 bytes; what is far larger is no such file.
const KEY_FILE_BYTES_MAX: u64 = 8 * 1024;

/// Separates this derivation from any other use of the same seed. A change of this text changes every key.
const KEY_DOMAIN: &[u8] = b"authbench mock-idp rsa-2048 signing key\0";

/// A role is part of a file name; 32 characters name any role.
const ROLE_LENGTH_MAX: usize = 32;

/// Where the keys of a seed are kept between runs.
#[derive(Clone, Debug)]
pub struct KeyStore {
    directory: PathBuf,
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyStoreError {
    /// The cache file is there, but holds no 2048-bit RSA key in PKCS#8.
    #[error(
        "key file {} is damaged ({reason}): delete it, and the same key is made again from its seed", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key could not be generated or encoded.
    #[error("key of role `{role}` could not be generated: {reason}")]
    Generate {
        /// The role asked for.
        role: String,
        /// What the generator said.
        reason: String,
    },
    /// The cache file is there and cannot be read.
    #[error("key file {} cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The role does not fit in a file name.
    #[error(
        "key role `{0}` must be 1 to 32 lower-case letters, digits and hyphens, because it names the key file"
    )]
    Role(String),
    /// The key was made but could not be kept.
    #[error("key file {} cannot be written: choose another key directory or make this one writable", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
}

impl KeyStore {
    /// A store in `directory`, which is made when the first key is written.
    pub fn open(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
        }
    }

    /// The RSA-2048 key of this seed and role (`issuer`, `attacker`, …): the same on every machine and in every run.
    ///
    /// Read from its file where there is one, else generated (0.1 to 0.5 s) and written there with mode 0600, whole or
    /// not at all. [`SigningKey::origin`] tells which.
    pub fn signing_key(&self, seed: u64, role: &str) -> Result<SigningKey, KeyStoreError> {
        check_role(role)?;
        let path = self
            .directory
            .join(format!("rsa2048-{seed:016x}-{role}.der"));
        if let Some(pkcs8) = read_if_present(&path)? {
            return SigningKey::from_pkcs8(pkcs8, KeyOrigin::Cached)
                .map_err(|reason| KeyStoreError::Damaged { path, reason });
        }
        let pkcs8 = generate_pkcs8(seed, role)?;
        write_whole(&path, &pkcs8).map_err(|source| KeyStoreError::Write { path, source })?;
        SigningKey::from_pkcs8(pkcs8, KeyOrigin::Generated).map_err(|reason| {
            KeyStoreError::Generate {
                role: role.to_owned(),
                reason: reason.to_owned(),
            }
        })
    }

    /// A file with the certificate of the authority that signs for servers of keys, in PEM, beside the keys; written when it
    /// is not there. See [`TlsKeyServer`](crate::TlsKeyServer).
    pub fn authority_file(&self) -> Result<PathBuf, KeyStoreError> {
        let path = self.directory.join("authority.pem");
        let text = authority_pem();
        let is_there = fs::read(&path).is_ok_and(|bytes| bytes == text.as_bytes());
        if !is_there {
            let written = write_whole(&path, text.as_bytes());
            written.map_err(|source| KeyStoreError::Write {
                path: path.clone(),
                source,
            })?;
        }
        Ok(path)
    }
}

fn check_role(role: &str) -> Result<(), KeyStoreError> {
    let fits = (1..=ROLE_LENGTH_MAX).contains(&role.len())
        && role
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fits {
        Ok(())
    } else {
        Err(KeyStoreError::Role(role.to_owned()))
    }
}

fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>, KeyStoreError> {
    let unreadable = |source| KeyStoreError::Read {
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut bytes = Vec::new();
    file.take(KEY_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(Some(bytes))
}

fn generate_pkcs8(seed: u64, role: &str) -> Result<Vec<u8>, KeyStoreError> {
    let failed = |reason: String| KeyStoreError::Generate {
        role: role.to_owned(),
        reason,
    };
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(KEY_DOMAIN);
    context.update(&seed.to_le_bytes());
    context.update(role.as_bytes());
    let mut stream_seed = [0; 32];
    stream_seed.copy_from_slice(context.finish().as_ref());

    let mut rng = ChaCha20Rng::from_seed(stream_seed);
    let key =
        RsaPrivateKey::new(&mut rng, MODULUS_BITS).map_err(|error| failed(error.to_string()))?;
    let pkcs8 = key
        .to_pkcs8_der()
        .map_err(|error| failed(error.to_string()))?;
    Ok(pkcs8.as_bytes().to_vec())
}

/// Writes beside the target and renames, so that a reader sees the whole file or none, and two processes that make the
/// same key at once do no harm: their bytes are equal.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{serial}.tmp", std::process::id()));
    let written = write_private(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report; a file that is left behind is named by it.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
