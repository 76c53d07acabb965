//! A table of routes in front of a server that routes by itself.

use super::{Api, bearer};

const ROUTES: &str = "GET /planets any:read:planets,admin; GET /planets/{id} any:read:planets; \
                      DELETE /planets/{id} all:admin,delete:planets; GET /planets/secret all:admin; \
                      * /files/{proxy+} any:files; GET / none";

async fn api() -> Api {
    Api::with(&[("AUTHORIZER_ROUTES", ROUTES)]).await
}

#[tokio::test]
async fn a_route_is_open_to_its_scopes_and_names_them_where_there_is_no_choice() {
    let api = api().await;
    let scope = |scope: &str| {
        (
            403,
            format!(r#"Bearer realm="api", error="insufficient_scope", scope="{scope}""#),
        )
    };
    let choice = (
        403,
        r#"Bearer realm="api", error="insufficient_scope""#.to_owned(),
    );
    let let_in = (200, String::new());
    for (line, held, expected) in [
        ("GET /planets", "admin", &let_in),
        ("GET /planets?q=/secret", "read:planets", &let_in),
        ("GET /planets", "files", &choice),
        ("GET /planets/1", "read:planets", &let_in),
        ("GET /planets/1", "admin", &scope("read:planets")),
        ("DELETE /planets/1", "delete:planets admin", &let_in),
        ("DELETE /planets/1", "admin", &scope("admin delete:planets")),
        ("GET /planets/secret", "read:planets", &scope("admin")),
        ("PATCH /files/a/b", "files", &let_in),
        ("GET /files/a/b", "", &scope("files")),
        ("GET /", "", &let_in),
        ("GET http://api.example", "", &let_in),
    ] {
        let reply = api.send(line, bearer(held)).await;
        let (status, challenge) = reply.told();
        assert_eq!((status, challenge.to_owned()), *expected, "{line}: {held}");
    }
}

#[tokio::test]
async fn a_request_for_no_route_is_refused_whatever_the_token_has() {
    let api = api().await;
    let everything = bearer("admin delete:planets files read:planets");
    for line in [
        "GET /moons",
        "POST /planets",
        "HEAD /planets",
        "OPTIONS /planets",
        "get /planets",
        "PROPFIND /files/a",
        "OPTIONS *",
        "GET /planets/1/more",
        "GET /PLANETS",
        "GET //",
        "GET //planets",
        "GET /planets/",
        "GET /planets//",
        "GET /planets/1/",
        "GET /files",
        "GET /files/",
        "GET /files/a//b",
        "GET /./planets",
        "GET /planets/.",
        "GET /files/../planets/secret",
        "GET /files/%2e%2E/planets/secret",
        "GET /files/..%2fplanets/secret",
        "GET /files/a\\..\\b",
        "GET /files/a%5Cb",
        "GET /files/a%00",
        "GET /files/a%",
        "GET /planets/secre%74",
        "GET /planets%2Fsecret",
        "GET /%70lanets",
        "GET /planets;a=b",
    ] {
        let reply = api.send(line, &everything).await;
        assert_eq!(
            reply.told(),
            (403, r#"Bearer realm="api", error="insufficient_scope""#),
            "{line}"
        );
        // Whoever has no token learns nothing about routes.
        let reply = api.send(line, "").await;
        assert_eq!(reply.told(), (401, r#"Bearer realm="api""#), "{line}");
    }
    for line in ["GET /planets/a%40b", "GET /files/a%2Fb/%C3%A9"] {
        assert_eq!(api.send(line, &everything).await.told(), (200, ""));
    }
}
