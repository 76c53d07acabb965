//! Files of tokens: what was minted once is read back instead of minted again.
//!
//! The first line says what the tokens are, as JSON; each further line is one token. The same settings give the same bytes. A
//! file is read in one piece, and its tokens are slices of that ([ADR 9](../../../docs/adr/0009-token-pools-are-read-whole.md)).

use std::fmt;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use mock_idp::Minter;
use serde::{Deserialize, Serialize};

use crate::clock::unix_now;
use crate::scenario::LoadPhase;

/// The version of the first line.
const VERSION: u32 = 1;

/// A larger file is no pool: a million tokens of 2 KB.
const BYTES_MAX: u64 = 2 << 30;

/// What may pass between the reading of a file and the start of the clock.
const BEFORE_CLOCK: Duration = Duration::from_secs(10);

/// What the tokens of a file are: its first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolHeader {
    /// The version of this line; it comes first, and says what the file is.
    pub authbench_token_pool: u32,
    /// The exact text of the `iss` claim.
    pub issuer: String,
    /// The issuer's key, by its id. A case may be signed by another one, and names that itself.
    pub kid: String,
    /// The audience of good tokens.
    pub audience: String,
    /// The scopes of good tokens, with blanks between them.
    pub scope: String,
    /// The case that the tokens are of.
    pub case: String,
    /// The seed of keys and token ids.
    pub seed: u64,
    /// When they were issued, seconds since the epoch.
    pub issued_at: i64,
    /// When they end, seconds since the epoch; absent where they do not say.
    pub expires_at: Option<i64>,
    /// How many there are.
    pub count: u64,
}

/// What a run needs of a file.
#[derive(Debug, Clone, Copy)]
pub struct Needed<'a> {
    /// The issuer of the run; `None` where anybody's will do.
    pub issuer: Option<IssuerFacts<'a>>,
    /// The case that is to be sent.
    pub case: Option<&'a str>,
    /// How many tokens.
    pub tokens: u64,
    /// When they are sent, seconds since the epoch, and until how long after that.
    pub now: i64,
    /// The same.
    pub length: Duration,
}

/// Whom a run's tokens are from, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct IssuerFacts<'a> {
    /// The exact text of the `iss` claim.
    pub issuer: &'a str,
    /// The signing key's id.
    pub kid: &'a str,
    /// The audience.
    pub audience: &'a str,
    /// The scopes, with blanks between them.
    pub scope: &'a str,
}

/// A file that is no pool, or not the one that is needed.
#[derive(Debug, thiserror::Error)]
#[error("{}{line}: {reason}", path.display())]
pub struct PoolFileError {
    path: PathBuf,
    /// `:1` for its first line; empty for the whole of it.
    line: String,
    reason: String,
}

/// A pool that was read.
pub struct PoolFile {
    path: PathBuf,
    /// Absent of a file with nothing but tokens.
    header: Option<PoolHeader>,
    tokens: Vec<Bytes>,
}

/// Without the tokens.
impl fmt::Debug for PoolFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolFile")
            .field("path", &self.path)
            .field("header", &self.header)
            .field("tokens", &self.tokens.len())
            .finish()
    }
}

impl PoolHeader {
    /// The first line of tokens that are about to be written.
    pub fn version() -> u32 {
        VERSION
    }
}

/// Writes a pool beside its place and moves it there, so that a reader sees all of it or nothing.
pub fn write_pool(
    path: &Path,
    header: &PoolHeader,
    tokens: &[String],
) -> Result<(), PoolFileError> {
    let failed = |error: io::Error| PoolFileError {
        path: path.to_owned(),
        line: String::new(),
        reason: format!("cannot be written: {error}"),
    };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let write = || {
        let mut file = BufWriter::new(std::fs::File::create(&part)?);
        serde_json::to_writer(&mut file, header)?;
        for token in tokens {
            file.write_all(b"\n")?;
            file.write_all(token.as_bytes())?;
        }
        file.write_all(b"\n")?;
        file.into_inner()?.sync_all()?;
        std::fs::rename(&part, path)
    };
    let written = write();
    if written.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&part);
    }
    written.map_err(failed)
}

impl PoolFile {
    /// Reads a file of tokens, with a first line that says what they are or without.
    pub fn read(path: &Path) -> Result<Self, PoolFileError> {
        let refuse = |line: &str, reason: String| PoolFileError {
            path: path.to_owned(),
            line: line.to_owned(),
            reason,
        };
        let unreadable = |error: io::Error| refuse("", error.to_string());
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > BYTES_MAX {
            return Err(refuse(
                "",
                format!("{size} bytes are more than the {BYTES_MAX} that are read of a pool"),
            ));
        }
        let whole = Bytes::from(std::fs::read(path).map_err(unreadable)?);
        let mut lines = whole
            .split(|byte| *byte == b'\n')
            .map(|line| whole.slice_ref(line.trim_ascii()))
            .filter(|line| !line.is_empty())
            .peekable();
        let header = match lines.next_if(|line| line.starts_with(b"{")) {
            None => None,
            Some(line) => Some(header(&line).map_err(|reason| refuse(":1", reason))?),
        };
        let tokens: Vec<Bytes> = lines.collect();
        if tokens.is_empty() {
            return Err(refuse("", "no line holds a token".to_owned()));
        }
        if let Some(place) = tokens.iter().position(|token| !token.is_ascii()) {
            let line = place + 1 + usize::from(header.is_some());
            return Err(refuse(
                &format!(":{line}"),
                "a token is ASCII text".to_owned(),
            ));
        }
        if let Some(header) = &header
            && header.count != tokens.len() as u64
        {
            let reason = format!(
                "count is {}, and {} tokens follow: the file is cut off, or was changed; mint it again",
                header.count,
                tokens.len()
            );
            return Err(refuse(":1", reason));
        }
        Ok(Self {
            path: path.to_owned(),
            header,
            tokens,
        })
    }

    /// The tokens in their order.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = &str> {
        self.tokens
            .iter()
            .map(|token| std::str::from_utf8(token).expect("ASCII, which reading has held it to"))
    }

    /// What the first line says of the tokens.
    pub fn header(&self) -> Option<&PoolHeader> {
        self.header.as_ref()
    }

    /// Whether the file is the one that a run needs; of a file that says nothing of its tokens only their number is known.
    pub fn fits(&self, needed: Needed<'_>) -> Result<(), PoolFileError> {
        match self.misfit(needed) {
            None => Ok(()),
            Some(reason) => Err(PoolFileError {
                path: self.path.clone(),
                line: ":1".to_owned(),
                reason,
            }),
        }
    }

    /// Whether it has as many tokens as a phase needs, of its issuer, and good until its end.
    pub fn fits_phase(
        &self,
        phase: &LoadPhase,
        minter: &Minter,
        tokens: u64,
    ) -> Result<(), PoolFileError> {
        self.fits(Needed {
            issuer: Some(IssuerFacts {
                issuer: minter.issuer(),
                kid: minter.keys().signing.kid(),
                audience: &minter.defaults().audience,
                scope: &minter.defaults().scope.join(" "),
            }),
            case: Some(phase.pool_case()),
            tokens,
            now: unix_now(),
            length: phase.length().unwrap_or_default() + BEFORE_CLOCK,
        })
    }

    fn misfit(&self, needed: Needed<'_>) -> Option<String> {
        let count = self.tokens.len() as u64;
        if count < needed.tokens {
            return Some(format!(
                "count: the phase needs {} tokens, each used once, and there are {count}: mint more, \
                 `authbench mint --pool FILE --count {}`",
                needed.tokens, needed.tokens
            ));
        }
        let Some(header) = &self.header else {
            return needed.issuer.map(|_| {
                "the first line does not say what the tokens are; `authbench mint --pool FILE` writes one that does"
                    .to_owned()
            });
        };
        let facts = needed.issuer.map(|facts| {
            [
                ("issuer", header.issuer.as_str(), facts.issuer),
                ("kid", &header.kid, facts.kid),
                ("audience", &header.audience, facts.audience),
                ("scope", &header.scope, facts.scope),
            ]
        });
        let case = needed.case.map(|case| ("case", header.case.as_str(), case));
        let other = facts
            .into_iter()
            .flatten()
            .chain(case)
            .find(|(_, is, wanted)| is != wanted);
        if let Some((name, is, wanted)) = other {
            return Some(format!(
                "{name} is {is:?}, and here it is {wanted:?}: mint the pool with the settings of the run, or run with those of \
                 the pool"
            ));
        }
        // Tokens of a case about expired ones have never been good.
        let expires = header
            .expires_at
            .filter(|expires| *expires > header.issued_at)?;
        let left = expires.saturating_sub(needed.now);
        let length = i64::try_from(needed.length.as_secs()).unwrap_or(i64::MAX);
        if left <= 0 {
            return Some(format!(
                "expires_at: the tokens ended {} s ago; mint them again",
                left.saturating_neg()
            ));
        }
        (left <= length).then(|| {
            format!(
                "expires_at: the tokens end in {left} s, and are sent for {length} s: mint them with --expires-in {}",
                length.saturating_add(60)
            )
        })
    }
}

fn header(line: &[u8]) -> Result<PoolHeader, String> {
    let header: PoolHeader = serde_json::from_slice(line).map_err(|error| {
        format!(
            "not the first line of a token pool: {error}; `authbench mint --pool FILE` writes one"
        )
    })?;
    if header.authbench_token_pool != VERSION {
        return Err(format!(
            "authbench_token_pool is {}, and this program reads {VERSION}: mint the pool again",
            header.authbench_token_pool
        ));
    }
    Ok(header)
}

#[cfg(test)]
mod tests;
