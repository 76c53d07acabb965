//! `scenarios/README.md` is true: its snippets go through the parsers of the bench, and it leaves out no key.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;

use loadgen::builtin;
use loadgen::catalogue::{Catalogue, Step};
use loadgen::scenario::{Phase, Scenario};
use loadgen::subject::Subject;
use mock_idp::{IssuerKeys, IssuerProfile, KeyStore, MintDefaults, Minter, Recipe};

use crate::support::key_cache;

const README: &str = include_str!("../../../scenarios/README.md");

/// What a snippet is; the word behind `toml` in the info string of its fence says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Case,
    Issuer,
    Recipe,
    Scenario,
    Target,
}

impl Format {
    const ALL: [Self; 5] = [
        Self::Case,
        Self::Issuer,
        Self::Recipe,
        Self::Scenario,
        Self::Target,
    ];

    fn marker(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Issuer => "issuer",
            Self::Recipe => "recipe",
            Self::Scenario => "scenario",
            Self::Target => "target",
        }
    }

    /// Parses as the bench does; the error is what a user reads.
    fn parse(self, text: &str) -> Result<Parsed, String> {
        match self {
            Self::Case => Catalogue::parse([("README.md".to_owned(), text)])
                .map(Parsed::Cases)
                .map_err(|error| told(&error)),
            Self::Issuer => IssuerProfile::parse(text)
                .map(|_| Parsed::Issuer)
                .map_err(|error| told(&error)),
            Self::Recipe => toml::from_str(text)
                .map(Parsed::Recipe)
                .map_err(|error| told(&error)),
            Self::Scenario => Scenario::parse(text, "README.md")
                .map(Parsed::Scenario)
                .map_err(|error| told(&error)),
            Self::Target => Subject::parse(text, "README.md", Path::new(""))
                .map(Parsed::Target)
                .map_err(|error| told(&error)),
        }
    }
}

#[derive(Debug)]
enum Parsed {
    Cases(Catalogue),
    Issuer,
    Recipe(Recipe),
    Scenario(Scenario),
    Target(Subject),
}

/// An error with its causes.
fn told(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", told(source)),
        None => error.to_string(),
    }
}

#[derive(Debug)]
struct Snippet {
    line: usize,
    marker: String,
    text: String,
}

/// The TOML fences of a page, and the page without any fence.
fn split(page: &str) -> (Vec<Snippet>, String) {
    let (mut snippets, mut prose) = (Vec::new(), String::new());
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            prose.push_str(line);
            prose.push('\n');
            continue;
        };
        let inside: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| line.trim_start() != "```")
            .collect();
        if let Some(marker) = info.strip_prefix("toml") {
            snippets.push(Snippet {
                line: index + 1,
                marker: marker.trim().to_owned(),
                text: inside.join("\n"),
            });
        }
    }
    (snippets, prose)
}

/// Every snippet of the README, parsed.
fn parsed() -> Vec<(Format, usize, Parsed)> {
    split(README)
        .0
        .into_iter()
        .map(|Snippet { line, marker, text }| {
            let format = Format::ALL
                .into_iter()
                .find(|format| format.marker() == marker)
                .unwrap_or_else(|| panic!("line {line}: no parser is called {marker:?}"));
            let parsed = format
                .parse(&text)
                .unwrap_or_else(|error| panic!("the snippet of line {line}: {error}"));
            (format, line, parsed)
        })
        .collect()
}

#[test]
fn every_snippet_parses_and_no_format_is_without_one() {
    let found = parsed();
    for format in Format::ALL {
        assert!(
            found.iter().any(|(of, _, _)| *of == format),
            "no snippet is marked {:?}",
            format.marker()
        );
    }
}

#[test]
fn a_snippet_names_only_what_there_is_and_its_tokens_can_be_minted() {
    let catalogue = builtin::catalogue().expect("the built-in cases");
    let known = |id: &str, line: usize| {
        assert!(catalogue.holds(id), "line {line}: no case {id}");
    };
    let minter = minter();
    let mint = |recipe: &Recipe, line: usize| {
        minter
            .mint(recipe, 1_800_000_000)
            .unwrap_or_else(|error| panic!("line {line}: {}", told(&error)));
    };
    for (_, line, parsed) in parsed() {
        match parsed {
            Parsed::Cases(cases) => {
                let check = cases.check("README.md", &minter, 1_800_000_000);
                check.unwrap_or_else(|error| panic!("line {line}: {}", told(&error)));
                for step in cases
                    .sequences()
                    .iter()
                    .flat_map(|sequence| &sequence.steps)
                {
                    if let Step::Mint { recipe, .. } = step {
                        mint(recipe, line);
                    }
                }
            }
            Parsed::Issuer => {}
            Parsed::Recipe(recipe) => mint(&recipe, line),
            Parsed::Scenario(scenario) => {
                builtin::issuer(&scenario.issuer).expect("a built-in issuer");
                builtin::subject(&scenario.target).expect("a built-in target");
                for load in scenario.phases.iter().filter_map(Phase::load) {
                    load.mix.keys().for_each(|id| known(id, line));
                }
            }
            Parsed::Target(subject) => subject
                .divergences
                .iter()
                .for_each(|divergence| known(&divergence.case, line)),
        }
    }
}

fn minter() -> Minter {
    let store = KeyStore::open(key_cache());
    let keys = IssuerKeys {
        signing: store.signing_key(7, "issuer").expect("a test key"),
        attacker: store.signing_key(7, "attacker").expect("a test key"),
        next: store.signing_key(7, "next").expect("a test key"),
    };
    let profile = builtin::issuer("auth0").expect("a built-in issuer");
    let issuer = profile.issuer("http://127.0.0.1:1");
    Minter::new(profile, issuer, MintDefaults::default(), keys)
}

/// One mistyped word for each table and each choice of the formats. The refusal of it lists what would be right, and that
/// list comes from the parser.
const MISTAKES: &[(Format, &str)] = &[
    (Format::Scenario, "typo = 1"),
    (Format::Scenario, "[conformance]\ntypo = 1"),
    (Format::Scenario, "[conformance]\ngate = 'typo'"),
    (Format::Scenario, "[conformance]\nlevel = 'typo'"),
    (Format::Scenario, "[[phase]]\ntypo = 1"),
    (Format::Scenario, "[[phase]]\nkind = 'typo'"),
    (Format::Scenario, "[[phase]]\npopularity = 'typo'"),
    (Format::Scenario, "[[phase]]\nlimits = { typo = 1 }"),
    (Format::Scenario, "[[phase]]\nevent = [{ typo = 1 }]"),
    (Format::Scenario, "[[phase]]\nevent = [{ expire = 'typo' }]"),
    (Format::Scenario, "[[phase]]\nevent = [{ sign = 'typo' }]"),
    (Format::Target, "typo = 1"),
    (Format::Target, "kind = 'typo'"),
    (Format::Target, "features = ['typo']"),
    (Format::Target, "[command]\ntypo = 1"),
    (Format::Target, "[request]\ntypo = 1"),
    (Format::Target, "[ready]\ntypo = 1"),
    (Format::Target, "[lambda]\ntypo = 1"),
    (Format::Target, "[lambda]\nask = 'typo'"),
    (Format::Target, "[lambda]\nevent = 'typo'"),
    (Format::Target, "[invoke]\ntypo = 1"),
    (Format::Target, "[echo]\ntypo = 1"),
    (Format::Target, "[keys]\ntypo = 1"),
    (Format::Target, "[[divergence]]\ntypo = 1"),
    (Format::Target, "[[divergence]]\nobserved = 'typo'"),
    (Format::Issuer, "typo = 1"),
    (Format::Issuer, "[paths]\ntypo = 1"),
    (Format::Issuer, "[token]\ntypo = 1"),
    (Format::Issuer, "[token]\naudience_form = 'typo'"),
    (Format::Issuer, "[jwks]\ntypo = 1"),
    (Format::Issuer, "[jwks]\nmembers = ['typo']"),
    (Format::Issuer, "[token_endpoint]\ntypo = 1"),
    (Format::Issuer, "[token_endpoint]\nbodies = ['typo']"),
    (
        Format::Issuer,
        "[token_endpoint]\nclient_authentication = ['typo']",
    ),
    (Format::Issuer, "[token_endpoint.audience]\ntypo = 1"),
    (Format::Issuer, "[[users]]\ntypo = 1"),
    (Format::Case, "typo = 1"),
    (Format::Case, "[[case]]\ntypo = 1"),
    (Format::Case, "[[case]]\nlevel = 'typo'"),
    (Format::Case, "[[case]]\nseverity = 'typo'"),
    (Format::Case, "[[case]]\nexpect = 'typo'"),
    (Format::Case, "[[case]]\ngrade = 'typo'"),
    (Format::Case, "[[case]]\nneeds = ['typo']"),
    (Format::Case, "[[case]]\nrequest = { typo = 1 }"),
    (Format::Case, "[[case]]\nevent = { typo = 1 }"),
    (Format::Case, "[[case]]\nevent = { form = 'typo' }"),
    (Format::Case, "[[case]]\npolicy = { typo = 1 }"),
    (Format::Case, "[[case]]\npolicy = { shape = ['typo'] }"),
    (Format::Case, "[[case]]\njwks = 'typo'"),
    (Format::Case, "[[case]]\nlistener = 'typo'"),
    (Format::Case, "[[case]]\nanswers = 'typo'"),
    (Format::Case, "[[sequence]]\ntypo = 1"),
    (Format::Case, "[[sequence]]\ntls = 'typo'"),
    (Format::Case, "[[sequence]]\nstep = [{ typo = 1 }]"),
    (Format::Case, "[[sequence]]\nstep = [{ fail = 'typo' }]"),
    (Format::Case, "[[sequence]]\nstep = [{ expect = 'typo' }]"),
    (Format::Recipe, "typo = 1"),
    (Format::Recipe, "payload_encoding = 'typo'"),
    (Format::Recipe, "sign = 'typo'"),
    (Format::Recipe, "sign = { typo = 1 }"),
    (Format::Recipe, "sign = { hmac = 'typo' }"),
    (Format::Recipe, "sign = { secret = 'typo' }"),
    (Format::Recipe, "sign = { rsa = 'typo' }"),
    (Format::Recipe, "sign = { encoded = 'typo' }"),
    (Format::Recipe, "sign = { integer = 'typo' }"),
    (Format::Recipe, "tamper = ['typo']"),
    (Format::Recipe, "tamper = [{ insert = { part = 'typo' } }]"),
    (Format::Recipe, "tamper = [{ json-serialization = 'typo' }]"),
    (Format::Recipe, "tamper = [{ encrypt = { typo = 1 } }]"),
    (Format::Recipe, "tamper = [{ encrypt = { alg = 'typo' } }]"),
    (
        Format::Recipe,
        "tamper = [{ encrypt = { content = 'typo' } }]",
    ),
];

#[test]
fn every_key_and_choice_of_the_parsers_is_in_the_tables() {
    for format in Format::ALL {
        let documented = documented(format);
        for (_, mistake) in MISTAKES.iter().filter(|(of, _)| *of == format) {
            let refusal = format.parse(mistake).expect_err(mistake);
            let (_, offered) = refusal.rsplit_once("expected").expect(&refusal);
            let offered = words_of_code(offered);
            assert!(
                !offered.is_empty(),
                "{mistake:?} is told nothing: {refusal}"
            );
            let missing: Vec<_> = offered.difference(&documented).collect();
            assert!(
                missing.is_empty(),
                "{mistake:?}: the section of {:?} does not mention {missing:?}",
                format.marker()
            );
        }
    }
}

/// The words in code spans of the sections (`## …`) that hold a snippet of this format, fences left out.
fn documented(format: Format) -> BTreeSet<String> {
    README
        .split("\n## ")
        .map(split)
        .filter(|(snippets, _)| {
            snippets
                .iter()
                .any(|snippet| snippet.marker == format.marker())
        })
        .flat_map(|(_, prose)| words_of_code(&prose))
        .collect()
}

/// The names between backticks: `a.b_c` holds `a` and `b_c`.
fn words_of_code(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .flat_map(|span| span.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_cause_is_in_the_table_with_its_title_and_its_weakness() {
    for cause in loadgen::catalogue::Cause::all() {
        let weakness = cause.cwe.as_deref().unwrap_or("–");
        let row = format!("| `{}` | {} | {weakness} |", cause.id, cause.title);
        assert!(README.contains(&row), "{row}");
    }
}
