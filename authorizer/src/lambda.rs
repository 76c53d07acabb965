//! The Lambda function: the only file that names `lambda_runtime`.
//!
//! Owns start-up, the loop over the Runtime API and the log line of a failure. What an event means is `authorizer`'s.

use std::{
    env,
    io::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use http::{HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use lambda_runtime::{Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{Answer, Authorizer, AuthorizerError, KeyMetrics, Settings, emf, failure_log};

/// The settings file beside the function, for values that the environment does not have.
const DOTENV: &str = ".env";

/// Where the Runtime API listens, as `host:port` (Lambda developer guide, "Custom runtimes").
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";

/// Without these `lambda_runtime` panics.
const LAMBDA_VARIABLES: [&str; 4] = [
    RUNTIME_API,
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
];

/// Why the function cannot run.
#[derive(Debug, Error)]
enum StartError {
    /// With all that is behind it: Lambda and the log have room for one text.
    #[error("{0}")]
    Settings(String),
    #[error("{0} is not set: this program is a Lambda function and needs the Lambda Runtime API")]
    NotInLambda(&'static str),
}

/// Runs the function until the environment ends.
///
/// Settings come from the environment, and from `.env` in the working directory for those that the environment does not
/// have. With settings that cannot be used it does not start: the fault is reported to Lambda as an initialisation error
/// and returned.
///
/// The keys are fetched during initialisation, where a new environment has the most CPU and no client waits on a second
/// connection. Issuers that are down delay the start by one fetch deadline together and do not fail it: the first
/// event tries again. The fetch is waited for, because Lambda may freeze the process as soon as it asks for an event.
pub async fn run() -> Result<(), lambda_runtime::Error> {
    let settings = Settings::from_env_or_dotenv(DOTENV);
    let settings = started(settings.map_err(|error| failure_log::chain(&error))).await?;
    for name in LAMBDA_VARIABLES {
        if env::var_os(name).is_none() {
            return Err(StartError::NotInLambda(name).into());
        }
    }
    let metrics = settings.metrics;
    let authorizer = Authorizer::new(settings);
    let function = Arc::new(Function {
        authorizer: started(authorizer.map_err(|error| failure_log::chain(&error))).await?,
        reported: metrics.then(Mutex::default),
    });
    for (issuer, error) in function.authorizer.prefetch_keys().await {
        log(&failure_log::of_issuer(issuer, &error));
    }
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let function = Arc::clone(&function);
        async move { function.answer(event.payload.get().as_bytes()).await }
    });
    // Not `lambda_runtime::run`: it adds a tracing layer that formats a span for each event.
    Runtime::new(handler).run().await
}

/// A step of the start. If it failed, Lambda is told why.
async fn started<T>(step: Result<T, String>) -> Result<T, StartError> {
    match step {
        Ok(value) => Ok(value),
        Err(message) => {
            report_init_error(&message).await;
            Err(StartError::Settings(message))
        }
    }
}

/// The authorizer and what it leaves in the log.
struct Function {
    authorizer: Authorizer,
    /// What the metrics have said of the keys so far; absent where no metrics are asked for.
    reported: Option<Mutex<KeyMetrics>>,
}

impl Function {
    async fn answer(&self, event: &[u8]) -> Result<Answer, AuthorizerError> {
        let now = SystemTime::now();
        let answer = self.authorizer.answer(event, now).await;
        let source = self.authorizer.credential_source();
        match &answer {
            Ok(answer) if answer.is_allow() => {}
            Ok(_) => log(&failure_log::denial(event, source)),
            Err(error) => log(&failure_log::line(error, event, source)),
        }
        if let Some(reported) = &self.reported {
            self.log_metrics(&answer, now, reported);
        }
        answer
    }

    fn log_metrics(
        &self,
        answer: &Result<Answer, AuthorizerError>,
        started: SystemTime,
        reported: &Mutex<KeyMetrics>,
    ) {
        let took = started.elapsed().unwrap_or_default();
        let keys = self.authorizer.key_metrics();
        let mut reported = reported.lock().unwrap_or_else(PoisonError::into_inner);
        let measured = emf::Measured {
            answer,
            took,
            keys: keys.since(*reported),
        };
        *reported = keys;
        let since_epoch = started.duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp_ms = u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX);
        log(&emf::line(measured, timestamp_ms));
    }
}

/// A log that cannot be written must not fail an answer.
fn log(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// The error message is what API Gateway acts on; the error type is for people and metrics.
impl From<AuthorizerError> for Diagnostic {
    fn from(error: AuthorizerError) -> Diagnostic {
        let error_type = match error {
            AuthorizerError::Answer(_) => "Authorizer.Answer",
            AuthorizerError::Event(_) => "Authorizer.Event",
            AuthorizerError::Keys(_) => "Authorizer.Keys",
            AuthorizerError::Policy(_) => "Authorizer.Policy",
            AuthorizerError::Unauthorized(_) => "Authorizer.Unauthorized",
        };
        Diagnostic {
            error_type: error_type.to_owned(),
            error_message: error.to_string(),
        }
    }
}

/// Tells Lambda why initialisation failed, so that the reason shows beside the failed invocation (Lambda developer guide,
/// "Runtime API: initialization error"). `lambda_runtime` has no call for it outside of `SnapStart`. Best effort: the
/// process ends with the same message anyway.
async fn report_init_error(message: &str) {
    let Ok(runtime_api) = env::var(RUNTIME_API) else {
        return;
    };
    let Ok(uri) = Uri::try_from(format!(
        "http://{runtime_api}/2018-06-01/runtime/init/error"
    )) else {
        return;
    };
    let body = serde_json::json!({
        "errorMessage": message,
        "errorType": "Authorizer.Settings",
        "stackTrace": [],
    });
    let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    request.headers_mut().insert(
        "lambda-runtime-function-error-type",
        HeaderValue::from_static("Authorizer.Settings"),
    );
    let client: Client<HttpConnector, _> =
        Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    // The Runtime API is local and answers at once; the bound is Lambda's own limit on initialisation, 10 s.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(10), client.request(request)).await;
}
