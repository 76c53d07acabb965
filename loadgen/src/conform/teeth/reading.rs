//! How a part of a token is read: as it has to be, and more kindly.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

/// The JSON of a part, as strictly as anybody reads it.
pub(super) fn json(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// UTF-16 and a byte order mark are put up with.
pub(super) fn json_in_any_encoding(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
    let units = |decode: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| decode([pair[0], pair[1]]));
        String::from_utf16(&units.collect::<Vec<_>>()).ok()
    };
    let text = match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok()?,
        [0, ..] => units(u16::from_be_bytes)?,
        [_, 0, ..] => units(u16::from_le_bytes)?,
        _ => String::from_utf8(bytes).ok()?,
    };
    serde_json::from_str(&text).ok()
}

/// A text is taken for what it holds.
pub(super) fn read_again(value: Option<Value>) -> Option<Value> {
    match value {
        Some(Value::String(text)) => serde_json::from_str(&text).ok(),
        value => value,
    }
}

/// A claim as an object of JavaScript has it where claims were merged into it member by member: its own, or its prototype's.
pub(super) fn inherited<'a>(claims: &'a Value, name: &str) -> &'a Value {
    let places = [
        claims,
        &claims["__proto__"],
        &claims["constructor"]["prototype"],
    ];
    let values = places.map(|place| &place[name]);
    values
        .into_iter()
        .find(|value| !value.is_null())
        .unwrap_or(&Value::Null)
}

/// The value of the first member called `sub`, where the parser takes the last.
pub(super) fn first_sub(payload: &str) -> Option<Value> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let (_, rest) = text.split_once("\"sub\":\"")?;
    Some(rest.split('"').next()?.into())
}
