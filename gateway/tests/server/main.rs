//! The gateway through its sockets, with a real process as the authorizer.
// Says to clippy that these modules are tests throughout, so that an `unwrap` is a finding of the test.
#![cfg(test)]

mod bed;
mod cache;
mod decisions;
mod environments;
mod failures;
mod limits;
mod scripted;
