//! The event by which a Lambda authorizer is asked directly, as API Gateway would have made it of a request.

use bytes::Bytes;
use gateway::{ACCOUNT, API_ID, REGION, STAGE};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::target::CaseEvent;

/// The form of an event ("Input to an API Gateway Lambda authorizer"; "Control access to HTTP APIs with AWS Lambda
/// authorizers", payload format versions).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventForm {
    /// REQUEST of an HTTP API, payload format 1.0.
    #[serde(rename = "http-1")]
    Http1,
    /// REQUEST of an HTTP API, payload format 2.0, which alone may be answered without a policy.
    #[serde(rename = "http-2")]
    Http2,
    /// REQUEST of a REST API.
    Request,
    /// TOKEN of a REST API.
    #[default]
    Token,
}

/// What a case writes to leave a member out.
const ABSENT: &str = "$absent";

/// The request that an event is made of.
#[derive(Debug)]
pub(super) struct Caller<'a> {
    pub(super) method: &'a str,
    /// The path inside the stage, without its query.
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) authorization: Option<&'a str>,
}

/// An event, and the ARN that the answer's policy is evaluated for.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) payload: Bytes,
    pub(super) form: EventForm,
    pub(super) method_arn: String,
}

/// The method ARN of a path inside the stage of the built-in API.
pub(super) fn method_arn(method: &str, path: &str) -> String {
    let path = path.strip_prefix('/').unwrap_or(path);
    format!("arn:aws:execute-api:{REGION}:{ACCOUNT}:{API_ID}/{STAGE}/{method}/{path}")
}

impl Event {
    /// The event that a request makes in a form, changed as a case has it; `None` where API Gateway would refuse by itself,
    /// for want of an identity source.
    pub(super) fn new(
        caller: &Caller<'_>,
        form: EventForm,
        case: Option<&CaseEvent>,
        token: &str,
    ) -> Option<Self> {
        let authorization = caller.authorization.filter(|value| !value.is_empty());
        if authorization.is_none() && case.is_none() {
            return None;
        }
        let form = case.and_then(|case| case.form).unwrap_or(form);
        let own_arn = method_arn(caller.method, caller.path);
        let written = case.and_then(|case| case.arn.clone());
        let arn = match written.as_deref() {
            None => Some(own_arn.clone()),
            Some(ABSENT) => None,
            Some(arn) => Some(arn.to_owned()),
        };
        let mut members = match form {
            EventForm::Token => token_members(authorization, arn.as_deref()),
            EventForm::Http1 | EventForm::Http2 | EventForm::Request => {
                request_members(caller, form, arn.as_deref())
            }
        };
        for (name, value) in case.iter().flat_map(|case| &case.members) {
            if value == ABSENT {
                members.shift_remove(name);
            } else {
                members.insert(name.clone(), with_token(value, token));
            }
        }
        Some(Self {
            payload: Value::Object(members).to_string().into(),
            form,
            method_arn: arn.unwrap_or(own_arn),
        })
    }
}

fn token_members(authorization: Option<&str>, arn: Option<&str>) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("type".to_owned(), "TOKEN".into());
    let rest = [("authorizationToken", authorization), ("methodArn", arn)];
    members.extend(rest.into_iter().filter_map(|(name, value)| {
        let value = value?;
        Some((name.to_owned(), value.into()))
    }));
    members
}

fn request_members(caller: &Caller<'_>, form: EventForm, arn: Option<&str>) -> Map<String, Value> {
    let fields = Fields::of(caller.headers);
    let resource = "/planets";
    let (method, path, query) = (caller.method, caller.path, caller.query);
    let mut members = match form {
        EventForm::Http2 => json!({
            "version": "2.0", "type": "REQUEST", "routeArn": arn,
            "identitySource": caller.authorization.map(|value| vec![value]),
            "routeKey": format!("{method} {resource}"), "rawPath": path, "rawQueryString": query,
            "headers": fields.joined,
            "requestContext": {"accountId": ACCOUNT, "apiId": API_ID, "stage": STAGE,
                               "http": {"method": method, "path": path, "protocol": "HTTP/1.1"}},
        }),
        _ => json!({
            "type": "REQUEST", "methodArn": arn, "resource": resource, "path": path, "httpMethod": method,
            "headers": fields.last, "multiValueHeaders": fields.all,
            "queryStringParameters": {}, "multiValueQueryStringParameters": {},
            "pathParameters": {}, "stageVariables": {},
            "requestContext": {"accountId": ACCOUNT, "apiId": API_ID, "stage": STAGE, "httpMethod": method,
                               "path": format!("/{STAGE}{path}"), "resourcePath": resource},
        }),
    };
    if form == EventForm::Http1 {
        members["version"] = "1.0".into();
        members["identitySource"] = caller.authorization.into();
        members["authorizationToken"] = caller.authorization.into();
    }
    let Value::Object(mut members) = members else {
        return Map::new();
    };
    if arn.is_none() {
        members.shift_remove("methodArn");
        members.shift_remove("routeArn");
    }
    members
}

/// Header fields as the forms have them: the last value, all values, or all values with commas in between.
#[derive(Default)]
struct Fields {
    last: Map<String, Value>,
    all: Map<String, Value>,
    joined: Map<String, Value>,
}

impl Fields {
    fn of(headers: &HeaderMap) -> Self {
        let mut fields = Self::default();
        for name in headers.keys() {
            let values: Vec<String> = headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            let name = name.as_str().to_owned();
            fields.joined.insert(name.clone(), values.join(",").into());
            fields
                .last
                .insert(name.clone(), values.last().cloned().into());
            fields.all.insert(name, values.into());
        }
        fields
    }
}

/// The value with `{token}` filled in, at any depth.
fn with_token(value: &Value, token: &str) -> Value {
    match value {
        Value::String(text) => text.replace("{token}", token).into(),
        Value::Array(items) => items.iter().map(|item| with_token(item, token)).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), with_token(value, token)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(form: EventForm, case: Option<&CaseEvent>) -> Value {
        let mut headers = HeaderMap::new();
        for (name, value) in [("authorization", "Bearer t"), ("x-a", "1"), ("x-a", "2")] {
            headers.append(name, value.parse().expect("a header value"));
        }
        let caller = Caller {
            method: "GET",
            path: "/planets/1",
            query: "a=b",
            headers: &headers,
            authorization: Some("Bearer t"),
        };
        let event = Event::new(&caller, form, case, "t").expect("there is a token");
        serde_json::from_slice(&event.payload).expect("JSON")
    }

    #[test]
    fn each_form_has_the_arn_and_the_headers_where_api_gateway_has_them() {
        let arn = method_arn("GET", "/planets/1");
        assert_eq!(
            event(EventForm::Token, None),
            json!({"type": "TOKEN", "authorizationToken": "Bearer t", "methodArn": arn})
        );
        let request = event(EventForm::Request, None);
        assert_eq!(request["methodArn"], arn.as_str());
        assert_eq!(request["headers"]["x-a"], "2");
        assert_eq!(request["multiValueHeaders"]["x-a"], json!(["1", "2"]));
        assert!(request.get("version").is_none());
        let first = event(EventForm::Http1, None);
        assert_eq!(
            (&first["version"], &first["methodArn"]),
            (&json!("1.0"), &json!(arn))
        );
        let second = event(EventForm::Http2, None);
        assert_eq!(
            (&second["version"], &second["routeArn"]),
            (&json!("2.0"), &json!(arn))
        );
        assert_eq!(second["headers"]["x-a"], "1,2");
        assert!(second.get("methodArn").is_none());
    }

    #[test]
    fn a_case_changes_members_and_leaves_some_out() {
        let case: CaseEvent = toml::from_str(
            "arn = \"$absent\"\nmembers = { authorizationToken = \"Basic {token}\", type = \"$absent\", extra = [1] }",
        )
        .expect("an event");
        assert_eq!(
            event(EventForm::Token, Some(&case)),
            json!({"authorizationToken": "Basic t", "extra": [1]})
        );
    }
}
