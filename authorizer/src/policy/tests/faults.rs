//! Each way in which a table can be wrong, and what its message names.

use serde_json::{Value, json};

use crate::policy::{
    RouteTable, RouteTableError as E, route::Route, route_fault::RouteFault as F,
    route_table::RawRouteTable,
};

fn fault(route: &str) -> F {
    let error = RouteTable::parse(route).unwrap_err();
    assert!(error.to_string().contains(route.trim()), "{error}");
    match error {
        E::Route { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn a_route_that_cannot_be_right_is_refused_for_its_reason() {
    let literal = |segment: &str, found| F::LiteralChar {
        segment: segment.to_owned(),
        found,
    };
    let scope = |scope: &str, found| F::ScopeChar {
        scope: scope.to_owned(),
        found,
    };
    for (route, want) in [
        ("GET /planets", F::Form),
        ("GET /planets any:a more", F::Form),
        ("GET /planets read:planets", F::Form),
        ("GET /planets None", F::Form),
        ("GET planets any:a", F::NoLeadingSlash),
        ("GET /a//b any:a", F::EmptySegment),
        ("GET /a/ any:a", F::EmptySegment),
        ("GET // any:a", F::EmptySegment),
        ("GET /a/../b any:a", F::DotSegment("..".into())),
        ("GET /./b any:a", F::DotSegment(".".into())),
        ("GET /{proxy+}/b any:a", F::ProxyNotLast),
        ("GET /{} any:a", F::ParameterName("{}".into())),
        ("GET /{+} any:a", F::ParameterName("{+}".into())),
        ("GET /{*} any:a", F::ParameterName("{*}".into())),
        ("GET /{a{b}} any:a", F::ParameterName("{a{b}}".into())),
        ("GET /{a}{b} any:a", F::ParameterName("{a}{b}".into())),
        ("GET /a* any:a", literal("a*", '*')),
        ("GET /a? any:a", literal("a?", '?')),
        ("GET /${x} any:a", literal("${x}", '$')),
        ("GET /a{x} any:a", literal("a{x}", '{')),
        ("GET /a}b any:a", literal("a}b", '}')),
        ("GET /a%20b any:a", literal("a%20b", '%')),
        ("GET /é any:a", literal("é", 'é')),
        ("GET /a\"b any:a", literal("a\"b", '"')),
        ("GET /a any:", F::EmptyScopes),
        ("GET /a all:", F::EmptyScopes),
        ("GET /a any:a,,b", F::EmptyScope),
        ("GET /a any:a\"b", scope("a\"b", '"')),
        ("GET /a any:a\\b", scope("a\\b", '\\')),
        ("GET /a any:é", scope("é", 'é')),
        ("get /a any:a", F::Verb("get".into())),
        ("ANY /a any:a", F::Verb("ANY".into())),
        ("GET,,PUT /a any:a", F::Verb(String::new())),
        ("*,GET /a any:a", F::Verb("GET".into())),
        ("GET,* /a any:a", F::Verb("*".into())),
        ("GET,PUT,GET /a any:a", F::VerbTwice("GET".into())),
    ] {
        assert_eq!(fault(route), want, "{route}");
    }
    let deep = format!("GET {} any:a", "/a".repeat(13));
    assert_eq!(fault(&deep), F::TooManySegments(13));
    let greedy = format!("GET /a any:{}", vec!["s"; 33].join(","));
    assert_eq!(fault(&greedy), F::TooManyScopes(33));
}

#[test]
fn characters_that_stand_for_themselves_are_taken() {
    for path in [
        "/a:b",
        "/v1.0/~me/a_b-c",
        "/a,b;c=d@e+f&g!'()",
        "/",
        "/{id.x_y-z}",
    ] {
        assert!(
            format!("GET {path} any:a").parse::<Route>().is_ok(),
            "{path}"
        );
    }
}

#[test]
fn routes_that_do_not_go_together_are_refused_by_their_names() {
    let duplicate = |first: &str, second: &str| E::Duplicate {
        first: first.to_owned(),
        second: second.to_owned(),
    };
    let inexpressible = |permitted: &str, refused: &str, lost: &str| E::Inexpressible {
        permitted: permitted.to_owned(),
        refused: refused.to_owned(),
        lost: lost.to_owned(),
    };
    for (table, want) in [
        ("", E::Empty),
        (" ;\n ; ", E::Empty),
        (
            "GET /a/{x} any:a; PUT,GET /a/{y} any:b",
            duplicate("GET /a/{x}", "PUT,GET /a/{y}"),
        ),
        ("* / any:a; * / any:b", duplicate("* /", "* /")),
        // Denying one segment below `/admin` also denies all that is deeper.
        (
            "GET /{proxy+} any:read; GET /admin/{id} any:admin",
            inexpressible("GET /{proxy+}", "GET /admin/{id}", "GET /{proxy+}"),
        ),
        // All but one name below `/planets/*/` cannot be said.
        (
            "GET /planets/{id} any:a; GET /planets/{id}/{x} any:b; GET /planets/{id}/moons any:a",
            inexpressible(
                "GET /planets/{id}",
                "GET /planets/{id}/{x}",
                "GET /planets/{id}/moons",
            ),
        ),
        (
            "GET /{x}/{y} any:a; GET /a/{y} any:b; GET /a/c any:a",
            inexpressible("GET /{x}/{y}", "GET /a/{y}", "GET /a/c"),
        ),
    ] {
        let error = RouteTable::parse(table).unwrap_err();
        assert_eq!(error, want, "{table}");
        if let E::Inexpressible {
            permitted,
            refused,
            lost,
        } = &want
        {
            let message = error.to_string();
            for name in [permitted, refused, lost] {
                assert!(message.contains(&format!("`{name}`")), "{message}");
            }
        }
    }
    // The same paths are fine where no token tells them apart, or where what lies deeper goes the same way.
    for table in [
        "GET /{proxy+} any:read; GET /admin/{id} any:read,admin",
        "GET /{proxy+} any:read; GET /admin/{id} any:admin; GET /admin/{id}/{proxy+} any:admin",
        "GET /{x}/{y} any:a; GET /a/{y} all:b,c; GET /a/c all:a,b,c",
    ] {
        RouteTable::parse(table).unwrap();
    }
}

#[test]
fn a_table_beyond_its_bounds_is_refused() {
    let many = (0..257).map(|n| format!("GET /{n} any:a\n"));
    let many = many.collect::<Vec<_>>().concat();
    assert_eq!(RouteTable::parse(&many), Err(E::TooManyRoutes(257)));
    let long = format!("GET /{} any:a", "x".repeat(400));
    assert!(matches!(
        RouteTable::parse(&long),
        Err(E::ResourceTooLong { bytes: 404, .. })
    ));
}

/// The search is bounded in its steps, so no table makes a cold start wait for long.
#[test]
fn a_table_of_too_many_overlaps_is_refused() {
    let path = |shift: usize| {
        let segment = |n: usize| ["/a", "/{x}", "/{y}"][(n + shift) % 3];
        (0..11).map(segment).collect::<String>()
    };
    let routes = (0..3).map(|n| {
        let path = path(n);
        format!("* {path}/{{p+}} any:s{n}\n* {path}/b all:s0,s1,s2\n")
    });
    let table = routes.collect::<Vec<_>>().concat();
    assert_eq!(RouteTable::parse(&table), Err(E::TooTangled));
}

/// Six routes of which no two look alike, whose overlaps are found soon and compared for minutes, unless the comparisons
/// count, too.
#[test]
fn a_table_whose_overlaps_are_many_is_refused_before_they_are_compared() {
    let routes = [
        "PUT,HEAD /a/{id} any:m,n",
        "* /b all:o",
        "* /c/{rest+} all:p,q",
        "GET /d/{id} any:m,r",
        "* /{id}/e/{id}/f/{id}/g/{id}/h/{id} any:m,r",
        "* /i/{id}/j/{id}/a/{id} any:s",
    ];
    let refused = RouteTable::parse(&routes.join("\n"));
    assert_eq!(refused, Err(E::TooTangled));
}

#[test]
fn a_file_has_the_same_routes_and_no_unknown_fields() {
    let read = |value: Value| {
        let raw: RawRouteTable = serde_json::from_value(value).map_err(|e| e.to_string())?;
        RouteTable::try_from(raw).map_err(|e| e.to_string())
    };
    let table = json!({"route": [
        {"methods": ["GET"], "path": "/planets/{id}", "any_of": ["read:planets"]},
        {"methods": ["*"], "path": "/files/{proxy+}", "all_of": ["files", "admin"]},
        {"methods": ["GET", "HEAD"], "path": "/health", "no_scope": true},
    ]});
    let text = "GET /planets/{id} any:read:planets; * /files/{proxy+} all:files,admin; GET,HEAD /health none";
    assert_eq!(read(table), Ok(RouteTable::parse(text).unwrap()));
    for (route, want) in [
        (
            json!({"methods": ["GET"], "path": "/", "anyof": ["a"]}),
            "unknown field `anyof`",
        ),
        (
            json!({"methods": ["GET"], "any_of": ["a"]}),
            "missing field `path`",
        ),
        (
            json!({"methods": ["GET"], "path": "/"}),
            "route `GET /` must have exactly one",
        ),
        (
            json!({"methods": ["GET"], "path": "/", "any_of": ["a"], "no_scope": true}),
            "route `GET /` must have exactly one",
        ),
        (
            json!({"methods": ["GET"], "path": "/", "any_of": []}),
            "empty scope list",
        ),
        (
            json!({"methods": [], "path": "/", "any_of": ["a"]}),
            "has the verb ``",
        ),
    ] {
        let message = read(json!({"route": [route]})).unwrap_err();
        assert!(message.contains(want), "{message}");
    }
}
