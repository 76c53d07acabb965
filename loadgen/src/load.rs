//! Load: tokens minted before any clock starts, users scheduled by goose, every sample recorded by us.
//!
//! A phase takes a [`TokenPool`], an [`Arrival`] and a [`Target`](crate::target::Target) and gives a
//! [`PhaseRecord`](crate::record::PhaseRecord). A wrong decision is a conformance failure and never a latency sample.
//! A request without a decision is a lost one: the testbed's matter, and after too many in a row the end of the phase.

mod arrival;
mod at_url;
mod breach;
mod cached;
mod calibrate;
mod cold_start;
mod course;
mod cpu;
mod epochs;
mod memory;
mod phase;
mod pool_file;
mod popularity;
mod silence;
mod tally;
mod timeline;
mod token_pool;
mod users;

pub use arrival::Arrival;
pub use at_url::{UrlLoad, load_url};
pub use breach::Breach;
pub use cached::{cache_hit, expiry_stampede};
pub use calibrate::calibrate;
pub use cold_start::{ColdStarts, cold_start, cold_start_token};
pub(crate) use epochs::{Course, Unlasting};
pub use phase::{LoadContext, PhaseError, verification};
pub use pool_file::{IssuerFacts, Needed, PoolFile, PoolFileError, PoolHeader, write_pool};
pub use tally::Tally;
pub use timeline::{Snapshot, Timeline, UserTimeline};
pub use token_pool::{Judged, PoolError, PoolSource, TokenPool, Wanted};
pub use users::{Driven, LoadError, drive};

#[cfg(test)]
mod tests;
