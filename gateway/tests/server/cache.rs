//! The policy cache, seen by a client.

use std::time::Duration;

use gateway::switches::{ParallelMisses, Switches};
use gateway::{FunctionConfig, Gateway, RestApi};

use crate::bed::{Answer, function, get, start, start_with};

fn cache(answer: &Answer) -> &str {
    answer.header("x-standin-cache")
}

#[tokio::test]
async fn a_cached_output_is_evaluated_for_each_method_arn_anew() {
    let gateway = start(RestApi::planets()).await;
    for (path, status, rule, want) in [
        ("/test/planets", 200, "R-ALLOW", "miss"),
        ("/test/planets", 200, "R-ALLOW", "hit"),
        ("/test/planets/1", 403, "R-NOMATCH", "hit"),
        ("/test/planets", 200, "R-ALLOW", "hit"),
    ] {
        let answer = get(&gateway, path, "exact").await;
        assert_eq!(
            (answer.status, answer.rule(), cache(&answer)),
            (status, rule, want),
            "{path}"
        );
    }
    let counters = gateway.counters();
    assert_eq!(
        (
            counters.invocations,
            counters.cache_hits,
            counters.cache_misses
        ),
        (1, 3, 1)
    );
    gateway.flush_cache();
    assert_eq!(
        cache(&get(&gateway, "/test/planets", "exact").await),
        "miss"
    );
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_denial_is_cached_and_an_error_is_not() {
    let gateway = start(RestApi::planets()).await;
    for (token, second) in [
        ("deny", "hit"),
        ("no-match", "hit"),
        ("unauthorized", "miss"),
        ("error", "miss"),
        ("malformed", "miss"),
    ] {
        assert_eq!(
            cache(&get(&gateway, "/test/planets", token).await),
            "miss",
            "{token}"
        );
        let answer = get(&gateway, "/test/planets", token).await;
        assert_eq!(cache(&answer), second, "{token}");
        let environment = if second == "hit" { "none" } else { "warm" };
        assert_eq!(
            answer.header("x-standin-environment"),
            environment,
            "{token}"
        );
    }
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_time_to_live_of_zero_asks_the_authorizer_each_time() {
    let gateway = start(RestApi::planets().with_ttl(Duration::ZERO)).await;
    for _ in 0..2 {
        assert_eq!(cache(&get(&gateway, "/test/planets", "allow").await), "off");
    }
    assert_eq!(gateway.counters().invocations, 2);
    gateway.shutdown().await;
}

#[tokio::test]
async fn an_entry_expires_after_its_time_to_live() {
    let ttl = Duration::from_millis(200);
    let gateway = start(RestApi::planets().with_ttl(ttl)).await;
    assert_eq!(
        cache(&get(&gateway, "/test/planets", "allow").await),
        "miss"
    );
    tokio::time::sleep(ttl).await;
    assert_eq!(
        cache(&get(&gateway, "/test/planets", "allow").await),
        "miss"
    );
    gateway.shutdown().await;
}

async fn three_at_once(gateway: &Gateway) -> [Answer; 3] {
    let ask = || get(gateway, "/test/planets", "slow");
    let (a, b, c) = tokio::join!(ask(), ask(), ask());
    [a, b, c]
}

#[tokio::test]
async fn parallel_misses_invoke_each_or_once_as_the_switch_says() {
    for (parallel_misses, invocations) in [(ParallelMisses::Invoke, 3), (ParallelMisses::Share, 1)]
    {
        let switches = Switches {
            parallel_misses,
            ..Switches::default()
        };
        let gateway = start(RestApi::planets().with_switches(switches)).await;
        for answer in three_at_once(&gateway).await {
            assert_eq!(answer.status, 200);
        }
        let counters = gateway.counters();
        assert_eq!(
            (counters.invocations, counters.cache_repeats),
            (invocations, invocations - 1),
            "{parallel_misses:?}"
        );
        gateway.shutdown().await;
    }
}

#[tokio::test]
async fn a_cache_that_is_set_anew_begins_empty_and_holds_as_much_as_it_is_told() {
    let gateway = start(RestApi::planets()).await;
    let ask = async |token| cache(&get(&gateway, "/test/planets", token).await).to_owned();
    assert_eq!(ask("allow").await, "miss");
    gateway.set_cache(gateway::PolicyCache::with_entries(gateway::MAX_TTL, 1));
    for (token, want) in [
        ("allow", "miss"),
        ("allow", "hit"),
        ("deny", "miss"),
        ("allow", "miss"),
    ] {
        assert_eq!(ask(token).await, want, "{token}");
    }
    gateway.set_cache(gateway::PolicyCache::new(Duration::ZERO));
    assert_eq!(ask("allow").await, "off");
    gateway.shutdown().await;
}

#[tokio::test]
async fn a_time_to_live_beyond_an_hour_is_refused() {
    let api = RestApi::planets().with_ttl(Duration::from_secs(3601));
    let config = gateway::GatewayConfig {
        listen: crate::bed::ANY_PORT,
        api,
        function: FunctionConfig {
            name: "a".to_owned(),
            ..function()
        },
    };
    let message = Gateway::start(config).await.unwrap_err().to_string();
    assert!(message.contains("3601s"), "{message}");
    let gateway = start_with(RestApi::planets().with_ttl(gateway::MAX_TTL), function()).await;
    gateway.shutdown().await;
}
