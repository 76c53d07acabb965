//! The files of `scenarios/`, compiled in, so that an installed `authbench` runs anywhere.
//!
//! A name on the command line or in a scenario is one of these, or a path to a file of one's own. Adding a file means
//! adding a line here; a test holds the list against the folder.

use std::path::{Path, PathBuf};

use mock_idp::IssuerProfile;

use crate::catalogue::{CaseError, Catalogue};
use crate::scenario::{Scenario, ScenarioError};
use crate::subject::{ShippedFiles, Subject, SubjectError};

/// A file of `scenarios/`.
#[derive(Debug, Clone, Copy)]
pub struct BuiltinFile {
    /// The name without folder and ending.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

macro_rules! builtin {
    ($folder:literal, $($name:literal),+ $(,)?) => {
        &[$(BuiltinFile { name: $name, text: include_str!(concat!("../../scenarios/", $folder, $name, ".toml")) }),+]
    };
}

/// The run scenarios.
pub const SCENARIOS: &[BuiltinFile] = builtin!("", "phases", "quick", "three-phases", "trouble");

/// The issuer profiles.
pub const ISSUERS: &[BuiltinFile] = builtin!("issuers/", "auth0", "cognito", "okta");

/// The targets.
pub const TARGETS: &[BuiltinFile] = builtin!(
    "targets/",
    "apache-mod-oauth2",
    "auth0-tutorial-node",
    "auth0-tutorial-python",
    "authbench",
    "authbench-cognito",
    "authbench-direct",
    "authbench-routes",
    "authbench-two-issuers",
    "authlib",
    "aws-jwt-verify",
    "aws-jwt-verify-cognito",
    "express-oauth2-jwt-bearer",
    "fast-jwt",
    "haproxy-jwt-verify",
    "in-process",
    "jose",
    "joserfc",
    "pyjwt",
    "rust-jsonwebtoken",
    "rust-jwt-simple",
    "rust-tower-oauth2",
);

/// The conformance cases, in the order of the reports.
pub const CASES: &[BuiltinFile] = builtin!(
    "conformance/",
    "must-accept",
    "structure",
    "header",
    "signature",
    "key-selection",
    "key-sets",
    "issuer",
    "audience",
    "time",
    "scope",
    "claims",
    "cognito",
    "transport",
    "cache",
    "policy",
    "rotation",
    "outage",
    "tls",
    "flood",
    "exhaustion",
);

/// A name that is neither built in nor a file, or a file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// No folder for the files of a built-in target is known.
    #[error(
        "no folder for the files of target {target}: set {}",
        crate::cache::VARIABLES
    )]
    CacheFolder {
        /// The target.
        target: String,
    },
    /// The cases are wrong.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// The issuer profile is wrong.
    #[error("issuer profile {file} cannot be used")]
    Issuer {
        /// The file.
        file: String,
        /// What is wrong.
        source: mock_idp::ProfileError,
    },
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The target file is wrong.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// No such name.
    #[error("no {what} is called {name:?}: built in are {known}; a path ends in .toml")]
    Unknown {
        /// `scenario`, `issuer` or `target`.
        what: &'static str,
        /// The name.
        name: String,
        /// The built-in names.
        known: String,
    },
}

/// A text with the name that messages call it by, and the folder that its relative paths start from.
struct Source {
    text: String,
    label: String,
    folder: PathBuf,
    built_in: bool,
}

fn look_up(what: &'static str, name: &str, files: &[BuiltinFile]) -> Result<Source, LookupError> {
    if let Some(file) = files.iter().find(|file| file.name == name) {
        return Ok(Source {
            text: file.text.to_owned(),
            label: format!("built-in {what} {name}"),
            folder: PathBuf::new(),
            built_in: true,
        });
    }
    let path = Path::new(name);
    if path.extension().is_none_or(|extension| extension != "toml") {
        let known = files
            .iter()
            .map(|file| file.name)
            .collect::<Vec<_>>()
            .join(", ");
        return Err(LookupError::Unknown {
            what,
            name: name.to_owned(),
            known,
        });
    }
    let text = std::fs::read_to_string(path).map_err(|source| LookupError::Read {
        path: path.to_owned(),
        source,
    })?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    Ok(Source {
        text,
        label: name.to_owned(),
        folder,
        built_in: false,
    })
}

/// The scenario of that name or path.
pub fn scenario(name: &str) -> Result<Scenario, LookupError> {
    let source = look_up("scenario", name, SCENARIOS)?;
    Ok(Scenario::parse(&source.text, &source.label)?)
}

/// The issuer profile of that name or path.
pub fn issuer(name: &str) -> Result<IssuerProfile, LookupError> {
    let source = look_up("issuer", name, ISSUERS)?;
    IssuerProfile::parse(&source.text).map_err(|error| LookupError::Issuer {
        file: source.label,
        source: error,
    })
}

/// The target of that name or path.
pub fn subject(name: &str) -> Result<Subject, LookupError> {
    let source = look_up("target", name, TARGETS)?;
    let subject = Subject::parse(&source.text, &source.label, &source.folder)?;
    if !source.built_in {
        return Ok(subject);
    }
    let working_dir = subject
        .command()
        .and_then(|command| command.working_dir.as_deref());
    let Some(shipped) = working_dir.and_then(ShippedFiles::of_folder) else {
        return Ok(subject);
    };
    let folder = shipped.folder().ok_or_else(|| LookupError::CacheFolder {
        target: name.to_owned(),
    })?;
    Ok(subject.with_files(shipped, folder))
}

/// Every built-in conformance case.
pub fn catalogue() -> Result<Catalogue, LookupError> {
    catalogue_with(&[])
}

/// Every built-in conformance case, and those of files of one's own behind them.
pub fn catalogue_with(paths: &[String]) -> Result<Catalogue, LookupError> {
    let own = paths
        .iter()
        .map(|path| {
            let text = std::fs::read_to_string(path).map_err(|source| LookupError::Read {
                path: path.into(),
                source,
            })?;
            Ok((path.clone(), text))
        })
        .collect::<Result<Vec<_>, LookupError>>()?;
    let built_in = CASES
        .iter()
        .map(|file| (format!("conformance/{}.toml", file.name), file.text));
    let own = own.iter().map(|(path, text)| (path.clone(), text.as_str()));
    Ok(Catalogue::parse(built_in.chain(own))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::RunPlan;

    fn names_in(folder: &str) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../scenarios")
            .join(folder);
        let mut names: Vec<String> = std::fs::read_dir(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
            .map(|entry| entry.expect("a readable entry").path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .map(|path| {
                path.file_stem()
                    .expect("a file name")
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_file_in_scenarios_is_compiled_in_and_parses() {
        for (folder, files) in [
            ("", SCENARIOS),
            ("issuers", ISSUERS),
            ("targets", TARGETS),
            ("conformance", CASES),
        ] {
            let mut known: Vec<String> = files.iter().map(|file| file.name.to_owned()).collect();
            known.sort();
            assert_eq!(
                known,
                names_in(folder),
                "scenarios/{folder} and the list in builtin.rs"
            );
        }
        for file in SCENARIOS {
            scenario(file.name).unwrap_or_else(|error| panic!("{error}"));
        }
        for file in ISSUERS {
            issuer(file.name).unwrap_or_else(|error| panic!("{error}"));
        }
        for file in TARGETS {
            subject(file.name).unwrap_or_else(|error| panic!("{error}"));
        }
        catalogue().unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn the_scenario_of_all_phases_has_each_kind_and_a_threshold_on_each() {
        let phases = scenario("phases").expect("a built-in scenario").phases;
        for kind in ["cache-hit", "cold-start", "expiry-stampede", "verification"] {
            let is_there = phases.iter().any(|phase| phase.kind() == kind);
            assert!(is_there, "no phase is a {kind}");
        }
        let mut minute = std::time::Duration::ZERO;
        for load in phases.iter().filter_map(crate::scenario::Phase::load) {
            assert!(!load.thresholds.is_empty(), "{}: no threshold", load.mix_at);
            let wrong = crate::scenario::Counted::WrongDecisions;
            let is_limited = load.limits.iter().any(|limit| limit.counted == wrong);
            assert!(is_limited, "{}: no limit on wrong decisions", load.mix_at);
            minute += load.length().expect("an open loop");
        }
        assert!(minute <= std::time::Duration::from_mins(1), "{minute:?}");
    }

    #[test]
    fn a_scenario_names_only_what_there_is() {
        for file in SCENARIOS {
            let catalogue = catalogue().expect("the built-in cases");
            let scenario = scenario(file.name).expect("a built-in scenario");
            issuer(&scenario.issuer).unwrap_or_else(|error| panic!("{}: {error}", file.name));
            subject(&scenario.target).unwrap_or_else(|error| panic!("{}: {error}", file.name));
            let target = subject(&scenario.target).expect("it was looked up");
            RunPlan::new(scenario, target, catalogue).unwrap_or_else(|error| panic!("{error}"));
        }
        let catalogue = catalogue().expect("the built-in cases");
        for file in TARGETS {
            let target = subject(file.name).expect("a built-in target");
            let command = target.command();
            assert_eq!(
                command.is_some_and(|command| command.working_dir.is_some()),
                command.is_some_and(|command| command.files.is_some()),
                "{} runs in a folder that subject/shipped.rs does not list",
                file.name
            );
            for divergence in target.divergences {
                assert!(
                    catalogue.holds(&divergence.case),
                    "{} diverges on {}",
                    file.name,
                    divergence.case
                );
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let message = scenario("quik").expect_err("no such scenario").to_string();
        assert!(
            message.contains("quik") && message.contains("quick") && message.contains(".toml"),
            "{message}"
        );
        let message = scenario("nowhere/none.toml")
            .expect_err("no such file")
            .to_string();
        assert!(message.contains("nowhere/none.toml"), "{message}");
    }
}
