//! The inside of a JSON string (RFC 8259 §7).

/// Offset of the first byte that ends a run of plain text: a quotation mark, a backslash, or a control character. The
/// length of `bytes` if there is none.
///
/// Names and most values end within the first sixteen bytes, which are looked at where this is called.
#[inline]
pub(crate) fn first_special(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < 16 {
        let Some(chunk) = bytes[at..].first_chunk() else {
            break;
        };
        let marks = specials(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + first_special_of_many(&bytes[at..])
}

/// Many bytes at a time: most of an event is one string, the token.
fn first_special_of_many(bytes: &[u8]) -> usize {
    let mut at = plain_stretch(bytes);
    while let Some(chunk) = bytes[at..].first_chunk() {
        let marks = specials(u64::from_le_bytes(*chunk));
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    bytes[at..]
        .iter()
        .position(|byte| is_special(*byte))
        .map_or(bytes.len(), |offset| at + offset)
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1f)
}

/// Bytes at the front that are plain for sure, in whole blocks. Each block is looked at without stopping, which the
/// compiler turns into vector instructions.
fn plain_stretch(bytes: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let has_special = |block: &&[u8]| {
        block
            .iter()
            .fold(false, |found, byte| found | is_special(*byte))
    };
    let blocks = bytes.chunks_exact(BLOCK);
    blocks.take_while(|block| !has_special(block)).count() * BLOCK
}

/// The top bit of each byte that is special. A borrow can mark a byte wrongly only above one that is marked rightly, so
/// the lowest mark is always true.
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const TOPS: u64 = u64::from_ne_bytes([0x80; 8]);
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word & TOPS;
    let quotes = zero_bytes(word ^ (ONES * u64::from(b'"')));
    let backslashes = zero_bytes(word ^ (ONES * u64::from(b'\\')));
    let controls = word.wrapping_sub(ONES * 0x20) & !word & TOPS;
    quotes | backslashes | controls
}

/// The text that a string with escapes stands for. `None` for an escape that there is not, and for half of a surrogate
/// pair, which stands for no character.
pub(super) fn unescape(raw: &str) -> Option<String> {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        rest = rest.get(at + 2..)?;
        text.push(match escape {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let unit = code_unit(&mut rest)?;
                if (0xd800..0xdc00).contains(&unit) {
                    rest = rest.strip_prefix("\\u")?;
                    char::decode_utf16([unit, code_unit(&mut rest)?])
                        .next()?
                        .ok()?
                } else {
                    char::from_u32(u32::from(unit))?
                }
            }
            _ => return None,
        });
    }
    text.push_str(rest);
    Some(text)
}

/// Four hexadecimal digits.
fn code_unit(rest: &mut &str) -> Option<u16> {
    let digits = rest.get(..4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    *rest = &rest[4..];
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_at_every_offset() {
        for length in 0..200 {
            assert_eq!(first_special("é".repeat(length).as_bytes()), 2 * length);
            for special in [b'"', b'\\', 0, 0x1f] {
                for at in 0..length {
                    let mut bytes = vec![0xff; length];
                    bytes[at] = special;
                    bytes[length - 1] = b'"';
                    assert_eq!(first_special(&bytes), at, "{special} at {at} of {length}");
                }
            }
        }
        for plain in (0x20..=0xff).filter(|byte| *byte != b'"' && *byte != b'\\') {
            assert_eq!(first_special(&[plain; 170]), 170, "{plain}");
        }
    }
}
