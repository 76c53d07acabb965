//! The questions about policies have teeth: each is failed by an authorizer whose policy has a flaw, and a strict one fails
//! none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};

use super::flaw::Flaw;
use super::verifier::Verifier;
use super::{issuer, reading, trust, wire};
use crate::catalogue::*;
use crate::conform::*;
use crate::target::{
    EMULATOR_AT_ONCE, EMULATOR_PATH, Endpoint, EventForm, FunctionTarget, Invoker,
};

/// What one authorizer does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PolicyFlaw {
    AnyAction,
    AnyResource,
    AnyStage,
    AwsAlone,
    BelievesRequests,
    CutsAtColons,
    EventsOfOneForm,
    FailsWithReason,
    LongAnswer,
    NestedContext,
    NoPrincipal,
    OldVersion,
    OneArn,
    PlainStagesAlone,
    SimpleAlways,
    StarWithoutArn,
    Strict,
    TrustsRequests,
    WholeStage,
}

/// Which flaw is found by which case: by exactly these.
const FOUND_BY: &[(PolicyFlaw, &[&str])] = &[
    (PolicyFlaw::AnyAction, &["apigw::policy-action"]),
    (
        PolicyFlaw::AnyResource,
        &[
            "apigw::policy-admin-path",
            "apigw::policy-other-account",
            "apigw::policy-other-api",
            "apigw::policy-other-method",
            "apigw::policy-other-stage",
            "apigw::policy-whole-stage",
        ],
    ),
    (PolicyFlaw::AnyStage, &["apigw::policy-other-stage"]),
    (PolicyFlaw::AwsAlone, &["apigw::arn-other-partition"]),
    (
        PolicyFlaw::BelievesRequests,
        &[
            "apigw::identity-source-headers",
            "apigw::identity-source-query",
        ],
    ),
    (
        PolicyFlaw::CutsAtColons,
        &[
            "apigw::arn-path-colon",
            "apigw::arn-path-wildcard",
            "apigw::policy-refused-method-first",
            "apigw::policy-sibling",
        ],
    ),
    (
        PolicyFlaw::EventsOfOneForm,
        &[
            "apigw::identity-source-headers",
            "apigw::identity-source-query",
            "apigw::payload-1",
            "apigw::payload-2",
            "apigw::payload-2-forged",
            "apigw::request-event",
            "apigw::request-event-forged",
        ],
    ),
    (
        PolicyFlaw::FailsWithReason,
        &[
            "apigw::payload-2-forged",
            "apigw::refusal-expired",
            "apigw::refusal-forged",
            "apigw::refusal-malformed",
            "apigw::refusal-other-scheme",
            "apigw::request-event-forged",
        ],
    ),
    (PolicyFlaw::LongAnswer, &["apigw::answer-size"]),
    (PolicyFlaw::NestedContext, &["apigw::context-flat"]),
    (PolicyFlaw::NoPrincipal, &["apigw::principal-id"]),
    (PolicyFlaw::OldVersion, &["apigw::policy-version"]),
    (
        PolicyFlaw::OneArn,
        &[
            "apigw::arn-path-wildcard",
            "apigw::policy-refused-method-first",
            "apigw::policy-sibling",
        ],
    ),
    (PolicyFlaw::PlainStagesAlone, &["apigw::arn-stage-default"]),
    (PolicyFlaw::SimpleAlways, &["apigw::payload-1"]),
    (PolicyFlaw::StarWithoutArn, &["apigw::arn-missing"]),
    (
        PolicyFlaw::TrustsRequests,
        &["apigw::payload-2-forged", "apigw::request-event-forged"],
    ),
    (
        PolicyFlaw::WholeStage,
        &[
            "apigw::policy-admin-path",
            "apigw::policy-other-method",
            "apigw::policy-whole-stage",
        ],
    ),
    (PolicyFlaw::Strict, &[]),
];

/// An authorizer behind an invoke endpoint, as the Runtime Interface Emulator has it.
struct Function {
    flaw: PolicyFlaw,
    verifier: Verifier,
}

impl Function {
    async fn serve(self) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let function = Arc::new(self);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&function).hold(stream));
            }
        });
        Endpoint {
            authority: address.to_string(),
            path: EMULATOR_PATH.to_owned(),
            at_once: EMULATOR_AT_ONCE,
        }
    }

    async fn hold(self: Arc<Self>, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(asked) = wire::next(&mut stream).await {
            let invoked = asked.method == "POST" && asked.path == EMULATOR_PATH;
            let event = serde_json::from_slice(&asked.body).unwrap_or_default();
            let answer = match self.answer(&event).await {
                Ok(answer) => answer,
                // The emulator answers 200 to a failure, too.
                Err(message) => json!({"errorMessage": message, "errorType": "Error"}),
            };
            let status = if invoked { 200 } else { 404 };
            if !wire::answer(&mut stream, status, &answer.to_string()).await {
                return;
            }
        }
    }

    async fn answer(&self, event: &Value) -> Result<Value, &'static str> {
        let form = (event["type"].as_str(), event["version"].as_str());
        if self.flaw == PolicyFlaw::EventsOfOneForm && form != (Some("TOKEN"), None) {
            return Err("Cannot read the event");
        }
        let (credential, arn) = match form {
            (Some("TOKEN"), _) => (&event["authorizationToken"], &event["methodArn"]),
            (_, Some("2.0")) => (&event["headers"]["authorization"], &event["routeArn"]),
            _ => (&event["headers"]["authorization"], &event["methodArn"]),
        };
        let unauthorized = match self.flaw {
            PolicyFlaw::FailsWithReason => "jwt malformed, expired or forged",
            _ => "Unauthorized",
        };
        let credential = credential.as_str().unwrap_or_default();
        let token = credential.strip_prefix("Bearer ").ok_or(unauthorized)?;
        let trusted = self.flaw == PolicyFlaw::TrustsRequests && form.0 == Some("REQUEST");
        if !trusted {
            let verified = self.verifier.verify(token).await;
            verified.map_err(|_| unauthorized)?;
        }
        let claims = token.split('.').nth(1).and_then(reading::json);
        let claims = claims.ok_or(unauthorized)?;
        if self.flaw == PolicyFlaw::SimpleAlways && form.1.is_some() {
            return Ok(json!({"isAuthorized": true}));
        }
        let arn = match (arn.as_str(), self.flaw) {
            (Some(arn), _) => arn,
            (None, PolicyFlaw::StarWithoutArn) => "*",
            (None, _) => return Err("no method ARN"),
        };
        let mut resources = self.resources(arn)?;
        let told = [
            &event["headers"]["x-http-method-override"],
            &event["queryStringParameters"]["method"],
        ];
        if self.flaw == PolicyFlaw::BelievesRequests && told.iter().any(|told| told.is_string()) {
            resources.push("*".to_owned());
        }
        Ok(self.policy(&claims, &resources))
    }

    fn resources(&self, arn: &str) -> Result<Vec<String>, &'static str> {
        if arn == "*" || self.flaw == PolicyFlaw::AnyResource {
            return Ok(vec!["*".to_owned()]);
        }
        if self.flaw == PolicyFlaw::OneArn {
            return Ok(vec![arn.to_owned()]);
        }
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, partition, _, region, account, resource] = fields[..] else {
            return Err("no method ARN");
        };
        if self.flaw == PolicyFlaw::CutsAtColons {
            return Ok(vec![arn.split(':').take(6).collect::<Vec<_>>().join(":")]);
        }
        let partition = match self.flaw {
            PolicyFlaw::AwsAlone => "aws",
            _ => partition,
        };
        let mut parts = resource.splitn(3, '/');
        let (Some(api), Some(stage)) = (parts.next(), parts.next()) else {
            return Err("no method ARN");
        };
        let stage = match self.flaw {
            PolicyFlaw::AnyStage => "*",
            PolicyFlaw::PlainStagesAlone => stage.trim_start_matches('$'),
            _ => stage,
        };
        let base = format!("arn:{partition}:execute-api:{region}:{account}:{api}/{stage}");
        Ok(match self.flaw {
            PolicyFlaw::WholeStage => vec![format!("{base}/*/*")],
            _ => vec![
                format!("{base}/GET/planets"),
                format!("{base}/GET/planets/*"),
            ],
        })
    }

    fn policy(&self, claims: &Value, resources: &[String]) -> Value {
        let (action, version) = match self.flaw {
            PolicyFlaw::AnyAction => ("*", "2012-10-17"),
            PolicyFlaw::OldVersion => ("execute-api:Invoke", "2008-10-17"),
            _ => ("execute-api:Invoke", "2012-10-17"),
        };
        let mut answer = json!({
            "principalId": claims["sub"],
            "policyDocument": {
                "Version": version,
                "Statement": [{"Effect": "Allow", "Action": action, "Resource": resources}],
            },
            "context": {"scope": claims["scope"]},
        });
        match self.flaw {
            PolicyFlaw::LongAnswer => answer["context"]["padding"] = "x".repeat(9_000).into(),
            // Whose claims are flat is let in.
            PolicyFlaw::NestedContext => answer["context"] = claims.clone(),
            PolicyFlaw::NoPrincipal => answer["principalId"] = Value::Null,
            _ => {}
        }
        if self.flaw == PolicyFlaw::NestedContext {
            answer["context"]["aud"] = claims["aud"].to_string().into();
        }
        answer
    }
}

fn questions() -> BTreeMap<String, Case> {
    let catalogue = crate::builtin::catalogue().expect("the built-in cases");
    let cases = catalogue.cases().iter();
    cases
        .filter(|case| case.needs_function())
        .map(|case| (case.id.clone(), case.clone()))
        .collect()
}

/// Every question that the authorizer does not pass, with what was said about it.
async fn failed(flaw: PolicyFlaw) -> BTreeMap<String, String> {
    let issuer = issuer("auth0");
    let keys = crate::issuer::test_keys();
    let config = issuer.config(keys, ([127, 0, 0, 1], 0).into());
    let idp = mock_idp::MockIdp::start(config).await.expect("a free port");
    let function = Function {
        flaw,
        verifier: Verifier::new(Flaw::Strict, trust(&idp, &issuer)),
    };
    let invoker = Invoker::Endpoint(function.serve().await);
    let target = Target::Function(Arc::new(FunctionTarget::new(invoker, EventForm::Token)));
    let minter = idp.minter();
    let conformance = Conformance {
        target: &target,
        features: &[
            Feature::PayloadV2,
            Feature::RequestEvent,
            Feature::RouteScopes,
            Feature::Scope,
        ],
        divergences: &[],
        minter: &minter,
        listener: None,
        gate: Severity::High,
        fail_on: Severity::Info,
        processes: None,
    };
    let mut connection = target.connection();
    let mut failed = BTreeMap::new();
    for (id, case) in questions() {
        let judged = conformance.ask(&case, &mut connection).await;
        let judged = judged.unwrap_or_else(|error| panic!("{error}"));
        if !matches!(judged.outcome, Outcome::Pass | Outcome::Skip) {
            failed.insert(id, judged.reason.unwrap_or_default());
        }
    }
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_flaw_of_a_policy_is_found_by_its_cases_and_a_strict_authorizer_fails_none() {
    for (flaw, wanted) in FOUND_BY {
        let found = failed(*flaw).await;
        let ids: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(ids, *wanted, "{flaw:?}: {found:#?}");
        for (id, reason) in &found {
            assert!(
                !reason.is_empty() && !reason.contains("eyJ"),
                "{id}: {reason}"
            );
        }
    }
}

#[test]
fn every_question_about_policies_is_in_the_table() {
    let tripped: BTreeSet<String> = FOUND_BY
        .iter()
        .flat_map(|(_, ids)| ids.iter().map(|id| (*id).to_owned()))
        .collect();
    let all: BTreeSet<String> = questions().into_keys().collect();
    assert_eq!(tripped, all);
}

#[tokio::test]
async fn a_failing_case_says_what_the_policy_says() {
    let found = failed(PolicyFlaw::AnyResource).await;
    let reason = &found["apigw::policy-other-api"];
    assert!(
        reason.contains("zyxwvut987") && reason.contains("the policy says: Allow *"),
        "{reason}"
    );
    let found = failed(PolicyFlaw::FailsWithReason).await;
    let reason = &found["apigw::refusal-expired"];
    assert!(
        reason.contains("jwt malformed, expired or forged")
            && reason.contains("Unauthorized alone"),
        "{reason}"
    );
}
