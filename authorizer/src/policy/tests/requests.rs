//! The route of a request, for a server that routes by itself.

use super::model::{ModelRoute, routed};
use crate::policy::RouteTable;

/// A path in canonical form has the route that API Gateway would take; any other has none.
pub(super) fn assert_routed(table: &RouteTable, text: &str, verbs: &[&str], paths: &[String]) {
    let routes: Vec<ModelRoute<'_>> = text.split(';').map(ModelRoute::read).collect();
    for verb in verbs {
        for path in paths {
            let canonical = path == "/" || !path.ends_with('/') && !path.contains("//");
            let expected = routed(&routes, verb, path).filter(|_| canonical);
            let expected = expected.map(|route| routes[route].name());
            let found = table.route_of(verb, path).map(ToString::to_string);
            assert_eq!(found, expected, "{text}: {verb} {path}");
        }
    }
}

#[test]
fn an_escape_leads_to_no_other_route() {
    let table = "GET /a/secret all:admin;GET /a/{x} any:s;* /files/{p+} any:s;GET / none";
    let table = RouteTable::parse(table).unwrap();
    for (verb, path, expected) in [
        ("GET", "/a/secret", Some("GET /a/secret")),
        ("GET", "/a/secret2", Some("GET /a/{x}")),
        ("GET", "/a/SECRET", Some("GET /a/{x}")),
        ("GET", "/a/u%40b", Some("GET /a/{x}")),
        ("GET", "/a/%FF", Some("GET /a/{x}")),
        ("PUT", "/files/a%2Fb", Some("* /files/{p+}")),
        ("GET", "/", Some("GET /")),
        // Decoded it is the route beside.
        ("GET", "/a/secre%74", None),
        ("GET", "/a/%73ecret", None),
        // Decoded it is a path that the table does not have.
        ("GET", "/a/b%2Fc", None),
        // Decoded only it is a path that the table has.
        ("GET", "/%61/b", None),
        ("GET", "/a%2Fsecret", None),
        ("GET", "/files/..%2Fa/secret", None),
        ("GET", "/files/%2e%2e/a/secret", None),
        ("GET", "", None),
        ("OPTIONS", "*", None),
        ("PUT", "/a/secret", None),
        ("get", "/a/secret", None),
        ("PROPFIND", "/files/a", None),
    ] {
        let found = table.route_of(verb, path).map(ToString::to_string);
        assert_eq!(found.as_deref(), expected, "{verb} {path}");
    }
}
