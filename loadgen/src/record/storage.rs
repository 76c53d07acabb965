//! What cold starts read from storage: whether a disk was as warm or as cold as it was meant to be.

use serde::{Deserialize, Serialize};

/// The class of starts before which the target's files were evicted from the page cache.
pub const COLD_DISK: &str = "cold disk";

/// The class of the first start of a run, whatever the page cache held.
pub const FIRST_START: &str = "first start";

/// What a phase of cold starts read from storage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageRecord {
    /// By class of start; empty where the system does not tell.
    pub reads: Vec<StorageReads>,
    /// What was evicted from the page cache before each start with a cold disk; absent where there was none.
    pub evicted: Option<EvictedRecord>,
    /// Why there are fewer starts with a cold disk than were asked for.
    pub not_cold: Option<String>,
}

/// Bytes that the processes of a class of starts had read from storage when they had decided: page faults and the kernel's
/// reading ahead included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StorageReads {
    /// `all` (a warm disk), `cold disk` or `first start`.
    pub class: String,
    /// How many starts.
    pub starts: u64,
    /// The smallest number of bytes.
    pub min_bytes: u64,
    /// The median, the lower of the middle two.
    pub p50_bytes: u64,
    /// The largest number of bytes.
    pub max_bytes: u64,
}

/// An eviction from the page cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvictedRecord {
    /// Files.
    pub files: u64,
    /// The sum of their sizes.
    pub bytes: u64,
    /// Files of the target that stayed, because other processes had them mapped, such as the C library; the first of them.
    pub mapped_elsewhere: Vec<String>,
}

impl StorageReads {
    /// The figures of a class; `None` of no start.
    pub fn of(class: &str, mut bytes: Vec<u64>) -> Option<Self> {
        bytes.sort_unstable();
        Some(Self {
            class: class.to_owned(),
            starts: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            min_bytes: *bytes.first()?,
            p50_bytes: bytes[(bytes.len() - 1) / 2],
            max_bytes: *bytes.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_lower_one_of_the_middle() {
        let of = |bytes: &[u64]| {
            let reads = StorageReads::of("all", bytes.to_vec())?;
            Some((reads.min_bytes, reads.p50_bytes, reads.max_bytes))
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[7]), Some((7, 7, 7)));
        assert_eq!(of(&[30, 10, 40, 20]), Some((10, 20, 40)));
    }
}
