//! Sequences against targets that are told something of the sequence's own.

use super::*;
use crate::builtin;
use crate::conform::tests::minter;
use crate::target::{ScriptedAnswer, ScriptedTarget, Target};

/// What the sequence about two scopes says of this target.
async fn two_scopes_of(subject: Subject) -> CaseRecord {
    asked("rfc6750::one-of-two-scopes", subject).await
}

/// What a sequence says of this target.
async fn asked(id: &str, subject: Subject) -> CaseRecord {
    let catalogue = builtin::catalogue().expect("the built-in cases");
    let named = |sequence: &&Sequence| sequence.case.id == id;
    let sequence = catalogue.sequences().iter().find(named).cloned();
    let refusal = ScriptedAnswer {
        status: 401,
        latency: Duration::ZERO,
    };
    let bench = SideBySide {
        scenario: builtin::scenario("quick").expect("a built-in scenario"),
        features: subject.features.clone().unwrap_or_default(),
        subject,
        running: Target::Scripted(Arc::new(ScriptedTarget::new(vec![refusal]))),
        minter: minter(),
    };
    let sequences = sequence.into_iter().collect();
    let stop = StopSignal::default();
    let (mut records, unasked) = bench.run(Vec::new(), sequences, &stop, |_| {}).await;
    assert!(unasked.is_none(), "{unasked:?}");
    records.pop().expect("one question, one record")
}

#[tokio::test]
async fn a_target_is_started_with_the_second_scope_and_requires_both() {
    let subject = builtin::subject("in-process").expect("a built-in target");
    let judged = two_scopes_of(subject).await;
    assert_eq!(judged.outcome, Outcome::Pass, "{:?}", judged.reason);
}

#[tokio::test]
async fn a_target_that_is_not_started_or_takes_one_scope_is_not_asked_about_two() {
    let mut subject = Subject::at_url("http://127.0.0.1:1/planets").expect("a URL");
    for (features, reason) in [
        (vec![Feature::Scope], "two-scopes is not among the features"),
        (
            vec![Feature::Scope, Feature::TwoScopes],
            "has to require a second scope",
        ),
    ] {
        subject.features = Some(features);
        let judged = two_scopes_of(subject.clone()).await;
        assert_eq!(judged.outcome, Outcome::Skip);
        let said = judged.reason.unwrap_or_default();
        assert!(said.contains(reason), "{said}");
    }
}

/// Its requests would wait for each other before it has them, and that says nothing about how it fetches keys.
#[tokio::test]
async fn a_function_of_one_environment_is_not_asked_for_two_things_at_once() {
    let mut subject = builtin::subject("authbench").expect("a built-in target");
    if let SubjectKind::Lambda(lambda) = &mut subject.kind {
        lambda.max_environments = 1;
    }
    let judged = asked("outage::others-go-on-while-silent", subject).await;
    assert_eq!(judged.outcome, Outcome::Skip);
    let said = judged.reason.unwrap_or_default();
    assert!(said.contains("takes one at a time"), "{said}");
}
