//! The suite has teeth: each question about keys, requests, answers, caches, outages and floods, about Cognito's tokens and about two
//! scopes is failed by a verifier with a flaw, and a strict one fails none.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mock_idp::{JwksDocument, MockIdp, ServerCertificate, TlsKeyServer, UrlListener};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::play::{self, Stage};
use super::*;
use crate::catalogue::*;
use crate::issuer::Issuer;
use crate::target::HttpTarget;
use flaw::Flaw;
use found_by::FOUND_BY;
use verifier::{KEY_LIFETIME, Served, Trust, Verifier};

mod algorithm;
mod cognito;
mod decrypt;
mod fetch;
mod flaw;
mod found_by;
mod front;
mod own_key;
mod policy;
mod reading;
mod rsa_key;
mod tls;
mod verifier;
mod wire;

/// How long the test waits for what a real target has a minute for.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long the test gives an answer; longer than the strict verifier's own deadline on a busy machine.
const ANSWER: Duration = Duration::from_secs(4);

/// The verifier is asked all that an HTTP server can be.
const EVERY_FEATURE: [Feature; 9] = [
    Feature::Aud,
    Feature::Cognito,
    Feature::KeySet,
    Feature::PrincipalEcho,
    Feature::Routes,
    Feature::Scope,
    Feature::TrustedCa,
    Feature::TwoIssuers,
    Feature::TwoScopes,
];

/// Verifiers at the same time.
const AT_ONCE: usize = 12;

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

    /// That of the server of keys over TLS, where it is about one.
    fn certificate(&self) -> Option<ServerCertificate> {
        match self {
            Self::Case(_) => None,
            Self::Sequence(sequence) => sequence.tls,
        }
    }

    /// Whose tokens it is about.
    fn profile(&self) -> &'static str {
        match self {
            Self::Case(case) if case.needs.contains(&Feature::Cognito) => "cognito",
            _ => "auth0",
        }
    }

    /// What the verifier has to require beside the issuer's scope.
    fn second_scope(&self) -> Option<&str> {
        match self {
            Self::Case(_) => None,
            Self::Sequence(sequence) => sequence.second_scope.as_deref(),
        }
    }
}

/// Cases about keys that need another key set or the listener, cases about the form of requests and answers and about their
/// cost, those about Cognito's tokens, all sequences, and whatever else a flaw is said to be found by.
fn questions() -> BTreeMap<String, Question> {
    let catalogue = crate::builtin::catalogue().expect("the built-in cases");
    let cases = catalogue
        .cases()
        .iter()
        .filter(|case| {
            case.jwks != JwksDocument::Default
                || case.listener.is_some()
                || case.within.is_some()
                || case.file.ends_with("cognito.toml")
                || case.file.ends_with("transport.toml")
                || tripped().contains(case.id.as_str())
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

/// The ids of the table.
fn tripped() -> BTreeSet<&'static str> {
    let ids = FOUND_BY.iter().flat_map(|(_, ids)| ids.iter().copied());
    ids.collect()
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

fn issuer(profile: &str) -> Issuer {
    Issuer {
        profile: crate::builtin::issuer(profile).expect("a built-in issuer"),
        seed: 7,
        audience: "https://planets.example.com/".to_owned(),
        scope: vec!["read:planets".to_owned()],
    }
}

fn trust(idp: &MockIdp, issuer: &Issuer) -> Trust {
    Trust {
        issuer: idp.issuer().to_owned(),
        jwks_uri: idp.jwks_uri().to_owned(),
        other_issuer: idp.other_issuer(),
        other_jwks_uri: idp.other_jwks_uri(),
        audience: issuer.audience.clone(),
        client: (issuer.profile.name() == "cognito").then(|| issuer.defaults().client_id),
        scope: issuer.scope.join(" "),
    }
}

/// An issuer, a listener and a verifier with a flaw.
struct Bed {
    idp: MockIdp,
    listener: UrlListener,
    served: Served,
    target: Target,
    /// The server of keys over TLS, where the verifier takes them from there.
    _tls: Option<TlsKeyServer>,
}

impl Bed {
    async fn start(flaw: Flaw) -> Self {
        Self::start_with(flaw, "auth0", None, None).await
    }

    /// One for this question.
    async fn start_for(flaw: Flaw, question: &Question) -> Self {
        let (certificate, second) = (question.certificate(), question.second_scope());
        Self::start_with(flaw, question.profile(), certificate, second).await
    }

    async fn start_with(
        flaw: Flaw,
        profile: &str,
        certificate: Option<ServerCertificate>,
        second_scope: Option<&str>,
    ) -> Self {
        let issuer = issuer(profile);
        let keys = crate::issuer::test_keys();
        let config = issuer.config(keys.clone(), ([127, 0, 0, 1], 0).into());
        let idp = MockIdp::start(config).await.expect("a free port");
        let listener = UrlListener::start(&keys).await.expect("a free port");
        let (mut trust, mut tls) = (trust(&idp, &issuer), None);
        if let Some(second) = second_scope {
            trust.scope = format!("{} {second}", trust.scope);
        }
        if let Some(certificate) = certificate {
            let server = TlsKeyServer::start(certificate, &issuer.profile, &keys).await;
            let server = server.expect("a free port");
            server.jwks_uri().clone_into(&mut trust.jwks_uri);
            tls = Some(server);
        }
        let served = Verifier::serve(flaw, trust).await;
        let target = HttpTarget::new(served.address.to_string(), "/planets");
        let target = Target::Http(Arc::new(target.with_answer_timeout(ANSWER)));
        Self {
            idp,
            listener,
            served,
            target,
            _tls: tls,
        }
    }

    fn conformance<'a>(&'a self, minter: &'a Minter) -> Conformance<'a> {
        Conformance {
            target: &self.target,
            features: &EVERY_FEATURE,
            divergences: &[],
            minter,
            listener: Some(&self.listener),
            gate: Severity::High,
            fail_on: Severity::Info,
            processes: Some(&self.served),
        }
    }

    /// What its verifier makes of the question.
    async fn ask(&self, question: &Question) -> (Outcome, Option<String>) {
        let minter = self.idp.minter();
        match question {
            Question::Case(case) => {
                self.idp.publish(case.jwks);
                let conformance = self.conformance(&minter);
                let judged = conformance.ask(case, &mut self.target.connection()).await;
                let judged = judged.unwrap_or_else(|error| panic!("{error}"));
                (judged.outcome, judged.reason)
            }
            Question::Sequence(sequence) => {
                play::prepare(sequence, &self.idp, &self.listener);
                let stage = Stage {
                    target: &self.target,
                    minter: &minter,
                    own: Some((&self.idp, &self.listener)),
                    testbed: None,
                    key_lifetime: Some(KEY_LIFETIME),
                    echo: Some("/principal"),
                };
                let ending = play::play(sequence, &stage).await;
                let ending = ending.unwrap_or_else(|error| panic!("{}: {error}", question.id()));
                (ending.outcome, ending.reason)
            }
        }
    }
}

/// Every pair, as many at once as the machine bears. The plain cases of a flaw share a bed.
async fn ask_all(pairs: Vec<(Flaw, Question)>) -> Vec<(Flaw, String, Outcome, Option<String>)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut shared: HashMap<(Flaw, &str), Arc<Bed>> = HashMap::new();
    let mut asked = JoinSet::new();
    for (flaw, question) in pairs {
        let kind = (flaw, question.profile());
        let bed = match (&question, shared.get(&kind)) {
            (Question::Case(case), _) if case.jwks != JwksDocument::Default => None,
            (Question::Sequence(_), _) => None,
            (Question::Case(_), Some(bed)) => Some(Arc::clone(bed)),
            (Question::Case(_), None) => {
                let bed = Arc::new(Bed::start_for(flaw, &question).await);
                shared.insert(kind, Arc::clone(&bed));
                Some(bed)
            }
        };
        let places = Arc::clone(&places);
        asked.spawn(async move {
            let _place = places.acquire_owned().await;
            let bed = match bed {
                Some(bed) => bed,
                None => Arc::new(Bed::start_for(flaw, &question).await),
            };
            let (outcome, reason) = bed.ask(&question).await;
            (flaw, question.id().to_owned(), outcome, reason)
        });
    }
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

#[test]
fn every_question_is_in_the_table() {
    let questions = questions();
    let all: BTreeSet<&str> = questions.keys().map(String::as_str).collect();
    assert_eq!(tripped(), all);
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

/// What the plain cases of these ids find of a verifier with this flaw, asked in turn.
async fn run(flaw: Flaw, cases: &[&Case]) -> ConformanceRecord {
    let bed = Bed::start(flaw).await;
    let minter = bed.idp.minter();
    let conformance = bed.conformance(&minter);
    let asked = conformance.run(cases, &StopSignal::default(), |_| {}).await;
    asked.unwrap_or_else(|unfinished| panic!("{unfinished}"))
}

#[tokio::test]
async fn a_crash_that_a_supervisor_hides_is_a_fault_of_the_case_before_it() {
    let catalogue = crate::builtin::catalogue().expect("the built-in cases");
    let cases = ["baseline::valid", "rfc7519::aud-wrong", "baseline::valid"];
    let cases = cases.map(|id| catalogue.find(id).expect(id));
    let record = run(Flaw::RestartsUnseen, &cases).await;
    let outcomes: Vec<_> = record.cases.iter().map(|case| case.outcome).collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Fault, Outcome::Pass]);
    let reason = record.cases[1].reason.as_deref();
    assert_eq!(reason, Some("a process of the target ended"));
    assert_eq!(record.causes[0].id, Cause::NO_DECISION);
}

#[tokio::test]
async fn a_token_in_the_answer_to_any_case_fails_the_case_that_is_about_answers() {
    let catalogue = crate::builtin::catalogue().expect("the built-in cases");
    let find = |id: &str| catalogue.find(id).expect(id);
    // Its own request has no token, so that only the answers to others can fail it.
    let about = Case {
        request: find("rfc6750::no-authorization").request.clone(),
        ..find("rfc6750::token-in-an-answer").clone()
    };
    let cases = [find("baseline::valid"), &about, find("rfc7519::aud-wrong")];
    for (flaw, wanted) in [
        (Flaw::RepeatsToken, Outcome::Overreach),
        (Flaw::Strict, Outcome::Pass),
    ] {
        let record = run(flaw, &cases).await;
        assert_eq!(record.cases[1].outcome, wanted, "{flaw:?}");
        let named = record.cases[1].reason.as_deref().unwrap_or_default();
        assert_eq!(
            named.contains("rfc7519::aud-wrong"),
            wanted != Outcome::Pass,
            "{named}"
        );
    }
}

#[tokio::test]
async fn a_start_page_for_every_path_is_no_finding_about_spellings_of_one() {
    let catalogue = crate::builtin::catalogue().expect("the built-in cases");
    let ids = ["rfc3986::doubled-slash", "rfc9110::put-with-forged-token"];
    let cases = ids.map(|id| catalogue.find(id).expect(id));
    let record = run(Flaw::StartPageForAll, &cases).await;
    let outcomes: Vec<_> = record.cases.iter().map(|case| case.outcome).collect();
    assert_eq!(outcomes, [Outcome::Skip, Outcome::UnexpectedAllow]);
}

/// A server that is there already: its issuer is not ours to change.
#[tokio::test]
async fn a_running_server_is_asked_what_changes_no_key_and_told_why_not_the_rest() {
    let keys = crate::issuer::test_keys();
    let issuer = issuer("auth0");
    let config = issuer.config(keys, ([127, 0, 0, 1], 0).into());
    let idp = MockIdp::start(config).await.expect("a free port");
    let served = Verifier::serve(Flaw::AllowsBySigningInput, trust(&idp, &issuer)).await;
    let url = format!("{}/planets", served.address);
    let scenario = crate::scenario::Scenario::parse(
        "name = \"t\"\nissuer = \"auth0\"\ntarget = \"t\"\naudience = \"a\"\nscope = \"s\"\n[conformance]\ngate = \"high\"\n",
        "t.toml",
    )
    .expect("a scenario");
    let bench = SideBySide {
        scenario,
        subject: crate::subject::Subject::at_url(&format!("http://{url}")).expect("a URL"),
        features: vec![Feature::Scope],
        running: Target::Http(Arc::new(HttpTarget::new(
            served.address.to_string(),
            "/planets",
        ))),
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
    // One that makes no token ends nobody else's questions.
    let mut spoilt = sequences[0].clone();
    spoilt.case.id = "t::spoilt".to_owned();
    let recipe = serde_json::from_str(r#"{"tamper":[{"cut-end":0}]}"#).expect("a recipe");
    spoilt.steps.insert(
        0,
        Step::Mint {
            name: "spoilt".to_owned(),
            recipe: Box::new(recipe),
            count: 1,
        },
    );
    sequences.insert(0, spoilt);
    let (records, unasked) = bench
        .run(cases, sequences, &StopSignal::default(), |_| {})
        .await;
    let reason = unasked.map(|reason| reason.to_string()).unwrap_or_default();
    assert!(
        reason.starts_with("case t::spoilt cannot be asked"),
        "{reason}"
    );
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
