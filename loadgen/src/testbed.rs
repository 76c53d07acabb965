//! The testbed: issuer, gateway and subject, started for one run and ended with it.
//!
//! Issuer and gateway run in this process, the subject is a process of its own. Whatever fails here is the testbed's
//! fault and not the subject's verdict: it has errors of its own and its own exit code.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::{FunctionConfig, Gateway, GatewayConfig, RestApi};
use mock_idp::{KeyOrigin, Minter, MockIdp};

use crate::issuer::Issuer;
use crate::scenario::Scenario;
use crate::subject::{CommandPlan, HttpCommand, LambdaCommand, Placeholders, Subject, SubjectKind};
use crate::target::{HttpTarget, InProcessTarget, Target};

mod error;
mod server;
mod setup;

pub use error::TestbedError;
pub use server::ChildServer;

/// Any free port on loopback.
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Everything that a run talks to.
#[derive(Debug)]
pub struct Testbed {
    idp: MockIdp,
    minter: Arc<Minter>,
    key_origin: KeyOrigin,
    running: Running,
    target: Target,
    invocation: String,
}

#[derive(Debug)]
enum Running {
    /// The gateway stand-in, which runs the function's processes.
    Lambda(Box<Gateway>),
    /// A server that we started, with what it takes to start another.
    Server {
        child: ChildServer,
        plan: Box<HttpCommand>,
        placeholders: Box<Placeholders>,
    },
    /// Nothing that we could end or start again.
    Nothing,
}

/// One cold start, split where it can be.
#[derive(Debug)]
pub struct ColdSample {
    /// What passed between which instants, by the names of the record's series; `total` first.
    pub spans: Vec<(&'static str, Duration)>,
    /// Whether the genuine token was let in.
    pub allowed: bool,
    /// What came instead, when it was not.
    pub answer: String,
}

/// How often the gateway was asked and how often it asked the authorizer.
#[derive(Debug, Clone, Copy)]
pub struct GatewayCounts {
    /// Invocations of the authorizer.
    pub invocations: u64,
    /// Requests decided from the policy cache.
    pub cache_hits: u64,
}

impl Testbed {
    /// Starts issuer, gateway and subject.
    pub async fn start(scenario: &Scenario, subject: &Subject) -> Result<Self, TestbedError> {
        let (idp, key_origin) = start_issuer(scenario).await?;
        let placeholders = Placeholders {
            audience: scenario.audience.clone(),
            authbench: own_program()?,
            issuer: idp.issuer().to_owned(),
            jwks_uri: idp.jwks_uri().to_owned(),
            port: String::new(),
            scope: scenario.scope.clone(),
        };
        let (running, target, invocation) =
            match start_subject(scenario, subject, placeholders).await {
                Ok(started) => started,
                Err(error) => {
                    idp.shutdown().await;
                    return Err(error);
                }
            };
        let minter = idp.minter();
        Ok(Self {
            idp,
            minter,
            key_origin,
            running,
            target,
            invocation,
        })
    }

    /// Who is asked.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The issuer.
    pub fn idp(&self) -> &MockIdp {
        &self.idp
    }

    /// Who mints.
    pub fn minter(&self) -> &Minter {
        &self.minter
    }

    /// Whether the signing key was read from the cache or made for this run.
    pub fn key_origin(&self) -> &'static str {
        match self.key_origin {
            KeyOrigin::Cached => "cached",
            KeyOrigin::Generated => "generated",
        }
    }

    /// The command line or URL of the subject.
    pub fn invocation(&self) -> &str {
        &self.invocation
    }

    /// The gateway's counters, where there is a gateway.
    pub fn gateway_counts(&self) -> Option<GatewayCounts> {
        match &self.running {
            Running::Lambda(gateway) => {
                let counters = gateway.counters();
                Some(GatewayCounts {
                    invocations: counters.invocations,
                    cache_hits: counters.cache_hits,
                })
            }
            Running::Server { .. } | Running::Nothing => None,
        }
    }

    /// Forgets every cached policy, so that a phase starts from nothing.
    pub fn flush_policy_cache(&self) {
        if let Running::Lambda(gateway) = &self.running {
            gateway.flush_cache();
        }
    }

    /// The issuer's health route: a null server on loopback, for the tool's own floor.
    pub fn null_target(&self) -> Target {
        Target::Http(Arc::new(HttpTarget::new(
            self.idp.address().to_string(),
            "/healthz",
        )))
    }

    /// Whether this subject can be started afresh for each sample.
    pub fn can_start_cold(&self) -> bool {
        !matches!(self.running, Running::Nothing)
    }

    /// One cold start: every process of the subject is ended, a fresh one answers one genuine token.
    pub async fn cold_start(&mut self, token: &str) -> Result<ColdSample, TestbedError> {
        let fetches_before = self.idp.fetch_count();
        let mut sample = match &mut self.running {
            Running::Lambda(gateway) => cold_function(gateway, token).await?,
            Running::Server {
                child,
                plan,
                placeholders,
            } => {
                child.shutdown().await;
                let (fresh, target, spans) = cold_server(plan, placeholders, token).await?;
                *child = fresh;
                self.target = target;
                spans
            }
            Running::Nothing => return Err(TestbedError::NotRestartable),
        };
        let new_fetches = self.idp.fetch_count().saturating_sub(fetches_before);
        let recent = self.idp.fetches();
        if let Some(fetch) = recent
            .iter()
            .rev()
            .take(usize::try_from(new_fetches).unwrap_or(0))
            .last()
        {
            sample
                .spans
                .push(("jwks fetch", fetch.answered - fetch.received));
        }
        Ok(sample)
    }

    /// What the subject last printed and how often it fetched the keys: for a message when it gives no decision.
    pub fn diagnosis(&mut self) -> String {
        let mut facts = vec![format!(
            "the JWKS was fetched {} times",
            self.idp.fetch_count()
        )];
        let log = match &mut self.running {
            Running::Lambda(gateway) => gateway.function().log_tail(),
            Running::Server { child, .. } => {
                if let Some(status) = child.exit_status() {
                    facts.push(format!("the process has ended ({status})"));
                }
                child.log_tail()
            }
            Running::Nothing => Vec::new(),
        };
        if log.is_empty() {
            facts.push("it printed nothing".to_owned());
        } else {
            facts.push(format!("it printed last: {}", error::tail(&log)));
        }
        facts.join("; ")
    }

    /// Ends subject, gateway and issuer, in this order, and waits for them.
    pub async fn shutdown(self) {
        match self.running {
            Running::Lambda(gateway) => gateway.shutdown().await,
            Running::Server { mut child, .. } => child.shutdown().await,
            Running::Nothing => {}
        }
        self.idp.shutdown().await;
    }
}

/// This program's own path, for targets that start it again.
pub fn own_program() -> Result<String, TestbedError> {
    let path = std::env::current_exe().map_err(TestbedError::OwnProgram)?;
    Ok(path.to_string_lossy().into_owned())
}

async fn start_issuer(scenario: &Scenario) -> Result<(MockIdp, KeyOrigin), TestbedError> {
    let issuer = Issuer {
        profile: crate::builtin::issuer(&scenario.issuer)?,
        seed: scenario.seed,
        audience: scenario.audience.clone(),
        scope: vec![scenario.scope.clone()],
    };
    let (issuer, keys) =
        tokio::task::spawn_blocking(move || issuer.keys().map(|keys| (issuer, keys)))
            .await
            .map_err(|_| TestbedError::KeyThread)??;
    let key_origin = keys.signing.origin();
    let config = issuer.config(keys, scenario.issuer_listen.unwrap_or(ANY_PORT));
    Ok((MockIdp::start(config).await?, key_origin))
}

async fn start_subject(
    scenario: &Scenario,
    subject: &Subject,
    placeholders: Placeholders,
) -> Result<(Running, Target, String), TestbedError> {
    match &subject.kind {
        SubjectKind::Lambda(command) => {
            let gateway =
                start_gateway(subject, ANY_PORT, scenario.cache_ttl, &placeholders).await?;
            let invocation = filled(&command.command, &placeholders)?.0.join(" ");
            let path = format!("/{}/planets", gateway::STAGE);
            let target = Target::Http(Arc::new(HttpTarget::new(
                gateway.address().to_string(),
                path,
            )));
            Ok((Running::Lambda(Box::new(gateway)), target, invocation))
        }
        SubjectKind::HttpCommand(plan) => {
            setup::ensure(&plan.command).await?;
            let (child, target) = start_server(plan, &placeholders).await?;
            let invocation = child.invocation().to_owned();
            let (plan, placeholders) = (Box::new(plan.clone()), Box::new(placeholders));
            Ok((
                Running::Server {
                    child,
                    plan,
                    placeholders,
                },
                target,
                invocation,
            ))
        }
        SubjectKind::HttpUrl { authority, path } => {
            let target = Target::Http(Arc::new(HttpTarget::new(authority.clone(), path.clone())));
            Ok((
                Running::Nothing,
                target,
                format!("http://{authority}{path}"),
            ))
        }
        SubjectKind::InProcess => {
            let target = Target::InProcess(Arc::new(InProcessTarget::new(&placeholders)?));
            Ok((Running::Nothing, target, String::new()))
        }
    }
}

/// The gateway stand-in with a subject of kind lambda behind it.
pub async fn start_gateway(
    subject: &Subject,
    listen: SocketAddr,
    cache_ttl: Duration,
    placeholders: &Placeholders,
) -> Result<Gateway, TestbedError> {
    let SubjectKind::Lambda(command) = &subject.kind else {
        return Err(TestbedError::NotLambda(subject.name.clone()));
    };
    setup::ensure(&command.command).await?;
    let function = function_config(&subject.name, command, placeholders)?;
    let api = RestApi::planets().with_ttl(cache_ttl);
    Ok(Gateway::start(GatewayConfig {
        listen,
        api,
        function,
    })
    .await?)
}

fn function_config(
    name: &str,
    command: &LambdaCommand,
    placeholders: &Placeholders,
) -> Result<FunctionConfig, TestbedError> {
    let (line, env, working_dir) = filled(&command.command, placeholders)?;
    Ok(FunctionConfig {
        name: name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"),
        command: line,
        env,
        working_dir,
        handler: command.handler.clone(),
        memory_mb: command.memory_mb,
        timeout: command.timeout,
        max_environments: command.max_environments,
        ..FunctionConfig::default()
    })
}

/// Program and arguments, environment, and working directory of a command with its placeholders filled in.
type FilledCommand = (Vec<String>, BTreeMap<String, String>, Option<PathBuf>);

fn filled(plan: &CommandPlan, placeholders: &Placeholders) -> Result<FilledCommand, TestbedError> {
    let line = std::iter::once(&plan.program)
        .chain(&plan.args)
        .map(|part| placeholders.fill(part))
        .collect::<Result<_, _>>()?;
    let env = plan
        .env
        .iter()
        .map(|(name, value)| Ok((name.clone(), placeholders.fill(value)?)))
        .collect::<Result<_, TestbedError>>()?;
    Ok((line, env, plan.working_dir.clone()))
}

async fn start_server(
    plan: &HttpCommand,
    placeholders: &Placeholders,
) -> Result<(ChildServer, Target), TestbedError> {
    let port = server::free_port()?;
    let placeholders = Placeholders {
        port: port.to_string(),
        ..placeholders.clone()
    };
    let (line, env, working_dir) = filled(&plan.command, &placeholders)?;
    let child = ChildServer::start(line, env, working_dir, port, plan).await?;
    let target = HttpTarget::new(format!("127.0.0.1:{port}"), plan.path.clone());
    Ok((child, Target::Http(Arc::new(target))))
}

async fn cold_function(gateway: &Gateway, token: &str) -> Result<ColdSample, TestbedError> {
    let function = gateway.function();
    function.recycle().await;
    let event = gateway::token_event(&format!("Bearer {token}"), gateway::PLANETS_ARN);
    let invocation = function.invoke(event).await?;
    let decision = gateway::decision::decide(invocation.answer(), gateway::PLANETS_ARN);
    let mut spans = Vec::new();
    if let Some(cold) = invocation.cold_start() {
        spans.push(("total", invocation.answered() - cold.spawned));
        spans.push(("process start", cold.connected - cold.spawned));
        spans.push(("init", cold.ready - cold.connected));
        spans.push((
            "first decision",
            invocation.answered() - invocation.dispatched(),
        ));
    }
    Ok(ColdSample {
        spans,
        allowed: decision.is_allow(),
        answer: decision.rule().to_owned(),
    })
}

async fn cold_server(
    plan: &HttpCommand,
    placeholders: &Placeholders,
    token: &str,
) -> Result<(ChildServer, Target, ColdSample), TestbedError> {
    let spawned = Instant::now();
    let (child, target) = start_server(plan, placeholders).await?;
    let ready = Instant::now();
    let request = target.prepare(&crate::target::RequestShape::default(), token)?;
    let observation = target.connection().call(&request).await;
    let spans = vec![
        ("total", observation.finished - spawned),
        ("process start", ready - spawned),
        ("first decision", observation.finished - observation.sent),
    ];
    let allowed = observation.decision == crate::target::Decision::Allow;
    let answer = observation.summary();
    Ok((
        child,
        target,
        ColdSample {
            spans,
            allowed,
            answer,
        },
    ))
}
