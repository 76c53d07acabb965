//! The suite has teeth: each question about keys, caches, outages and floods is failed by a verifier with a flaw, and a strict
//! one fails none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use mock_idp::{JwksDocument, MockIdp, UrlListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::sequence::play::{self, Stage};
use super::*;
use crate::issuer::Issuer;
use crate::target::HttpTarget;
use verifier::{Flaw, KEY_LIFETIME, Trust, Verifier};

mod fetch;
mod verifier;

/// How long the test waits for what a real target has a minute for.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the test gives an answer; longer than the strict verifier's own deadline on a busy machine.
const ANSWER: Duration = Duration::from_secs(4);

/// Verifiers at the same time.
const AT_ONCE: usize = 12;

/// Cases about keys that the token brings along, without a URL.
const BROUGHT_KEYS: [&str; 3] = [
    "rfc8725::kid-known-file",
    "rfc8725::x5c-genuine-kid",
    "rfc8725::x5c-without-kid",
];

/// One question of either kind.
#[derive(Clone)]
enum Question {
    Case(Case),
    Sequence(Sequence),
}

impl Question {
    fn id(&self) -> &str {
        match self {
            Self::Case(case) => &case.id,
            Self::Sequence(sequence) => &sequence.case.id,
        }
    }
}

/// Cases about keys that need another key set or the listener, or that bring a key along, and all sequences.
fn questions() -> BTreeMap<String, Question> {
    let catalogue = crate::builtin::catalogue().expect("the built-in cases");
    let cases = catalogue
        .cases()
        .iter()
        .filter(|case| {
            case.jwks != JwksDocument::Default
                || case.listener.is_some()
                || BROUGHT_KEYS.contains(&case.id.as_str())
        })
        .map(|case| Question::Case(case.clone()));
    let sequences = catalogue
        .sequences()
        .iter()
        .map(|sequence| Question::Sequence(impatient(sequence.clone())));
    cases
        .chain(sequences)
        .map(|question| (question.id().to_owned(), question))
        .collect()
}

/// The same sequence with the test's own bounds.
fn impatient(mut sequence: Sequence) -> Sequence {
    for step in &mut sequence.steps {
        if let Step::Send(send) = step {
            send.until = send.until.map(|until| until.min(PATIENCE));
            send.within = send.within.map(|within| within.min(ANSWER));
        }
    }
    sequence
}

fn issuer() -> Issuer {
    Issuer {
        profile: crate::builtin::issuer("auth0").expect("a built-in issuer"),
        seed: 7,
        audience: "https://planets.example.com/".to_owned(),
        scope: vec!["read:planets".to_owned()],
    }
}

fn trust(idp: &MockIdp, issuer: &Issuer) -> Trust {
    Trust {
        issuer: idp.issuer().to_owned(),
        jwks_uri: idp.jwks_uri().to_owned(),
        audience: issuer.audience.clone(),
        scope: issuer.scope.join(" "),
    }
}

/// An issuer, a listener and a verifier with this flaw, and what they make of the question.
async fn ask(flaw: Flaw, question: &Question) -> (Outcome, Option<String>) {
    let issuer = issuer();
    let keys = super::tests::keys();
    let config = issuer.config(keys.clone(), ([127, 0, 0, 1], 0).into());
    let idp = MockIdp::start(config).await.expect("a free port");
    let listener = UrlListener::start(&keys).await.expect("a free port");
    let address = Verifier::serve(flaw, trust(&idp, &issuer)).await;
    let target = HttpTarget::new(address.to_string(), "/").with_answer_timeout(ANSWER);
    let target = Target::Http(Arc::new(target));
    let answer = match question {
        Question::Case(case) => {
            idp.publish(case.jwks);
            let conformance = Conformance {
                target: &target,
                features: &[Feature::Scope],
                divergences: &[],
                minter: &idp.minter(),
                listener: Some(&listener),
                gate: Severity::High,
                fail_on: Severity::Info,
            };
            let judged = conformance.ask(case, &mut target.connection()).await;
            let judged = judged.unwrap_or_else(|error| panic!("{error}"));
            (judged.outcome, judged.reason)
        }
        Question::Sequence(sequence) => {
            play::prepare(sequence, &idp, &listener);
            let stage = Stage {
                target: &target,
                minter: &idp.minter(),
                own: Some((&idp, &listener)),
                testbed: None,
                key_lifetime: Some(KEY_LIFETIME),
            };
            let ending = play::play(sequence, &stage).await;
            let ending = ending.unwrap_or_else(|error| panic!("{}: {error}", question.id()));
            (ending.outcome, ending.reason)
        }
    };
    listener.shutdown().await;
    answer
}

/// Every pair, as many at once as the machine bears.
async fn ask_all(pairs: Vec<(Flaw, Question)>) -> Vec<(Flaw, String, Outcome, Option<String>)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut asked: JoinSet<_> = pairs
        .into_iter()
        .map(|(flaw, question)| {
            let places = Arc::clone(&places);
            async move {
                let _place = places.acquire_owned().await;
                let (outcome, reason) = ask(flaw, &question).await;
                (flaw, question.id().to_owned(), outcome, reason)
            }
        })
        .collect();
    let mut answers = Vec::new();
    while let Some(answer) = asked.join_next().await {
        answers.push(answer.expect("asking does not panic"));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strict_verifier_fails_no_question() {
    let pairs = questions()
        .into_values()
        .map(|question| (Flaw::Strict, question))
        .collect();
    let wrong: Vec<_> = ask_all(pairs)
        .await
        .into_iter()
        .filter(|(_, _, outcome, _)| *outcome != Outcome::Pass)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Which flaw is found by which question: by at least these.
const FOUND_BY: &[(Flaw, &[&str])] = &[
    (
        Flaw::AllowsByClaims,
        &[
            "cache::same-claims-attacker-key",
            "cache::same-user-two-scopes",
        ],
    ),
    (
        Flaw::AllowsByHeaderAndSignature,
        &[
            "cache::payload-swapped",
            "cache::payload-swapped-behind-gateway",
        ],
    ),
    (
        Flaw::AllowsByLowerCase,
        &["cache::case-of-signature", "cache::case-of-token"],
    ),
    (
        Flaw::AllowsBySigningInput,
        &[
            "cache::signature-swapped",
            "cache::signature-swapped-behind-gateway",
            "cache::signature-removed",
        ],
    ),
    (Flaw::AllowsForEver, &["cache::exp-passes"]),
    (
        Flaw::AnyKeyOfTheSet,
        &[
            "rfc7515::without-kid-several-keys",
            "rfc7517::duplicate-kid-first",
            "rfc7517::duplicate-kid-second",
            "rfc7517::other-key-of-the-set",
        ],
    ),
    (
        Flaw::AnyKindOfKey,
        &[
            "flood::huge-key",
            "rfc7517::key-ops-encrypt",
            "rfc7517::other-alg",
            "rfc7517::use-enc",
            "rfc7518::key-of-1024-bits",
            "rfc8017::exponent-one",
        ],
    ),
    (
        Flaw::FailsOpen,
        &[
            "outage::array-at-start",
            "outage::closed-at-start",
            "outage::forged-while-failing",
            "outage::forged-while-silent",
            "outage::html-at-start",
            "outage::keys-object-at-start",
            "outage::not-found-at-start",
            "outage::null-at-start",
            "outage::rubbish-at-start",
            "outage::silent-at-start",
            "outage::slow-at-start",
            "outage::status-at-start",
            "outage::truncated-at-start",
            "rotation::empty-set",
        ],
    ),
    (
        Flaw::FetchesEachTime,
        &[
            "flood::cold-start",
            "flood::failing-issuer",
            "flood::fetch-per-request",
            "flood::unknown-kids",
            "flood::unknown-kids-at-once",
            "outage::known-keys-go-on",
        ],
    ),
    (Flaw::FirstKeyAlone, &["oidc::next-key-published"]),
    (Flaw::FollowsRedirects, &["outage::redirect-to-a-stranger"]),
    (
        Flaw::FollowsUrls,
        &[
            "rfc8725::iss-is-listener",
            "rfc8725::jku-attacker-kid",
            "rfc8725::jku-fragment",
            "rfc8725::jku-genuine-kid",
            "rfc8725::jku-query",
            "rfc8725::jku-user-info",
            "rfc8725::jku-without-scheme",
            "rfc8725::kid-is-url",
            "rfc8725::x5u-attacker-kid",
            "rfc8725::x5u-genuine-kid",
        ],
    ),
    (Flaw::LastDecision, &["cache::two-users-interleaved"]),
    (Flaw::LastKeyAlone, &["rotation::old-key-goes-on"]),
    (Flaw::NeedsAlg, &["rfc7517::without-alg"]),
    (
        Flaw::NeverFetchesAgain,
        &[
            "outage::status-at-start",
            "rotation::published-then-used",
            "rotation::same-kid-new-key",
            "rotation::used-before-published",
            "rotation::withdrawn",
        ],
    ),
    (
        Flaw::NoDeadline,
        &["outage::answer-while-silent", "outage::answer-while-slow"],
    ),
    (
        Flaw::OneOddKeySpoilsAll,
        &[
            "rfc7517::huge-key-beside",
            "rfc7517::odd-keys-beside",
            "rfc7517::same-kid-other-kind",
            "rfc7517::symmetric-key-beside",
            "rfc7517::unknown-kinds-beside",
            "rfc7518::key-of-1024-bits-beside",
        ],
    ),
    (Flaw::RefusesBySigningInput, &["cache::refusal-not-pinned"]),
    (Flaw::RefusesExtraMembers, &["rfc7517::extra-members"]),
    (Flaw::RefusesForEver, &["cache::nbf-passes"]),
    (
        Flaw::SignatureUnchecked,
        &[
            "rfc7515::without-kid-several-keys-attacker-key",
            "rfc7515::x5t-genuine-attacker-key",
            "rfc7517::duplicate-kid-attacker-key",
            "rfc7517::odd-keys-attacker-key",
            "rfc7517::odd-keys-malformed-kid",
            "rfc8725::hs256-spki-pem-key-without-alg",
            "rfc8725::kid-known-file",
            "rfc8725::rs512-key-without-alg",
            "rfc8725::symmetric-key-in-set",
            "rfc8725::x5c-genuine-kid",
            "rfc8725::x5c-without-kid",
            "rotation::attacker-key-in-between",
        ],
    ),
    (Flaw::SlowOnLargeSets, &["flood::many-keys"]),
];

#[test]
fn every_question_is_in_the_table() {
    let tripped: BTreeSet<&str> = FOUND_BY
        .iter()
        .flat_map(|(_, ids)| ids.iter().copied())
        .collect();
    let questions = questions();
    let all: BTreeSet<&str> = questions.keys().map(String::as_str).collect();
    assert_eq!(tripped, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flaw_is_found() {
    let questions = questions();
    let pairs = FOUND_BY
        .iter()
        .flat_map(|(flaw, ids)| ids.iter().map(|id| (*flaw, questions[*id].clone())))
        .collect();
    let missed: Vec<_> = ask_all(pairs)
        .await
        .into_iter()
        .filter(|(_, _, outcome, _)| matches!(outcome, Outcome::Pass | Outcome::Skip))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

/// A server that is there already: its issuer is not ours to change.
#[tokio::test]
async fn a_running_server_is_asked_what_changes_no_key_and_told_why_not_the_rest() {
    let keys = super::tests::keys();
    let issuer = issuer();
    let config = issuer.config(keys, ([127, 0, 0, 1], 0).into());
    let idp = MockIdp::start(config).await.expect("a free port");
    let address = Verifier::serve(Flaw::AllowsBySigningInput, trust(&idp, &issuer)).await;
    let scenario = crate::scenario::Scenario::parse(
        "name = \"t\"\nissuer = \"auth0\"\ntarget = \"t\"\naudience = \"a\"\nscope = \"s\"\n[conformance]\ngate = \"high\"\n",
        "t.toml",
    )
    .expect("a scenario");
    let bench = SideBySide {
        scenario,
        subject: crate::subject::Subject::at_url(&format!("http://{address}/")).expect("a URL"),
        running: Target::Http(Arc::new(HttpTarget::new(address.to_string(), "/"))),
        minter: (*idp.minter()).clone(),
    };
    let (mut cases, mut sequences) = (Vec::new(), Vec::new());
    for id in [
        "rfc7517::use-enc",
        "cache::case-of-token",
        "cache::signature-swapped",
        "outage::status-at-start",
        "rotation::withdrawn",
    ] {
        match questions()[id].clone() {
            Question::Case(case) => cases.push(case),
            Question::Sequence(sequence) => sequences.push(sequence),
        }
    }
    let records = bench
        .run(cases, sequences, &StopSignal::default(), |_| {})
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let outcomes: Vec<_> = records
        .iter()
        .map(|record| (record.id.as_str(), record.outcome, record.reason.is_some()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("rfc7517::use-enc", Outcome::Skip, true),
            ("cache::case-of-token", Outcome::Pass, false),
            ("cache::signature-swapped", Outcome::UnexpectedAllow, true),
            ("outage::status-at-start", Outcome::Skip, true),
            ("rotation::withdrawn", Outcome::Skip, true),
        ]
    );
    let reason = records[2].reason.as_deref().unwrap_or_default();
    assert!(reason.contains("step 4 (send forged): 200"), "{reason}");
}
