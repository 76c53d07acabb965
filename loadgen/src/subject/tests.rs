use super::*;

fn refusal(body: &str) -> String {
    Subject::parse(&format!("name = \"t\"\n{body}"), "t.toml", Path::new("/"))
        .expect_err(body)
        .to_string()
}

#[test]
fn a_mistake_in_a_target_file_is_named() {
    let table = [
        (
            "kind = \"grpc\"\n",
            &["t.toml", "line 2", "`grpc`", "`lambda`"][..],
        ),
        ("kind = \"http\"\n", &["either url or [command]"]),
        (
            "kind = \"http\"\n[command]\nprogram = \"x\"\n",
            &["[request]", "/planets"],
        ),
        ("kind = \"lambda\"\nurl = \"http://a/\"\n", &["[command]"]),
        (
            "kind = \"in-process\"\n[lambda]\nmemory_mb = 1\n",
            &["kind = \"lambda\""],
        ),
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\nsetup = [\"y\"]\n",
            &["setup_creates"],
        ),
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[lambda]\ntimeout = \"9\"\n",
            &["\"9\"", "250ms"],
        ),
        (
            "kind = \"in-process\"\n[[divergence]]\ncase = \"a\"\nobserved = \"allow\"\nreason = \"r\"\nexpires = \"soon\"\n",
            &["t.toml:7", "soon", "2027-06-30"],
        ),
        (
            "kind = \"in-process\"\n[[divergence]]\ncase = \"a\"\nobserved = \"allow\"\nreason = \"r\"\nexpires = \"2026-9-1\"\n",
            &["t.toml:7", "2026-9-1", "2027-06-30"],
        ),
        (
            "kind = \"http\"\n[command]\nprogram = \"x\"\nargs = [\n\"{prot}\"]\n[request]\npath = \"/\"\n",
            &["t.toml:6", "{prot}", "{port}"],
        ),
        (
            "kind = \"http\"\n[command]\nprogram = \"x\"\n[request]\npath = \"planets\"\n",
            &["t.toml:6", "\"planets\"", "slash"],
        ),
        (
            "kind = \"http\"\nurl = \"http://a/\"\n[request]\npath = \"/b\"\n",
            &["t.toml:4", "[request]", "url"],
        ),
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[lambda]\ntimeout = \"16m\"\n",
            &["t.toml:6", "960s", "15m"],
        ),
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[lambda]\nmax_environments = 1001\n",
            &["t.toml:6", "1001", "1 to 1000"],
        ),
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[lambda]\nmemory_mb = \"1\"\n",
            &["line 6", "whole number"],
        ),
    ];
    for (body, parts) in table {
        let message = refusal(body);
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}

#[test]
fn a_mistake_about_who_asks_and_what_is_echoed_is_named() {
    let table = [
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[lambda]\nevent = \"request\"\n",
            &["t.toml:6", "ask = \"direct\""][..],
        ),
        (
            "kind = \"invoke\"\n[request]\npath = \"/\"\n",
            &["t.toml:3", "[invoke] path"],
        ),
        ("kind = \"invoke\"\n", &["either url or [command]"]),
        (
            "kind = \"invoke\"\nurl = \"http://a/\"\n[invoke]\nat_once = 0\n",
            &["t.toml:5", "1 to 1024"],
        ),
        (
            "kind = \"invoke\"\nurl = \"http://a/\"\n[invoke]\npath = \"/b\"\n",
            &["t.toml:5", "url"],
        ),
        (
            "kind = \"http\"\nurl = \"http://a/\"\n[invoke]\nevent = \"token\"\n",
            &["t.toml:4", "kind = \"invoke\""],
        ),
        (
            "kind = \"http\"\nurl = \"http://a/\"\n[echo]\npointer = \"principal\"\n",
            &["t.toml:5", "\"principal\"", "/principal"],
        ),
        (
            "kind = \"http\"\nurl = \"http://a/\"\nfeatures = [\"principal-echo\"]\n",
            &["t.toml:4", "[echo]"],
        ),
        (
            "kind = \"http\"\nurl = \"http://a/\"\nfeatures = [\"key-set\", \"cognito\"]\n",
            &["t.toml:4", "cognito", "`issuer`"],
        ),
    ];
    for (body, parts) in table {
        let message = refusal(body);
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}

#[test]
fn an_issuer_profile_is_found_by_name_or_beside_the_file_that_names_it() {
    for (named, profile) in [("cognito", "cognito"), ("my.toml", "/targets/my.toml")] {
        let text = format!("name = \"t\"\nkind = \"in-process\"\nissuer = \"{named}\"\n");
        let subject = Subject::parse(&text, "t.toml", Path::new("/targets")).expect("a target");
        let own = subject.issuer.expect("a profile");
        assert_eq!((&*own.profile, &*own.at), (profile, "t.toml:3"));
    }
}

#[test]
fn what_a_target_requires_is_names_of_programs() {
    let command = "kind = \"lambda\"\n[command]\nprogram = \"x\"\n";
    let table = [
        (
            "requires = [\"node\", \"bin/npm\"]",
            "t.toml:5: requires names \"bin/npm\"",
        ),
        (
            "requires = [\"node --version\"]",
            "t.toml:5: requires names",
        ),
        ("requires = [\"{authbench}\"]", "t.toml:5: requires names"),
        ("requires = [\"\"]", "t.toml:5: requires names"),
        (
            "requires = \"node\"",
            "invalid type: string \"node\", expected a sequence",
        ),
    ];
    for (line, wanted) in table {
        let message = refusal(&format!("{command}{line}\n"));
        assert!(
            message.contains(wanted),
            "{wanted:?} is missing in: {message}"
        );
    }
    let text = format!("name = \"t\"\n{command}requires = [\"node\", \"npm\"]\n");
    let target = Subject::parse(&text, "t.toml", Path::new("/")).expect("a target");
    let command = target.command().expect("a command");
    assert_eq!(command.requires, ["node", "npm"]);
}

#[test]
fn a_mistake_about_a_url_is_named() {
    let table = [
        (
            "kind = \"http\"\nurl = \"ftp://api.example.com/\"\n",
            &["ftp://api.example.com/", "https://host/path"][..],
        ),
        (
            "kind = \"http\"\nurl = \"http://a/\"\n[tls]\ninsecure = true\n",
            &["t.toml:4", "[tls]", "https"],
        ),
        (
            "kind = \"http\"\nurl = \"https://a/\"\n[tls]\ninsecure = true\nca_file = \"a.pem\"\n",
            &["t.toml:5", "insecure", "ca_file"],
        ),
        (
            "kind = \"http\"\nurl = \"https://a/\"\n[tls]\nca_file = \"nowhere.pem\"\n",
            &["t.toml:5", "ca_file", "/nowhere.pem"],
        ),
        (
            "kind = \"invoke\"\nurl = \"https://a/\"\n",
            &["t.toml:3", "https://a/", "TLS"],
        ),
        (
            "kind = \"in-process\"\n[tls]\ninsecure = true\n",
            &["t.toml:3", "[tls]", "url"],
        ),
    ];
    for (body, parts) in table {
        let message = refusal(body);
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}

#[test]
fn a_mistake_about_keys_is_named() {
    let table = [
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[keys]\nlifetime = \"1h\"\n",
            &["\"1h\"", "2m"][..],
        ),
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[keys]\nlifetime = \"15m\"\n",
            &["t.toml:6", "900s", "[keys] env"],
        ),
        (
            "kind = \"http\"\nurl = \"http://a/\"\n[keys]\nenv = { A = \"1\" }\n",
            &["t.toml:4", "[keys] env", "[command]"],
        ),
        (
            "kind = \"lambda\"\n[command]\nprogram = \"x\"\n[keys]\nenv = { A = \"{prot}\" }\n",
            &["t.toml:6", "{prot}", "{port}"],
        ),
    ];
    for (body, parts) in table {
        let message = refusal(body);
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing in: {message}");
        }
    }
}

#[test]
fn a_url_names_host_port_and_path() {
    let table = [
        (
            "http://127.0.0.1:9000/planets",
            "127.0.0.1:9000",
            "/planets",
        ),
        ("http://localhost", "localhost:80", "/"),
        ("http://localhost:1/a/b?c=d", "localhost:1", "/a/b?c=d"),
    ];
    for (url, wanted_authority, wanted_path) in table {
        match Subject::at_url(url).expect(url).kind {
            SubjectKind::HttpUrl(server) => {
                assert_eq!(
                    (server.authority(), server.path()),
                    (wanted_authority, wanted_path),
                    "{url}"
                );
            }
            other => panic!("{url} became {other:?}"),
        }
    }
}
