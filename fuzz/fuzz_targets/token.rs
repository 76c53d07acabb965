//! A token as a client sends it: as one text, or as header and payload under a wrong signature.
//!
//! The one token that may be accepted is the one that the key has signed.

#![no_main]

use std::sync::LazyLock;

use authorizer::{CompactJws, JwkSet, Rules, Shape, Verifier};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<JwkSet> = LazyLock::new(fuzz::keys);

/// One verifier for each shape, as lenient as settings can make it, so that no rule hides another.
static VERIFIERS: LazyLock<Vec<Verifier>> = LazyLock::new(|| {
    let lenient = |shape| {
        Rules::new(fuzz::ISSUER, fuzz::AUDIENCE)
            .algorithms(fuzz::algorithms())
            .leeway_s(300)
            .refuse_id_tokens(false)
            .carry(["sub", "x", "é"].map(str::to_owned))
            .shape(shape)
    };
    let shapes = Shape::ALL.iter().map(|(_, shape)| *shape);
    shapes
        .map(|shape| Verifier::with_rules(lenient(shape)))
        .collect()
});

fn verify(token: &str) {
    let _ = CompactJws::parse(token);
    for verifier in VERIFIERS.iter() {
        let accepted = verifier.verify(token, &KEYS, fuzz::NOW).is_ok();
        assert!(!accepted || token == fuzz::TOKEN);
    }
}

fuzz_target!(|input: &[u8]| {
    if let Ok(token) = str::from_utf8(input) {
        verify(token);
    }
    let mut parts = input.splitn(2, |byte| *byte == b'\n');
    let (header, payload) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let encode = |part| BASE64_URL_SAFE_NO_PAD.encode(part);
    verify(&format!("{}.{}.AAAA", encode(header), encode(payload)));
});
