//! The catalogue: all cases of all files, each id once.

use std::collections::HashSet;

use super::case::{Case, CaseFile};

/// All cases, in the order of their files.
#[derive(Debug)]
pub struct Catalogue {
    cases: Vec<Case>,
}

/// A case file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Two cases share an id.
    #[error("{file}: case id {id:?} is used twice; ids are stable names, choose another")]
    Duplicate {
        /// The file of the second one.
        file: String,
        /// The id.
        id: String,
    },
    /// An id that is not of the form `source::what`.
    #[error(
        "{file}: case id {id:?} is not of the form source::what in lower case, such as \"rfc7519::exp-past\""
    )]
    Id {
        /// The file.
        file: String,
        /// The id.
        id: String,
    },
    /// The text is no TOML, or has an unknown key or a wrong type.
    #[error("{file}: {message}")]
    Syntax {
        /// The file.
        file: String,
        /// The parser's own message, with line and column.
        message: String,
    },
}

impl Catalogue {
    /// Parses case files, each with the name that messages call it by.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (String, &'a str)>,
    ) -> Result<Self, CaseError> {
        let mut cases = Vec::new();
        let mut seen = HashSet::new();
        for (file, text) in files {
            let parsed: CaseFile = toml::from_str(text).map_err(|error| CaseError::Syntax {
                file: file.clone(),
                message: error.to_string().trim_end().to_owned(),
            })?;
            for mut case in parsed.cases {
                if !is_id(&case.id) {
                    return Err(CaseError::Id { file, id: case.id });
                }
                if !seen.insert(case.id.clone()) {
                    return Err(CaseError::Duplicate { file, id: case.id });
                }
                case.group.clone_from(&parsed.title);
                cases.push(case);
            }
        }
        Ok(Self { cases })
    }

    /// Every case.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The case of that id.
    pub fn find(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }

    /// The cases whose id holds one of the texts; all of them when there is no text.
    pub fn filter(&self, texts: &[String]) -> Vec<&Case> {
        self.cases
            .iter()
            .filter(|case| {
                texts.is_empty() || texts.iter().any(|text| case.id.contains(text.as_str()))
            })
            .collect()
    }
}

fn is_id(id: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    id.split_once("::")
        .is_some_and(|(source, what)| word(source) && word(what))
}
