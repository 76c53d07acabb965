use base64::Engine as _;
use jsonwebtoken::Algorithm;
use mock_idp::Tamper;
use serde_json::{Value, json};

use crate::fixture::{
    NOW, OKTA, claims, decode, encode, header, keys, mint, minter, recipe, split, verifies,
};

fn tampered(tamper: &str) -> String {
    mint(&format!("tamper = [{tamper}]"))
}

fn genuine() -> String {
    mint("")
}

/// What each tamper makes of the genuine header `h`, payload `p` and signature `s`, as text.
#[test]
fn tampers_of_the_parts_do_to_the_text_what_their_name_says() {
    let token = genuine();
    let [h, p, s] = split(&token);
    let padding = "=".repeat(4 - h.len() % 4);
    let (h3, h_rest) = h.split_at(3);
    let payload = String::from_utf8(decode(&p)).unwrap();
    for (tamper, expected) in [
        ("'drop-signature-part'", format!("{h}.{p}")),
        ("'drop-header-part'", format!("{p}.{s}")),
        ("'drop-payload-part'", format!("{h}.{s}")),
        ("'empty-signature'", format!("{h}.{p}.")),
        ("'empty-header'", format!(".{p}.{s}")),
        ("'empty-payload'", format!("{h}..{s}")),
        ("{ append = '.AAAA' }", format!("{token}.AAAA")),
        ("{ append = '.' }", format!("{token}.")),
        ("{ prepend = '{client_id} ' }", format!("client-1 {token}")),
        ("{ cut-end = 4 }", token[..token.len() - 4].to_owned()),
        (
            "{ pad-base64-of = 'header' }",
            format!("{h}{padding}.{p}.{s}"),
        ),
        (
            "{ insert = { part = 'header', text = '!', at = 3 } }",
            format!("{h3}!{h_rest}.{p}.{s}"),
        ),
        (
            "{ insert = { part = 'payload', text = \" \\t\", at = 0 } }",
            format!("{h}. \t{p}.{s}"),
        ),
        (
            "{ insert = { part = 'signature', text = '%', at = 342 } }",
            format!("{token}%"),
        ),
        ("'lower-case'", token.to_lowercase()),
        ("{ replace = '..' }", "..".to_owned()),
        (
            "{ replace = '{header}.{signature} {now}' }",
            format!("{h}.{s} {NOW}"),
        ),
        (
            "{ repeat = { text = '.', count = 12000 } }",
            ".".repeat(12_000),
        ),
        ("'unencoded-payload'", format!("{h}.{payload}.{s}")),
        (
            "'drop-signature-part', { append = '.' }",
            format!("{h}.{p}."),
        ),
    ] {
        assert_eq!(tampered(tamper), expected, "{tamper}");
    }
}

#[test]
fn tampers_of_the_signature_leave_the_rest_alone() {
    let token = genuine();
    let [h, p, s] = split(&token);
    let bytes = decode(&s);
    let flipped = |bit: usize| {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 0x80 >> (bit % 8);
        encode(bytes)
    };
    let swapped = s.chars().map(|char| match char {
        'A'..='Z' => char.to_ascii_lowercase(),
        _ => char.to_ascii_uppercase(),
    });
    for (tamper, expected) in [
        ("{ flip-signature-bit = 0 }", flipped(0)),
        ("{ flip-signature-bit = 10 }", flipped(10)),
        ("{ flip-signature-bit = 2047 }", flipped(2047)),
        ("{ truncate-signature = 1 }", encode(&bytes[..255])),
        ("'append-zero-byte'", encode([&bytes[..], &[0]].concat())),
        ("'prepend-zero-byte'", encode([&[0], &bytes[..]].concat())),
        ("'pad-base64'", format!("{s}==")),
        ("{ pad-base64-of = 'signature' }", format!("{s}==")),
        (
            "'standard-base64-alphabet'",
            s.replace('-', "+").replace('_', "/"),
        ),
        ("'swap-case-of-signature'", swapped.collect()),
    ] {
        assert_eq!(tampered(tamper), format!("{h}.{p}.{expected}"), "{tamper}");
    }
}

#[test]
fn edits_after_signing_keep_the_genuine_signature() {
    let [h, p, s] = split(&genuine());
    let edited =
        tampered("{ claims-after-signing = { sub = 'admin', exp = '$now+9', jti = '$absent' } }");
    let mut expected = claims(&genuine());
    expected["sub"] = json!("admin");
    expected["exp"] = json!(NOW + 9);
    expected.as_object_mut().unwrap().shift_remove("jti");
    assert_eq!(claims(&edited), expected);
    assert_eq!([&split(&edited)[0], &split(&edited)[2]], [&h, &s]);

    let edited = tampered("{ header-after-signing = { alg = 'none', kid = '$absent' } }");
    assert_eq!(header(&edited), json!({"alg": "none"}));
    assert_eq!(split(&edited)[1..], [p, s]);
}

#[test]
fn payload_of_other_is_a_genuine_payload_under_a_foreign_signature() {
    let [h, p, s] = split(&genuine());
    let mixed = tampered("'payload-of-other'");
    let [mixed_header, mixed_payload, mixed_signature] = split(&mixed);
    assert_eq!([&mixed_header, &mixed_signature], [&h, &s]);
    assert_ne!(mixed_payload, p);
    assert_eq!(claims(&mixed)["iss"], claims(&genuine())["iss"]);
    assert_ne!(claims(&mixed)["sub"], claims(&genuine())["sub"]);
}

#[test]
fn json_serializations_hold_the_genuine_parts() {
    let [h, p, s] = split(&genuine());
    let parse = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!(
        parse(tampered("{ json-serialization = 'flattened' }")),
        json!({"protected": h, "payload": p, "signature": s})
    );
    assert_eq!(
        parse(tampered("{ json-serialization = 'general' }")),
        json!({"payload": p, "signatures": [{"protected": h, "signature": s}]})
    );
}

#[test]
fn polyglot_is_a_genuine_json_serialization_and_a_forged_compact_one() {
    let [h, p, s] = split(&genuine());
    let polyglot = tampered("{ polyglot = { sub = 'admin' } }");
    let value: Value = serde_json::from_str(&polyglot).unwrap();
    assert_eq!(
        [&value["protected"], &value["payload"], &value["signature"]],
        [&h, &p, &s]
    );
    let parts: Vec<_> = polyglot.split('.').collect();
    assert_eq!(parts.len(), 3);
    assert_eq!(parts[0], format!("{{\"!!{h}"));
    let forged: Value = serde_json::from_slice(&decode(parts[1])).unwrap();
    assert_eq!(forged["sub"], "admin");
    assert_eq!(forged["iss"], claims(&genuine())["iss"]);
}

/// The signature's bytes stay, its text does not.
#[test]
fn trailing_bits_change_the_text_and_not_the_bytes() {
    let [h, p, s] = split(&genuine());
    let [changed_header, changed_payload, changed] = split(&tampered("'set-trailing-bits'"));
    assert_eq!([changed_header, changed_payload], [h, p]);
    assert_eq!(changed[..341], s[..341]);
    assert_ne!(changed, s);
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::URL_SAFE,
        base64::engine::GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
    );
    assert_eq!(lenient.decode(&changed).unwrap(), decode(&s));
}

#[test]
fn sign_again_signs_what_the_parts_have_become() {
    let jwk = keys().signing.public_jwk();
    for before in [
        "{ pad-base64-of = 'payload' }",
        "'unencoded-payload'",
        "'empty-payload'",
    ] {
        assert!(
            !verifies(&tampered(before), Algorithm::RS256, &jwk),
            "{before}"
        );
        let again = tampered(&format!("{before}, 'sign-again'"));
        assert!(verifies(&again, Algorithm::RS256, &jwk), "{before}");
    }
    assert_eq!(tampered("'sign-again'"), genuine());
}

#[test]
fn tamper_that_cannot_be_applied_is_an_error_and_not_a_good_token() {
    for (tampers, expected) in [
        ("{ append = '' }", "changes nothing"),
        ("{ claims-after-signing = {} }", "changes nothing"),
        ("{ flip-signature-bit = 2048 }", "bit"),
        ("{ truncate-signature = 257 }", "bytes"),
        ("{ cut-end = 100000 }", "characters"),
        (
            "{ insert = { part = 'signature', text = 'x', at = 343 } }",
            "beyond",
        ),
        ("{ repeat = { text = 'xx', count = 600000 } }", "1 MiB"),
        ("{ append = '.AAAA' }, 'pad-base64'", "three parts"),
        ("'pad-base64', { flip-signature-bit = 1 }", "base64url"),
        ("'empty-signature', 'set-trailing-bits'", "spare bits"),
        ("{ replace = '{signatur}' }", "signatur"),
    ] {
        let recipe = recipe(&format!("tamper = [{tampers}]"));
        let error = minter(OKTA).mint(&recipe, NOW).unwrap_err().to_string();
        assert!(error.contains(expected), "{tampers}: {error}");
    }
    let text = "payload_text = '[]'\ntamper = [{ claims-after-signing = { sub = 'x' } }]";
    let error = minter(OKTA)
        .mint(&recipe(text), NOW)
        .unwrap_err()
        .to_string();
    assert!(error.contains("JSON object"), "{error}");
}

#[test]
fn tampers_read_the_same_from_json() {
    let text = r#"["drop-signature-part", {"append": "."}, {"insert": {"part": "payload", "text": "!", "at": 1}}]"#;
    let tampers: Vec<Tamper> = serde_json::from_str(text).unwrap();
    assert_eq!(
        tampers[..2],
        [Tamper::DropSignaturePart, Tamper::Append(".".to_owned())]
    );
}
