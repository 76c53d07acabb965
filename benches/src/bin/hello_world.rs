//! The least that an authorizer in Rust can be: `lambda_runtime`, and one answer to whatever is asked. It is the yardstick
//! of a cold start, so it has what makes the authorizer's a fast one: one thread, and no tracing layer.

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    Runtime::new(service_fn(allow)).run().await
}

async fn allow(_: LambdaEvent<Value>) -> Result<Value, Error> {
    Ok(json!({
        "principalId": "anybody",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{
                "Action": "execute-api:Invoke",
                "Effect": "Allow",
                "Resource": "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*/*",
            }],
        },
    }))
}
