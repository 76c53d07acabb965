//! The bench: asks an authorizer whether it is right, times it in its three phases, and writes down what came out.
//!
//! The flow of a run is in [`run`]; everything before it parses, everything behind it reads the saved record.

pub mod authorizer_bundle;
pub mod authorizer_snippet;
pub mod builtin;
mod cache;
pub mod catalogue;
pub mod clock;
pub mod comparison;
pub mod conform;
pub mod exit;
pub mod issuer;
pub mod lint;
pub mod load;
mod place;
pub mod plan;
pub mod progress;
pub mod real_issuer;
pub mod record;
pub mod recorder;
pub mod report;
pub mod run;
pub mod scenario;
pub mod schedule;
mod search_path;
pub mod stop;
pub mod subject;
pub mod survey;
pub mod target;
pub mod testbed;
pub mod units;
pub mod verdict;
