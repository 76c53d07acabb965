//! What `tower` asks of a middleware, without a server around it.

use std::{
    cell::Cell,
    future::{self, Ready, poll_fn},
    task::{Context, Poll},
};

use authorizer::{AuthorizerError, Rejection, VerifiedToken};
use hyper::{Request, Response};
use tower_layer::Layer as _;
use tower_service::Service;
use wiremock::MockServer;

use super::{Api, layer, token};

/// Takes a call only where it was polled until it was ready, at the second time; a clone of it was not.
#[derive(Debug, Default)]
struct Picky {
    polls: usize,
}

impl Clone for Picky {
    fn clone(&self) -> Picky {
        Picky::default()
    }
}

/// A body that is sent between threads and not shared.
type Unshared = Cell<u8>;

impl Service<Request<Unshared>> for Picky {
    type Response = Response<String>;
    type Error = &'static str;
    type Future = Ready<Result<Response<String>, &'static str>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), &'static str>> {
        self.polls += 1;
        if self.polls == 1 {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Unshared>) -> Self::Future {
        assert!(self.polls > 1, "called before it was ready");
        self.polls = 0;
        let token = request.extensions().get::<VerifiedToken>();
        assert_eq!(token.unwrap().principal(), "user|1");
        future::ready(match request.into_body().get() {
            0 => Err("broken"),
            body => Ok(Response::new(format!("{body}"))),
        })
    }
}

fn request(authorization: Option<&str>, body: u8) -> Request<Unshared> {
    let mut request = Request::builder().uri("/");
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    request.body(Cell::new(body)).unwrap()
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let api = Api::with(&[]).await;
    let mut service = layer(&api.issuer.uri(), &[]).layer(Picky::default());
    let good = format!("Bearer {}", token());
    for body in [7, 8] {
        poll_fn(|context| service.poll_ready(context))
            .await
            .unwrap();
        let reply = service.call(request(Some(&good), body)).await.unwrap();
        assert_eq!(
            (reply.status().as_u16(), reply.body()),
            (200, &body.to_string())
        );
    }
    poll_fn(|context| service.poll_ready(context))
        .await
        .unwrap();
    let broken = service.call(request(Some(&good), 0)).await;
    assert_eq!(broken.unwrap_err(), "broken");
}

#[tokio::test]
async fn why_a_token_was_not_verified_is_in_the_extensions_of_the_answer() {
    let silent = MockServer::start().await;
    let mut service = layer(&silent.uri(), &[]).layer(Picky::default());
    let token = token();
    let refused = service
        .call(request(Some("Bearer a.b.c"), 0))
        .await
        .unwrap();
    assert!(refused.body().is_empty());
    let error = refused.extensions().get::<AuthorizerError>().unwrap();
    assert!(
        matches!(
            error,
            AuthorizerError::Unauthorized(Rejection::HeaderEncoding | Rejection::HeaderNotJson)
        ),
        "{error:?}"
    );
    let outage = service.call(request(Some(&format!("Bearer {token}")), 0));
    let outage = outage.await.unwrap();
    assert_eq!(outage.status(), 503);
    let error = outage.extensions().get::<AuthorizerError>().unwrap();
    assert!(matches!(error, AuthorizerError::Keys(_)), "{error:?}");
    let shown = format!("{outage:?} {service:?}");
    assert!(!shown.contains(&token[..30]), "{shown}");
    let missing = service.call(request(None, 0)).await.unwrap();
    assert!(matches!(
        missing.extensions().get(),
        Some(AuthorizerError::Unauthorized(Rejection::CredentialsMissing))
    ));
}
