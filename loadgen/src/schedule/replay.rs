//! Arrivals as they were: a file of times.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use super::{LENGTH_MAX, LISTED_MAX, Schedule};

/// A file that is no replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No line with a time.
    #[error("{}: no line holds a time: write one a line, in seconds, such as 0.25", .file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// A time before the one above it.
    #[error("{}:{line}: {given} is before {before}, the time above: sort the file", .file.display())]
    Falls {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What stands there.
        given: f64,
        /// What stands above.
        before: f64,
    },
    /// Longer than any schedule.
    #[error(
        "{}: the times span {seconds} s, and a schedule takes at most a day: are they in seconds?", .file.display()
    )]
    Lasts {
        /// The file.
        file: PathBuf,
        /// From the first to the last.
        seconds: f64,
    },
    /// More times than are kept.
    #[error("{}: more than {LISTED_MAX} times: replay a part of it", .file.display())]
    Long {
        /// The file.
        file: PathBuf,
    },
    /// A file that cannot be read.
    #[error("{}: {reason}", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// A line that is no time.
    #[error("{}:{line}: {given:?} is no time in seconds, such as 0.25 or 1761300000.125", .file.display())]
    Time {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What stands there.
        given: String,
    },
}

/// Reads a file with a time a line, in seconds with any fraction since any moment: the first is the start. Empty lines,
/// and lines that begin with `#`, are passed over.
pub fn read_replay(file: &Path) -> Result<Schedule, ReplayError> {
    let unreadable = |reason| ReplayError::Read {
        file: file.to_owned(),
        reason,
    };
    let mut seconds: Vec<f64> = Vec::new();
    let lines = BufReader::new(File::open(file).map_err(unreadable)?).lines();
    for (number, line) in (1..).zip(lines) {
        let line = line.map_err(unreadable)?;
        let text = line.trim();
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let time = text
            .parse::<f64>()
            .ok()
            .filter(|time| time.is_finite())
            .ok_or_else(|| ReplayError::Time {
                file: file.to_owned(),
                line: number,
                given: text.to_owned(),
            })?;
        if let Some(before) = seconds.last().copied().filter(|before| time < *before) {
            return Err(ReplayError::Falls {
                file: file.to_owned(),
                line: number,
                given: time,
                before,
            });
        }
        seconds.push(time);
        if seconds.len() as u64 > LISTED_MAX {
            return Err(ReplayError::Long {
                file: file.to_owned(),
            });
        }
    }
    let start = *seconds.first().ok_or_else(|| ReplayError::Empty {
        file: file.to_owned(),
    })?;
    if let Some(last) = seconds
        .last()
        .filter(|last| *last - start > LENGTH_MAX.as_secs_f64())
    {
        return Err(ReplayError::Lasts {
            file: file.to_owned(),
            seconds: last - start,
        });
    }
    let offsets = seconds
        .iter()
        .map(|time| super::nanos(time - start))
        .collect();
    let name = file.file_name().unwrap_or(file.as_os_str());
    let told = format!("replay of {}", name.to_string_lossy());
    Ok(Schedule::of_offsets(offsets, told))
}
