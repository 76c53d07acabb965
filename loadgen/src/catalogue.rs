//! The catalogue: all cases of all files, each id once.

use std::collections::HashMap;

use mock_idp::{JwksDocument, Minter};

use crate::place;
use crate::target::RequestShape;
use case::CaseSources;

mod case;
mod cause;
mod policy_question;
mod selection;
mod sequence;

pub use case::{
    AnswerRule, Case, CaseFile, CaseSource, Expectation, Feature, Grade, Level, ListenerRule,
    Severity,
};
pub use cause::Cause;
pub use policy_question::{PolicyQuestion, ShapeRule};
pub use selection::Selection;
pub use sequence::{Send, Sequence, Step, StepDecision, Wait};

/// The case whose token every correct verifier takes; it is asked before all others.
pub const GENUINE: &str = "baseline::valid";

/// All cases, in the order of their files.
#[derive(Debug)]
pub struct Catalogue {
    cases: Vec<Case>,
    sequences: Vec<Sequence>,
}

/// A case file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// A cause that there is not.
    #[error(
        "{at}: case {id}: {key} is {cause:?}, which is no cause: use one of {}",
        known_causes()
    )]
    Cause {
        /// Where the case stands: `my.toml:12`.
        at: String,
        /// The id.
        id: String,
        /// `cause` or `implied_by`.
        key: &'static str,
        /// What it names.
        cause: String,
    },
    /// Two cases share an id.
    #[error(
        "{at}: case id {id:?} is used twice: it stands at {first}, too; ids are stable names, choose another"
    )]
    Duplicate {
        /// Where the second one stands: `my.toml:12`.
        at: String,
        /// The id.
        id: String,
        /// Where the first one stands.
        first: String,
    },
    /// An id that is not of the form `source::what`.
    #[error(
        "{at}: case id {id:?} is not of the form source::what in lower case, such as \"rfc7519::exp-past\""
    )]
    Id {
        /// Where it stands: `my.toml:12`.
        at: String,
        /// The id.
        id: String,
    },
    /// A step of a sequence that makes no sense.
    #[error("{at}: sequence {id:?}, step {step}: {message}")]
    Step {
        /// The file and the line of the sequence.
        at: String,
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
    /// A recipe that makes no token, or a request that HTTP does not have.
    #[error("{at}: case {id}: {key}: {reason}")]
    Unaskable {
        /// Where it stands: `my.toml:12`.
        at: String,
        /// The id.
        id: String,
        /// `recipe`, `second` or `request`.
        key: &'static str,
        /// What is wrong.
        reason: String,
    },
}

impl Catalogue {
    /// Parses case files, each with the name that messages call it by.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (String, &'a str)>,
    ) -> Result<Self, CaseError> {
        let (mut cases, mut sequences) = (Vec::new(), Vec::new());
        let mut seen = HashMap::new();
        for (file, text) in files {
            let parsed: CaseFile = toml::from_str(text).map_err(|error| CaseError::Syntax {
                file: file.clone(),
                message: error.to_string().trim_end().to_owned(),
            })?;
            let sources: CaseSources = toml::from_str(text).map_err(|error| CaseError::Syntax {
                file: file.clone(),
                message: error.to_string().trim_end().to_owned(),
            })?;
            for (case, source) in parsed.cases.into_iter().zip(sources.cases) {
                let line = place::line(text, &case.span());
                let at = format!("{file}:{line}");
                let mut case = case.into_inner();
                check_id(&case.id, &at, &mut seen)?;
                check_causes(&case, &at)?;
                if case.jwks != JwksDocument::Default {
                    case.needs.push(Feature::KeySet);
                }
                case.source = source;
                case.group.clone_from(&parsed.title);
                case.file.clone_from(&file);
                case.line = line;
                cases.push(case);
            }
            for raw in parsed.sequences {
                let line = place::line(text, &raw.span());
                let at = format!("{file}:{line}");
                let raw = raw.into_inner();
                check_id(&raw.id, &at, &mut seen)?;
                let id = raw.id.clone();
                let sequence = raw.into_sequence(&parsed.title, &file, line);
                let sequence = sequence.map_err(|(step, message)| CaseError::Step {
                    at: at.clone(),
                    id,
                    step,
                    message,
                })?;
                check_causes(&sequence.case, &at)?;
                sequences.push(sequence);
            }
        }
        Ok(Self { cases, sequences })
    }

    /// Every case, and what every sequence has in common with one.
    pub fn questions(&self) -> Vec<&Case> {
        let sequences = self.sequences.iter().map(|sequence| &sequence.case);
        self.cases.iter().chain(sequences).collect()
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

    /// The cases that a selection takes, in the order of the files.
    pub fn select(&self, selection: &Selection) -> Vec<&Case> {
        self.cases
            .iter()
            .filter(|case| selection.takes(case))
            .collect()
    }

    /// The same for sequences.
    pub fn select_sequences(&self, selection: &Selection) -> Vec<&Sequence> {
        self.sequences
            .iter()
            .filter(|sequence| selection.takes(&sequence.case))
            .collect()
    }

    /// Holds that every case of a file can be minted and sent, so that a mistake in it is told before anything starts.
    pub fn check(&self, file: &str, minter: &Minter, now: i64) -> Result<(), CaseError> {
        for case in self.cases.iter().filter(|case| case.file == file) {
            let unaskable = |key, reason| CaseError::Unaskable {
                at: format!("{file}:{}", case.line),
                id: case.id.clone(),
                key,
                reason,
            };
            let token = minter
                .mint(&case.recipe, now)
                .map_err(|error| unaskable("recipe", error.to_string()))?;
            let second = case.second.as_ref().map(|recipe| minter.mint(recipe, now));
            let second = second
                .transpose()
                .map_err(|error| unaskable("second", error.to_string()))?;
            RequestShape::from(case)
                .with_second(second)
                .check(&token)
                .map_err(|error| unaskable("request", error.to_string()))?;
        }
        Ok(())
    }
}

fn check_causes(case: &Case, at: &str) -> Result<(), CaseError> {
    let named = [
        ("cause", Some(&case.cause)),
        ("implied_by", case.implied_by.as_ref()),
    ];
    for (key, cause) in named {
        if let Some(cause) = cause.filter(|cause| Cause::find(cause).is_none()) {
            return Err(CaseError::Cause {
                at: at.to_owned(),
                id: case.id.clone(),
                key,
                cause: cause.clone(),
            });
        }
    }
    Ok(())
}

fn known_causes() -> String {
    let ids: Vec<&str> = Cause::all().iter().map(|cause| cause.id.as_str()).collect();
    ids.join(", ")
}

fn check_id(id: &str, at: &str, seen: &mut HashMap<String, String>) -> Result<(), CaseError> {
    if !is_id(id) {
        return Err(CaseError::Id {
            at: at.to_owned(),
            id: id.to_owned(),
        });
    }
    match seen.insert(id.to_owned(), at.to_owned()) {
        None => Ok(()),
        Some(first) => Err(CaseError::Duplicate {
            at: at.to_owned(),
            id: id.to_owned(),
            first,
        }),
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

#[cfg(test)]
mod tests {
    use crate::builtin;
    use crate::issuer::test_keys;
    use mock_idp::{MintDefaults, Minter};

    /// 8,190 bytes of a field are the least that a common server reads: Apache's `LimitRequestFieldSize`.
    #[test]
    fn deep_json_is_as_deep_as_servers_read_it() {
        let catalogue = builtin::catalogue().expect("the built-in cases");
        let defaults = MintDefaults {
            audience: "https://planets.example.com/".to_owned(),
            scope: vec!["read:planets".to_owned()],
            ..MintDefaults::default()
        };
        for id in [
            "rfc8259::header-deeply-nested",
            "rfc8259::header-of-unclosed-brackets",
            "rfc8259::payload-deeply-nested",
        ] {
            let case = catalogue.find(id).expect(id);
            for file in builtin::ISSUERS {
                let profile = builtin::issuer(file.name).expect(file.name);
                let issuer = profile.issuer("http://127.0.0.1:65535");
                let minter = Minter::new(profile, issuer, defaults.clone(), test_keys());
                let token = minter.mint(&case.recipe, 1_800_000_000).expect(id);
                let field = format!("Authorization: Bearer {token}\r\n").len();
                assert!(
                    (7_600..8_190).contains(&field),
                    "{id}, {}: {field}",
                    file.name
                );
            }
        }
    }
}
