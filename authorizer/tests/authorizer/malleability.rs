//! Properties over many tokens: no changed bit is accepted, nothing panics, and nothing is accepted that an independent
//! verifier refuses.

use authorizer::{JwkSet, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};

use crate::tokens::{
    AUDIENCE, ISSUER, ISSUER_KEY, KID, NOW, changed, claims, claims_at, header, jwks, valid_token,
    with_claims, with_header,
};

fn keys() -> JwkSet {
    JwkSet::parse(jwks(&[ISSUER_KEY.jwk(KID)]).to_string().as_bytes()).unwrap()
}

/// Xorshift64: the same sequence in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of these bytes.
    pub(crate) fn pick(&mut self, alphabet: &[u8]) -> u8 {
        alphabet[self.below(alphabet.len())]
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
}

#[test]
fn a_token_with_any_one_bit_changed_is_refused() {
    let (verifier, keys, token) = (Verifier::new(ISSUER, AUDIENCE), keys(), valid_token());
    for bit in 0..token.len() * 8 {
        let mut bytes = token.clone().into_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        // A byte above 0x7f is no UTF-8 here, and no event could carry it.
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(verifier.verify(&changed, &keys, NOW).is_err(), "bit {bit}");
    }
}

#[test]
fn random_bytes_and_random_edits_never_panic_and_are_never_accepted() {
    let (verifier, keys, token) = (Verifier::new(ISSUER, AUDIENCE), keys(), valid_token());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..3_000 {
        let length = random.below(200);
        let noise: String = (0..length)
            .map(|_| char::from(random.pick(b".{}\"AQab=_-\x00[]:,ey9")))
            .collect();
        assert!(verifier.verify(&noise, &keys, NOW).is_err());
        let _ = JwkSet::parse(noise.as_bytes());
        // Cut a piece out of a valid token and put noise in its place.
        let from = random.below(token.len());
        let to = (from + 1 + random.below(20)).min(token.len());
        let spliced = format!("{}{noise}{}", &token[..from], &token[to..]);
        if spliced != token {
            assert!(verifier.verify(&spliced, &keys, NOW).is_err());
        }
    }
}

#[test]
fn random_header_and_claim_bytes_under_a_good_signature_never_panic() {
    let (verifier, keys) = (Verifier::new(ISSUER, AUDIENCE), keys());
    let mut random = Random(42);
    let (header, claims) = (header().to_string(), claims().to_string());
    for _ in 0..300 {
        let mut header = header.clone().into_bytes();
        let mut claims = claims.clone().into_bytes();
        let (in_header, in_claims) = (random.below(header.len()), random.below(claims.len()));
        header[in_header] = random.pick(b"{}[]\"\\,:09.e-\xff\x00n");
        claims[in_claims] = random.pick(b"{}[]\"\\,:09.e-\xff\x00n");
        let _ = verifier.verify(&ISSUER_KEY.sign(header, &claims), &keys, NOW);
        let _ = verifier.verify(
            &ISSUER_KEY.sign(self::header().to_string(), claims),
            &keys,
            NOW,
        );
    }
}

#[test]
fn what_this_verifier_accepts_jsonwebtoken_accepts_too() {
    // jsonwebtoken reads the clock itself.
    let now = i64::try_from(jsonwebtoken::get_current_timestamp()).unwrap();
    let fresh = |changes: &Value| {
        ISSUER_KEY.sign(
            header().to_string(),
            changed(claims_at(now), changes).to_string(),
        )
    };
    let mut tokens = vec![valid_token(), with_header(&json!({"alg": "RS512"}))];
    for changes in [
        json!({}),
        json!({"aud": ["x", AUDIENCE]}),
        json!({"aud": []}),
        json!({"aud": "x"}),
        json!({"iss": [ISSUER]}),
        json!({"iss": "x"}),
        json!({"exp": now - 1}),
        json!({"exp": now + 3}),
        json!({"exp": "9999999999"}),
        json!({"nbf": now + 100}),
        json!({"nbf": now}),
        json!({"sub": 1}),
        json!({"scope": null}),
        json!({"nested": {"a": [1, 2, {"b": null}]}}),
    ] {
        tokens.push(fresh(&changes));
        tokens.push(with_claims(&changes));
    }
    let mut random = Random(7);
    for _ in 0..200 {
        let mut bytes = fresh(&json!({})).into_bytes();
        let at = random.below(bytes.len());
        bytes[at] = random.pick(b"AQZaz09-_.");
        tokens.push(String::from_utf8(bytes).unwrap());
    }
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_nbf = true;
    let oracle = DecodingKey::from_rsa_components(&ISSUER_KEY.n(), &ISSUER_KEY.e()).unwrap();
    let (verifier, keys) = (Verifier::new(ISSUER, AUDIENCE), keys());
    let mut accepted = 0;
    for token in tokens {
        if verifier.verify(&token, &keys, now).is_ok() {
            accepted += 1;
            let second = decode::<Value>(&token, &oracle, &validation);
            assert!(second.is_ok(), "{second:?}");
        }
    }
    assert!(
        accepted >= 5,
        "the comparison must not be empty: {accepted}"
    );
}
