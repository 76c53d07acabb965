//! Pools written and read back, and those that are refused.

use super::*;

const NOW: i64 = 1_800_000_000;

fn example() -> PoolHeader {
    PoolHeader {
        authbench_token_pool: VERSION,
        issuer: "http://127.0.0.1:9000/".to_owned(),
        kid: "k".to_owned(),
        audience: "a".to_owned(),
        scope: "s".to_owned(),
        case: "baseline::valid".to_owned(),
        seed: 7,
        issued_at: NOW,
        expires_at: Some(NOW + 3600),
        count: 2,
    }
}

fn needed() -> Needed<'static> {
    Needed {
        issuer: Some(IssuerFacts {
            issuer: "http://127.0.0.1:9000/",
            kid: "k",
            audience: "a",
            scope: "s",
        }),
        case: Some("baseline::valid"),
        tokens: 2,
        now: NOW + 60,
        length: Duration::from_mins(10),
    }
}

fn text_of(header: &PoolHeader) -> String {
    let header = serde_json::to_string(header).expect("JSON");
    format!("{header}\na.b.c\nd.e.f\n")
}

fn pool(text: &str) -> Result<PoolFile, PoolFileError> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pool.txt");
    std::fs::write(&path, text).expect("written");
    PoolFile::read(&path)
}

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("pool.txt");
    let tokens = ["a.b.c".to_owned(), "d.e.f".to_owned()];
    write_pool(&path, &example(), &tokens).expect("written");
    let file = PoolFile::read(&path).expect("read");
    assert_eq!(file.tokens().collect::<Vec<_>>(), ["a.b.c", "d.e.f"]);
    assert_eq!(file.header(), Some(&example()));
    file.fits(needed()).expect("the same settings");
    assert!(!format!("{file:?}").contains("a.b.c"));
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .collect();
    assert_eq!(left.len(), 1, "nothing is left beside it");
}

#[test]
fn a_pool_that_does_not_fit_is_refused_by_the_name_of_what_does_not() {
    let facts = needed().issuer.expect("an issuer");
    let other = |issuer| Needed {
        issuer: Some(issuer),
        ..needed()
    };
    let wrong = [
        (
            other(IssuerFacts {
                issuer: "http://x/",
                ..facts
            }),
            "issuer is",
        ),
        (other(IssuerFacts { kid: "x", ..facts }), "kid is"),
        (
            other(IssuerFacts {
                audience: "x",
                ..facts
            }),
            "audience is",
        ),
        (
            other(IssuerFacts {
                scope: "x",
                ..facts
            }),
            "scope is",
        ),
        (
            Needed {
                case: Some("x"),
                ..needed()
            },
            "case is",
        ),
        (
            Needed {
                tokens: 3,
                ..needed()
            },
            "--count 3",
        ),
        (
            Needed {
                now: NOW + 3700,
                ..needed()
            },
            "ended 100 s ago",
        ),
        (
            Needed {
                now: NOW + 3500,
                ..needed()
            },
            "--expires-in 660",
        ),
    ];
    for (needed, part) in wrong {
        let file = pool(&text_of(&example())).expect("a pool");
        let message = file.fits(needed).expect_err(part).to_string();
        assert!(
            message.contains("pool.txt:1: ") && message.contains(part),
            "{message}"
        );
    }
}

#[test]
fn tokens_that_ended_before_they_were_issued_are_those_of_a_case_about_that() {
    let expired = PoolHeader {
        expires_at: Some(NOW - 3600),
        ..example()
    };
    let file = pool(&text_of(&expired)).expect("a pool");
    file.fits(needed())
        .expect("ended before it was issued, on purpose");
}

#[test]
fn a_file_that_is_no_pool_is_refused_and_one_of_tokens_alone_is_taken() {
    let cut = format!(
        "{}\na.b.c\n",
        serde_json::to_string(&example()).expect("JSON")
    );
    let later = cut.replace("\"authbench_token_pool\":1", "\"authbench_token_pool\":9");
    for (text, part) in [
        ("", "no line holds a token"),
        ("{}\na.b.c\n", ":1: not the first line"),
        ("a.b.c\n\u{e9}\n", ":2: a token is ASCII"),
        (&cut, ":1: count is 2, and 1 tokens follow"),
        (&later, "authbench_token_pool is 9"),
    ] {
        let message = pool(text).expect_err(part).to_string();
        assert!(message.contains(part), "{message}");
    }
    let plain = pool("a.b.c\n\n d.e.f \r\n").expect("tokens");
    assert_eq!(plain.tokens().collect::<Vec<_>>(), ["a.b.c", "d.e.f"]);
    let message = plain.fits(needed()).expect_err("no header").to_string();
    assert!(message.contains("does not say what"), "{message}");
    let anybody = Needed {
        issuer: None,
        case: None,
        ..needed()
    };
    plain.fits(anybody).expect("as many as are needed");
}
