//! The catalogue: all cases of all files, each id once.

use std::collections::HashSet;

use super::case::{Case, CaseFile};
use super::sequence::Sequence;

/// All cases, in the order of their files.
#[derive(Debug)]
pub struct Catalogue {
    cases: Vec<Case>,
    sequences: Vec<Sequence>,
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
    /// A step of a sequence that makes no sense.
    #[error("{file}: sequence {id:?}, step {step}: {message}")]
    Step {
        /// The file.
        file: String,
        /// The sequence.
        id: String,
        /// Its place, from 1.
        step: usize,
        /// What is wrong.
        message: String,
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
        let (mut cases, mut sequences) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for (file, text) in files {
            let parsed: CaseFile = toml::from_str(text).map_err(|error| CaseError::Syntax {
                file: file.clone(),
                message: error.to_string().trim_end().to_owned(),
            })?;
            for mut case in parsed.cases {
                check_id(&case.id, &file, &mut seen)?;
                case.group.clone_from(&parsed.title);
                cases.push(case);
            }
            for raw in parsed.sequences {
                check_id(&raw.id, &file, &mut seen)?;
                let id = raw.id.clone();
                let sequence = raw.into_sequence(&parsed.title);
                sequences.push(sequence.map_err(|(step, message)| CaseError::Step {
                    file: file.clone(),
                    id,
                    step,
                    message,
                })?);
            }
        }
        Ok(Self { cases, sequences })
    }

    /// Every case.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Every sequence.
    pub fn sequences(&self) -> &[Sequence] {
        &self.sequences
    }

    /// Whether a case or a sequence has this id.
    pub fn holds(&self, id: &str) -> bool {
        self.find(id).is_some() || self.sequences.iter().any(|known| known.case.id == id)
    }

    /// The place of a case or a sequence in reports: the order of the files, the cases first.
    pub fn place(&self, id: &str) -> usize {
        let ids = self.cases.iter().map(|case| &case.id);
        let sequences = self.sequences.iter().map(|sequence| &sequence.case.id);
        let mut ids = ids.chain(sequences);
        ids.position(|known| known == id).unwrap_or(usize::MAX)
    }

    /// The case of that id.
    pub fn find(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }

    /// The cases whose id holds one of the texts; all of them when there is no text.
    pub fn filter(&self, texts: &[String]) -> Vec<&Case> {
        let cases = self.cases.iter();
        cases.filter(|case| passes(&case.id, texts)).collect()
    }

    /// The same for sequences.
    pub fn filter_sequences(&self, texts: &[String]) -> Vec<&Sequence> {
        let sequences = self.sequences.iter();
        sequences
            .filter(|sequence| passes(&sequence.case.id, texts))
            .collect()
    }
}

fn passes(id: &str, texts: &[String]) -> bool {
    texts.is_empty() || texts.iter().any(|text| id.contains(text.as_str()))
}

fn check_id(id: &str, file: &str, seen: &mut HashSet<String>) -> Result<(), CaseError> {
    if !is_id(id) {
        return Err(CaseError::Id {
            file: file.to_owned(),
            id: id.to_owned(),
        });
    }
    if seen.insert(id.to_owned()) {
        return Ok(());
    }
    Err(CaseError::Duplicate {
        file: file.to_owned(),
        id: id.to_owned(),
    })
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
