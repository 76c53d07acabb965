//! The authorizer through its outermost seams: the verifier, the event, the key source over HTTP, the real binary.
//! One test binary, so that the RSA keys are generated once.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions, but not the functions around them, as tests"
)]

mod acceptance;
mod algorithms;
mod bootstrap;
mod differential;
mod event_forms;
mod events;
mod issuers;
mod jwks_life;
mod key_sets;
mod layer;
mod malleability;
mod refusals;
mod token_cache;
mod tokens;
mod vectors;
