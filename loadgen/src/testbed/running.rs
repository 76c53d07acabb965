//! The subject while it runs: started as its target file says, started afresh for a cold start, ended with the run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gateway::{Function, FunctionConfig, Gateway, GatewayConfig, LogLine, RestApi};
use tokio::sync::mpsc;

use super::cold_disk::{ColdDisk, NoColdDisk};
use super::cold_start::ColdSample;
use super::port::PortLease;
use super::server::ChildServer;
use super::{ANY_PORT, TestbedError, embedded, page_cache, setup};
use crate::scenario::Scenario;
use crate::subject::{
    Ask, CommandPlan, HttpCommand, LambdaCommand, PlaceholderError, Placeholders, Subject,
    SubjectKind,
};
use crate::target::{
    Endpoint, EventForm, FunctionTarget, HttpTarget, InProcessTarget, Invoker, RequestShape, Target,
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
    /// Just before the process was started.
    spawned: Instant,
    /// When it was first seen to be ready.
    ready: Instant,
    plan: HttpCommand,
    wire: Wire,
    placeholders: Placeholders,
}

/// A server that has just been started.
struct FreshServer {
    child: ChildServer,
    spawned: Instant,
    ready: Instant,
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
    let (fresh, target) = start_server(plan, wire, &placeholders).await?;
    let invocation = fresh.child.invocation().to_owned();
    let server = RunningServer {
        child: fresh.child,
        spawned: fresh.spawned,
        ready: fresh.ready,
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

/// What it takes to start another function like the subject's.
#[derive(Debug)]
pub(super) struct FunctionPlan {
    name: String,
    command: LambdaCommand,
    placeholders: Placeholders,
}

impl FunctionPlan {
    /// That of a subject, where it is a function.
    pub(super) fn of(subject: &Subject, placeholders: &Placeholders) -> Option<Self> {
        let SubjectKind::Lambda(command) = &subject.kind else {
            return None;
        };
        Some(Self {
            name: subject.name.clone(),
            command: command.clone(),
            placeholders: placeholders.clone(),
        })
    }

    /// How its processes are started.
    pub(super) fn command(&self) -> &CommandPlan {
        &self.command.command
    }

    /// A function of its own, with another program in the place of this one.
    pub(super) async fn start_from(&self, program: &Path) -> Result<Function, NoColdDisk> {
        let placeholders = Placeholders {
            authbench: program.to_string_lossy().into_owned(),
            ..self.placeholders.clone()
        };
        let config = function_config(&self.name, &self.command, &placeholders)?;
        Ok(Function::start(config).await?)
    }
}

fn function_config(
    name: &str,
    command: &LambdaCommand,
    placeholders: &Placeholders,
) -> Result<FunctionConfig, PlaceholderError> {
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

fn filled(
    plan: &CommandPlan,
    placeholders: &Placeholders,
) -> Result<FilledCommand, PlaceholderError> {
    let line = std::iter::once(&plan.program)
        .chain(&plan.args)
        .map(|part| placeholders.fill(part))
        .collect::<Result<_, _>>()?;
    let env = plan
        .env
        .iter()
        .map(|(name, value)| Ok((name.clone(), placeholders.fill(value)?)))
        .collect::<Result<_, PlaceholderError>>()?;
    Ok((line, env, plan.working_dir.clone()))
}

async fn start_server(
    plan: &HttpCommand,
    wire: Wire,
    placeholders: &Placeholders,
) -> Result<(FreshServer, Target), TestbedError> {
    let spawned = Instant::now();
    let port = PortLease::take()?;
    let placeholders = Placeholders {
        port: port.number().to_string(),
        ..placeholders.clone()
    };
    let (line, env, working_dir) = filled(&plan.command, &placeholders)?;
    let child = ChildServer::start(line, env, working_dir, port, plan).await?;
    let ready = Instant::now();
    let target = wire.target(child.authority(), plan.path.clone());
    let fresh = FreshServer {
        child,
        spawned,
        ready,
    };
    Ok((fresh, target))
}

impl RunningServer {
    /// Ends the server and starts a fresh one, which answers one token. The fresh one has an address of its own.
    pub(super) async fn cold_start(
        &mut self,
        token: &str,
        disk: Option<&mut ColdDisk>,
    ) -> Result<(Target, ColdSample), TestbedError> {
        self.child.shutdown().await;
        let mut placeholders = self.placeholders.clone();
        if let Some(disk) = disk {
            disk.evict().await;
            if let Some(program) = disk.program() {
                placeholders.authbench = program.to_string_lossy().into_owned();
            }
        }
        let target = self.replace(&placeholders).await?;
        let sample = self.first_decision(&target, token).await?;
        Ok((target, sample))
    }

    /// Ends the server and starts a fresh one as its file says, whatever the one that ran was started from.
    pub(super) async fn start_again(&mut self) -> Result<Target, TestbedError> {
        self.child.shutdown().await;
        self.replace(&self.placeholders.clone()).await
    }

    /// Starts a server in the place of one that has ended.
    async fn replace(&mut self, placeholders: &Placeholders) -> Result<Target, TestbedError> {
        let (fresh, target) = start_server(&self.plan, self.wire, placeholders).await?;
        (self.child, self.spawned, self.ready) = (fresh.child, fresh.spawned, fresh.ready);
        Ok(target)
    }

    /// How it is started.
    pub(super) fn command(&self) -> &CommandPlan {
        &self.plan.command
    }

    /// Asks a server that has decided nothing since it was started.
    pub(super) async fn first_decision(
        &self,
        target: &Target,
        token: &str,
    ) -> Result<ColdSample, TestbedError> {
        let asked = Instant::now();
        let request = target.prepare(&RequestShape::default(), token)?;
        let observation = target.connection().call(&request).await;
        let starting = self.ready - self.spawned;
        Ok(ColdSample {
            spans: vec![
                // What the bench did between the two is none of the server's time.
                ("total", starting + (observation.finished - asked)),
                ("process start", starting),
                ("first decision", observation.finished - observation.sent),
            ],
            began: vec![self.spawned, observation.sent],
            decided: observation.finished,
            decision: observation.decision,
            answer: observation.summary(),
            read_bytes: page_cache::read_bytes(self.child.process_id()),
        })
    }
}
