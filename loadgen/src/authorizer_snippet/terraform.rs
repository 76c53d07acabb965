//! The configuration for Terraform (AWS provider: `aws_lambda_function`, `aws_lambda_permission`,
//! `aws_api_gateway_authorizer`, `aws_apigatewayv2_authorizer`).

use super::quote::hcl;
use super::{Api, Deployment, MEMORY_MB};

/// Who may assume the function's role. JSON, which is an expression of HCL, too.
pub(super) const TRUST: &str = r#"{
    "Version" : "2012-10-17",
    "Statement" : [{
      "Effect" : "Allow",
      "Principal" : { "Service" : "lambda.amazonaws.com" },
      "Action" : "sts:AssumeRole"
    }]
  }"#;

pub(super) fn configuration(deployment: &Deployment) -> String {
    [
        variables(deployment.api),
        role(),
        function(deployment),
        authorizer(deployment),
        permission(deployment.api),
    ]
    .join("\n")
}

fn variables(api: Api) -> String {
    let resource = match api {
        Api::Http => "aws_apigatewayv2_api",
        Api::RestRequest | Api::RestToken => "aws_api_gateway_rest_api",
    };
    format!(
        "variable \"api_id\" {{
  description = \"{resource}.<name>.id\"
  type        = string
}}

variable \"api_execution_arn\" {{
  description = \"{resource}.<name>.execution_arn\"
  type        = string
}}
"
    )
}

fn role() -> String {
    format!(
        "data \"aws_partition\" \"current\" {{}}

# The function may write logs and nothing else.
resource \"aws_iam_role\" \"authorizer\" {{
  name = \"jwt-authorizer\"
  assume_role_policy = jsonencode({TRUST})
}}

resource \"aws_iam_role_policy_attachment\" \"authorizer_log\" {{
  role       = aws_iam_role.authorizer.name
  policy_arn = \"arn:${{data.aws_partition.current.partition}}:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole\"
}}
"
    )
}

fn function(deployment: &Deployment) -> String {
    let width = deployment.variables.iter().map(|(name, _)| name.len());
    let width = width.max().unwrap_or_default();
    let variables = deployment.variables.iter();
    let variables: Vec<_> = variables
        .map(|(name, value)| format!("      {name:width$} = {}\n", hcl(value)))
        .collect();
    let zip = hcl(&deployment.zip);
    format!(
        "resource \"aws_lambda_function\" \"authorizer\" {{
  function_name    = \"jwt-authorizer\"
  filename         = {zip}
  source_code_hash = filebase64sha256({zip})
  handler          = \"bootstrap\"
  runtime          = \"provided.al2023\"
  architectures    = [\"{}\"]
  memory_size      = {MEMORY_MB}
  # Two fetches of keys to their deadlines and a second, below the 10 s for which API Gateway waits.
  timeout = {}
  role    = aws_iam_role.authorizer.arn

  environment {{
    variables = {{
{}    }}
  }}
}}
",
        deployment.architecture,
        deployment.timeout_s,
        variables.concat()
    )
}

fn authorizer(deployment: &Deployment) -> String {
    let [first, second] = deployment.ttl_reason();
    let ttl = format!(
        "  # {first}\n  # {second}\n  authorizer_result_ttl_in_seconds = {}\n",
        deployment.ttl_s
    );
    let kind = match deployment.api {
        Api::Http => return http_authorizer(deployment, &ttl),
        Api::RestRequest => "REQUEST",
        Api::RestToken => "TOKEN",
    };
    let validation = match deployment.api {
        Api::RestToken => format!(
            "  # What is no token gets 401 without a call of the function.\n  identity_validation_expression = {}\n",
            hcl(deployment.validation_expression())
        ),
        _ => String::new(),
    };
    format!(
        "# Each method that it is to guard has authorization = \"CUSTOM\" and this authorizer_id.
resource \"aws_api_gateway_authorizer\" \"jwt\" {{
  name            = \"jwt\"
  rest_api_id     = var.api_id
  type            = \"{kind}\"
  authorizer_uri  = aws_lambda_function.authorizer.invoke_arn
  identity_source = {}
{validation}{ttl}}}
",
        hcl(&format!("method.request.header.{}", deployment.header))
    )
}

fn http_authorizer(deployment: &Deployment, ttl: &str) -> String {
    format!(
        "# Each route that it is to guard has authorization_type = \"CUSTOM\" and this authorizer_id.
resource \"aws_apigatewayv2_authorizer\" \"jwt\" {{
  name                              = \"jwt\"
  api_id                            = var.api_id
  authorizer_type                   = \"REQUEST\"
  authorizer_uri                    = aws_lambda_function.authorizer.invoke_arn
  authorizer_payload_format_version = \"2.0\"
  enable_simple_responses           = {}
  identity_sources                  = [{}]
{ttl}}}
",
        deployment.simple,
        hcl(&format!("$request.header.{}", deployment.header))
    )
}

fn permission(api: Api) -> String {
    let authorizer = match api {
        Api::Http => "aws_apigatewayv2_authorizer",
        Api::RestRequest | Api::RestToken => "aws_api_gateway_authorizer",
    };
    format!(
        "# API Gateway may invoke the function, for this authorizer and for nothing else.
resource \"aws_lambda_permission\" \"authorizer\" {{
  statement_id  = \"AllowApiGatewayAuthorizer\"
  action        = \"lambda:InvokeFunction\"
  function_name = aws_lambda_function.authorizer.function_name
  principal     = \"apigateway.amazonaws.com\"
  source_arn    = \"${{var.api_execution_arn}}/authorizers/${{{authorizer}.jwt.id}}\"
}}
"
    )
}
