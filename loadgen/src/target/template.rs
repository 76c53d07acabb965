//! What stands between braces in the parts of a request, filled in as bytes.

use super::RequestError;

/// A filled part has at most so many blanks: no server reads a header section of that size.
const BLANKS_MAX: usize = 1024 * 1024;

/// What the placeholders of a request stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) token: &'a str,
    /// The token of the case's second recipe.
    pub(super) second: Option<&'a str>,
    /// Host and port.
    pub(super) authority: &'a str,
    /// The path of the protected resource.
    pub(super) path: &'a str,
    /// The length of the body in bytes.
    pub(super) length: usize,
}

impl Values<'_> {
    /// Fills every placeholder of a text. Braces around what is not shaped like one stay as they are.
    pub(super) fn fill(&self, text: &str) -> Result<Vec<u8>, RequestError> {
        let mut filled = Vec::with_capacity(text.len() + self.token.len());
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            filled.extend_from_slice(&rest.as_bytes()[..open]);
            rest = &rest[open + 1..];
            match rest.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, after)) => {
                    let value = self.value(name);
                    filled.extend(value.ok_or_else(|| RequestError::Placeholder(name.to_owned()))?);
                    rest = after;
                }
                None => filled.push(b'{'),
            }
        }
        filled.extend_from_slice(rest.as_bytes());
        Ok(filled)
    }

    /// The same for a part that has to be text.
    pub(super) fn fill_text(&self, text: &str) -> Result<String, RequestError> {
        String::from_utf8(self.fill(text)?).map_err(|_| RequestError::Text(text.to_owned()))
    }

    fn value(&self, name: &str) -> Option<Vec<u8>> {
        let (folder, leaf) = self.path.rsplit_once('/').unwrap_or(("", self.path));
        let text = |text: &str| Some(text.as_bytes().to_vec());
        if let Some((what, argument)) = name.split_once(':') {
            return match what {
                "blanks" => {
                    let count = argument.parse().ok().filter(|count| *count <= BLANKS_MAX)?;
                    Some(vec![b' '; count])
                }
                "byte" if argument.len() == 2 => {
                    u8::from_str_radix(argument, 16).ok().map(|byte| vec![byte])
                }
                _ => None,
            };
        }
        match name {
            "authority" => text(self.authority),
            "folder" => text(folder),
            "leaf" => text(leaf),
            "leaf_capitals" => text(&leaf.to_ascii_uppercase()),
            "leaf_escaped" => text(&escaped(leaf)),
            "length" => text(&self.length.to_string()),
            "path" => text(self.path),
            "second" => text(self.second?),
            "token" => text(self.token),
            _ => None,
        }
    }
}

/// The same segment with its first character percent-encoded, which no reader may take for another (RFC 3986 §6.2.2.2).
fn escaped(leaf: &str) -> String {
    match leaf.as_bytes() {
        [first, ..] if first.is_ascii_alphanumeric() => format!("%{first:02x}{}", &leaf[1..]),
        _ => leaf.to_owned(),
    }
}

/// A lower-case word, and an argument behind a colon where there is one. No JSON text is shaped so.
fn is_name(text: &str) -> bool {
    let (word, argument) = text.split_once(':').unwrap_or((text, "0"));
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    !word.is_empty()
        && word.bytes().all(lower)
        && !argument.is_empty()
        && argument.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Values<'_> = Values {
        token: "a.b.c",
        second: None,
        authority: "localhost:1",
        path: "/test/planets",
        length: 7,
    };

    #[test]
    fn placeholders_become_bytes_and_other_braces_stay() {
        for (text, wanted) in [
            ("Bearer {token}", &b"Bearer a.b.c"[..]),
            ("{folder}//{leaf}", b"/test//planets"),
            (
                "{folder}/{leaf_escaped} {leaf_capitals}",
                b"/test/%70lanets PLANETS",
            ),
            ("{authority} {length}", b"localhost:1 7"),
            ("x{byte:ff}{byte:00}{blanks:3}y", b"x\xff\0   y"),
            ("{\"a\":1} {} {A} {", b"{\"a\":1} {} {A} {"),
        ] {
            assert_eq!(VALUES.fill(text).expect(text), wanted, "{text}");
        }
    }

    #[test]
    fn an_unknown_placeholder_or_a_second_token_that_there_is_not_is_refused() {
        for text in [
            "{tokn}",
            "{second}",
            "{byte:f}",
            "{blanks:9999999}",
            "{blanks:f}",
        ] {
            let error = VALUES.fill(text).expect_err(text).to_string();
            assert!(
                error.contains(text) && error.contains("{leaf_escaped}"),
                "{error}"
            );
        }
        assert!(
            VALUES
                .fill_text("{byte:ff}")
                .expect_err("no text")
                .to_string()
                .contains("{byte:ff}")
        );
    }
}
