//! Documents as Markdown: HTML is turned into what the same page would be in Markdown, with a way back to the places in
//! the file.

use std::ops::Range;

/// A document's text, and where each byte of it comes from.
#[derive(Debug)]
pub(super) struct Markdown {
    pub(super) text: String,
    /// Nothing when the text is the file's own.
    origin: Option<Vec<usize>>,
}

impl Markdown {
    pub(super) fn new(text: &str, html: bool) -> Markdown {
        if html {
            return from_html(text);
        }
        Markdown {
            text: text.to_owned(),
            origin: None,
        }
    }

    /// The place in the file.
    pub(super) fn origin(&self, at: usize) -> usize {
        match &self.origin {
            Some(origin) => origin.get(at).or(origin.last()).copied().unwrap_or(0),
            None => at,
        }
    }

    fn push(&mut self, text: &str, from: usize) {
        self.text.push_str(text);
        let origin = self.origin.get_or_insert_default();
        origin.extend(std::iter::repeat_n(from, text.len()));
    }
}

const ENTITIES: [(&str, &str); 8] = [
    ("&quot;", "\""),
    ("&#34;", "\""),
    ("&#39;", "'"),
    ("&apos;", "'"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&nbsp;", " "),
    ("&amp;", "&"),
];

fn from_html(html: &str) -> Markdown {
    let mut page = Markdown {
        text: String::new(),
        origin: Some(Vec::new()),
    };
    let mut verbatim = false;
    let mut in_row = false;
    let mut at = 0;
    while let Some(c) = html[at..].chars().next() {
        let rest = &html[at..];
        let entity = ENTITIES.iter().find(|(name, _)| rest.starts_with(name));
        if let Some((name, text)) = entity {
            page.push(text, at);
            at += name.len();
        } else if let Some(name) = tag(rest) {
            let end = rest.find('>').map_or(rest.len(), |end| end + 1);
            match name.as_str() {
                "pre" => verbatim = true,
                "/pre" => verbatim = false,
                "tr" => in_row = true,
                "/tr" => in_row = false,
                _ => {}
            }
            page.push(markdown_of(&name, verbatim), at);
            at += end;
        } else {
            // A row of Markdown is one line.
            let text = &rest[..c.len_utf8()];
            page.push(if in_row && c == '\n' { " " } else { text }, at);
            at += c.len_utf8();
        }
    }
    page
}

/// The name of the tag that starts a text: `td`, `/td`.
fn tag(rest: &str) -> Option<String> {
    let inner = rest.strip_prefix('<')?;
    let length = inner
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '/')
        .unwrap_or(inner.len());
    let name = inner[..length].trim_end_matches('/').to_ascii_lowercase();
    (!name.is_empty()).then_some(name)
}

fn markdown_of(name: &str, verbatim: bool) -> &'static str {
    match name {
        "pre" | "/pre" => "\n```\n",
        "code" | "/code" if !verbatim => "`",
        "tr" => "\n|",
        "/td" | "/th" => " | ",
        "p" | "li" | "div" | "br" | "h1" | "h2" | "h3" | "h4" | "table" | "/tr" => "\n",
        _ => "",
    }
}

/// The code of the fenced blocks, each with the word behind its fence.
pub(super) fn fences(text: &str) -> Vec<(String, Range<usize>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, &str, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        let body = line.trim_start_matches([' ', '\t', '>']).trim_end();
        let fence = ["```", "~~~"]
            .into_iter()
            .find(|fence| body.starts_with(fence));
        match (&open, fence) {
            (None, Some(fence)) => {
                let word = body
                    .trim_start_matches(['`', '~'])
                    .trim()
                    .to_ascii_lowercase();
                open = Some((word, fence, end));
            }
            (Some((word, opened, start)), Some(fence)) if fence == *opened => {
                blocks.push((word.clone(), *start..at));
                open = None;
            }
            _ => {}
        }
        at = end;
    }
    blocks
}

/// The rows of the tables: their cells, each with the place of its first byte. Escaped bars belong to the cell.
pub(super) fn rows(text: &str) -> Vec<Vec<(&str, usize)>> {
    let mut rows = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_start_matches([' ', '\t', '>']);
        if body.starts_with('|') {
            rows.push(cells(body, start + line.len() - body.len() + 1));
        }
        start += line.len();
    }
    rows
}

fn cells(body: &str, mut at: usize) -> Vec<(&str, usize)> {
    let mut cells = Vec::new();
    let mut rest = &body[1..];
    while !rest.trim().is_empty() {
        let bar = rest
            .char_indices()
            .find(|(index, c)| *c == '|' && !rest[..*index].ends_with('\\'))
            .map_or(rest.len(), |(index, _)| index);
        let cell = &rest[..bar];
        let blank = cell.len() - cell.trim_start().len();
        cells.push((cell.trim(), at + blank));
        at += (bar + 1).min(rest.len());
        rest = rest.get(bar + 1..).unwrap_or_default();
    }
    cells
}

/// The texts between backticks, each with its place.
pub(super) fn spans(text: &str, at: usize) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut from = 0;
    for (index, piece) in text.split('`').enumerate() {
        if index % 2 == 1 {
            found.push((piece, at + from));
        }
        from += piece.len() + 1;
    }
    found
}
