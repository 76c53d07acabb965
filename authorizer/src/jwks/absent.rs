//! Key ids that a fetch proved absent, so that one of them cannot cause fetch after fetch.
//!
//! This memory only holds back *fetches*; whether a key exists is answered by the present set alone. What is forgotten
//! here costs at most one fetch, and the cooldown bounds those: so an eviction needs no policy, and a flood of made-up key
//! ids can push entries out but gains nothing by it.

use std::{
    hash::{BuildHasher as _, RandomState},
    time::{Duration, SystemTime},
};

use super::{limits::KeySettings, snapshot::age};

/// Entries, one for each value of the low bits of the hash: 32 KiB, allocated with the first unknown key id. More than
/// the fetches that the cooldown allows in the longest memory, so that entries are rarely lost.
const SLOTS: usize = 1_024;

/// The memory of absent key ids.
#[derive(Debug, Default)]
pub(super) struct AbsentKids {
    /// Empty or of length [`SLOTS`].
    slots: Vec<Option<Entry>>,
    /// Keyed at random: nobody can choose key ids that collide with somebody's new key.
    hasher: RandomState,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    /// The start of the last fetch that lacked the key.
    proved_at: SystemTime,
    /// How many fetches lacked it, one after the other.
    proofs: u32,
}

impl AbsentKids {
    /// Whether `kid` was proved absent so lately that it is no reason to fetch.
    ///
    /// The first proof holds for the cooldown, which is no longer than any other key id waits, and each further one for
    /// twice the time of the one before. So a key whose tokens come before its publication waits at most as long again as
    /// it has been missing, while a made-up key id that is repeated for ever causes a fetch a minute.
    pub(super) fn holds_back(&self, kid: &str, now: SystemTime, settings: &KeySettings) -> bool {
        let hash = self.hasher.hash_one(kid);
        let Some(Some(entry)) = self.slots.get(slot(hash)) else {
            return false;
        };
        entry.hash == hash
            && age(entry.proved_at, now).is_some_and(|age| age < entry.memory(settings))
    }

    /// Notes that the fetch that started at `fetch_start` brought a set without `kid`.
    pub(super) fn prove(&mut self, kid: &str, fetch_start: SystemTime, settings: &KeySettings) {
        if self.slots.is_empty() {
            self.slots = vec![None; SLOTS];
        }
        let hash = self.hasher.hash_one(kid);
        let slot = &mut self.slots[slot(hash)];
        let proofs = match slot {
            Some(entry) if entry.hash == hash && entry.proved_at == fetch_start => return,
            // Long after its memory ended the key id is as good as new.
            Some(entry) if entry.hash == hash => match age(entry.proved_at, fetch_start) {
                Some(age) if age < 2 * settings.absent_kid_memory => entry.proofs.saturating_add(1),
                _ => 1,
            },
            _ => 1,
        };
        *slot = Some(Entry {
            hash,
            proved_at: fetch_start,
            proofs,
        });
    }
}

impl Entry {
    fn memory(&self, settings: &KeySettings) -> Duration {
        let doublings = self.proofs.saturating_sub(1).min(31);
        settings
            .unknown_kid_cooldown
            .saturating_mul(1 << doublings)
            .min(settings.absent_kid_memory)
    }
}

fn slot(hash: u64) -> usize {
    usize::try_from(hash % SLOTS as u64).expect("a remainder of 1,024 fits")
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn each_further_proof_holds_twice_as_long_up_to_the_maximum() {
        let settings = KeySettings::default();
        let mut kids = AbsentKids::default();
        let (mut now, mut fetches) = (0, Vec::new());
        while now < 300 {
            if !kids.holds_back("junk", at(now), &settings) {
                fetches.push(now);
                kids.prove("junk", at(now), &settings);
            }
            now += 1;
        }
        assert_eq!(fetches, [0, 5, 15, 35, 75, 135, 195, 255]);
        assert!(!kids.holds_back("other", at(300), &settings));
    }

    #[test]
    fn many_waiters_on_one_fetch_prove_once_and_a_clock_set_back_forgets() {
        let settings = KeySettings::default();
        let mut kids = AbsentKids::default();
        for _ in 0..100 {
            kids.prove("junk", at(100), &settings);
        }
        assert!(kids.holds_back("junk", at(104), &settings));
        assert!(!kids.holds_back("junk", at(105), &settings));
        assert!(!kids.holds_back("junk", at(50), &settings));
    }

    #[test]
    fn a_flood_of_key_ids_stays_within_the_slots() {
        let settings = KeySettings::default();
        let mut kids = AbsentKids::default();
        for kid in 0..10_000 {
            kids.prove(&format!("junk-{kid}"), at(0), &settings);
        }
        assert_eq!(kids.slots.len(), SLOTS);
        assert!(kids.slots.capacity() * size_of::<Option<Entry>>() <= 33 * 1_024);
        assert!(kids.holds_back("junk-9999", at(1), &settings));
    }
}
