//! The `payload_encoding` member of a recipe: other encodings of text than the one that RFC 7519 §7.1 asks for.

use serde::Deserialize;

/// How a text becomes bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextEncoding {
    /// UTF-8, as RFC 8725 §3.7 has it.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-8 behind a byte order mark, which RFC 8259 §8.1 forbids to send and allows to overlook.
    #[serde(rename = "utf-8-with-bom")]
    Utf8WithBom,
    /// UTF-16, the high byte first.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// UTF-16, the low byte first.
    #[serde(rename = "utf-16le")]
    Utf16Le,
}

impl TextEncoding {
    /// The bytes of a text. Bytes that are no UTF-8 stay as they are.
    pub(crate) fn encode(self, bytes: Vec<u8>) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return bytes;
        };
        match self {
            Self::Utf8 => bytes,
            Self::Utf8WithBom => [&[0xef, 0xbb, 0xbf][..], &bytes].concat(),
            Self::Utf16Be => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Utf16Le => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        }
    }
}
