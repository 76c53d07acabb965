//! The template for AWS SAM (SAM developer guide: `AWS::Serverless::Function`, `ApiAuth`, `HttpApiAuth`).

use super::quote::yaml;
use super::{Api, Deployment, MEMORY_MB, SnippetError};

pub(super) fn template(deployment: &Deployment) -> Result<String, SnippetError> {
    let mut variables = deployment.variables.iter();
    if let Some((name, _)) = variables.find(|(_, value)| value.contains("{{resolve:")) {
        return Err(SnippetError::DynamicReference(name));
    }
    let api = match deployment.api {
        Api::Http => http_api(deployment),
        Api::RestRequest | Api::RestToken => rest_api(deployment),
    };
    Ok(format!(
        "AWSTemplateFormatVersion: \"2010-09-09\"\nTransform: AWS::Serverless-2016-10-31\n\nResources:\n{api}\n{}\n{}",
        function(deployment),
        permission()
    ))
}

fn function(deployment: &Deployment) -> String {
    let variables = deployment.variables.iter();
    let variables: Vec<_> = variables
        .map(|(name, value)| format!("          {name}: {}\n", yaml(value)))
        .collect();
    format!(
        "  # SAM gives it a role that may write logs and nothing else.
  AuthorizerFunction:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: {}
      Handler: bootstrap
      Runtime: provided.al2023
      Architectures: [{}]
      MemorySize: {MEMORY_MB}
      # Two fetches of keys to their deadlines and a second, below the 10 s for which API Gateway waits.
      Timeout: {}
      Environment:
        Variables:
{}",
        yaml(&deployment.zip),
        deployment.architecture,
        deployment.timeout_s,
        variables.concat()
    )
}

fn rest_api(deployment: &Deployment) -> String {
    let header = yaml(&deployment.header);
    let (kind, identity) = match deployment.api {
        Api::RestToken => {
            let expression = yaml(deployment.validation_expression());
            let identity = format!(
                "              Header: {header}\n              # What is no token gets 401 without a call of the \
                 function.\n              ValidationExpression: {expression}\n"
            );
            ("TOKEN", identity)
        }
        _ => ("REQUEST", format!("              Headers: [{header}]\n")),
    };
    format!(
        "  # Its routes are the events of your functions, with RestApiId: !Ref Api. It has to have one to be deployed.
  Api:
    Type: AWS::Serverless::Api
    Properties:
      StageName: prod
      Auth:
        DefaultAuthorizer: JwtAuthorizer
        # A browser's preflight carries no token.
        AddDefaultAuthorizerToCorsPreflight: false
        Authorizers:
          JwtAuthorizer:
            FunctionArn: !GetAtt AuthorizerFunction.Arn
            FunctionPayloadType: {kind}
            # The permission stands below, as it does for HTTP APIs.
            DisableFunctionDefaultPermissions: true
            Identity:
{identity}{}",
        ttl(deployment)
    )
}

fn http_api(deployment: &Deployment) -> String {
    format!(
        "  # Its routes are the events of your functions, with ApiId: !Ref Api.
  Api:
    Type: AWS::Serverless::HttpApi
    Properties:
      Auth:
        DefaultAuthorizer: JwtAuthorizer
        Authorizers:
          JwtAuthorizer:
            FunctionArn: !GetAtt AuthorizerFunction.Arn
            AuthorizerPayloadFormatVersion: \"2.0\"
            EnableSimpleResponses: {}
            Identity:
              Headers: [{}]
{}",
        deployment.simple,
        yaml(&deployment.header),
        ttl(deployment)
    )
}

fn ttl(deployment: &Deployment) -> String {
    let [first, second] = deployment.ttl_reason();
    format!(
        "              # {first}\n              # {second}\n              ReauthorizeEvery: {}\n",
        deployment.ttl_s
    )
}

fn permission() -> String {
    "  # API Gateway may invoke the function, for the authorizers of this API and for nothing else.
  AuthorizerPermission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !GetAtt AuthorizerFunction.Arn
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub \"arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/authorizers/*\"
"
    .to_owned()
}
