//! A sequence: its steps in words, and each token that it mints.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use loadgen::catalogue::{Send, Sequence, Step, StepDecision};
use loadgen::clock::unix_now;
use mock_idp::Minter;

use super::super::Failure;
use super::{about, decoded};

/// Everything about a sequence. Of tokens that are minted in numbers the first is shown.
pub(super) fn shown(sequence: &Sequence, minter: &Minter) -> Result<String, Failure> {
    let mut text = about(&sequence.case, &expected(sequence));
    if sequence.gateway_cache {
        let _ = writeln!(text, "\na gateway may answer from its policy cache");
    }
    if let Some(scope) = &sequence.second_scope {
        let _ = writeln!(text, "\nthe target requires the scope {scope}, too");
    }
    let _ = writeln!(text, "\nthe steps");
    for (index, step) in sequence.steps.iter().enumerate() {
        let _ = writeln!(text, "  {:>2}  {}", index + 1, in_words(step));
    }
    for step in &sequence.steps {
        let Step::Mint {
            name,
            recipe,
            count,
        } = step
        else {
            continue;
        };
        let token = match count {
            1 => minter.mint(recipe, unix_now()),
            _ => minter.mint_numbered(recipe, unix_now(), 1),
        };
        let _ = writeln!(text);
        let title = match count {
            1 => format!("the token {name}"),
            _ => format!("the first token of {name}"),
        };
        decoded(&mut text, &title, &token.map_err(Failure::usage)?);
    }
    Ok(text)
}

fn expected(sequence: &Sequence) -> String {
    let decisions: BTreeSet<&str> = sequence
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Send(send) => Some(decision(send.expect)),
            _ => None,
        })
        .collect();
    let decisions: Vec<&str> = decisions.into_iter().collect();
    format!("by its steps: {}", decisions.join("; "))
}

fn in_words(step: &Step) -> String {
    let Step::Send(send) = step else {
        return step.summary();
    };
    let mut words = format!("{}: {}", step.summary(), decision(send.expect));
    for condition in conditions(send) {
        let _ = write!(words, ", {condition}");
    }
    words
}

fn decision(expected: StepDecision) -> &'static str {
    match expected {
        StepDecision::Allow => "let in",
        StepDecision::Any => "whatever is answered",
        StepDecision::NotAllowed => "not let in",
        StepDecision::Refused => "refused",
    }
}

fn conditions(send: &Send) -> Vec<String> {
    let mut conditions = Vec::new();
    if send.times > 1 {
        conditions.push(format!("{} times", send.times));
    }
    if send.at_once {
        conditions.push("all at once".to_owned());
    }
    conditions.extend(send.within.map(|within| format!("each within {within:?}")));
    conditions.extend(send.until.map(|until| format!("tried for {until:?}")));
    if send.meanwhile {
        conditions.push("while the next steps are taken".to_owned());
    }
    if send.echo {
        conditions.push("each answer names the sub of its token".to_owned());
    }
    let skip = send.or_skip.as_ref();
    conditions.extend(skip.map(|reason| format!("otherwise skipped: {reason}")));
    conditions
}
