//! The grammar of RFC 8259 over a text that is known to be UTF-8. Every step either moves forwards or stops.

use std::borrow::Cow;

use super::{MAX_DEPTH, Member, Members, Number, ObjectFault, Texts, wanted::Names};

mod names;
mod text;

use names::SeenNames;
pub(crate) use text::first_special;
use text::unescape;

type Read<T> = Result<T, ObjectFault>;

/// A place in a text.
///
/// What a step finds, it returns in registers or writes where it belongs: a result with a member inside goes through
/// memory, and is read back before the processor is done with writing it.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Whether the last string holds escapes.
    has_escapes: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader {
            text,
            at: 0,
            has_escapes: false,
        }
    }

    /// The object that is the whole text, up to its closing brace. `members` has a place for each name.
    pub(super) fn top_level(&mut self, names: Names<'_>, members: &mut [Member<'a>]) -> Read<()> {
        match self.next_token() {
            Some(b'{') => {}
            Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                return Err(ObjectFault::NotAnObject);
            }
            _ => return Err(ObjectFault::NotJson),
        }
        let mut others = SeenNames::default();
        let mut first = true;
        while self.has_another(&mut first)? {
            let raw = self.name()?;
            let unescaped = self.unescaped(raw)?;
            if let Some(place) = names.place_of(unescaped.as_deref().unwrap_or(raw)) {
                if members[place] != Member::Absent {
                    return Err(ObjectFault::DuplicateName);
                }
                self.keep(&mut members[place])?;
            } else if others.insert(raw, unescaped) {
                self.skip(MAX_DEPTH)?;
            } else {
                return Err(ObjectFault::DuplicateName);
            }
        }
        Ok(())
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Read<()> {
        match self.next_token() {
            None => Ok(()),
            Some(_) => Err(ObjectFault::NotJson),
        }
    }

    /// The next string of an array that [`Self::keep`] has read before. Starts at the bracket.
    pub(super) fn next_text_of_array(&mut self) -> Option<Cow<'a, str>> {
        match self.next_token()? {
            b'[' | b',' => {
                self.skip_white();
                // An empty array has no string behind its bracket.
                self.eat(b'"').then(|| self.text().ok()).flatten()
            }
            _ => None,
        }
    }

    /// Steps behind the brace of an object that [`Self::keep`] has read before. Whether its first member comes next.
    pub(super) fn enter_object(&mut self) -> bool {
        self.eat(b'{')
    }

    /// The next member of such an object.
    pub(super) fn next_member(&mut self, first: &mut bool) -> Option<(Cow<'a, str>, Member<'a>)> {
        if !self.has_another(first).ok()? {
            return None;
        }
        let name = self.text().ok()?;
        self.expect(b':').ok()?;
        let mut member = Member::Absent;
        self.keep(&mut member).ok()?;
        Some((name, member))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// The next byte that is not white space.
    fn next_token(&mut self) -> Option<u8> {
        self.skip_white();
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Read<()> {
        match self.next_token() {
            Some(found) if found == byte => Ok(()),
            _ => Err(ObjectFault::NotJson),
        }
    }

    /// Whether the object has another member; then its name's first character is next. Starts behind the opening brace or
    /// behind a value.
    fn has_another(&mut self, first: &mut bool) -> Read<bool> {
        let mut token = self.next_token();
        if std::mem::take(first) {
            if token == Some(b'}') {
                return Ok(false);
            }
        } else {
            match token {
                Some(b',') => token = self.next_token(),
                Some(b'}') => return Ok(false),
                _ => return Err(ObjectFault::NotJson),
            }
        }
        match token {
            Some(b'"') => Ok(true),
            _ => Err(ObjectFault::NotJson),
        }
    }

    /// A member's name as it is written, and the colon behind it.
    fn name(&mut self) -> Read<&'a str> {
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// A string as it is written, from behind its opening quotation mark.
    fn string(&mut self) -> Read<&'a str> {
        let start = self.at;
        self.has_escapes = false;
        loop {
            self.at += first_special(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.has_escapes = true;
                    // The escaped character is looked at later; here it must only not end the string.
                    self.at = (self.at + 2).min(self.text.len());
                }
                // A control character, or the end of the text.
                _ => return Err(ObjectFault::NotJson),
            }
        }
        // Both ends are ASCII quotation marks, so the slice is whole characters.
        let raw = &self.text[start..self.at];
        self.at += 1;
        Ok(raw)
    }

    /// What the last string stands for, if that is not what is written.
    fn unescaped(&self, raw: &str) -> Read<Option<String>> {
        if self.has_escapes {
            return unescape(raw).map(Some).ok_or(ObjectFault::NotJson);
        }
        Ok(None)
    }

    /// What a string stands for.
    fn text(&mut self) -> Read<Cow<'a, str>> {
        let raw = self.string()?;
        Ok(self.unescaped(raw)?.map_or(Cow::Borrowed(raw), Cow::Owned))
    }

    /// A value that the caller asked for.
    fn keep(&mut self, member: &mut Member<'a>) -> Read<()> {
        self.skip_white();
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                let raw = self.string()?;
                *member = Member::Text(if self.has_escapes {
                    Cow::Owned(unescape(raw).ok_or(ObjectFault::NotJson)?)
                } else {
                    Cow::Borrowed(raw)
                });
            }
            Some(b'-' | b'0'..=b'9') => {
                let is_integer = self.number()?;
                let number = number_of(&self.text[start..self.at], is_integer);
                *member = Member::Number(number.ok_or(ObjectFault::NotJson)?);
            }
            Some(b'[') => {
                self.at += 1;
                let only_texts = self.array(MAX_DEPTH)?;
                let array = &self.text[start..self.at];
                *member = if only_texts {
                    Member::Texts(Texts(array))
                } else {
                    Member::Other
                };
            }
            Some(b'{') => {
                self.at += 1;
                self.object(MAX_DEPTH)?;
                *member = Member::Object(Members(&self.text[start..self.at]));
            }
            Some(boolean @ (b't' | b'f')) => {
                self.skip(MAX_DEPTH)?;
                *member = Member::Bool(boolean == b't');
            }
            _ => {
                self.skip(MAX_DEPTH)?;
                *member = Member::Other;
            }
        }
        Ok(())
    }

    /// Reads past a value. `depth` levels of arrays and objects are left.
    fn skip(&mut self, depth: usize) -> Read<()> {
        match self.next_token() {
            Some(b'"') => {
                let raw = self.string()?;
                self.unescaped(raw).map(|_| ())
            }
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth).map(|_| ()),
            Some(b'-' | b'0'..=b'9') => {
                self.at -= 1;
                let start = self.at;
                let is_integer = self.number()?;
                number_of(&self.text[start..self.at], is_integer)
                    .map(|_| ())
                    .ok_or(ObjectFault::NotJson)
            }
            Some(b't') => self.literal("rue"),
            Some(b'f') => self.literal("alse"),
            Some(b'n') => self.literal("ull"),
            _ => Err(ObjectFault::NotJson),
        }
    }

    fn literal(&mut self, rest: &str) -> Read<()> {
        if self.text.as_bytes()[self.at..].starts_with(rest.as_bytes()) {
            self.at += rest.len();
            Ok(())
        } else {
            Err(ObjectFault::NotJson)
        }
    }

    /// The members of an object that nobody asked for, from behind its brace.
    fn object(&mut self, depth: usize) -> Read<()> {
        let depth = depth.checked_sub(1).ok_or(ObjectFault::TooDeep)?;
        let mut seen = SeenNames::default();
        let mut first = true;
        while self.has_another(&mut first)? {
            let raw = self.name()?;
            let unescaped = self.unescaped(raw)?;
            if !seen.insert(raw, unescaped) {
                return Err(ObjectFault::DuplicateName);
            }
            self.skip(depth)?;
        }
        Ok(())
    }

    /// The elements of an array, from behind its bracket. Whether all of them are strings.
    fn array(&mut self, depth: usize) -> Read<bool> {
        let depth = depth.checked_sub(1).ok_or(ObjectFault::TooDeep)?;
        let mut only_texts = true;
        self.skip_white();
        if self.eat(b']') {
            return Ok(only_texts);
        }
        loop {
            self.skip_white();
            only_texts &= self.peek() == Some(b'"');
            self.skip(depth)?;
            match self.next_token() {
                Some(b',') => {}
                Some(b']') => return Ok(only_texts),
                _ => return Err(ObjectFault::NotJson),
            }
        }
    }

    /// Reads past a number (RFC 8259 §6). Whether it is written as an integer.
    fn number(&mut self) -> Read<bool> {
        self.eat(b'-');
        // A leading zero stands alone.
        if !self.eat(b'0') && self.digits() == 0 {
            return Err(ObjectFault::NotJson);
        }
        let mut is_integer = true;
        if self.eat(b'.') {
            is_integer = false;
            if self.digits() == 0 {
                return Err(ObjectFault::NotJson);
            }
        }
        if self.eat(b'e') || self.eat(b'E') {
            is_integer = false;
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            if self.digits() == 0 {
                return Err(ObjectFault::NotJson);
            }
        }
        Ok(is_integer)
    }

    /// Reads past decimal digits; how many there were.
    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }
}

/// The number that a text stands for. One that is too large for a double is no number that anyone agrees on: `None`.
fn number_of(text: &str, is_integer: bool) -> Option<Number> {
    if is_integer {
        if let Ok(integer) = text.parse() {
            return Some(Number::Integer(integer));
        }
        if let Ok(integer) = text.parse() {
            return Some(Number::Large(integer));
        }
    }
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Some(Number::Float(number)),
        _ => None,
    }
}
