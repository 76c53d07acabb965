//! Requests as they are written.

use super::*;

fn raw_request(lines: &[&str]) -> CaseRequest {
    CaseRequest {
        raw: Some(lines.iter().map(|line| (*line).to_owned()).collect()),
        ..CaseRequest::default()
    }
}

#[test]
fn raw_lines_are_sent_byte_by_byte() {
    let case = CaseRequest {
        body: Some("access_token={token}".to_owned()),
        ..raw_request(&[
            "POST {path} HTTP/1.1",
            "hOST: {authority}",
            "AUTHORIZATION : Bearer {second}\r\n {byte:00}",
            "Content-Length: {length}",
        ])
    };
    let shape = RequestShape::from(&case).with_second(Some("d.e.f".to_owned()));
    let request = PreparedRequest::new(&shape, "a.b.c", "h:1", "/p").expect("a request");
    let wanted = "POST /p HTTP/1.1\r\nhOST: h:1\r\nAUTHORIZATION : Bearer d.e.f\r\n \0\r\n\
                  Content-Length: 18\r\n\r\naccess_token=a.b.c";
    assert!(request.is_alone());
    assert_eq!(request.bytes(), wanted.as_bytes());
}

#[test]
fn a_plain_request_is_written_to_its_last_byte() {
    let case = CaseRequest {
        authorization: Some("bearer {token}é".to_owned()),
        query: Some("a={token}".to_owned()),
        headers: vec![("X-Twice".to_owned(), "1".to_owned())],
        method: Some("DELETE".to_owned()),
        ..CaseRequest::default()
    };
    let shape = RequestShape::from(&case);
    let request = PreparedRequest::new(&shape, "x.y.z", "127.0.0.1:8080", "/planets");
    let wanted = "DELETE /planets?a=x.y.z HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nauthorization: bearer x.y.zé\r\n\
                  x-twice: 1\r\n\r\n";
    let request = request.expect("a request");
    assert_eq!(String::from_utf8_lossy(request.bytes()), wanted);
    assert!(!request.is_alone());
}

#[test]
fn a_given_host_takes_the_place_of_the_connections_own() {
    let case = CaseRequest {
        headers: vec![("Host".to_owned(), "api.example.com".to_owned())],
        ..CaseRequest::default()
    };
    let shape = RequestShape::from(&case);
    let request = PreparedRequest::new(&shape, "t", "127.0.0.1:80", "/p").expect("a request");
    let wanted = "GET /p HTTP/1.1\r\nhost: api.example.com\r\nauthorization: Bearer t\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(request.bytes()), wanted);
    let http2 = |shape: &RequestShape| {
        PreparedRequest::written(shape, "t", "127.0.0.1:80", "/p", Wire::Http2 { tls: true })
    };
    let request = http2(&shape).expect("a request");
    let message = request.http2().expect("of HTTP/2");
    assert_eq!(message.uri().to_string(), "https://api.example.com/p");
    assert!(!message.headers().contains_key(header::HOST));
    let case = CaseRequest {
        headers: vec![("host".to_owned(), String::new())],
        ..CaseRequest::default()
    };
    let error = http2(&RequestShape::from(&case)).expect_err("no authority");
    assert!(error.to_string().contains(":authority"), "{error}");
}

#[test]
fn what_http2_has_no_place_for_is_refused_with_what_to_do() {
    let request = |method: &str, path: &str, hosts: &[&str]| {
        let host = |host: &&str| ("Host".to_owned(), (*host).to_owned());
        let case = CaseRequest {
            headers: hosts.iter().map(host).collect(),
            method: Some(method.to_owned()),
            path: Some(path.to_owned()),
            ..CaseRequest::default()
        };
        let shape = RequestShape::from(&case);
        PreparedRequest::written(&shape, "t", "h:1", "/p", Wire::Http2 { tls: false })
    };
    for (method, path, hosts, told) in [
        ("GET", "/", &["a.example", "b.example"][..], "give one"),
        ("GET", "/", &["user@a.example"], "give a name"),
        ("GET", "/", &["user:pass@a.example:1"], "give a name"),
        ("GET", "*", &[], "OPTIONS"),
        ("GET", "http://b.example/", &["a.example"], "a slash"),
        ("GET", "b.example:80", &[], "a slash"),
    ] {
        let error = request(method, path, hosts).expect_err(told).to_string();
        assert!(error.contains(told), "{error}");
        assert!(!error.contains("pass"), "{error}");
    }
    let asterisk = request("OPTIONS", "*", &[]).expect("a request");
    let uri = asterisk.http2().expect("of HTTP/2").uri();
    assert_eq!(uri.path(), "*");
    assert_eq!(uri.authority().map(Authority::as_str), Some("h:1"));
}

#[test]
fn over_http2_a_length_is_said_and_nothing_of_connections() {
    let fields = [("Connection", "close"), ("te", "gzip"), ("x-kept", "1")];
    let case = CaseRequest {
        headers: fields
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into(),
        method: Some("POST".to_owned()),
        ..CaseRequest::default()
    };
    let shape = RequestShape::from(&case).with_body("a=b".into());
    let request = PreparedRequest::written(&shape, "t", "h:1", "/", Wire::Http2 { tls: false });
    let request = request.expect("a request");
    let fields = request.http2().expect("of HTTP/2").headers();
    let mut names: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "content-length", "x-kept"]);
    assert_eq!(fields[header::CONTENT_LENGTH], "3");
}

#[test]
fn what_does_not_go_together_is_named() {
    let beside = CaseRequest {
        query: Some("a=b".to_owned()),
        ..raw_request(&["GET {path} HTTP/1.1"])
    };
    let alone = CaseRequest {
        body: Some("x".to_owned()),
        ..CaseRequest::default()
    };
    let control = CaseRequest {
        authorization: Some("Bearer \u{0}".to_owned()),
        ..CaseRequest::default()
    };
    for (case, part) in [(beside, "`query`"), (alone, "`raw`"), (control, "`raw`")] {
        let error = RequestShape::from(&case).check("t").expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
    }
}
