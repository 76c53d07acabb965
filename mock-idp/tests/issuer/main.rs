//! The issuer through its public API and its sockets, with `jsonwebtoken` and plain big-integer arithmetic as second
//! opinions.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows test functions only, and a fixture has nobody to hand an error to either"
)]

mod connections;
mod encrypting;
mod faults;
mod fixture;
mod genuine;
mod http;
mod key_sets;
mod keys;
mod metadata;
mod minting;
mod profiles;
mod signing;
mod tampering;
mod tls;
mod token_endpoint;
