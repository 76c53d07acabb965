//! What the targets share: a key set, and a token that it verifies.

use authorizer::{Algorithm, Algorithms, JwkSet, Verifier};

/// A second at which [`TOKEN`] is valid.
pub const NOW: i64 = 1_790_000_100;

/// The issuer of [`TOKEN`].
pub const ISSUER: &str = "https://issuer.example/";

/// The audience of [`TOKEN`].
pub const AUDIENCE: &str = "https://api.example/";

/// The public key of [`TOKEN`]; the private one is nowhere.
pub const KEYS: &str = concat!(
    r#"{"keys":[{"kty":"RSA","kid":"key-1","use":"sig","e":"AQAB","n":""#,
    "z6fiwWIc5I5L3P5AzeONdgtDzd3N15WdvWsBb4_lGQwX5Y5na0h8e8YYpZIZja-uR_RgTvDvyTqeAd4vjKivHWPe4oOGVxZFcJuB9TPATK7F",
    "FbFoomaJ8gWFPC5ELirWAN_KcA219Uq-g-Gg-bDN6hJ9YoEUOvuM7W-U8XSdDKOyEGwB_mnpzrlIBQ91VR8hoTppvGioZQuDFN7iyNfZB2-m",
    "EbUXSNjwThb6NEJ4-8PrMyCxBCnzFKos-slj5lMoylLaqII3MDQss4OeFNs9452P3TOpgIwzqzPqyw5KepiS7Mb8gO6uk8kwRUUB9kmBqqo4",
    "io5ZPfjXar1Hsgp5dQ",
    r#""}]}"#,
);

/// A token with the scopes `a b c read:planets write:planets admin`.
pub const TOKEN: &str = concat!(
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImtleS0xIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlLyIsInN1YiI6",
    "InVzZXIiLCJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLyIsImlhdCI6MTc5MDAwMDAwMCwiZXhwIjoxNzkwMDAwMzAwLCJzY29wZSI6ImEg",
    "YiBjIHJlYWQ6cGxhbmV0cyB3cml0ZTpwbGFuZXRzIGFkbWluIn0",
    ".lgMN01nSLArqKUowy4bMW7SVNhLHo51lefaL1xtAAx_Wpg8U0LxC5GF02UxFTrwePRMFpnCZTxqMG7tZdNs9Rm4rN499IpQWW6d4eA8blsT",
    "EUfxmFIZ6YkZyty0bqdsSsMQirtEPDQzTvVRAKpZnCIt6I9V8MGBBUiyWIDXPcjyZabWS_VKvMJTCGBe51kCXoXxK6eFVgPyYm0xno4YOUXc",
    "c9KaVuRJNGAgLna8J-ci93R7G5QsbNZap0O9k2b9LU6fIo16OibWOJFQi-BKM2kEdi8q6kKwbhuMXc43kl54ZKJCYTjer3m3urvYiYfvVpXw",
    "t01JN7IgcdJLgBixKAg",
);

/// Every algorithm.
pub fn algorithms() -> Algorithms {
    Algorithms::new(Algorithm::ALL).expect("the list is not empty")
}

/// The set of [`KEYS`].
pub fn keys() -> JwkSet {
    JwkSet::parse_for(KEYS.as_bytes(), &algorithms()).expect("the key is sound")
}

/// A verifier for [`TOKEN`].
pub fn verifier() -> Verifier {
    Verifier::new(ISSUER, AUDIENCE)
}
