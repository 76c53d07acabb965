//! What to write to deploy the authorizer: a template for AWS SAM or Terraform that follows from its settings.
//!
//! Owns which authorizer of API Gateway fits the settings, and the figures that both templates share. A template holds no
//! secret, as there is none among the settings, and no right beyond two: the function may write logs, and API Gateway
//! may invoke the function for this API.

mod quote;
mod sam;
mod terraform;
#[cfg(test)]
mod tests;

use std::time::Duration;

use authorizer::{CredentialForm, EnvironmentError, Settings};

use crate::authorizer_bundle::{Architecture, SETTINGS_FILE, TASK_ROOT};

/// Megabytes. The authorizer takes 6 (measured, keys over plain HTTP); the rest buys a share of a processor ("Configure
/// Lambda function memory", Lambda developer guide), which a cold start with TLS has work for.
const MEMORY_MB: u16 = 256;

/// The function's longest timeout, in seconds. API Gateway gives an authorizer 10, documented for HTTP APIs ("Quotas for
/// configuring and running an HTTP API in API Gateway": Timeout for Lambda authorizer response); what takes longer is an
/// error either way, and is better told by the function.
const MAX_TIMEOUT_S: u64 = 9;

/// Seconds for which API Gateway keeps an answer unless asked otherwise: its own default for REST APIs.
pub const DEFAULT_TTL_S: u16 = 300;

/// The longest time for which API Gateway keeps an answer, in seconds.
pub const MAX_TTL_S: u16 = 3_600;

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub enum SnippetError {
    /// The settings need a file.
    #[error(
        "a function's environment cannot hold these settings; write them to a file (`authbench authorizer config > \
         {SETTINGS_FILE}`) and give that with --config here and to `authbench authorizer bundle`"
    )]
    Environment(#[from] EnvironmentError),
    /// `CloudFormation` would put something else in the value's place.
    #[error(
        "{0} holds {{{{resolve:, which CloudFormation replaces by a secret or a parameter; give the settings as a file with \
         --config"
    )]
    DynamicReference(&'static str),
}

/// Which authorizer of API Gateway asks the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Api {
    /// The Lambda authorizer of an HTTP API, with payload 2.0.
    Http,
    /// The REQUEST authorizer of a REST API.
    RestRequest,
    /// The TOKEN authorizer of a REST API.
    RestToken,
}

impl Api {
    /// The one that fits the settings: simple answers are for HTTP APIs alone; of a REST API's two, TOKEN, which turns away
    /// what is no token before the function is asked, where the credential is in `Authorization`, and REQUEST, which hands
    /// over each header by its name, where it is in another.
    pub fn fitting(settings: &Settings) -> Api {
        if settings.answers_simply() {
            Api::Http
        } else if settings
            .token_header()
            .eq_ignore_ascii_case("authorization")
        {
            Api::RestToken
        } else {
            Api::RestRequest
        }
    }
}

/// Where the function finds its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the file of the bundle.
    Bundle,
    /// In its environment variables.
    Environment,
}

/// A deployment: everything that a template says.
#[derive(Debug)]
pub struct Deployment {
    api: Api,
    architecture: Architecture,
    /// The zip, as the template names it.
    zip: String,
    /// The function's timeout in seconds.
    timeout_s: u64,
    ttl_s: u16,
    variables: Vec<(&'static str, String)>,
    header: String,
    form: CredentialForm,
    simple: bool,
    ends_with_token: bool,
}

impl Deployment {
    /// A deployment for x86-64 of a zip called `authorizer.zip`, with the authorizer that fits the settings.
    pub fn new(settings: &Settings, source: Source) -> Result<Deployment, SnippetError> {
        let variables = match source {
            Source::Bundle => vec![("AUTHORIZER_CONFIG", format!("{TASK_ROOT}/{SETTINGS_FILE}"))],
            Source::Environment => settings.to_environment()?,
        };
        // As AWS writes it; a header's name has no case, but a mapping expression might.
        let header = match settings.token_header() {
            "authorization" => "Authorization",
            header => header,
        };
        Ok(Deployment {
            api: Api::fitting(settings),
            architecture: Architecture::X86_64,
            zip: "authorizer.zip".to_owned(),
            timeout_s: timeout_s(settings.key_deadline()),
            ttl_s: DEFAULT_TTL_S,
            variables,
            header: header.to_owned(),
            form: settings.token_form(),
            simple: settings.answers_simply(),
            ends_with_token: settings.policy_ends_with_token(),
        })
    }

    /// For another API than the one that fits best.
    #[must_use]
    pub fn api(mut self, api: Api) -> Deployment {
        self.api = api;
        self
    }

    /// For another processor.
    #[must_use]
    pub fn architecture(mut self, architecture: Architecture) -> Deployment {
        self.architecture = architecture;
        self
    }

    /// Of another zip.
    #[must_use]
    pub fn zip(mut self, zip: impl Into<String>) -> Deployment {
        self.zip = zip.into();
        self
    }

    /// With another time for which API Gateway keeps an answer, in seconds; 0 for none, cut to [`MAX_TTL_S`].
    #[must_use]
    pub fn ttl_s(mut self, ttl_s: u16) -> Deployment {
        self.ttl_s = ttl_s.min(MAX_TTL_S);
        self
    }

    /// A template for AWS SAM.
    pub fn sam(&self) -> Result<String, SnippetError> {
        sam::template(self)
    }

    /// A configuration for Terraform.
    pub fn terraform(&self) -> String {
        terraform::configuration(self)
    }

    /// What a header's value must look like for a TOKEN authorizer to be asked: a compact JWS (RFC 7515 §7.1), behind the
    /// scheme in whatever case (RFC 9110 §11.1) and its spaces. Nothing that the authorizer would take is turned away.
    fn validation_expression(&self) -> &'static str {
        match self.form {
            CredentialForm::Bearer => {
                "^[Bb][Ee][Aa][Rr][Ee][Rr] +[-0-9a-zA-Z_]+[.][-0-9a-zA-Z_]+[.][-0-9a-zA-Z_]+$"
            }
            CredentialForm::Raw => "^[-0-9a-zA-Z_]+[.][-0-9a-zA-Z_]+[.][-0-9a-zA-Z_]+$",
        }
    }

    /// Why answers are kept for as long as they are.
    fn ttl_reason(&self) -> [&'static str; 2] {
        let first =
            "An answer is right for each route of the stage, so it may be kept for its token.";
        let second = match (self.ttl_s, self.ends_with_token) {
            (0, _) => {
                "0 asks the function for each request all the same: nothing outlives its token."
            }
            (_, false) => {
                "A token that expires, or whose key is withdrawn, works for so many seconds more; 0 asks for each request."
            }
            (_, true) => {
                "The policy ends with its token; one whose key is withdrawn works for so many seconds more."
            }
        };
        [first, second]
    }
}

/// The function's timeout in seconds: the two fetches of keys that a request may wait for, each of which ends at its
/// deadline with discovery, and a second for everything else, so that an issuer that hangs is an error with a reason and no
/// timeout without one.
fn timeout_s(key_deadline: Duration) -> u64 {
    let longest = 2 * key_deadline + Duration::from_secs(1);
    // Whole seconds, as Lambda takes nothing else.
    let rounded_up = longest.as_secs() + u64::from(longest.subsec_nanos() > 0);
    rounded_up.min(MAX_TIMEOUT_S)
}
