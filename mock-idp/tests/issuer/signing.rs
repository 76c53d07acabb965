use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::Algorithm;
use rsa::BigUint;
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::traits::PublicKeyParts as _;

use crate::fixture::{decode, header, keys, mint, modulus, opened, split, verifies};

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn signing_input(token: &str) -> Vec<u8> {
    token.rsplit_once('.').unwrap().0.as_bytes().to_vec()
}

fn signature(token: &str) -> Vec<u8> {
    decode(&split(token)[2])
}

#[test]
fn signatures_are_of_the_key_and_scheme_that_the_recipe_names() {
    let (own, foreign) = (keys().signing.public_jwk(), keys().attacker.public_jwk());
    for (text, algorithm, jwk) in [
        ("", Algorithm::RS256, &own),
        ("sign = \"issuer\"", Algorithm::RS256, &own),
        ("sign = \"attacker\"", Algorithm::RS256, &foreign),
        ("sign = { rsa = \"pkcs1-sha384\" }", Algorithm::RS384, &own),
        ("sign = { rsa = \"pkcs1-sha512\" }", Algorithm::RS512, &own),
        ("sign = { rsa = \"pss-sha256\" }", Algorithm::PS256, &own),
    ] {
        let token = mint(text);
        for candidate in [
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
        ] {
            for key in [&own, &foreign] {
                let expected = candidate == algorithm && key == jwk;
                assert_eq!(
                    verifies(&token, candidate, key),
                    expected,
                    "{text} {candidate:?}"
                );
            }
        }
        assert_eq!(
            header(&token)["alg"],
            "RS256",
            "sign leaves the header alone"
        );
        assert_eq!(header(&token)["kid"], keys().signing.kid());
    }
}

#[test]
fn given_signatures_are_taken_as_they_are() {
    assert_eq!(signature(&mint("sign = \"none\"")), b"");
    assert_eq!(
        signature(&mint("sign = { bytes_hex = \"00fF10\" }")),
        [0, 255, 16]
    );
}

#[test]
fn special_integers_are_those_integers() {
    let n = modulus(&keys().signing.public_jwk());
    let genuine = BigUint::from_bytes_be(&signature(&mint("")));
    for (name, expected) in [
        ("zero", BigUint::from(0_u8)),
        ("one", BigUint::from(1_u8)),
        ("n-minus-one", &n - 1_u8),
        ("n", n.clone()),
        ("s-plus-n", genuine + &n),
    ] {
        let bytes = signature(&mint(&format!("sign = {{ integer = \"{name}\" }}")));
        assert_eq!(BigUint::from_bytes_be(&bytes), expected, "{name}");
        assert!(
            (256..=257).contains(&bytes.len()),
            "{name}: {} bytes",
            bytes.len()
        );
    }
}

/// Each secret is rebuilt here from the JWK by other code than the mint's: the `rsa` crate parses what it can.
#[test]
fn macs_are_keyed_with_the_named_form_of_the_public_key() {
    let jwk = keys().signing.public_jwk();
    let n = jwk["n"].as_str().unwrap();
    let kid = keys().signing.kid().to_owned();
    let key = rsa::RsaPublicKey::new(modulus(&jwk), BigUint::from(65_537_u32)).unwrap();
    let spki_der = rsa::pkcs8::EncodePublicKey::to_public_key_der(&key)
        .unwrap()
        .into_vec();
    let pkcs1_der = rsa::pkcs1::EncodeRsaPublicKey::to_pkcs1_der(&key)
        .unwrap()
        .into_vec();
    let spki = pem("PUBLIC KEY", &spki_der);
    let pkcs1 = pem("RSA PUBLIC KEY", &pkcs1_der);
    let text = |text: &str| text.as_bytes().to_vec();
    for (secret, expected) in [
        ("spki-pem", text(&spki)),
        ("spki-pem-no-newline", text(spki.trim_end())),
        ("spki-pem-crlf", text(&spki.replace('\n', "\r\n"))),
        ("spki-pem-leading-newline", text(&format!("\n{spki}"))),
        ("pkcs1-pem", text(&pkcs1)),
        ("pkcs1-pem-no-newline", text(pkcs1.trim_end())),
        ("pkcs1-pem-crlf", text(&pkcs1.replace('\n', "\r\n"))),
        ("pkcs1-pem-leading-newline", text(&format!("\n{pkcs1}"))),
        ("spki-der", spki_der.clone()),
        ("pkcs1-der", pkcs1_der.clone()),
        (
            "jwk",
            text(&format!(
                r#"{{"kty":"RSA","alg":"RS256","kid":"{kid}","use":"sig","e":"AQAB","n":"{n}"}}"#
            )),
        ),
        (
            "jwk-canonical",
            text(&format!(r#"{{"e":"AQAB","kty":"RSA","n":"{n}"}}"#)),
        ),
        ("n", text(n)),
        ("n-bytes", decode(n)),
        ("empty", Vec::new()),
        ("text:secret", text("secret")),
        (
            "text:{kid} {issuer}",
            text(&format!("{kid} https://issuer.example/oauth2/default")),
        ),
        ("hex:0000", vec![0, 0]),
    ] {
        for (hash, algorithm) in [
            ("sha256", hmac::HMAC_SHA256),
            ("sha384", hmac::HMAC_SHA384),
            ("sha512", hmac::HMAC_SHA512),
        ] {
            let token = mint(&format!(
                "sign = {{ hmac = \"{hash}\", secret = \"{secret}\" }}"
            ));
            let tag = hmac::sign(
                &hmac::Key::new(algorithm, &expected),
                &signing_input(&token),
            );
            assert_eq!(signature(&token), tag.as_ref(), "{secret} {hash}");
        }
    }
    assert_eq!(
        rsa::RsaPublicKey::from_public_key_der(&spki_der)
            .unwrap()
            .n(),
        key.n()
    );
    assert_eq!(
        rsa::RsaPublicKey::from_pkcs1_der(&pkcs1_der).unwrap().n(),
        key.n()
    );
}

/// RFC 4253 §6.6, read back field by field.
#[test]
fn ssh_form_holds_the_key() {
    let jwk = keys().signing.public_jwk();
    let mut blob = Vec::new();
    let mut modulus = vec![0];
    modulus.extend(decode(jwk["n"].as_str().unwrap()));
    for field in [&b"ssh-rsa"[..], &[1, 0, 1], &modulus] {
        blob.extend(u32::try_from(field.len()).unwrap().to_be_bytes());
        blob.extend(field);
    }
    let line = format!("ssh-rsa {}", STANDARD.encode(blob));
    let token = mint("sign = { hmac = \"sha256\", secret = \"ssh\" }");
    let key = hmac::Key::new(hmac::HMAC_SHA256, line.as_bytes());
    assert_eq!(
        signature(&token),
        hmac::sign(&key, &signing_input(&token)).as_ref()
    );
}

/// The encoded message is recovered from the signature with the public key and compared with bytes written out here.
#[test]
fn encoded_messages_have_the_one_thing_wrong_that_their_name_says() {
    let jwk = keys().signing.public_jwk();
    for name in [
        "canonical",
        "no-digest-info",
        "missing-null",
        "short-padding-trailing-garbage",
        "short-padding-garbage",
        "garbage-in-parameters",
        "padding-byte-not-ff",
        "block-type-00",
        "block-type-02",
        "leading-zeros",
        "ber-long-form",
        "sha1-digest-info",
        "sha512-digest-info",
    ] {
        let token = mint(&format!("sign = {{ encoded = \"{name}\" }}"));
        let message = opened(&jwk, &signature(&token));
        assert_eq!(message, encoded(name, &signing_input(&token)), "{name}");
        let good = verifies(&token, Algorithm::RS256, &jwk);
        assert_eq!(good, name == "canonical", "{name}");
    }
    assert_eq!(mint("sign = { encoded = \"canonical\" }"), mint(""));
}

fn encoded(name: &str, input: &[u8]) -> Vec<u8> {
    let hash = sha256(input);
    let info = |prefix: &str, hash: &[u8]| [&hex(prefix)[..], hash].concat();
    let genuine = info("3031300d060960864801650304020105000420", &hash);
    let full = |block_type: u8, content: &[u8]| {
        let padding = vec![0xff; 256 - 3 - content.len()];
        [&[0, block_type], &padding[..], &[0], content].concat()
    };
    let short = [&[0, 1][..], &[0xff; 8], &[0], &genuine].concat();
    let rest = 256 - short.len();
    match name {
        "canonical" => full(1, &genuine),
        "no-digest-info" => full(1, &hash),
        "missing-null" => full(1, &info("302f300b06096086480165030402010420", &hash)),
        "short-padding-trailing-garbage" | "short-padding-garbage" => {
            [&short[..], &vec![0xa5; rest]].concat()
        }
        "garbage-in-parameters" => {
            let algorithm = hex("3081aa30818506096086480165030402010478");
            full(
                1,
                &[&algorithm[..], &[0xa5; 120], &info("0420", &hash)].concat(),
            )
        }
        "padding-byte-not-ff" => {
            let mut message = full(1, &genuine);
            message[85] = 0xfe;
            message
        }
        "block-type-00" => full(0, &genuine),
        "block-type-02" => full(2, &genuine),
        "leading-zeros" => [&vec![0; rest][..], &short].concat(),
        "ber-long-form" => full(1, &[&[0x30, 0x81][..], &genuine[1..]].concat()),
        "sha1-digest-info" => {
            let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, input);
            full(1, &info("3021300906052b0e03021a05000414", hash.as_ref()))
        }
        "sha512-digest-info" => {
            let hash = digest::digest(&digest::SHA512, input);
            full(
                1,
                &info("3051300d060960864801650304020305000440", hash.as_ref()),
            )
        }
        _ => panic!("{name}"),
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let body = STANDARD.encode(der);
    let lines: Vec<_> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap())
        .collect()
}
