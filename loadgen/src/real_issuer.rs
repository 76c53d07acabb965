//! A real issuer: one of its tokens, its key set where it is at hand, and never its key.
//!
//! What a stranger could send to a deployed authorizer can be asked with that much. What only the issuer can make (another
//! `exp`, another audience) is skipped, and needs the issuer stand-in.

use std::io;
use std::path::{Path, PathBuf};

use mock_idp::{GenuineToken, GenuineTokenError};
use serde_json::Value;

/// A run of all cases takes most of a minute; with a token that ends within, the last ones would be refused for that.
const LIFETIME_LEFT_S: i64 = 90;

/// A token above API Gateway's header limit of 10,240 bytes reaches no authorizer, and a key set of this size has hundreds of
/// keys.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A real issuer.
#[derive(Debug, Clone)]
pub struct RealIssuer {
    /// One of its tokens.
    pub token: GenuineToken,
    /// Where it publishes its keys: what the target is told where the bench starts it.
    pub jwks_uri: String,
}

/// Files that make no real issuer.
#[derive(Debug, thiserror::Error)]
pub enum RealIssuerError {
    /// The token ends too soon.
    #[error(
        "--token-file {}: the token ends in {left} s, and the cases take up to {LIFETIME_LEFT_S} s: get a fresh one", .file.display()
    )]
    EndsSoon {
        /// The file.
        file: PathBuf,
        /// Seconds that are left.
        left: i64,
    },
    /// The token has ended.
    #[error("--token-file {}: the token ended {ago} s ago: get a fresh one", .file.display())]
    Ended {
        /// The file.
        file: PathBuf,
        /// Seconds since then.
        ago: i64,
    },
    /// A key set that is no JSON.
    #[error("--jwks-file {}: {reason}", .file.display())]
    Json {
        /// The file.
        file: PathBuf,
        /// The parser's message, with line and column.
        reason: serde_json::Error,
    },
    /// A key set that is not this token's.
    #[error("--jwks-file {}: {reason}", .file.display())]
    KeySet {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: GenuineTokenError,
    },
    /// A file that cannot be read.
    #[error("{flag} {}: {reason}", .file.display())]
    Read {
        /// `--token-file` or `--jwks-file`.
        flag: &'static str,
        /// The file.
        file: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// A file that holds no token.
    #[error("--token-file {}: {reason}", .file.display())]
    Token {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: GenuineTokenError,
    },
}

impl RealIssuer {
    /// Reads the files at `now`, in seconds since the epoch. Without `jwks_uri` it is where Auth0, Cognito and most others
    /// have it: `.well-known/jwks.json` below the issuer.
    pub fn read(
        token_file: &Path,
        jwks_file: Option<&Path>,
        jwks_uri: Option<&str>,
        now: i64,
    ) -> Result<Self, RealIssuerError> {
        let text = read("--token-file", token_file)?;
        // As `curl -i` and people write it.
        let text = text.trim();
        let text = text.strip_prefix("Bearer ").unwrap_or(text).trim();
        let jwks = jwks_file
            .map(|file| {
                let text = read("--jwks-file", file)?;
                serde_json::from_str::<Value>(&text).map_err(|reason| RealIssuerError::Json {
                    file: file.to_owned(),
                    reason,
                })
            })
            .transpose()?;
        let token = GenuineToken::parse(text, jwks.as_ref()).map_err(|reason| {
            let of_keys = matches!(
                reason,
                GenuineTokenError::KeySet | GenuineTokenError::NoKey(_) | GenuineTokenError::Key(_)
            );
            match jwks_file {
                Some(file) if of_keys => RealIssuerError::KeySet {
                    file: file.to_owned(),
                    reason,
                },
                _ => RealIssuerError::Token {
                    file: token_file.to_owned(),
                    reason,
                },
            }
        })?;
        lasts(&token, token_file, now)?;
        let jwks_uri = jwks_uri.map_or_else(
            || {
                let issuer = token.issuer().trim_end_matches('/');
                format!("{issuer}/.well-known/jwks.json")
            },
            str::to_owned,
        );
        Ok(Self { token, jwks_uri })
    }
}

fn lasts(token: &GenuineToken, file: &Path, now: i64) -> Result<(), RealIssuerError> {
    let file = || file.to_owned();
    match token.expires().map(|exp| exp.saturating_sub(now)) {
        Some(left) if left <= 0 => Err(RealIssuerError::Ended {
            file: file(),
            ago: left.saturating_neg(),
        }),
        Some(left) if left < LIFETIME_LEFT_S => {
            Err(RealIssuerError::EndsSoon { file: file(), left })
        }
        _ => Ok(()),
    }
}

fn read(flag: &'static str, file: &Path) -> Result<String, RealIssuerError> {
    use io::Read as _;
    let refused = |reason| RealIssuerError::Read {
        flag,
        file: file.to_owned(),
        reason,
    };
    let opened = std::fs::File::open(file).map_err(refused)?;
    let mut text = String::new();
    let read = opened.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    if read.map_err(refused)? as u64 > FILE_BYTES_MAX {
        let message = format!("longer than the {FILE_BYTES_MAX} bytes that are read");
        return Err(refused(io::Error::other(message)));
    }
    Ok(text)
}
