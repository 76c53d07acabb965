//! The ARN of the API method that a client called.

use thiserror::Error;

/// Longest `methodArn` that API Gateway delivers; a longer one gives the client 414 (API Gateway developer guide,
/// "Control access to a REST API with Lambda authorizers").
const MAX_METHOD_ARN_BYTES: usize = 1_600;

/// Longest resource in a policy that API Gateway accepts (API Gateway quotas: authorizer result).
const MAX_RESOURCE_BYTES: usize = 512;

/// What every partition's name starts with: `aws`, `aws-cn`, `aws-us-gov`, `aws-eusc`, the isolated ones, and those to come.
/// A list of them would answer 500 in the next one that opens.
const PARTITION_PREFIX: &str = "aws";

/// Every verb and path of a stage.
const EVERYTHING: &str = "*/*";

/// What stands for verb and path in the ARN of a WebSocket API. An authorizer is asked for this route only (API Gateway
/// developer guide, "Control access to WebSocket APIs with AWS Lambda REQUEST authorizers").
const CONNECT: &str = "$connect";

/// Why a text is not the ARN of an API method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
// As wide as a register, for the reason that `Rejection` has.
#[repr(usize)]
pub enum MethodArnError {
    /// The account is not a number.
    #[error("the account id is not a row of digits")]
    Account,
    /// The API id is empty or holds a character that no API id has.
    #[error("the API id is not a row of letters and digits")]
    ApiId,
    /// The ARN does not have the six `:` fields, or does not start with `arn`.
    #[error("expected arn:{{partition}}:execute-api:{{region}}:{{account}}:{{resource}}")]
    Fields,
    /// The partition is not named as one of AWS.
    #[error(
        "the partition is not aws, aws-cn, aws-us-gov or another aws-… of lower-case letters and hyphens"
    )]
    Partition,
    /// The region is empty or holds a character that no region has.
    #[error("the region is not a row of lower-case letters, digits and hyphens")]
    Region,
    /// The last field is neither `{api}/{stage}/{method}/{path}` nor `{api}/{stage}/$connect`.
    #[error(
        "the resource is neither {{api}}/{{stage}}/{{method}}/{{path}} nor {{api}}/{{stage}}/$connect"
    )]
    Resource,
    /// The service is not `execute-api`.
    #[error("the service is not execute-api")]
    Service,
    /// The stage is empty or holds a character that no stage has.
    #[error("the stage is not a row of letters, digits, hyphens, underscores and dollar signs")]
    Stage,
    /// The ARN, or the resource that a policy would name, is longer than API Gateway allows.
    #[error("longer than API Gateway allows")]
    TooLong,
}

/// `arn:{partition}:execute-api:{region}:{account}:{api}/{stage}/{method}/{path}`, taken apart. A WebSocket API has
/// `$connect` in place of method and path.
///
/// Every field that goes into a policy is checked against its alphabet, so that no `*` or `?` can widen the policy. The
/// method and the path do not go into a policy, and the path may hold anything, `:` and `*` included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodArn<'a> {
    /// The whole text up to and including the slash behind the stage.
    stage_prefix: &'a str,
    partition: &'a str,
    region: &'a str,
    account: &'a str,
    api: &'a str,
    stage: &'a str,
    method: &'a str,
    path: &'a str,
}

impl<'a> MethodArn<'a> {
    /// Parses the `methodArn` of an event.
    pub fn parse(text: &'a str) -> Result<MethodArn<'a>, MethodArnError> {
        if text.len() > MAX_METHOD_ARN_BYTES {
            return Err(MethodArnError::TooLong);
        }
        let mut rest = text.strip_prefix("arn:").ok_or(MethodArnError::Fields)?;
        let partition = field(&mut rest, b':', MethodArnError::Partition, |b| {
            b.is_ascii_lowercase() || b == b'-'
        })?;
        if !is_partition(partition) {
            return Err(MethodArnError::Partition);
        }
        rest = rest
            .strip_prefix("execute-api:")
            .ok_or(MethodArnError::Service)?;
        let region = field(&mut rest, b':', MethodArnError::Region, |b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'
        })?;
        // Any number of digits: AWS documents twelve, the well-known sample events have ten.
        let account = field(&mut rest, b':', MethodArnError::Account, |b| {
            b.is_ascii_digit()
        })?;
        let api = field(&mut rest, b'/', MethodArnError::ApiId, |b| {
            b.is_ascii_alphanumeric()
        })?;
        // `$default` is a stage, too.
        let stage = field(&mut rest, b'/', MethodArnError::Stage, |b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'$')
        })?;
        let stage_prefix = &text[..text.len() - rest.len()];
        // The path may hold anything, colons and slashes included.
        let (method, path) = match rest.split_once('/') {
            None if rest == CONNECT => (rest, ""),
            parts => parts.ok_or(MethodArnError::Resource)?,
        };
        if method.is_empty() {
            return Err(MethodArnError::Resource);
        }
        if stage_prefix.len() + EVERYTHING.len() > MAX_RESOURCE_BYTES {
            return Err(MethodArnError::TooLong);
        }
        Ok(MethodArn {
            stage_prefix,
            partition,
            region,
            account,
            api,
            stage,
            method,
            path,
        })
    }

    /// `aws`, `aws-cn`, `aws-us-gov`, ….
    pub fn partition(&self) -> &'a str {
        self.partition
    }

    /// The region of the API, such as `us-east-1`.
    pub fn region(&self) -> &'a str {
        self.region
    }

    /// The account of the API.
    pub fn account(&self) -> &'a str {
        self.account
    }

    /// The id of the API.
    pub fn api(&self) -> &'a str {
        self.api
    }

    /// The stage that was called.
    pub fn stage(&self) -> &'a str {
        self.stage
    }

    /// The verb of the call, or `$connect` for a WebSocket API. It is the client's word and not checked.
    pub fn method(&self) -> &'a str {
        self.method
    }

    /// The path of the call without its leading slash, empty for the root. It is the client's word and not checked.
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The policy resource that covers every method and path of the API's stage:
    /// `arn:{partition}:execute-api:{region}:{account}:{api}/{stage}/*/*`, and `…/{stage}/*` for a WebSocket API, whose
    /// routes have no slash. The two cover the same where there are a method and a path.
    pub fn stage_resource(&self) -> String {
        let routes = if self.method == CONNECT {
            "*"
        } else {
            EVERYTHING
        };
        let mut resource = String::with_capacity(self.stage_prefix.len() + routes.len());
        resource.push_str(self.stage_prefix);
        resource.push_str(routes);
        resource
    }

    /// What every resource of the API's stage starts with, up to and including the slash before the verb.
    pub(crate) fn stage_prefix(&self) -> &'a str {
        self.stage_prefix
    }
}

fn is_partition(name: &str) -> bool {
    let rest = name.strip_prefix(PARTITION_PREFIX);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-') && rest.len() > 1)
}

/// The text of the next field, of one allowed character or more, whose separator ends it; steps behind the separator.
fn field<'a>(
    rest: &mut &'a str,
    separator: u8,
    error: MethodArnError,
    allowed: impl Fn(u8) -> bool,
) -> Result<&'a str, MethodArnError> {
    let bytes = rest.as_bytes();
    match bytes.iter().position(|byte| !allowed(*byte)) {
        Some(end) if end > 0 && bytes[end] == separator => {
            let (field, behind) = rest.split_at(end);
            *rest = &behind[1..];
            Ok(field)
        }
        // What a field may hold is to blame only where the field ends.
        _ if bytes.contains(&separator) => Err(error),
        _ if separator == b':' => Err(MethodArnError::Fields),
        _ => Err(MethodArnError::Resource),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_resource_covers_the_method_in_every_partition() {
        let cases = [
            (
                "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/GET/planets",
                "arn:aws:execute-api:us-east-1:123456789012:abcdef123/test/*/*",
            ),
            (
                "arn:aws:execute-api:us-east-1:1234567890:apiId/stage/method/resourcePath",
                "arn:aws:execute-api:us-east-1:1234567890:apiId/stage/*/*",
            ),
            (
                "arn:aws-cn:execute-api:cn-north-1:123456789012:abc/$default/POST/a:b/c*d/?{x}~%20",
                "arn:aws-cn:execute-api:cn-north-1:123456789012:abc/$default/*/*",
            ),
            (
                "arn:aws:execute-api:us-east-1:123456789012:abcdef123/default/$connect",
                "arn:aws:execute-api:us-east-1:123456789012:abcdef123/default/*",
            ),
            (
                "arn:aws-eusc:execute-api:eusc-de-east-1:123456789012:abc/prod/GET/planets",
                "arn:aws-eusc:execute-api:eusc-de-east-1:123456789012:abc/prod/*/*",
            ),
            (
                "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abc/my_stage-1/GET/",
                "arn:aws-us-gov:execute-api:us-gov-west-1:123456789012:abc/my_stage-1/*/*",
            ),
        ];
        for (arn, resource) in cases {
            assert_eq!(MethodArn::parse(arn).unwrap().stage_resource(), resource);
        }
    }

    #[test]
    fn each_part_is_at_hand_and_the_path_keeps_its_colons_and_slashes() {
        let arn =
            MethodArn::parse("arn:aws-cn:execute-api:cn-north-1:12:abc/$default/POST/a:b//c/")
                .unwrap();
        assert_eq!(
            [
                arn.partition(),
                arn.region(),
                arn.account(),
                arn.api(),
                arn.stage()
            ],
            ["aws-cn", "cn-north-1", "12", "abc", "$default"]
        );
        assert_eq!((arn.method(), arn.path()), ("POST", "a:b//c/"));
        let root = MethodArn::parse("arn:aws:execute-api:us-east-1:12:abc/test/GET/").unwrap();
        assert_eq!(root.path(), "");
    }

    #[test]
    fn an_arn_that_could_widen_the_policy_is_refused() {
        use MethodArnError as E;
        let long_stage = format!("arn:aws:execute-api:us-east-1:1:a/{}/GET/", "s".repeat(500));
        let long_path = format!(
            "arn:aws:execute-api:us-east-1:1:a/s/GET/{}",
            "p".repeat(1_600)
        );
        let cases = [
            ("", E::Fields),
            ("*", E::Fields),
            ("arn:aws:execute-api:us-east-1:1", E::Fields),
            ("urn:aws:execute-api:us-east-1:1:a/s/GET/", E::Fields),
            ("arn:*:execute-api:us-east-1:1:a/s/GET/", E::Partition),
            ("arn:aws-:execute-api:us-east-1:1:a/s/GET/", E::Partition),
            ("arn:awsome:execute-api:us-east-1:1:a/s/GET/", E::Partition),
            ("arn:aws-*:execute-api:us-east-1:1:a/s/GET/", E::Partition),
            ("arn:aws:s3:us-east-1:1:a/s/GET/", E::Service),
            ("arn:aws:execute-api:*:1:a/s/GET/", E::Region),
            ("arn:aws:execute-api::1:a/s/GET/", E::Region),
            ("arn:aws:execute-api:us-east-1:*:a/s/GET/", E::Account),
            ("arn:aws:execute-api:us-east-1::a/s/GET/", E::Account),
            ("arn:aws:execute-api:us-east-1:1:*/s/GET/", E::ApiId),
            ("arn:aws:execute-api:us-east-1:1:/s/GET/", E::ApiId),
            ("arn:aws:execute-api:us-east-1:1:a/*/GET/", E::Stage),
            ("arn:aws:execute-api:us-east-1:1:a/s?/GET/", E::Stage),
            ("arn:aws:execute-api:us-east-1:1:a/s", E::Resource),
            ("arn:aws:execute-api:us-east-1:1:a/s/GET", E::Resource),
            ("arn:aws:execute-api:us-east-1:1:a/s/$default", E::Resource),
            ("arn:aws:execute-api:us-east-1:1:a/*/$connect", E::Stage),
            ("arn:aws:execute-api:us-east-1:1:a/s//x", E::Resource),
            ("arn:aws:execute-api:us-east-1:1:*", E::Resource),
            (&long_stage, E::TooLong),
            (&long_path, E::TooLong),
        ];
        for (arn, expected) in cases {
            assert_eq!(MethodArn::parse(arn), Err(expected), "{arn:.70}");
        }
    }
}
