//! A real issuer's token without its key: an issuer that the bench has not started, and one of its tokens in a file.

use std::path::Path;
use std::process::Output;

use loadgen::issuer::Issuer;
use loadgen::record::Outcome;
use loadgen::record::{RecordStore, RunRecord};
use mock_idp::{MockIdp, Recipe};

use crate::support::authbench;

/// Not the seed of the bench's own issuer: nothing that it signs is genuine here.
const SEED: u64 = 23;

async fn issuer() -> MockIdp {
    let issuer = Issuer {
        profile: loadgen::builtin::issuer("okta").expect("built in"),
        seed: SEED,
        audience: "https://orders.example.com/".to_owned(),
        scope: vec!["read:orders".to_owned(), "write:orders".to_owned()],
    };
    let any_port = "127.0.0.1:0".parse().expect("an address");
    let keys = issuer.keys().expect("keys");
    MockIdp::start(issuer.config(keys, any_port))
        .await
        .expect("an issuer")
}

fn token(issuer: &MockIdp, recipe: &str) -> String {
    let recipe: Recipe = toml::from_str(recipe).expect("a recipe");
    issuer
        .minter()
        .mint(&recipe, loadgen::clock::unix_now())
        .expect("a token")
}

async fn conform(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = authbench(folder);
    command.arg("conform").args(arguments);
    tokio::task::spawn_blocking(move || command.output().expect("authbench starts"))
        .await
        .expect("no panic")
}

fn asked(record: &RunRecord) -> usize {
    let conformance = record.conformance.as_ref().expect("cases");
    let asked = |outcome| outcome != Outcome::Skip;
    conformance
        .cases
        .iter()
        .filter(|case| asked(case.outcome))
        .count()
}

/// The catalogue of the literature has 114 cases that need no key; a few of them are not in this one.
const ASKED_AT_LEAST: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_could_send_is_asked_without_the_issuers_key() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let issuer = issuer().await;
    let token = token(&issuer, "");
    std::fs::write(folder.path().join("token"), format!("Bearer {token}\n")).expect("written");
    let jwks = mock_idp::jwks_document(issuer.minter().profile(), issuer.minter().keys());
    std::fs::write(folder.path().join("jwks.json"), jwks.to_string()).expect("written");
    let arguments = [
        "--target",
        "in-process",
        "--token-file",
        "token",
        "--jwks-file",
        "jwks.json",
        "--jwks-uri",
        issuer.jwks_uri(),
        "--out",
        "out",
    ];
    let output = conform(folder.path(), &arguments).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    let record = RecordStore::load(&folder.path().join("out")).expect("a record");
    assert!(asked(&record) >= ASKED_AT_LEAST, "{said}");
    assert_eq!(record.issuer.issuer, issuer.issuer());
    for why in [
        "only the issuer can sign it",
        "no open redirect of the issuer's is known",
    ] {
        assert!(said.contains(why), "{said}");
    }
    let saved = std::fs::read_to_string(folder.path().join("out/run.json")).expect("a record");
    for secret in token.split('.') {
        assert!(
            !saved.contains(secret),
            "a part of the token is in the record"
        );
    }
    let fewer = [&arguments[..4], &arguments[6..], &["--force"]].concat();
    let output = conform(folder.path(), &fewer).await;
    assert_eq!(output.status.code(), Some(0));
    let without_key = RecordStore::load(&folder.path().join("out")).expect("a record");
    assert!(asked(&without_key) < asked(&record));
    issuer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_used_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let issuer = issuer().await;
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    let genuine = token(&issuer, "");
    write("ended", &token(&issuer, "claims = { exp = \"$now-5\" }"));
    write("soon", &token(&issuer, "claims = { exp = \"$now+30\" }"));
    write("opaque", "2YotnFZFEjr1zCsicMWpAA");
    write("genuine", &genuine);
    write("other-keys.json", "{\"keys\": []}");
    write("no-json", "<html>");
    let table: [(&[&str], &[&str]); 7] = [
        (&["--token-file", "ended"], &["ended", " s ago", "fresh"]),
        (&["--token-file", "soon"], &["soon", "ends in", "fresh"]),
        (&["--token-file", "opaque"], &["opaque", "three parts"]),
        (&["--token-file", "absent"], &["absent", "No such file"]),
        (
            &["--token-file", "genuine", "--jwks-file", "other-keys.json"],
            &["--jwks-file", "other-keys.json", "kid"],
        ),
        (
            &["--token-file", "genuine", "--jwks-file", "no-json"],
            &["--jwks-file", "no-json", "line 1"],
        ),
        (
            &["--token-file", "genuine", "--issuer", "okta"],
            &["--issuer", "--token-file"],
        ),
    ];
    for (arguments, parts) in table {
        let output = conform(folder.path(), arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        for part in parts {
            assert!(said.contains(part), "{part:?} is missing in: {said}");
        }
        assert!(!said.contains(&genuine), "{said}");
    }
    issuer.shutdown().await;
}
