//! Load: tokens minted before any clock starts, users scheduled by goose, every sample recorded by us.
//!
//! A phase takes a [`TokenPool`], an [`Arrival`] and a [`Target`](crate::target::Target) and gives a
//! [`PhaseRecord`](crate::record::PhaseRecord). A wrong decision is a conformance failure and never a latency sample.
//! A request without a decision is a lost one: the testbed's matter, and after too many in a row the end of the phase.

mod arrival;
mod at_url;
mod breach;
mod calibrate;
mod cold_start;
mod course;
mod cpu;
mod phase;
mod silence;
mod tally;
mod timeline;
mod token_pool;
mod users;

pub use arrival::Arrival;
pub use at_url::{UrlLoad, load_url};
pub use breach::Breach;
pub use calibrate::calibrate;
pub use cold_start::{ColdStarts, cold_start};
pub use phase::{LoadContext, PhaseError, cache_hit, verification};
pub use tally::Tally;
pub use timeline::{Snapshot, Timeline, UserTimeline};
pub use token_pool::{Judged, PoolError, TokenPool, Wanted};
pub use users::{Driven, LoadError, drive};

#[cfg(test)]
mod tests;
