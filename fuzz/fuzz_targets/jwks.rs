//! A key set as an issuer publishes it.
//!
//! A key that is selected serves the algorithm that was asked for, and has the key id that was asked for.

#![no_main]

use authorizer::{Algorithm, JwkSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(keys) = JwkSet::parse_for(input, &fuzz::algorithms()) else {
        return;
    };
    for algorithm in Algorithm::ALL {
        for kid in [None, Some("k"), Some("")] {
            if let Ok(key) = keys.select(kid, algorithm) {
                assert!(key.serves(algorithm));
                assert!(kid.is_none() || key.kid() == kid);
            }
        }
    }
});
