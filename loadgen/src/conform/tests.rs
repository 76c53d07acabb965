//! The judge against scripted targets whose truth is known.

use std::sync::Arc;
use std::time::Duration;

use mock_idp::MintDefaults;

use super::*;
use crate::catalogue::*;
use crate::issuer::test_keys;
use crate::target::{ScriptedAnswer, ScriptedTarget};

pub(super) const CASES: &str = r#"
group = "t"
title = "T"
[[case]]
id = "t::good"
title = "good"
clause = "RFC 7519"
level = "MUST"
severity = "high"
expect = "allow"
impact = "i"
fix = "f"
cause = "valid-token-refused"
[[case]]
id = "t::bad"
title = "bad"
clause = "RFC 7519"
level = "MUST"
severity = "critical"
expect = "unauthorized"
impact = "i"
fix = "f"
cause = "signature-not-verified"
[[case]]
id = "t::narrow"
title = "narrow"
clause = "RFC 6750"
level = "MUST"
severity = "high"
expect = "forbidden"
impact = "i"
fix = "f"
cause = "scope-not-checked"
needs = ["scope"]
[[case]]
id = "t::note"
title = "note"
clause = "RFC 7515"
level = "SHOULD"
severity = "low"
expect = "unauthorized"
grade = "note"
impact = "i"
fix = "f"
cause = "lenient-encoding"
"#;

pub(super) fn minter() -> Minter {
    let profile = crate::builtin::issuer("auth0").expect("a built-in issuer");
    Minter::new(
        profile,
        "http://127.0.0.1:1/".to_owned(),
        MintDefaults::default(),
        test_keys(),
    )
}

/// Asks cases of a script; the first two answers are for the probes, and one after each fault is for a genuine token.
pub(super) async fn run(
    cases: &str,
    script: &[u16],
    features: &[Feature],
    divergences: &[Divergence],
) -> Result<ConformanceRecord, Box<Unfinished>> {
    let answers = script
        .iter()
        .map(|status| ScriptedAnswer {
            status: *status,
            latency: Duration::ZERO,
        })
        .collect();
    let target = Target::Scripted(Arc::new(ScriptedTarget::new(answers)));
    let catalogue = Catalogue::parse([("t.toml".to_owned(), cases)]).expect("good cases");
    let minter = minter();
    let conformance = Conformance {
        target: &target,
        features,
        divergences,
        minter: &minter,
        listener: None,
        gate: Severity::High,
        fail_on: Severity::Info,
        processes: None,
    };
    conformance
        .run(
            &catalogue.select(&Selection::default()),
            &StopSignal::default(),
            |_| {},
        )
        .await
}

async fn outcomes(
    script: &[u16],
    features: &[Feature],
    divergences: &[Divergence],
) -> Vec<Outcome> {
    let record = run(CASES, script, features, divergences)
        .await
        .expect("the target decides on genuine tokens");
    assert!(record.not_judged.is_none(), "{:?}", record.not_judged);
    record.cases.iter().map(|case| case.outcome).collect()
}

#[tokio::test]
async fn allow_or_deny_is_judged_first_and_the_status_apart() {
    use Outcome::{Fault, Note, Pass, Skip, UnexpectedAllow, UnexpectedDeny, WrongStatus};
    let table: [(&[u16], &[Feature], [Outcome; 4]); 5] = [
        (
            &[200, 401, 200, 401, 403, 401],
            &[Feature::Scope],
            [Pass, Pass, Pass, Pass],
        ),
        (
            &[200, 401, 401, 200, 200, 200],
            &[Feature::Scope],
            [UnexpectedDeny, UnexpectedAllow, UnexpectedAllow, Note],
        ),
        (
            &[200, 401, 200, 403, 401, 400],
            &[Feature::Scope],
            [Pass, WrongStatus, WrongStatus, Note],
        ),
        (
            &[200, 401, 500, 200, 302, 200, 404, 401, 503, 200],
            &[Feature::Scope],
            [Fault, Fault, Fault, Fault],
        ),
        (&[200, 401, 200, 401, 401], &[], [Pass, Pass, Skip, Pass]),
    ];
    for (script, features, wanted) in table {
        assert_eq!(outcomes(script, features, &[]).await, wanted, "{script:?}");
    }
}

/// The answer to the case, and that to a genuine token of its length.
#[tokio::test]
async fn what_a_token_costs_is_not_asked_of_a_server_that_refuses_its_length() {
    let bad = CASES.split("[[case]]").nth(2).expect("t::bad");
    let case = format!("group = \"t\"\ntitle = \"T\"\n[[case]]{bad}memory_growth_mb = 1\n");
    for (script, wanted) in [
        (&[200, 401, 431, 431][..], Outcome::Skip),
        (&[200, 401, 413, 400], Outcome::Skip),
        (&[200, 401, 400, 200], Outcome::WrongStatus),
        (&[200, 401, 400, 401], Outcome::WrongStatus),
        (&[200, 401, 401], Outcome::Pass),
        (&[200, 401, 200], Outcome::UnexpectedAllow),
    ] {
        let record = run(&case, script, &[], &[]).await.expect("a decision");
        assert_eq!(record.cases[0].outcome, wanted, "{script:?}");
        let told = record.cases[0].reason.as_deref().unwrap_or_default();
        let skipped = wanted == Outcome::Skip;
        assert_eq!(
            told.contains("nobody has looked at this one"),
            skipped,
            "{told}"
        );
    }
}

fn declared(observed: DivergentDecision, expires: &str) -> Vec<Divergence> {
    vec![Divergence {
        case: "t::bad".into(),
        case_at: "t.toml:1".into(),
        observed,
        reason: "known".into(),
        expires: expires.parse().expect("a day"),
    }]
}

#[tokio::test]
async fn a_declared_divergence_is_known_until_it_expires_and_fails_when_it_is_gone() {
    let diverging: &[u16] = &[200, 401, 200, 200, 403, 401];
    let conforming: &[u16] = &[200, 401, 200, 401, 403, 401];
    let table = [
        (
            diverging,
            DivergentDecision::Allow,
            "2999-01-01",
            Outcome::KnownDivergence,
        ),
        (
            diverging,
            DivergentDecision::Allow,
            "2020-01-01",
            Outcome::UnexpectedAllow,
        ),
        (
            conforming,
            DivergentDecision::Allow,
            "2999-01-01",
            Outcome::DivergenceGone,
        ),
        (
            diverging,
            DivergentDecision::Deny,
            "2999-01-01",
            Outcome::DivergenceGone,
        ),
    ];
    for (script, observed, expires, wanted) in table {
        let outcomes = outcomes(script, &[Feature::Scope], &declared(observed, expires)).await;
        assert_eq!(
            outcomes[1], wanted,
            "{script:?} {observed:?} until {expires}"
        );
    }
}

#[tokio::test]
async fn a_target_that_cannot_be_judged_is_told_as_that() {
    let run = async |script: &[u16]| run(CASES, script, &[], &[]).await;
    let refuses_all = run(&[401]).await.expect("a decision");
    assert!(
        refuses_all
            .not_judged
            .expect("not judged")
            .contains("genuine token is refused (401)")
    );
    assert!(refuses_all.cases.is_empty());
    let allows_all = run(&[200]).await.expect("a decision");
    assert!(
        allows_all
            .not_judged
            .expect("not judged")
            .contains("protects nothing")
    );
    for status in [500, 302, 404] {
        let error = run(&[status]).await.expect_err("no decision");
        assert!(matches!(error.cause, Unasked::NoDecision(_)), "{error:?}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
    }
}

#[tokio::test]
async fn a_declared_divergence_that_gets_no_decision_stays_a_fault() {
    let script: &[u16] = &[200, 401, 200, 500, 200, 403, 401, 500, 500];
    let declared = declared(DivergentDecision::Allow, "2999-01-01");
    let record = run(CASES, script, &[Feature::Scope], &declared)
        .await
        .expect("the target decides on genuine tokens");
    assert_eq!(record.cases[1].outcome, Outcome::Fault);
    assert_eq!(record.cases[1].reason.as_deref(), Some("scripted"));
}

#[tokio::test]
async fn a_target_that_decides_nothing_after_a_case_ends_the_run_and_the_cases_are_kept() {
    let unfinished = run(CASES, &[200, 401, 200, 500, 503], &[], &[])
        .await
        .expect_err("the target is gone");
    let message = unfinished.to_string();
    assert!(
        message.contains("stopped answering after case t::bad") && message.contains("503"),
        "{message}"
    );
    let outcomes: Vec<_> = unfinished
        .judged
        .cases
        .iter()
        .map(|case| case.outcome)
        .collect();
    assert_eq!(outcomes, [Outcome::Pass, Outcome::Fault]);
}

#[tokio::test]
async fn a_case_that_cannot_be_asked_is_an_error_and_no_skip() {
    let last = "cause = \"lenient-encoding\"\n";
    let table = [
        ("recipe = { tamper = [{ cut-end = 0 }] }\n", "tamper[0]"),
        ("request = { method = \"A B\" }\n", "\"A B\""),
    ];
    for (spoilt, part) in table {
        let (head, tail) = CASES.rsplit_once(last).expect("the last case");
        let cases = format!("{head}{last}{spoilt}{tail}");
        let unfinished = run(&cases, &[200, 401, 200, 401], &[], &[])
            .await
            .expect_err("the last case makes no request");
        let message = unfinished.to_string();
        assert!(
            message.contains("case t::note cannot be asked") && message.contains(part),
            "{message}"
        );
    }
}

#[test]
fn a_mistake_in_a_sequence_is_named_with_its_step() {
    let head = "group = \"t\"\ntitle = \"T\"\n[[sequence]]\nid = \"t::s\"\ntitle = \"s\"\nclause = \"RFC\"\n\
                level = \"MUST\"\nseverity = \"high\"\ncause = \"stale-keys\"\nimpact = \"i\"\nfix = \"f\"\n";
    let mint = "{ mint = \"a\" }, ";
    let table = [
        (
            "{ send = [\"a\"], expect = \"allow\" }",
            "step 1: sends \"a\"",
        ),
        ("{ mint = \"a\" }", "step 1: a sequence sends something"),
        ("{ mint = \"a\", wait = \"1s\" }", "exactly one of"),
        (
            "{ mint = \"a\", count = 501 }",
            "`count` is 501; it takes 1 to 500",
        ),
        (
            "{ serve = \"default\", recipe = {} }",
            "`recipe` and `count` are for `mint`",
        ),
        ("{ wait = \"1s\", within = \"1s\" }", "are for `send`"),
        ("{ wait = \"1s\", echo = true }", "are for `send`"),
        ("{ wait = \"soon\" }", "\"soon\" is not a duration"),
        ("{ wait = \"3m\" }", "at most 120s"),
        ("{ serve = \"rotten\" }", "`rotten`"),
        ("{ fail = \"slowly\" }", "`slowly`"),
    ];
    let sends = [
        ("{ send = [\"a\"] }", "step 2: `send` needs `expect`"),
        (
            "{ send = [\"a\"], expect = \"any\", at_once = true, until = \"1s\" }",
            "exclude",
        ),
        (
            "{ send = [\"a\"], expect = \"any\", until = \"5m\" }",
            "`until` is 300s",
        ),
        (
            "{ send = [\"a\"], expect = \"any\", times = 0 }",
            "`times` is 0",
        ),
        (
            "{ send = [\"a\"], expect = \"any\", path = \"1\" }",
            "`path` is \"1\"; it starts with a slash",
        ),
        (
            "{ send = [\"a\"], expect = \"allow\", meanwhile = true }",
            "`meanwhile` takes `expect = \"any\"`",
        ),
        (
            "{ send = [\"a\"], expect = \"any\", within = \"1s\", meanwhile = true }",
            "nobody looks at them",
        ),
    ];
    let sends = sends.map(|(step, part)| (format!("{mint}{step}"), part));
    let steps = table.map(|(step, part)| (step.to_owned(), part));
    for (steps, part) in steps.into_iter().chain(sends) {
        let text = format!("{head}step = [{steps}]\n");
        let error = Catalogue::parse([("t.toml".to_owned(), text.as_str())])
            .expect_err(part)
            .to_string();
        assert!(
            error.contains("t.toml") && error.contains(part),
            "{part} is missing in: {error}"
        );
    }
}

#[test]
fn a_declared_overreach_is_known_and_gone_when_there_is_none() {
    let declared_so = declared(DivergentDecision::Overreach, "2999-01-01");
    let now = std::time::Instant::now();
    let answer = Observation {
        decision: Decision::Deny,
        status: Some(401),
        rule: None,
        cache: crate::target::CacheVerdict::None,
        cold: false,
        fault: None,
        loss: None,
        set_up: None,
        sent: now,
        finished: now,
        answer: None,
    };
    for (plain, wanted) in [
        (Outcome::Overreach, Outcome::KnownDivergence),
        (Outcome::Pass, Outcome::DivergenceGone),
        (Outcome::UnexpectedAllow, Outcome::DivergenceGone),
    ] {
        let (outcome, _) = super::declared(&declared_so, "t::bad", plain, &answer);
        assert_eq!(outcome, wanted, "{plain:?}");
    }
}

#[test]
fn a_mistake_in_a_case_file_is_named() {
    let table = [
        (
            CASES.replace("level = \"MUST\"", "level = \"Must\""),
            "`Must`",
        ),
        (
            CASES.replace("t::bad", "t::good"),
            "\"t::good\" is used twice",
        ),
        (CASES.replace("t::bad", "t::good"), "t.toml:14:"),
        (CASES.replace("t::bad", "t::good"), "t.toml:4, too"),
        (
            CASES.replace("t::bad", "T::Bad"),
            "t.toml:14: case id \"T::Bad\"",
        ),
        (CASES.replace("grade", "garde"), "`garde`"),
        (CASES.replace("impact = \"i\"", ""), "impact"),
        (CASES.replace("cause = \"lenient-encoding\"", ""), "cause"),
        (
            CASES.replace("\"scope-not-checked\"", "\"scop\""),
            "t.toml:24: case t::narrow: cause is \"scop\"",
        ),
        (
            CASES.replace("\"scope-not-checked\"", "\"scop\""),
            "audience-not-checked",
        ),
    ];
    for (text, part) in table {
        let error = Catalogue::parse([("t.toml".to_owned(), text.as_str())])
            .expect_err(part)
            .to_string();
        assert!(
            error.contains("t.toml") && error.contains(part),
            "{part} is missing in: {error}"
        );
    }
}

/// The judged causes as id, severity and cases.
async fn causes(cases: &str, script: &[u16]) -> Vec<(String, Severity, Vec<String>)> {
    let record = run(cases, script, &[Feature::Scope], &[])
        .await
        .expect("the target decides on genuine tokens");
    record
        .causes
        .into_iter()
        .map(|cause| (cause.id, cause.severity, cause.cases))
        .collect()
}

#[tokio::test]
async fn failing_cases_are_grouped_to_causes_worst_first_and_wrong_statuses_last() {
    let found = |id: &str, severity, case: &str| (id.to_owned(), severity, vec![case.to_owned()]);
    assert_eq!(
        causes(CASES, &[200, 401, 401, 200, 401, 200]).await,
        [
            found("signature-not-verified", Severity::Critical, "t::bad"),
            found("valid-token-refused", Severity::High, "t::good"),
            found("wrong-status", Severity::Info, "t::narrow"),
        ]
    );
    assert_eq!(
        causes(CASES, &[200, 401, 200, 500, 200, 403, 401]).await,
        [found("crash-or-hang", Severity::Critical, "t::bad")]
    );
    assert!(
        causes(CASES, &[200, 401, 200, 401, 403, 200])
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_case_counts_for_the_general_cause_when_all_cases_of_that_one_are_let_in() {
    let implied = CASES.replace(
        "cause = \"scope-not-checked\"\n",
        "cause = \"algorithm-confusion\"\nimplied_by = \"signature-not-verified\"\n",
    );
    let ids = async |script: &[u16]| -> Vec<String> {
        let found = causes(&implied, script).await;
        found.into_iter().map(|(id, _, _)| id).collect()
    };
    assert_eq!(
        ids(&[200, 401, 200, 200, 200, 401]).await,
        ["signature-not-verified"]
    );
    assert_eq!(
        ids(&[200, 401, 200, 401, 200, 401]).await,
        ["algorithm-confusion"]
    );
}

#[tokio::test]
async fn what_is_about_key_sets_is_not_asked_of_a_target_with_one_key() {
    let cases = r#"
group = "t"
title = "T"
[[case]]
id = "t::set"
title = "set"
clause = "RFC 7517"
level = "MUST"
severity = "high"
expect = "unauthorized"
jwks = "without-alg"
impact = "i"
fix = "f"
cause = "key-confusion"
[[sequence]]
id = "t::rotation"
title = "rotation"
clause = "RFC 7517"
level = "MUST"
severity = "high"
impact = "i"
fix = "f"
cause = "stale-keys"
step = [{ mint = "a" }, { serve = "rotated" }, { send = ["a"], expect = "allow" }]
[[sequence]]
id = "t::cache"
title = "cache"
clause = "RFC 7519"
level = "MUST"
severity = "high"
impact = "i"
fix = "f"
cause = "stale-keys"
step = [{ mint = "a" }, { send = ["a"], expect = "allow" }]
"#;
    let catalogue = Catalogue::parse([("t.toml".to_owned(), cases)]).expect("good cases");
    let needs = |sequence: &Sequence| sequence.case.needs.clone();
    let needs: Vec<_> = catalogue.sequences().iter().map(needs).collect();
    assert_eq!(needs, [vec![Feature::KeySet], Vec::new()]);
    let record = run(cases, &[200, 401, 401], &[Feature::Scope], &[])
        .await
        .expect("the target decides on genuine tokens");
    assert_eq!(record.cases[0].outcome, Outcome::Skip);
    let reason = record.cases[0].reason.as_deref().unwrap_or_default();
    assert!(reason.contains("key-set"), "{reason}");
    let record = run(cases, &[200, 401, 401], &Feature::UNLESS_SAID, &[])
        .await
        .expect("the target decides on genuine tokens");
    assert_eq!(record.cases[0].outcome, Outcome::Pass);
}
