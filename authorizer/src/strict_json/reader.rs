//! The grammar of RFC 8259 over a text that is known to be UTF-8. Every step either moves forwards or stops.

use std::borrow::Cow;

use super::{MAX_DEPTH, Member, Members, Number, ObjectFault, Texts};

mod names;
mod text;

use names::SeenNames;
use text::{first_special, unescape};

type Read<T> = Result<T, ObjectFault>;

/// A place in a text.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Reader<'a> {
        Reader { text, at: 0 }
    }

    /// The object that is the whole text, up to its closing brace.
    /// `members` has a place for each wanted name.
    pub(super) fn top_level(
        &mut self,
        wanted: &[impl AsRef<str>],
        members: &mut [Member<'a>],
    ) -> Read<()> {
        match self.next_token() {
            Some(b'{') => {}
            Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                return Err(ObjectFault::NotAnObject);
            }
            _ => return Err(ObjectFault::NotJson),
        }
        let mut others = SeenNames::default();
        let mut first = true;
        while let Some(name) = self.next_name(&mut first)? {
            if let Some(index) = index_of(&name, wanted) {
                if members[index] != Member::Absent {
                    return Err(ObjectFault::DuplicateName);
                }
                members[index] = self.keep()?;
            } else if others.insert(name) {
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
                self.eat(b'"').then(|| self.string().ok()).flatten()
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
        let name = self.next_name(first).ok()??;
        Some((name, self.keep().ok()?))
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

    /// The next member's name, read up to behind its colon; `None` at the closing brace. Starts behind the opening brace.
    fn next_name(&mut self, first: &mut bool) -> Read<Option<Cow<'a, str>>> {
        let mut token = self.next_token();
        if std::mem::take(first) {
            if token == Some(b'}') {
                return Ok(None);
            }
        } else {
            match token {
                Some(b',') => token = self.next_token(),
                Some(b'}') => return Ok(None),
                _ => return Err(ObjectFault::NotJson),
            }
        }
        if token != Some(b'"') {
            return Err(ObjectFault::NotJson);
        }
        let name = self.string()?;
        self.expect(b':')?;
        Ok(Some(name))
    }

    /// A string, from behind its opening quotation mark.
    fn string(&mut self) -> Read<Cow<'a, str>> {
        let start = self.at;
        let mut has_escapes = false;
        loop {
            self.at += first_special(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    has_escapes = true;
                    // The escaped character is looked at below; here it must only not end the string.
                    self.at = (self.at + 2).min(self.text.len());
                }
                // A control character, or the end of the text.
                _ => return Err(ObjectFault::NotJson),
            }
        }
        // Both ends are ASCII quotation marks, so the slice is whole characters.
        let raw = &self.text[start..self.at];
        self.at += 1;
        if has_escapes {
            unescape(raw).map(Cow::Owned).ok_or(ObjectFault::NotJson)
        } else {
            Ok(Cow::Borrowed(raw))
        }
    }

    /// A value that the caller asked for.
    fn keep(&mut self) -> Read<Member<'a>> {
        self.skip_white();
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.at += 1;
                self.string().map(Member::Text)
            }
            Some(b'-' | b'0'..=b'9') => self.number().map(Member::Number),
            Some(b'[') => {
                self.at += 1;
                let only_texts = self.array(MAX_DEPTH)?;
                let array = &self.text[start..self.at];
                Ok(if only_texts {
                    Member::Texts(Texts(array))
                } else {
                    Member::Other
                })
            }
            Some(b'{') => {
                self.at += 1;
                self.object(MAX_DEPTH)?;
                Ok(Member::Object(Members(&self.text[start..self.at])))
            }
            Some(boolean @ (b't' | b'f')) => {
                self.skip(MAX_DEPTH)?;
                Ok(Member::Bool(boolean == b't'))
            }
            _ => self.skip(MAX_DEPTH).map(|()| Member::Other),
        }
    }

    /// Reads past a value. `depth` levels of arrays and objects are left.
    fn skip(&mut self, depth: usize) -> Read<()> {
        match self.next_token() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth).map(|_| ()),
            Some(b'-' | b'0'..=b'9') => {
                self.at -= 1;
                self.number().map(|_| ())
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
        while let Some(name) = self.next_name(&mut first)? {
            if !seen.insert(name) {
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

    /// A number (RFC 8259 §6). One that is too large for a double is no number that anyone agrees on, and refused.
    fn number(&mut self) -> Read<Number> {
        let start = self.at;
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
        let text = &self.text[start..self.at];
        if is_integer {
            if let Ok(integer) = text.parse() {
                return Ok(Number::Integer(integer));
            }
            if text.parse::<u64>().is_ok() {
                return Ok(Number::TooLarge);
            }
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Number::Float(number)),
            _ => Err(ObjectFault::NotJson),
        }
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

/// The place of a name among the wanted ones. Most pairs differ in length or first byte, which is cheaper to see than a
/// comparison is to call.
fn index_of(name: &str, wanted: &[impl AsRef<str>]) -> Option<usize> {
    let first = name.as_bytes().first();
    wanted.iter().position(|wanted| {
        let wanted = wanted.as_ref();
        wanted.len() == name.len() && wanted.as_bytes().first() == first && wanted == name
    })
}
