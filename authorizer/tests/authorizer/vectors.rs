//! The published examples of the standards, through the signature path: a parsed token and a parsed key.

use authorizer::{Algorithm, Algorithms, CompactJws, JwkSet};
use serde_json::{Value, json};

use crate::tokens::{changed, jwks};

struct Example {
    clause: &'static str,
    jwk: Value,
    token: String,
}

/// The payload of every example in RFC 7520 §4 (figure 8), which is no JSON.
const CONTENT: &str = concat!(
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwg",
    "YW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9m",
    "ZiB0by4",
);

/// The payload of the examples in RFC 7515 appendix A.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn rfc_7520_key() -> Value {
    let n = concat!(
        "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2w",
        "qVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bT",
        "wJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5",
        "iaiQkqgc5gHdrNP5zw",
    );
    let kid = "bilbo.baggins@hobbiton.example";
    json!({"kty": "RSA", "kid": kid, "use": "sig", "n": n, "e": "AQAB"})
}

fn examples() -> Vec<Example> {
    let rfc_7515_n = concat!(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ",
        "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2",
        "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD",
        "TW9gb54h4FRWyuXpoQ",
    );
    vec![
        Example {
            clause: "RFC 7515 A.2",
            jwk: json!({"kty": "RSA", "n": rfc_7515_n, "e": "AQAB"}),
            token: format!(
                "eyJhbGciOiJSUzI1NiJ9.{CLAIMS}.{}{}{}",
                "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb",
                "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383",
                "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy\
                 wlVmtVrBp0igcN_IoypGlUPQGe77Rw",
            ),
        },
        Example {
            clause: "RFC 7515 A.3",
            jwk: json!({
                "kty": "EC", "crv": "P-256",
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
            }),
            token: format!(
                "eyJhbGciOiJFUzI1NiJ9.{CLAIMS}.{}",
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
        },
        Example {
            clause: "RFC 7520 §4.1",
            jwk: rfc_7520_key(),
            token: format!(
                "{}.{CONTENT}.{}{}{}",
                "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
                "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB",
                "-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxn",
                "t8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcI\
                 e8u9ipH84ogoree7vjbU5y18kDquDg",
            ),
        },
        Example {
            clause: "RFC 7520 §4.2",
            jwk: rfc_7520_key(),
            token: format!(
                "{}.{CONTENT}.{}{}{}",
                "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9",
                "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6",
                "_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3",
                "lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6G\
                 YmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
            ),
        },
        Example {
            clause: "RFC 8037 A.4",
            jwk: json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            token: [
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.",
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ]
            .concat(),
        },
    ]
}

/// Whether the example's key, with this `alg` if there is one, verifies the token.
fn is_verified(jwk: &Value, token: &str) -> bool {
    let allowed = Algorithms::new(Algorithm::ALL).unwrap();
    let keys = jwks(std::slice::from_ref(jwk)).to_string();
    let keys = JwkSet::parse_for(keys.as_bytes(), &allowed).unwrap();
    let Ok(jws) = CompactJws::parse(token) else {
        return false;
    };
    let key = keys.select(jws.kid(), jws.algorithm());
    key.is_ok_and(|key| jws.is_signed_by(key))
}

#[test]
fn the_examples_of_the_standards_are_verified() {
    for Example { clause, jwk, token } in examples() {
        assert!(is_verified(&jwk, &token), "{clause}");
        let algorithm = CompactJws::parse(&token).unwrap().algorithm();
        let pinned = changed(jwk, &json!({"alg": algorithm.name()}));
        assert!(is_verified(&pinned, &token), "{clause}");
    }
}

#[test]
fn an_example_with_any_character_changed_is_not_verified() {
    for Example { clause, jwk, token } in examples() {
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!is_verified(&jwk, &changed), "{clause}, {place}");
        }
    }
}

#[test]
fn no_example_is_verified_by_the_key_of_another() {
    let examples = examples();
    for one in &examples {
        for other in examples.iter().filter(|other| other.jwk != one.jwk) {
            let is_verified = is_verified(&other.jwk, &one.token);
            assert!(!is_verified, "{} by {}", one.clause, other.clause);
        }
    }
}
