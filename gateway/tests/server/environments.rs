//! Execution environments: when they start, when they end, and what an answer says about them.

use std::time::Duration;

use bytes::Bytes;
use gateway::switches::{AuthorizerFault, Switches};
use gateway::{
    Function, FunctionAnswer, FunctionConfig, Gateway, GatewayConfig, InvokeError, PLANETS_ARN,
    RestApi, token_event,
};

use crate::bed::{
    ANY_PORT, function, function_with_init, get, has_ended, is_running, start, start_with,
};

fn event(token: &str) -> Bytes {
    token_event(&format!("Bearer {token}"), PLANETS_ARN)
}

fn error(answer: &FunctionAnswer) -> (&str, &str) {
    match answer {
        FunctionAnswer::Error {
            message,
            error_type,
        } => (message, error_type),
        FunctionAnswer::Payload(_) => panic!("this invocation fails"),
    }
}

fn process_id(answer: &FunctionAnswer) -> u64 {
    let FunctionAnswer::Payload(payload) = answer else {
        panic!("this invocation succeeds: {answer:?}")
    };
    serde_json::from_slice::<serde_json::Value>(payload).unwrap()["context"]["pid"]
        .as_u64()
        .unwrap()
}

#[tokio::test]
async fn a_warm_environment_is_used_again_and_a_recycled_one_is_not() {
    let function = Function::start(function()).await.unwrap();
    let first = function.invoke(event("a")).await.unwrap();
    let cold = first.cold_start().expect("the first invocation is cold");
    assert!(
        cold.spawned < cold.connected
            && cold.connected <= cold.ready
            && cold.ready <= first.dispatched()
    );
    assert!(first.dispatched() < first.answered());
    let second = function.invoke(event("b")).await.unwrap();
    assert!(second.cold_start().is_none());
    assert_eq!(process_id(second.answer()), process_id(first.answer()));

    let idle = function.idle_process_ids();
    assert_eq!(idle.len(), 1);
    function.recycle().await;
    assert!(!is_running(idle[0]));
    let third = function.invoke(event("a")).await.unwrap();
    assert!(third.cold_start().is_some());
    assert_ne!(process_id(third.answer()), process_id(first.answer()));
    let counters = function.counters();
    assert_eq!(
        (
            counters.invocations,
            counters.cold_starts,
            counters.environments_spawned
        ),
        (3, 2, 2)
    );
    function.shutdown().await;
    assert!(matches!(
        function.invoke(event("a")).await,
        Err(InvokeError::ShutDown)
    ));
}

#[tokio::test]
async fn requests_at_once_get_environments_of_their_own_up_to_the_limit() {
    for (max_environments, want) in [(4, 3), (2, 2), (1, 1)] {
        let gateway = start_with(
            RestApi::planets(),
            FunctionConfig {
                max_environments,
                ..function()
            },
        )
        .await;
        let (a, b, c) = tokio::join!(
            get(&gateway, "/test/planets", "slow-a"),
            get(&gateway, "/test/planets", "slow-b"),
            get(&gateway, "/test/planets", "slow-c"),
        );
        let mut processes = [a.process_id(), b.process_id(), c.process_id()].to_vec();
        processes.sort_unstable();
        processes.dedup();
        assert_eq!(processes.len(), want);
        assert_eq!(
            gateway.counters().environments_spawned,
            u64::try_from(want).unwrap()
        );
        gateway.shutdown().await;
        assert!(
            processes.iter().all(|process| !is_running(*process)),
            "a process outlives the gateway"
        );
    }
}

#[tokio::test]
async fn a_time_out_kills_the_process_and_the_next_invocation_gets_a_fresh_one() {
    let quick = FunctionConfig {
        timeout: Duration::from_millis(400),
        ..function()
    };
    let gateway = start_with(RestApi::planets(), quick).await;
    let before = get(&gateway, "/test/planets", "allow").await.process_id();
    let late = get(&gateway, "/test/planets", "sleep").await;
    assert_eq!((late.status, late.rule()), (500, "R-FN-500"));
    assert!(!is_running(before));
    let after = get(&gateway, "/test/planets", "other").await;
    assert_eq!(
        (after.status, after.header("x-standin-environment")),
        (200, "cold")
    );
    assert_ne!(after.process_id(), before);
    assert_eq!(gateway.counters().timeouts, 1);
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_process_that_ends_is_an_error_of_the_function_and_is_replaced() {
    let function = Function::start(function()).await.unwrap();
    let crashed = function.invoke(event("crash")).await.unwrap();
    let (message, error_type) = error(crashed.answer());
    assert!(
        message.contains("Runtime exited") && message.contains("101"),
        "{message}"
    );
    assert_eq!(error_type, "Runtime.ExitError");
    assert_eq!(function.environments_ended(), 1);
    let next = function.invoke(event("a")).await.unwrap();
    assert!(next.cold_start().is_some());

    // The environment is idle when its process is killed from outside: nobody's invocation may suffer.
    let idle = function.idle_process_ids()[0];
    let process = nix::unistd::Pid::from_raw(idle.try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
    while !has_ended(idle) {
        tokio::task::yield_now().await;
    }
    let after = function.invoke(event("a")).await.unwrap();
    assert_ne!(process_id(after.answer()), u64::from(idle));
    assert_eq!(function.environments_ended(), 2);
    function.shutdown().await;
}

#[tokio::test]
async fn an_idle_process_that_has_ended_is_counted_before_anybody_asks() {
    let function = Function::start(function()).await.unwrap();
    function.invoke(event("a")).await.unwrap();
    assert_eq!(function.environments_ended(), 0);
    let idle = function.idle_process_ids()[0];
    let process = nix::unistd::Pid::from_raw(idle.try_into().unwrap());
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL).unwrap();
    while !has_ended(idle) {
        tokio::task::yield_now().await;
    }
    assert_eq!(function.environments_ended(), 1);
    assert_eq!(function.environments_ended(), 1, "each is counted once");
    function.recycle().await;
    function.invoke(event("a")).await.unwrap();
    function.recycle().await;
    assert_eq!(
        function.environments_ended(),
        1,
        "what we end has not ended by itself"
    );
    function.shutdown().await;
}

#[tokio::test]
async fn an_init_that_goes_wrong_is_an_error_and_never_a_hang() {
    for (init, want_type, want_message) in [
        ("exit", "Runtime.ExitError", "exited"),
        ("error", "Runtime.ImportModuleError", "no such module"),
        (
            "never",
            "Sandbox.Timedout",
            "INIT timed out after 0.40 seconds",
        ),
    ] {
        let config = FunctionConfig {
            init_timeout: Duration::from_millis(400),
            ..function_with_init(init)
        };
        let function = Function::start(config).await.unwrap();
        let invocation = function.invoke(event("a")).await.unwrap();
        let (message, error_type) = error(invocation.answer());
        assert!(message.contains(want_message), "{init}: {message}");
        assert_eq!(
            (error_type, invocation.cold_start().is_none()),
            (want_type, true),
            "{init}"
        );
        assert!(function.idle_process_ids().is_empty());
        function.shutdown().await;
    }
}

#[tokio::test]
async fn a_slow_init_is_waited_for_and_is_part_of_the_cold_start() {
    let function = Function::start(function_with_init("slow")).await.unwrap();
    let invocation = function.invoke(event("a")).await.unwrap();
    let cold = invocation.cold_start().unwrap();
    assert!(cold.ready - cold.spawned >= Duration::from_millis(300));
    function.shutdown().await;
}

#[tokio::test]
async fn a_process_that_never_asks_again_costs_one_time_out() {
    let quick = FunctionConfig {
        timeout: Duration::from_millis(400),
        ..function()
    };
    let function = Function::start(quick).await.unwrap();
    assert!(matches!(
        function.invoke(event("mute")).await.unwrap().answer(),
        FunctionAnswer::Payload(_)
    ));
    let late = function.invoke(event("a")).await.unwrap();
    assert_eq!(error(late.answer()).1, "Sandbox.Timedout");
    assert!(
        function
            .invoke(event("a"))
            .await
            .unwrap()
            .cold_start()
            .is_some()
    );
    function.shutdown().await;
}

#[tokio::test]
async fn a_stale_answer_never_reaches_a_later_invocation() {
    let gateway = start(RestApi::planets()).await;
    get(&gateway, "/test/planets", "deny").await;
    let answer = get(&gateway, "/test/planets", "stale").await;
    assert_eq!(
        (answer.status, answer.header("x-standin-environment")),
        (200, "warm")
    );
    assert_eq!(answer.authorizer()["statuses"], "400 400 400");
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_process_gets_lambdas_variables_and_none_of_ours() {
    let gateway = start(RestApi::planets()).await;
    let answer = get(&gateway, "/test/planets", "variables").await;
    let authorizer = answer.authorizer();
    let names: Vec<&str> = authorizer["names"].as_str().unwrap().split(' ').collect();
    for name in [
        "AWS_LAMBDA_RUNTIME_API",
        "_HANDLER",
        "LAMBDA_TASK_ROOT",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "PATH",
    ] {
        assert!(names.contains(&name), "{name} is missing");
    }
    for name in ["HOME", "CARGO_MANIFEST_DIR"] {
        assert!(!names.contains(&name), "{name} is ours");
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn the_log_tail_has_what_the_process_printed_without_its_tokens() {
    let function = Function::start(function()).await.unwrap();
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2VyIn0.c2lnbmF0dXJl";
    function.invoke(event(token)).await.unwrap();
    let log = loop {
        let log = function.log_tail().join("\n");
        if log.contains("event ") {
            break log;
        }
        tokio::task::yield_now().await;
    };
    assert!(
        log.contains("scripted authorizer, init ready") && log.contains("[token]"),
        "{log}"
    );
    assert!(!log.contains("eyJhbGci"), "{log}");
    function.shutdown().await;
}

#[tokio::test]
async fn a_gateway_that_stops_waiting_answers_for_the_authorizer() {
    let ceiling = Switches {
        authorizer_ceiling: Duration::from_millis(100),
        ..Switches::default()
    };
    let named = Switches {
        gave_up: AuthorizerFault::Configuration,
        ..ceiling.clone()
    };
    for (switches, want) in [
        (ceiling, "AuthorizerFailureException"),
        (named, "AuthorizerConfigurationException"),
    ] {
        let gateway = start(RestApi::planets().with_switches(switches)).await;
        let answer = get(&gateway, "/test/planets", "slow").await;
        assert_eq!(
            (
                answer.status,
                answer.rule(),
                answer.header("x-amzn-errortype")
            ),
            (500, "R-FN-500", want)
        );
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn shutdown_ends_an_invocation_that_is_at_work() {
    let gateway = start(RestApi::planets()).await;
    let process = get(&gateway, "/test/planets", "allow").await.process_id();
    let address = gateway.address();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = b"GET /test/planets HTTP/1.1\r\nhost: t\r\nauthorization: Bearer sleep\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request)
        .await
        .unwrap();
    while gateway.counters().invocations < 2 {
        tokio::task::yield_now().await;
    }
    gateway.shutdown().await;
    assert!(!is_running(process));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn what_cannot_start_says_what_and_why() {
    let running = start(RestApi::planets()).await;
    let taken = GatewayConfig {
        listen: running.address(),
        api: RestApi::planets(),
        function: function(),
    };
    let message = Gateway::start(taken).await.unwrap_err().to_string();
    assert!(
        message.contains(&running.address().to_string()),
        "{message}"
    );
    running.shutdown().await;
    for (config, want) in [
        (
            FunctionConfig {
                command: vec!["no-such-authorizer".to_owned()],
                ..function()
            },
            "`no-such-authorizer`",
        ),
        (
            FunctionConfig {
                command: vec!["./no/such".to_owned()],
                ..function()
            },
            "`./no/such`",
        ),
        (
            FunctionConfig {
                command: Vec::new(),
                ..function()
            },
            "command is empty",
        ),
        (
            FunctionConfig {
                working_dir: Some("/no/such/folder".into()),
                ..function()
            },
            "`/no/such/folder`",
        ),
        (
            FunctionConfig {
                max_environments: 0,
                ..function()
            },
            "max_environments is 0",
        ),
        (
            FunctionConfig {
                timeout: Duration::from_secs(901),
                ..function()
            },
            "901s",
        ),
    ] {
        let config = GatewayConfig {
            listen: ANY_PORT,
            api: RestApi::planets(),
            function: config,
        };
        let message = Gateway::start(config).await.unwrap_err().to_string();
        assert!(message.contains(want), "{message}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_program_fails_by_its_name_when_it_is_started() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_string_lossy().into_owned();
    let function = Function::start(FunctionConfig {
        command: vec![path.clone()],
        ..function()
    })
    .await
    .unwrap();
    let message = function.invoke(event("a")).await.unwrap_err().to_string();
    assert!(message.contains(&path), "{message}");
}
