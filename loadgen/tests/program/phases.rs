//! Phases of load about tokens and caches, run by the real program against this project's authorizer: each counts what it says.

use std::path::Path;

use crate::support;
use serde_json::Value;

const HEAD: &str = "name = \"s\"\nissuer = \"auth0\"\naudience = \"https://planets.example.com/\"\nscope = \"read:planets\"\n";

/// The record of a scenario, and what was told on standard error.
fn run(folder: &Path, scenario: &str) -> (Value, String) {
    std::fs::write(folder.join("s.toml"), format!("{HEAD}{scenario}")).expect("written");
    let output = support::run(folder, &["run", "s.toml", "--out", "out", "--force"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let record = std::fs::read_to_string(folder.join("out/run.json"));
    let record = record.unwrap_or_else(|error| panic!("{error}: {told}"));
    (serde_json::from_str(&record).expect("JSON"), told)
}

fn refused(folder: &Path, scenario: &str) -> String {
    std::fs::write(folder.join("s.toml"), format!("{HEAD}{scenario}")).expect("written");
    let output = support::run(folder, &["run", "s.toml", "--out", "refused"]);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn number(value: &Value, pointer: &str) -> u64 {
    value
        .pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_else(|| panic!("{pointer} in {value:#}"))
}

fn counter(phase: &Value, name: &str) -> u64 {
    let counters = phase["counters"].as_array().expect("counters");
    let counter = counters.iter().find(|counter| counter["name"] == name);
    number(counter.expect(name), "/moved")
}

/// The authorizer has no leeway: a token that is sent after its end is refused, and so would a token be by a key that is not
/// published.
#[test]
fn tokens_are_replaced_before_they_end_and_after_the_keys_have_changed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (record, told) = run(
        folder.path(),
        "target = \"in-process\"\n\
         [[phase]]\nkind = \"verification\"\nusers = 4\nrate = \"40/s\"\nduration = \"9s\"\ntoken_lifetime = \"7s\"\n\
         mix = { \"baseline::valid\" = 3, \"rfc7519::exp-one-hour-past\" = 1 }\nlimits = { lost = 0 }\n\
         [[phase]]\nkind = \"verification\"\nusers = 4\nrate = \"40/s\"\nduration = \"5s\"\nlimits = { lost = 0 }\n\
         [[phase.event]]\nat = \"500ms\"\nserve = \"rotated\"\n\
         [[phase.event]]\nat = \"1s\"\nsign = \"next\"\nover = \"2s\"\n\
         [[phase.event]]\nat = \"4s\"\nserve = \"withdrawn\"\n",
    );
    let phases = record["phases"].as_array().expect("phases");
    assert_eq!(phases.len(), 2, "{told}{record:#}");
    for (phase, requests) in phases.iter().zip([360, 200]) {
        assert_eq!(phase["wrong_decisions"], 0, "{}", phase["wrong_samples"]);
        assert_eq!(phase["requests"], requests);
        assert_eq!(phase["tokens"]["outlived"], 0);
    }
    let (short, rotated) = (&phases[0]["tokens"], &phases[1]["tokens"]);
    assert_eq!(number(short, "/lifetime_s"), 6);
    assert!(number(short, "/refreshes") > 100, "{short}");
    // Half of them in the two seconds of the change, and all of them in the two after it.
    let by_next = number(rotated, "/by_next_key");
    assert!((115..=125).contains(&by_next), "{by_next}");
    assert_eq!(rotated["refreshes"], 0);
}

#[test]
fn each_class_of_token_gets_its_own_decision() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let classes = [
        "baseline::valid",
        "rfc6750::scope-missing",
        "rfc7515::signature-bit-flipped",
        "rfc7515::unknown-kid-attacker-key",
        "rfc7519::aud-wrong",
        "rfc7519::exp-one-hour-past",
    ];
    let mix: Vec<String> = classes
        .iter()
        .map(|class| format!("\"{class}\" = 1"))
        .collect();
    let phase = format!(
        "target = \"in-process\"\n[[phase]]\nkind = \"verification\"\nusers = 2\nrequests = 120\nmix = {{ {} }}\n",
        mix.join(", ")
    );
    let (record, told) = run(folder.path(), &phase);
    assert_eq!(record["verdict"]["word"], "good", "{told}");
    let series = record["phases"][0]["series"].as_array().expect("series");
    for class in classes {
        let of_class = series.iter().find(|series| series["class"] == class);
        assert_eq!(number(of_class.expect(class), "/count"), 20, "{class}");
    }
}

#[test]
fn a_population_larger_than_the_cache_has_a_hit_rate_and_an_expiry_a_stampede() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (record, told) = run(
        folder.path(),
        "target = \"authbench\"\n\
         [[phase]]\nkind = \"cache-hit\"\nusers = 4\nrequests = 800\npopulation = 40\ncache_entries = 20\n\
         popularity = { hot = { share = 0.9, of = 0.1 } }\nlimits = { cache_misses = 10 }\n\
         [[phase]]\nkind = \"cache-hit\"\nusers = 4\nrequests = 200\n\
         [[phase]]\nkind = \"expiry-stampede\"\nusers = 8\nrate = \"200/s\"\nduration = \"3s\"\npopulation = 10\n\
         limits = { wrong_decisions = 0, authorizer_invocations = 100 }\n\
         [[phase.event]]\nat = \"1s\"\nexpire = \"policies\"\n\
         [[phase.event]]\nat = \"2s\"\nexpire = \"tokens\"\n",
    );
    let phases = record["phases"].as_array().expect("phases");
    assert_eq!(phases.len(), 3, "{told}{record:#}");
    for phase in phases {
        assert_eq!(phase["wrong_decisions"], 0);
        assert_eq!(phase["errors"], 0);
    }
    let counts = |phase: &Value| {
        [
            "policy cache hits",
            "policy cache misses",
            "authorizer invocations",
            "repeated invocations",
        ]
        .map(|name| counter(phase, name))
    };
    let [hits, misses, invocations, _] = counts(&phases[0]);
    assert_eq!(hits + misses, 800);
    assert_eq!(misses, invocations);
    // A tenth of the requests goes to 36 tokens, of which fewer than half are cached, and what they put displaces others.
    assert!((40..=250).contains(&misses), "{misses} misses");
    assert_eq!(phases[0]["limits"][0]["kept"], false);
    let series = phases[0]["series"].as_array().expect("series");
    let of_misses = series
        .iter()
        .find(|series| series["class"] == "policy cache miss");
    assert_eq!(
        number(of_misses.expect("a series of the misses"), "/count"),
        misses
    );

    assert_eq!(
        counts(&phases[1]),
        [200, 0, 0, 0],
        "the cache is whole again"
    );
    let [hits, misses, invocations, repeats] = counts(&phases[2]);
    assert_eq!(hits + misses, 600);
    assert_eq!(
        invocations,
        20 + repeats,
        "each of ten tokens missed at either event"
    );
    assert_eq!(number(&phases[2], "/tokens/refreshes"), 10);
}

#[test]
fn tokens_that_cannot_last_are_refused_with_file_line_and_what_would() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let phase = |keys: &str| format!("target = \"authbench\"\n[[phase]]\nusers = 4\n{keys}");
    let hour = "rate = \"100/s\"\nduration = \"60m\"\nkind = \"cache-hit\"\n";
    let short = refused(
        folder.path(),
        &phase(&format!("{hour}token_lifetime = \"2s\"\n")),
    );
    let parts = [
        "s.toml:6",
        "baseline::valid lives 2 s",
        "token_lifetime; with \"36",
    ];
    let many = refused(
        folder.path(),
        &phase(&format!(
            "{hour}population = 50000\ntoken_lifetime = \"10m\"\n"
        )),
    );
    for part in parts {
        assert!(short.contains(part), "{part}: {short}");
    }
    assert!(
        many.contains("s.toml:6") && many.contains("most is 200000"),
        "{many}"
    );
    let own = refused(
        folder.path(),
        &phase(&format!(
            "{hour}token_lifetime = \"1440m\"\nmix = {{ \"rfc7519::exp-fractional\" = 1 }}\npopulation = 20000\n"
        )),
    );
    assert!(
        own.contains("live 300 s") && own.contains("leave the case out"),
        "{own}"
    );
}

#[test]
fn a_pool_file_is_the_same_again_and_is_sent_in_place_of_new_tokens() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mint = |file: &str, arguments: &str| {
        let arguments: Vec<&str> = arguments.split_ascii_whitespace().collect();
        let output = support::run(
            folder.path(),
            &[&["mint", "--pool", file][..], &arguments].concat(),
        );
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{told}");
        std::fs::read(folder.path().join(file)).expect("written")
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port")
        .port();
    let base = format!("--base http://127.0.0.1:{port}");
    let one = mint(
        "one.txt",
        &format!("{base} --count 70 --issued-at 1800000000"),
    );
    let two = mint(
        "two.txt",
        &format!("{base} --count 70 --issued-at 1800000000"),
    );
    assert_eq!(one, two);
    mint("now.txt", &format!("{base} --count 60"));
    mint("other.txt", &format!("{base} --count 60 --seed 8"));
    mint(
        "ended.txt",
        &format!("{base} --count 60 --issued-at 1600000000"),
    );
    let scenario = |file: &str, requests: u32| {
        format!(
            "target = \"in-process\"\nissuer_listen = \"127.0.0.1:{port}\"\n[[phase]]\nkind = \"verification\"\nusers = 2\n\
             requests = {requests}\ntoken_pool = \"{file}\"\n"
        )
    };
    for (file, requests, part) in [
        ("now.txt", 61, "now.txt:1: count: the phase needs 61"),
        ("other.txt", 60, "other.txt:1: kid is"),
        ("ended.txt", 60, "ended.txt:1: expires_at: the tokens ended"),
        ("none.txt", 60, "none.txt: "),
    ] {
        let told = refused(folder.path(), &scenario(file, requests));
        assert!(told.contains("s.toml:7: token_pool: "), "{told}");
        assert!(told.contains(part), "{told}");
    }
    let elsewhere = scenario("now.txt", 60).replace(&format!("{port}"), "1");
    let told = refused(folder.path(), &elsewhere);
    assert!(told.contains("now.txt:1: issuer is"), "{told}");
    let (record, told) = run(folder.path(), &scenario("now.txt", 60));
    assert_eq!(record["phases"][0]["requests"], 60, "{told}");
    assert_eq!(record["verdict"]["word"], "good", "{told}");
}
