//! What a 500 keeps from its caller and tells whoever runs the gateway.

use std::time::Duration;

use gateway::switches::Switches;
use gateway::{
    Failure, FailurePhase, Function, FunctionConfig, LogLine, PLANETS_ARN, RestApi, token_event,
};
use tokio::sync::mpsc;

use crate::bed::{function, function_with_init, get, start, start_with};

async fn failure_of(config: FunctionConfig, word: &str) -> (Option<Failure>, String) {
    let function = Function::start(config).await.unwrap();
    let event = token_event(&format!("Bearer {word}"), PLANETS_ARN);
    // An event that no process gets is a failure as well.
    let _ = function.invoke(event).await;
    let log = function.log_tail().join("\n");
    let failure = function.last_failure();
    function.shutdown().await;
    (failure, log)
}

#[tokio::test]
async fn the_last_failure_says_where_what_and_how_the_process_ended() {
    let never = FunctionConfig {
        init_timeout: Duration::from_millis(400),
        ..function_with_init("never")
    };
    let command = |command: &str| FunctionConfig {
        command: vec![command.to_owned()],
        ..function()
    };
    let no_program = tempfile::NamedTempFile::new().unwrap();
    for (config, word, phase, wanted) in [
        (
            function_with_init("error"),
            "a",
            FailurePhase::Init,
            "INIT failed: Runtime.ImportModuleError: no such module (the process ended: exit status: 0)",
        ),
        (
            command("false"),
            "a",
            FailurePhase::Init,
            "exited with error: exit status: 1",
        ),
        (
            never,
            "a",
            FailurePhase::Init,
            "timed out after 0.40 seconds",
        ),
        (
            function(),
            "error",
            FailurePhase::Invocation,
            "the invocation failed: string: boom",
        ),
        (
            function(),
            "crash",
            FailurePhase::Invocation,
            "exit status: 101",
        ),
        (
            command(no_program.path().to_str().unwrap()),
            "a",
            FailurePhase::Start,
            "does not start",
        ),
    ] {
        let (failure, _) = failure_of(config, word).await;
        let failure = failure.expect(wanted);
        assert_eq!(failure.phase(), phase, "{failure}");
        assert!(failure.to_string().contains(wanted), "{failure}");
    }
    for word in ["a", "unauthorized"] {
        assert_eq!(failure_of(function(), word).await.0, None, "{word}");
    }
}

#[tokio::test]
async fn a_process_that_reported_an_init_error_may_print_why_before_it_is_killed() {
    let (_, log) = failure_of(function_with_init("error"), "a").await;
    assert!(log.contains("the import failed"), "{log}");
}

#[tokio::test]
async fn what_the_gateway_itself_finds_is_a_failure_too() {
    let ceiling = Switches {
        authorizer_ceiling: Duration::from_millis(100),
        ..Switches::default()
    };
    for (switches, word, phase, wanted) in [
        (
            ceiling,
            "sleep",
            FailurePhase::Wait,
            "no answer within 100ms",
        ),
        (
            Switches::default(),
            "malformed",
            FailurePhase::Answer,
            "`policyDocument`",
        ),
    ] {
        let gateway = start(RestApi::planets().with_switches(switches)).await;
        get(&gateway, "/test/planets", word).await;
        let failure = gateway.function().last_failure().unwrap();
        assert_eq!(failure.phase(), phase);
        assert!(failure.to_string().contains(wanted), "{failure}");
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn an_init_that_failed_is_no_environment() {
    let gateway = start_with(RestApi::planets(), function_with_init("error")).await;
    let answer = get(&gateway, "/test/planets", "a").await;
    assert_eq!(
        (answer.status, answer.header("x-standin-environment")),
        (500, "none")
    );
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_watcher_hears_what_the_processes_print_and_each_failure_without_tokens() {
    let (watcher, mut heard) = mpsc::channel(100);
    let config = FunctionConfig {
        watcher: Some(watcher),
        ..function()
    };
    failure_of(config, "error").await;
    let mut lines = Vec::new();
    // The channel closes with the function, so nothing is waited for by time.
    while let Some(line) = heard.recv().await {
        lines.push(line);
    }
    let printed = |wanted: &str| {
        lines
            .iter()
            .any(|line| matches!(line, LogLine::Printed(text) if text.contains(wanted)))
    };
    assert!(
        printed("init ready") && printed("\"Bearer error\""),
        "{lines:?}"
    );
    let remark = LogLine::Remark("the invocation failed: string: boom".to_owned());
    assert!(lines.contains(&remark), "{lines:?}");
}
