//! The subject while it runs: started as its target file says, started afresh for a cold start, ended with the run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::{Function, FunctionConfig, Gateway, GatewayConfig, LogLine, RestApi};
use tokio::sync::mpsc;

use super::port::PortLease;
use super::server::ChildServer;
use super::{ANY_PORT, TestbedError, embedded, setup};
use crate::clock::unix_now;
use crate::scenario::Scenario;
use crate::subject::{
    Ask, CommandPlan, HttpCommand, LambdaCommand, Placeholders, Subject, SubjectKind,
};
use crate::target::{
    Decision, Endpoint, EventForm, FunctionTarget, HttpTarget, InProcessTarget, Invoker,
    RequestShape, Target,
};

/// The gateway has the last word on an authorizer that does not answer, since it knows why; what it needs beyond its own
/// ceiling is the writing of an answer.
const CEILING_MARGIN: Duration = Duration::from_secs(2);

/// What was started for a subject.
#[derive(Debug)]
pub(super) enum Running {
    /// The function's processes, without a gateway.
    Function(Arc<Function>),
    /// The gateway stand-in, which runs the function's processes.
    Lambda(Box<Gateway>),
    /// A server that we started.
    Server(Box<RunningServer>),
    /// Nothing that we could end or start again.
    Nothing,
}

/// A server that we started, with what it takes to start another.
#[derive(Debug)]
pub(super) struct RunningServer {
    pub(super) child: ChildServer,
    plan: HttpCommand,
    wire: Wire,
    placeholders: Placeholders,
}

/// What a server speaks.
#[derive(Debug, Clone, Copy)]
enum Wire {
    Http,
    Invoke { form: EventForm, at_once: usize },
}

impl Wire {
    fn target(self, authority: String, path: String) -> Target {
        match self {
            Self::Http => Target::Http(Arc::new(HttpTarget::new(authority, path))),
            Self::Invoke { form, at_once } => {
                let endpoint = Endpoint {
                    authority,
                    path,
                    at_once,
                };
                function_target(Invoker::Endpoint(endpoint), form)
            }
        }
    }
}

fn function_target(invoker: Invoker, form: EventForm) -> Target {
    Target::Function(Arc::new(FunctionTarget::new(invoker, form)))
}

/// One cold start, split where it can be.
#[derive(Debug)]
pub struct ColdSample {
    /// What passed between which instants, by the names of the record's series; `total` first.
    pub spans: Vec<(&'static str, Duration)>,
    /// When its parts began, in their order.
    pub began: Vec<Instant>,
    /// When the decision was there.
    pub decided: Instant,
    /// What the genuine token got; none at all from a process that crashed, or whose INIT ran out of time.
    pub decision: Decision,
    /// The answer in a few words.
    pub answer: String,
}

pub(super) async fn start_subject(
    scenario: &Scenario,
    subject: &Subject,
    placeholders: Placeholders,
) -> Result<(Running, Target, String), TestbedError> {
    match &subject.kind {
        SubjectKind::Lambda(command) => match command.ask {
            Ask::Direct(form) => start_function(&subject.name, command, form, &placeholders).await,
            Ask::Gateway => behind_gateway(scenario, subject, command, &placeholders).await,
        },
        SubjectKind::HttpCommand(plan) => running_server(plan, Wire::Http, placeholders).await,
        SubjectKind::InvokeCommand {
            http,
            form,
            at_once,
        } => {
            let wire = Wire::Invoke {
                form: *form,
                at_once: *at_once,
            };
            running_server(http, wire, placeholders).await
        }
        SubjectKind::HttpUrl(server) => {
            let target = Target::Http(Arc::new(HttpTarget::clone(server)));
            Ok((Running::Nothing, target, server.url()))
        }
        SubjectKind::InvokeUrl(endpoint, form) => {
            let url = format!("http://{}{}", endpoint.authority, endpoint.path);
            let target = function_target(Invoker::Endpoint(endpoint.clone()), *form);
            Ok((Running::Nothing, target, url))
        }
        SubjectKind::InProcess => {
            let authorizer = Box::new(InProcessTarget::new(embedded::authorizer(&placeholders)?));
            let target = function_target(Invoker::InProcess(authorizer), EventForm::default());
            Ok((Running::Nothing, target, String::new()))
        }
    }
}

async fn behind_gateway(
    scenario: &Scenario,
    subject: &Subject,
    command: &LambdaCommand,
    placeholders: &Placeholders,
) -> Result<(Running, Target, String), TestbedError> {
    let gateway = start_gateway(subject, ANY_PORT, scenario.cache_ttl, placeholders, None).await?;
    let invocation = filled(&command.command, placeholders)?.0.join(" ");
    let path = format!("/{}/planets", gateway::STAGE);
    let target = HttpTarget::new(gateway.address().to_string(), path)
        .with_answer_timeout(gateway::switches::AUTHORIZER_CEILING + CEILING_MARGIN)
        .behind_gateway();
    let target = Target::Http(Arc::new(target));
    Ok((Running::Lambda(Box::new(gateway)), target, invocation))
}

async fn start_function(
    name: &str,
    command: &LambdaCommand,
    form: EventForm,
    placeholders: &Placeholders,
) -> Result<(Running, Target, String), TestbedError> {
    setup::ensure(&command.command).await?;
    let config = function_config(name, command, placeholders)?;
    let invocation = config.command.join(" ");
    let function = Function::start(config)
        .await
        .map_err(gateway::GatewayError::from)?;
    let function = Arc::new(function);
    let target = function_target(Invoker::Processes(Arc::clone(&function)), form);
    Ok((Running::Function(function), target, invocation))
}

async fn running_server(
    plan: &HttpCommand,
    wire: Wire,
    placeholders: Placeholders,
) -> Result<(Running, Target, String), TestbedError> {
    setup::ensure(&plan.command).await?;
    let (child, target) = start_server(plan, wire, &placeholders).await?;
    let invocation = child.invocation().to_owned();
    let server = RunningServer {
        child,
        plan: plan.clone(),
        wire,
        placeholders,
    };
    Ok((Running::Server(Box::new(server)), target, invocation))
}

/// The gateway stand-in with a subject of kind lambda behind it; `watcher` hears what its processes print and how they
/// fail.
pub async fn start_gateway(
    subject: &Subject,
    listen: SocketAddr,
    cache_ttl: Duration,
    placeholders: &Placeholders,
    watcher: Option<mpsc::Sender<LogLine>>,
) -> Result<Gateway, TestbedError> {
    let SubjectKind::Lambda(command) = &subject.kind else {
        return Err(TestbedError::NotLambda(subject.name.clone()));
    };
    setup::ensure(&command.command).await?;
    let function = FunctionConfig {
        watcher,
        ..function_config(&subject.name, command, placeholders)?
    };
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
    wire: Wire,
    placeholders: &Placeholders,
) -> Result<(ChildServer, Target), TestbedError> {
    let port = PortLease::take()?;
    let placeholders = Placeholders {
        port: port.number().to_string(),
        ..placeholders.clone()
    };
    let (line, env, working_dir) = filled(&plan.command, &placeholders)?;
    let child = ChildServer::start(line, env, working_dir, port, plan).await?;
    let target = wire.target(child.authority(), plan.path.clone());
    Ok((child, target))
}

pub(super) async fn cold_function(
    function: &Function,
    token: &str,
) -> Result<ColdSample, TestbedError> {
    function.recycle().await;
    let event = gateway::token_event(&format!("Bearer {token}"), gateway::PLANETS_ARN);
    let invocation = function.invoke(event).await?;
    let decided = gateway::decision::decide(invocation.answer(), gateway::PLANETS_ARN, unix_now());
    let status = decided
        .refusal()
        .map_or(200, gateway::decision::Refusal::status);
    let mut spans = Vec::new();
    let mut began = Vec::new();
    if let Some(cold) = invocation.cold_start() {
        began.extend([cold.spawned, cold.connected, invocation.dispatched()]);
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
        began,
        decided: invocation.answered(),
        decision: Decision::from_status(status),
        answer: format!("{status} by {}", decided.rule()),
    })
}

impl RunningServer {
    /// Ends the server and starts a fresh one, which answers one token. The fresh one has an address of its own.
    pub(super) async fn cold_start(
        &mut self,
        token: &str,
    ) -> Result<(Target, ColdSample), TestbedError> {
        self.child.shutdown().await;
        let spawned = Instant::now();
        let (child, target) = start_server(&self.plan, self.wire, &self.placeholders).await?;
        let ready = Instant::now();
        self.child = child;
        let request = target.prepare(&RequestShape::default(), token)?;
        let observation = target.connection().call(&request).await;
        let sample = ColdSample {
            spans: vec![
                ("total", observation.finished - spawned),
                ("process start", ready - spawned),
                ("first decision", observation.finished - observation.sent),
            ],
            began: vec![spawned, observation.sent],
            decided: observation.finished,
            decision: observation.decision,
            answer: observation.summary(),
        };
        Ok((target, sample))
    }
}
