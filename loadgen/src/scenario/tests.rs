//! Scenario files, right and wrong.

use super::*;

const HEAD: &str =
    "name = \"t\"\nissuer = \"auth0\"\ntarget = \"authbench\"\naudience = \"a\"\nscope = \"s\"\n";

fn refusal(body: &str) -> String {
    Scenario::parse(&format!("{HEAD}{body}"), "t.toml")
        .expect_err("this scenario is wrong")
        .to_string()
}

fn refused(table: &[(&str, &[&str])]) {
    for (body, parts) in table {
        let message = refusal(body);
        for part in *parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}

#[test]
fn a_mistake_is_named_with_file_line_and_key() {
    let table = [
        (
            "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nduration = \"2s\"\n[[phase.event]]\nat = \"2s\"\nfail = \"close\"\n",
            &["t.toml:6", "an event is at 2s", "over after 2s"][..],
        ),
        (
            "userz = 1\n",
            &["t.toml", "line 6", "unknown field `userz`", "issuer"][..],
        ),
        (
            "[[phase]]\nkind = \"verification\"\nuser = 4\n",
            &["t.toml", "line 8", "unknown field `user`", "`users`"],
        ),
        (
            "cache_ttl = \"5 sec\"\n",
            &["t.toml", "line 6", "5 sec", "\"250ms\""],
        ),
        (
            "cache_ttl = 300\n",
            &["t.toml", "line 6", "300", "\"250ms\""],
        ),
        (
            "cache_ttl = \"2h\"\n",
            &["t.toml", "line 6", "2h", "\"250ms\""],
        ),
        ("cache_ttl = \"61m\"\n", &["t.toml:6", "cache_ttl", "3600s"]),
        ("", &["t.toml", "[conformance]", "[[phase]]"]),
        (
            "[conformance]\ngate = \"severe\"\n",
            &["line 7", "`severe`", "`critical`"],
        ),
        (
            "[conformance]\ngate = \"high\"\nfail_on = \"critical\"\n",
            &["t.toml:8", "fail_on is critical", "gate", "high"],
        ),
    ];
    refused(&table);
}

#[test]
fn a_mistake_in_a_phase_is_named_with_its_line() {
    let table = [
        (
            "[[phase]]\nkind = \"warm\"\n",
            &["t.toml", "line 7", "`warm`", "`cold-start`"][..],
        ),
        (
            "\n[[phase]]\nkind = \"verification\"\nduration = \"1s\"\n",
            &["t.toml:7", "users = 4"],
        ),
        (
            "[[phase]]\nkind = \"cold-start\"\nsamples = 3\n",
            &["t.toml:6", "budget = \"10s\""],
        ),
        (
            "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nduration = \"1s\"\nrequests = 5\n",
            &["not both"],
        ),
        (
            "[[phase]]\nkind = \"cache-hit\"\nusers = 0\nduration = \"1s\"\n",
            &["users is 0"],
        ),
        (
            "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nrate = \"5\"\nduration = \"1s\"\n",
            &["line 9", "\"500/s\""],
        ),
        (
            "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nduration = \"1s\"\n[phase.thresholds]\np75 = \"1ms\"\n",
            &["p75", "p99"],
        ),
        (
            "[[phase]]\nkind = \"cold-start\"\nsamples = \"x\"\nbudget = \"1s\"\n",
            &["line 8", "whole number", "30"],
        ),
        (
            "[[phase]]\nkind = \"cold-start\"\nsamples = 3\nbudget = \"0s\"\n",
            &["t.toml:6", "budget is 0s", "\"10s\""],
        ),
        (
            "[[phase]]\nkind = \"cold-start\"\nsamples = 3\nbudget = \"1s\"\nfail_fast = true\n",
            &["t.toml:6", "no fail_fast", "budget"],
        ),
        (
            "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nduration = \"1s\"\ncold_disk = 1\n",
            &["t.toml:6", "cold_disk", "for cold-start"],
        ),
        (
            "[[phase]]\nkind = \"cache-hit\"\nusers = 1\nduration = \"1s\"\nfail_fast = true\n",
            &["t.toml:6", "fail_fast", "has none"],
        ),
        (
            "\n[[phase]]\nkind = \"verification\"\nusers = 1\nduration = \"1s\"\n",
            &["t.toml:7", "rate with duration"],
        ),
        (
            "[[phase]]\nkind = \"verification\"\nusers = 1\nrequests = 200001\n",
            &["t.toml:6", "200001", "200000"],
        ),
        (
            "[[phase]]\nkind = \"verification\"\nusers = 1\nduration = \"5m\"\nrate = \"1000/s\"\n",
            &["t.toml:6", "300000", "200000"],
        ),
    ];
    refused(&table);
}

#[test]
fn tokens_and_events_that_do_not_go_together_are_refused() {
    let phase = |kind: &str, keys: &str| {
        format!(
            "[[phase]]\nkind = \"{kind}\"\nusers = 1\nrate = \"10/s\"\nduration = \"9s\"\n{keys}\n"
        )
    };
    let refused = |kind: &str, keys: &str, parts: &[&str]| {
        let message = refusal(&phase(kind, keys));
        for part in parts.iter().chain(&["t.toml:6"]) {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    };
    let event = |keys: &str| format!("[[phase.event]]\nat = \"2s\"\n{keys}");
    let expire = event("expire = \"policies\"");
    refused(
        "verification",
        "population = 5",
        &["population", "cache-hit"],
    );
    refused("verification", "popularity = \"uniform\"", &["popularity"]);
    refused("cache-hit", &expire, &["expiry-stampede"]);
    refused("expiry-stampede", "", &["expire = \"policies\""]);
    refused(
        "cache-hit",
        "popularity = { zipf = 0 }",
        &["zipf", "above 0"],
    );
    refused(
        "cache-hit",
        "population = 0",
        &["population is 0", "200000"],
    );
    refused(
        "cache-hit",
        "token_lifetime = \"1500ms\"",
        &["whole seconds"],
    );
    refused("cache-hit", "cache_ttl = \"61m\"", &["3600s"]);
    refused("cache-hit", "cache_entries = 0", &["16384"]);
    let hot = "popularity = { hot = { share = 1.5, of = 0.1 } }";
    refused("cache-hit", hot, &["share 1.5", "0.9"]);
    let mix = "population = 1\nmix = { a = 1, b = 1 }";
    refused("cache-hit", mix, &["population is 1", "2 cases"]);
    let over = event("sign = \"next\"\nover = \"1s\"");
    refused("cache-hit", &over, &["over is for verification"]);
    refused(
        "verification",
        &event("serve = \"rotated\"\nover = \"1s\""),
        &["with sign"],
    );
    let withdrawn = "[[phase.event]]\nat = \"2500ms\"\nserve = \"withdrawn\"";
    refused(
        "verification",
        &format!("{over}\n{withdrawn}"),
        &["2.5s", "3s"],
    );
    let closed = "[[phase]]\nkind = \"verification\"\nusers = 1\nrequests = 9\n";
    let message = refusal(&format!("{closed}{}", event("sign = \"next\"")));
    assert!(message.contains("sign needs a rate"), "{message}");
}

#[test]
fn a_name_that_is_no_part_of_a_folder_is_refused() {
    for name in ["../x", "a/b", "", "a\\nb"] {
        let text = HEAD.replace("\"t\"", &format!("\"{name}\""));
        let message = Scenario::parse(&text, "t.toml")
            .expect_err(name)
            .to_string();
        assert!(message.starts_with("t.toml:1: name is"), "{message}");
    }
}

#[test]
fn what_is_left_out_has_the_documented_default() {
    let text = format!(
        "{HEAD}[conformance]\ngate = \"high\"\n\
         [[phase]]\nkind = \"cold-start\"\nsamples = 3\nbudget = \"1s\"\n"
    );
    let scenario = Scenario::parse(&text, "t.toml").expect("a small scenario");
    assert_eq!(scenario.seed, 7);
    assert_eq!(scenario.cache_ttl, Duration::from_mins(5));
    assert!(scenario.cases.is_empty());
    let plan = scenario.conformance.expect("asked for");
    assert!(plan.selection.texts.is_empty());
    assert_eq!(plan.selection.level, None);
    assert_eq!(plan.fail_on, Severity::Info);
    assert!(matches!(&scenario.phases[..], [Phase::ColdStart(plan)] if plan.cold_disk == 5));
}
