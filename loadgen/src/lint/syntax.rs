//! Objects with the places where they stand: JSON, and what JavaScript allows beyond it.
//!
//! `serde_json` keeps no places, and documents write policies as object literals with comments, bare keys and
//! expressions. Whether a JSON file is JSON at all is still asked of `serde_json`; this reader only finds things in it.

/// A value and the bytes that it takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) value: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Array(Vec<Node>),
    Boolean(bool),
    /// An expression that is not a literal: `event.methodArn`.
    Code(String),
    Null,
    Number(String),
    Object(Vec<Member>),
    Text(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Member {
    pub(super) key: String,
    pub(super) at: usize,
    pub(super) node: Node,
}

impl Node {
    /// The members of an object; none for anything else.
    pub(super) fn members(&self) -> &[Member] {
        match &self.value {
            Value::Object(members) => members,
            _ => &[],
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.members()
            .iter()
            .find(|member| member.key == key)
            .map(|member| &member.node)
    }

    /// The first of several spellings that is there.
    pub(super) fn any(&self, keys: &[&str]) -> Option<&Node> {
        keys.iter().find_map(|key| self.get(key))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An array's items, or the value itself: IAM takes both for `Statement`, `Action`, `Resource` and principals.
    pub(super) fn each(&self) -> &[Node] {
        match &self.value {
            Value::Array(items) => items,
            _ => std::slice::from_ref(self),
        }
    }
}

/// Levels of nesting. A template nests some twenty deep; the reader calls itself, so the stack has to have a bound.
const DEPTH_MAX: usize = 64;

/// Reads the value that starts at `at`, or nothing when it is not a whole one.
pub(super) fn read(text: &str, at: usize) -> Option<Node> {
    read_counting(text, at).0
}

/// The same, and how many bytes were looked at, so that a caller who tries at many places can stop.
pub(super) fn read_counting(text: &str, at: usize) -> (Option<Node>, usize) {
    let mut reader = Reader { text, at };
    let node = reader.value(0);
    (node, reader.at - at)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    /// Passes over white space and comments.
    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            let comment = match &rest[blank..] {
                inner if inner.starts_with("//") => inner.find('\n').unwrap_or(inner.len()),
                inner if inner.starts_with("/*") => inner.find("*/").map_or(inner.len(), |n| n + 2),
                _ => 0,
            };
            self.at += blank + comment;
            if comment == 0 {
                return;
            }
        }
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > DEPTH_MAX {
            return None;
        }
        self.skip();
        let at = self.at;
        let value = match self.peek()? {
            '{' => self.object(depth)?,
            '[' => self.array(depth)?,
            quote @ ('"' | '\'' | '`') => {
                let text = self.quoted(quote)?;
                self.joined(at, Value::Text(text))
            }
            _ => self.bare()?,
        };
        Some(Node {
            at,
            end: self.at,
            value,
        })
    }

    fn object(&mut self, depth: usize) -> Option<Value> {
        self.eat('{');
        let mut members = Vec::new();
        loop {
            self.skip();
            if self.eat('}') {
                return Some(Value::Object(members));
            }
            let at = self.at;
            let key = match self.peek()? {
                quote @ ('"' | '\'') => self.quoted(quote)?,
                _ => self.word()?,
            };
            self.skip();
            let node = if self.eat(':') {
                self.value(depth + 1)?
            } else {
                // `{ principalId, policyDocument }`: the value is the variable of that name.
                Node {
                    at,
                    end: self.at,
                    value: Value::Code(key.clone()),
                }
            };
            members.push(Member { key, at, node });
            self.skip();
            if !self.eat(',') && self.peek() != Some('}') {
                return None;
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.eat('[');
        let mut items = Vec::new();
        loop {
            self.skip();
            if self.eat(']') {
                return Some(Value::Array(items));
            }
            items.push(self.value(depth + 1)?);
            self.skip();
            if !self.eat(',') && self.peek() != Some(']') {
                return None;
            }
        }
    }

    /// A bare key: a name, or a spread such as `...rest`.
    fn word(&mut self) -> Option<String> {
        let name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '-');
        let rest = self.rest();
        let dots = rest.len() - rest.trim_start_matches('.').len();
        let length = rest[dots..].find(|c| !name(c)).unwrap_or(rest.len() - dots);
        if length == 0 {
            return None;
        }
        let word = rest[..dots + length].to_owned();
        self.at += word.len();
        Some(word)
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let open = self.at;
        self.at += quote.len_utf8();
        let mut escaped = false;
        for (offset, c) in self.text[self.at..].char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '\n' if quote != '`' => return None,
                c if c == quote => {
                    let close = self.at + offset;
                    let inner = &self.text[self.at..close];
                    self.at = close + quote.len_utf8();
                    return Some(unescape(inner, &self.text[open..self.at]));
                }
                _ => {}
            }
        }
        // All of it was looked at, which counts.
        self.at = self.text.len();
        None
    }

    /// A string that an operator follows, as in `'arn:' + region`, is an expression.
    fn joined(&mut self, at: usize, value: Value) -> Value {
        let end = self.at;
        self.skip();
        if matches!(self.peek(), Some('+' | '.' | '?' | '(')) && self.bare().is_some() {
            return Value::Code(self.text[at..self.at].to_owned());
        }
        self.at = end;
        value
    }

    fn bare(&mut self) -> Option<Value> {
        let mut depth = 0_usize;
        let end = self.rest().find(|c| {
            match c {
                '(' | '[' => depth += 1,
                ')' | ']' if depth > 0 => {
                    depth -= 1;
                    return false;
                }
                ',' if depth > 0 => return false,
                _ => {}
            }
            matches!(c, ',' | '}' | ']' | ')' | '{' | ';' | '\n') && (depth == 0 || c == '\n')
        })?;
        let word = self.rest()[..end].trim_end().to_owned();
        // A comment behind the value is none of it.
        let word = word.split(" //").next().unwrap_or_default().trim_end();
        self.at += word.len();
        match word {
            "" => None,
            "null" => Some(Value::Null),
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            number if number.parse::<f64>().is_ok() => Some(Value::Number(number.to_owned())),
            code => Some(Value::Code(code.to_owned())),
        }
    }
}

/// What a string says: as JSON when it is JSON, and otherwise with the two escapes that matter to paths and expressions.
fn unescape(inner: &str, quoted: &str) -> String {
    serde_json::from_str(quoted).unwrap_or_else(|_| inner.replace("\\\\", "\\").replace("\\/", "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_with_the_places_of_keys_and_values() {
        let text = r#"{"a": [1, "b\n", true, null], "c": {}}"#;
        let node = read(text, 0).expect("an object");
        assert_eq!(node.end, text.len());
        let items = node.get("a").expect("a").each();
        assert_eq!(&text[items[1].at..items[1].end], "\"b\\n\"");
        assert_eq!(items[1].text(), Some("b\n"));
        assert_eq!(items[3].value, Value::Null);
        assert_eq!(node.members()[1].at, text.find("\"c\"").expect("c"));
    }

    #[test]
    fn an_object_literal_is_read_with_comments_bare_keys_and_expressions() {
        let text = "{ // first\n Effect: effect, Resource: event.methodArn, 'Action': 'a' /* b */, list: f(1, 2),\n id, r: 'x' + y, }";
        let node = read(text, 0).expect("an object");
        let code = |key: &str| node.get(key).expect("a member").value.clone();
        assert_eq!(code("Resource"), Value::Code("event.methodArn".into()));
        assert_eq!(code("Action"), Value::Text("a".into()));
        assert_eq!(code("list"), Value::Code("f(1, 2)".into()));
        assert_eq!(code("id"), Value::Code("id".into()));
        assert_eq!(code("r"), Value::Code("'x' + y".into()));
    }

    #[test]
    fn what_is_no_object_is_refused_and_nothing_panics() {
        for text in [
            "{",
            "{a.b}",
            "{\"a\":",
            "{\"a\" 1}",
            "{'a\n'}",
            "[1",
            "{…}",
            "",
            "{\"é\": 'ü",
        ] {
            assert_eq!(read(text, 0), None, "{text}");
        }
        assert_eq!(read(&"[".repeat(100_000), 0), None);
    }
}
