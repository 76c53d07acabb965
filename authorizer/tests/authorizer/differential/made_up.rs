//! Tokens that are mostly right: signed ones with odd members, signed ones with broken JSON, and broken texts.

use serde_json::{Value, json};

use crate::{
    malleability::Random,
    tokens::{
        ATTACKER_KEY, AUDIENCE, ISSUER, ISSUER_KEY, changed, claims_at, header, valid_token,
        without,
    },
};

/// Claims that some rule of either verifier looks at, and some that none does.
const CLAIMS: [&str; 16] = [
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "sub",
    "jti",
    "scope",
    "scp",
    "client_id",
    "at_hash",
    "c_hash",
    "typ",
    "token_use",
    "azp",
    "x",
];

/// Members of a header with a rule. Those with keys and links are left out: `jsonwebtoken` refuses one of a wrong type,
/// where RFC 7515 §4 has it ignored.
const HEADERS: [&str; 6] = ["alg", "typ", "kid", "crit", "b64", "x"];

const WORDS: [&str; 18] = [
    "",
    " ",
    "RS256",
    "rs256",
    "RS512",
    "PS256",
    "HS256",
    "none",
    "JWT",
    "at+jwt",
    "logout+jwt",
    "key-1",
    "ID",
    "id",
    "a b",
    "é\u{0}",
    ISSUER,
    AUDIENCE,
];

/// Offsets from now, around every bound.
const OFFSETS: [i64; 12] = [-9_999, -60, -2, -1, 0, 1, 2, 3, 59, 60, 61, 9_999];

const NUMBERS: [f64; 8] = [0.0, 0.5, -0.5, -1.0, 9.0e15, 9.1e15, 1.0e20, 1.0e300];

pub(super) struct MadeUp {
    random: Random,
    now: i64,
}

impl MadeUp {
    pub(super) fn new(seed: u64) -> MadeUp {
        MadeUp {
            random: Random(seed),
            now: 0,
        }
    }

    /// A token that is mostly right at the time `now`.
    pub(super) fn token(&mut self, now: i64) -> String {
        self.now = now;
        match self.random.below(10) {
            0..=2 => self.with_odd_claims(),
            3 => self.with_odd_header(),
            4..=6 => self.with_broken_json(),
            7 => self.by_another(),
            _ => self.with_broken_text(),
        }
    }

    fn claims(&self) -> Value {
        claims_at(self.now)
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.random.below(list.len())]
    }

    /// A time around now, in whole seconds or not.
    fn time(&mut self) -> Value {
        let whole = self.now + self.one_of(&OFFSETS);
        if self.random.below(2) == 0 {
            return json!(whole);
        }
        let quarter = self.one_of(&[0.25, 0.5, 0.75]);
        json!(f64::from(i32::try_from(whole).unwrap()) + quarter)
    }

    /// A JSON value.
    fn value(&mut self, depth: usize) -> Value {
        match self.random.below(if depth == 0 { 7 } else { 10 }) {
            0 => Value::Null,
            1 => json!(self.random.below(2) == 0),
            2 | 3 => self.time(),
            4 => json!(self.one_of(&NUMBERS)),
            5 => json!(self.one_of(&[0, i64::MAX, 1 << 53, (1 << 53) + 1])),
            6 => json!(self.one_of(&WORDS)),
            7 => {
                let length = self.random.below(3);
                (0..length).map(|_| json!(self.one_of(&WORDS))).collect()
            }
            8 => {
                let length = self.random.below(3);
                (0..length).map(|_| self.value(depth - 1)).collect()
            }
            _ => {
                let name = self.one_of(&WORDS);
                json!({name: self.value(depth - 1)})
            }
        }
    }

    fn with_odd_claims(&mut self) -> String {
        let mut claims = self.claims();
        for _ in 0..self.random.below(4) {
            let name = match self.random.below(3) {
                0 => self.one_of(&["exp", "iat", "nbf"]),
                _ => self.one_of(&CLAIMS),
            };
            if self.random.below(4) == 0 {
                claims = without(claims, name);
                continue;
            }
            let value = match (name, self.random.below(2)) {
                ("exp" | "iat" | "nbf", 0) => self.time(),
                ("iss", 0) => json!([ISSUER]),
                _ => self.value(2),
            };
            // `jsonwebtoken` reads no time before 1970, although RFC 7519 has one.
            let is_negative = value.as_f64().is_some_and(|number| number < 0.0);
            if !(name == "nbf" && is_negative) {
                claims = changed(claims, &json!({name: value}));
            }
        }
        let mut text = claims.to_string();
        match self.random.below(30) {
            // A member that is there twice, with the last one right.
            0 => text = text.replacen('{', "{\"sub\":\"other\",", 1),
            1 => text = text.replacen('{', "{\"x\":{\"y\":1,\"y\":2},", 1),
            2 => {
                let deep = format!("{{\"deep\":{}{},", "[".repeat(40), "]".repeat(40));
                text = text.replacen('{', &deep, 1);
            }
            3 => {
                let long = format!("{{\"long\":\"{}\",", "x".repeat(12_000));
                text = text.replacen('{', &long, 1);
            }
            _ => {}
        }
        ISSUER_KEY.sign(header().to_string(), text)
    }

    fn with_odd_header(&mut self) -> String {
        let mut header = header();
        for _ in 0..=self.random.below(2) {
            let name = self.one_of(&HEADERS);
            header = if self.random.below(4) == 0 {
                without(header, name)
            } else {
                let value = self.value(1);
                changed(header, &json!({name: value}))
            };
        }
        let mut text = header.to_string();
        match self.random.below(8) {
            0 => text = text.replacen('{', "{\"x\":1,\"x\":1,", 1),
            1 => {
                let deep = format!("{{\"deep\":{}{},", "[".repeat(40), "]".repeat(40));
                text = text.replacen('{', &deep, 1);
            }
            2 => {
                let long = format!("{{\"long\":\"{}\",", "x".repeat(6_200));
                text = text.replacen('{', &long, 1);
            }
            _ => {}
        }
        ISSUER_KEY.sign(text, self.claims().to_string())
    }

    /// A good signature over a header or a payload some of whose bytes were changed.
    fn with_broken_json(&mut self) -> String {
        let (header, claims) = (header().to_string(), self.claims().to_string());
        let (mut header, mut claims) = (header.into_bytes(), claims.into_bytes());
        let text = if self.random.below(3) == 0 {
            &mut header
        } else {
            &mut claims
        };
        for _ in 0..=self.random.below(2) {
            let at = self.random.below(text.len());
            // No minus sign: see `with_odd_claims`.
            let byte = self.random.pick(b"{}[]\"\\,:09.eEunx \t\n\xff\x00\x7f");
            match self.random.below(3) {
                0 => text[at] = byte,
                1 => text.insert(at, byte),
                _ => {
                    text.remove(at);
                }
            }
        }
        ISSUER_KEY.sign(header, claims)
    }

    /// Signed by somebody else, or with another kind of signature.
    fn by_another(&mut self) -> String {
        let (header, claims) = (header().to_string(), self.claims().to_string());
        match self.random.below(4) {
            0 => ATTACKER_KEY.sign(header, claims),
            1 => ISSUER_KEY.sign_pss(&header, &claims),
            2 => ISSUER_KEY.sign_rs384(&header, &claims),
            _ => valid_token(),
        }
    }

    /// A good token whose text was changed.
    fn with_broken_text(&mut self) -> String {
        let mut text = ISSUER_KEY
            .sign(header().to_string(), self.claims().to_string())
            .into_bytes();
        match self.random.below(16) {
            0 => {
                let padding = self.random.below(17_000);
                text.resize(text.len() + padding, b'A');
            }
            1 => {
                let from = self.random.below(text.len());
                text.truncate(from);
            }
            2 => {
                let at = self.random.below(text.len());
                text.rotate_left(at);
            }
            3 => {}
            _ => {
                for _ in 0..=self.random.below(3) {
                    let at = self.random.below(text.len());
                    let byte = self.random.pick(b"AQgwz09-_.=+/ \n\x00");
                    match self.random.below(3) {
                        0 => text[at] = byte,
                        1 => text.insert(at, byte),
                        _ => {
                            text.remove(at);
                        }
                    }
                }
            }
        }
        String::from_utf8(text).unwrap()
    }
}
