//! A second opinion on thousands of tokens: `jsonwebtoken`, with the settings that are the same rules.
//!
//! Whatever this verifier accepts, `jsonwebtoken` accepts, too. Where it is the other way round, the rule that makes the
//! difference is on a list, and every rule of the list has made one.

mod made_up;

use std::collections::BTreeMap;

use authorizer::{JwkSet, Rejection, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, get_current_timestamp};
use serde_json::Value;

use self::made_up::MadeUp;
use crate::tokens::{AUDIENCE, ISSUER, ISSUER_KEY, KID, jwks};

const TOKENS: usize = 6_000;

/// Rules that `jsonwebtoken` does not have, or has in a weaker form.
const STRICTER: [Rejection; 22] = [
    Rejection::B64Present,
    Rejection::CritPresent,
    // The second of `exp` itself is too late, and a fraction is rounded down.
    Rejection::Expired,
    // Beyond ±2^53.
    Rejection::ExpiryMalformed,
    Rejection::HeaderDuplicateName,
    Rejection::HeaderTooDeep,
    Rejection::HeaderTooLarge,
    Rejection::IdToken,
    Rejection::IssuedAtMalformed,
    Rejection::IssuedInFuture,
    // An array of one issuer.
    Rejection::IssuerMalformed,
    // The comparison gives `jsonwebtoken` the one key, whatever the token names.
    Rejection::KidMalformed,
    Rejection::KidUnknown,
    // A fraction is rounded up.
    Rejection::NotYetValid,
    Rejection::PayloadDuplicateName,
    Rejection::PayloadTooDeep,
    Rejection::PrincipalMissing,
    Rejection::ScopeMalformed,
    Rejection::SubjectMalformed,
    Rejection::TokenTooLarge,
    Rejection::TypeMalformed,
    Rejection::TypeNotAccessToken,
];

fn now() -> i64 {
    i64::try_from(get_current_timestamp()).unwrap()
}

#[test]
fn every_difference_from_jsonwebtoken_is_a_rule_that_it_does_not_have() {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    validation.validate_nbf = true;
    validation.leeway = 0;
    let oracle = DecodingKey::from_rsa_components(&ISSUER_KEY.n(), &ISSUER_KEY.e()).unwrap();
    let keys = JwkSet::parse(jwks(&[ISSUER_KEY.jwk(KID)]).to_string().as_bytes()).unwrap();
    let verifier = Verifier::new(ISSUER, AUDIENCE);

    let mut made_up = MadeUp::new(0x5eed);
    let (mut both_accept, mut both_refuse) = (0, 0);
    let mut differences: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..TOKENS {
        let token = made_up.token(now());
        // `jsonwebtoken` reads the clock itself, so both have to answer within the same second.
        let (ours, theirs) = loop {
            let second = now();
            let ours = verifier.verify(&token, &keys, second);
            let theirs = decode::<Value>(&token, &oracle, &validation);
            if now() == second {
                break (ours, theirs);
            }
        };
        match (ours, theirs) {
            (Ok(_), Ok(_)) => both_accept += 1,
            (Err(_), Err(_)) => both_refuse += 1,
            (Ok(_), Err(error)) => panic!("accepted, and refused there with {error:?}: {token}"),
            (Err(rejection), Ok(theirs)) => {
                assert!(
                    STRICTER.contains(&rejection),
                    "{rejection} is not on the list: {:?} {}",
                    theirs.header,
                    theirs.claims
                );
                *differences.entry(rejection.code()).or_default() += 1;
            }
        }
    }
    assert!(
        both_accept > 500 && both_refuse > 500,
        "{both_accept} and {both_refuse}"
    );
    let idle: Vec<_> = STRICTER
        .iter()
        .map(|rejection| rejection.code())
        .filter(|code| !differences.contains_key(code))
        .collect();
    assert!(
        idle.is_empty(),
        "without a case: {idle:?}, {differences:?}, {both_accept} and {both_refuse}"
    );
}
