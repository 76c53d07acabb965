//! The testbed: issuer, listener, gateway and subject, started for one run and ended with it.
//!
//! Issuer and gateway run in this process, the subject is a process of its own. Whatever fails here is the testbed's
//! fault and not the subject's verdict: it has errors of its own and its own exit code.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mock_idp::{KeyOrigin, Minter, MockIdp, ServerCertificate, TlsKeyServer, UrlListener};

use crate::issuer::{Issuer, IssuerError};
use crate::scenario::{CachePlan, Scenario};
use crate::subject::{Placeholders, Subject};
use crate::target::{HttpTarget, Target};

mod cold_disk;
mod cold_start;
mod embedded;
mod error;
mod page_cache;
mod port;
mod running;
mod server;
mod setup;

use running::{FunctionPlan, Running, start_subject};

pub use cold_disk::{ColdDisk, NoColdDisk};
pub use cold_start::ColdSample;
pub use error::TestbedError;
pub use page_cache::Evicted;
pub(crate) use page_cache::with_groups;
pub use running::start_gateway;

/// Installs a target that the bench starts, so that starting it later installs nothing. Dropping this ends the setup.
pub async fn install(subject: &Subject) -> Result<(), TestbedError> {
    match subject.command() {
        Some(command) => setup::ensure(command).await,
        None => Ok(()),
    }
}

/// Any free port on loopback.
const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Everything that a run talks to.
#[derive(Debug)]
pub struct Testbed {
    idp: MockIdp,
    issuer: String,
    listener: UrlListener,
    minter: Arc<Minter>,
    /// None of a real issuer.
    key_origin: Option<KeyOrigin>,
    /// A second server of keys, over TLS, in place of the issuer's own.
    tls: Option<TlsKeyServer>,
    running: Running,
    /// Of a subject that is a function.
    function: Option<FunctionPlan>,
    target: Target,
    invocation: String,
    cache_ttl: Duration,
}

/// How a testbed of its own differs from that of the run.
#[derive(Debug, Clone, Copy)]
pub struct FreshStart<'a> {
    /// For how long the gateway keeps a policy.
    pub gateway_cache: Duration,
    /// Whether the target is started with the variables that make its keys' lifetime short.
    pub for_key_lifetime: bool,
    /// A scope that the target is told to require beside the run's own.
    pub second_scope: Option<&'a str>,
    /// With what certificate the keys are published over TLS, for a target that is told that address alone.
    pub tls: Option<ServerCertificate>,
}

/// How often the gateway was asked and how often it asked the authorizer.
#[derive(Debug, Clone, Copy)]
pub struct GatewayCounts {
    /// Invocations of the authorizer.
    pub invocations: u64,
    /// Requests decided from the policy cache.
    pub cache_hits: u64,
    /// Requests that asked the policy cache in vain.
    pub cache_misses: u64,
    /// Invocations for a policy that another one had just fetched.
    pub cache_repeats: u64,
}

impl Testbed {
    /// Starts issuer, gateway and subject.
    pub async fn start(scenario: &Scenario, subject: &Subject) -> Result<Self, TestbedError> {
        Self::start_prepared(scenario, subject, None, |_, _| {}).await
    }

    /// Starts a testbed beside that of the run, on ports of its own. `prepare` has the issuer before the subject has.
    pub async fn start_afresh(
        scenario: &Scenario,
        subject: &Subject,
        fresh: FreshStart<'_>,
        prepare: impl FnOnce(&MockIdp, &UrlListener),
    ) -> Result<Self, TestbedError> {
        let scenario = Scenario {
            issuer_listen: None,
            cache_ttl: fresh.gateway_cache,
            ..scenario.clone()
        };
        if fresh.for_key_lifetime {
            let subject = subject.clone().with_short_lived_keys();
            Self::start_prepared(&scenario, &subject, Some(fresh), prepare).await
        } else {
            Self::start_prepared(&scenario, subject, Some(fresh), prepare).await
        }
    }

    async fn start_prepared(
        scenario: &Scenario,
        subject: &Subject,
        fresh: Option<FreshStart<'_>>,
        prepare: impl FnOnce(&MockIdp, &UrlListener),
    ) -> Result<Self, TestbedError> {
        let Issued {
            idp,
            key_origin,
            authority_file,
        } = start_issuer(scenario).await?;
        let minter = match &scenario.real_issuer {
            None => idp.minter(),
            Some(real) => {
                Arc::new((*idp.minter()).after(real.token.clone(), real.jwks_uri.clone()))
            }
        };
        let (listener, tls) = match start_beside(&minter, fresh.and_then(|fresh| fresh.tls)).await {
            Ok(started) => started,
            Err(error) => {
                idp.shutdown().await;
                return Err(TestbedError::Listener(error));
            }
        };
        prepare(&idp, &listener);
        let (issuer, jwks_uri) = match &scenario.real_issuer {
            None => (idp.issuer(), idp.jwks_uri()),
            Some(real) => (real.token.issuer(), real.jwks_uri.as_str()),
        };
        let issuer = issuer.to_owned();
        let placeholders = Placeholders {
            audience: scenario.audience.clone(),
            authbench: own_program()?,
            ca_file: authority_file.to_string_lossy().into_owned(),
            client_id: minter.defaults().client_id.clone(),
            issuer: issuer.clone(),
            jwks_uri: tls
                .as_ref()
                .map_or(jwks_uri, TlsKeyServer::jwks_uri)
                .to_owned(),
            other_issuer: idp.other_issuer(),
            other_jwks_uri: idp.other_jwks_uri(),
            port: String::new(),
            public_key_pem: minter.keys().signing.public_key_pem(),
            scope: match fresh.and_then(|fresh| fresh.second_scope) {
                Some(second) => format!("{} {second}", scenario.scope),
                None => scenario.scope.clone(),
            },
        };
        let function = FunctionPlan::of(subject, &placeholders);
        let (running, target, invocation) =
            match start_subject(scenario, subject, placeholders).await {
                Ok(started) => started,
                Err(error) => {
                    listener.shutdown().await;
                    idp.shutdown().await;
                    return Err(error);
                }
            };
        Ok(Self {
            idp,
            issuer,
            listener,
            minter,
            key_origin: scenario.real_issuer.is_none().then_some(key_origin),
            tls,
            running,
            function,
            target,
            invocation,
            cache_ttl: scenario.cache_ttl,
        })
    }

    /// Who is asked.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The `iss` of the tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The issuer stand-in. Of a run with a real issuer's token nobody asks it.
    pub fn idp(&self) -> &MockIdp {
        &self.idp
    }

    /// Where visitors are waited for who follow a token's URL.
    pub fn listener(&self) -> &UrlListener {
        &self.listener
    }

    /// The server of keys over TLS, where the target was told of one.
    pub fn tls(&self) -> Option<&TlsKeyServer> {
        self.tls.as_ref()
    }

    /// Who mints.
    pub fn minter(&self) -> &Minter {
        &self.minter
    }

    /// Whether the signing key was read from the cache or made for this run, or is that of a real issuer.
    pub fn key_origin(&self) -> &'static str {
        match self.key_origin {
            None => "the issuer's own",
            Some(KeyOrigin::Cached) => "cached",
            Some(KeyOrigin::Generated) => "generated",
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
                    cache_misses: counters.cache_misses,
                    cache_repeats: counters.cache_repeats,
                })
            }
            Running::Function(_) | Running::Server(_) | Running::Nothing => None,
        }
    }

    /// Processes of the subject that were started, each with a memory of its own: one for a server.
    pub fn processes(&self) -> u64 {
        match &self.running {
            Running::Function(function) => function.counters().environments_spawned.max(1),
            Running::Lambda(gateway) => gateway.counters().environments_spawned.max(1),
            Running::Server(_) | Running::Nothing => 1,
        }
    }

    /// Processes of the subject that have ended by themselves so far; the gateway starts another for each of a function's.
    pub fn ended_processes(&self) -> u64 {
        match &self.running {
            Running::Function(function) => function.environments_ended(),
            Running::Lambda(gateway) => gateway.function().environments_ended(),
            Running::Server(server) => u64::from(server.child.has_ended()),
            Running::Nothing => 0,
        }
    }

    /// The ids of the subject's processes that are known now: those of a function that are idle, a server's own.
    pub fn process_ids(&self) -> Vec<u32> {
        match &self.running {
            Running::Function(function) => function.idle_process_ids(),
            Running::Lambda(gateway) => gateway.function().idle_process_ids(),
            Running::Server(server) => vec![server.child.process_id()],
            Running::Nothing => Vec::new(),
        }
    }

    /// How long the gateway keeps a policy unless a phase says otherwise.
    pub fn cache_ttl(&self) -> Duration {
        self.cache_ttl
    }

    /// An empty policy cache, as a phase has it; what it does not say is as the scenario has it.
    pub fn begin_policy_cache(&self, plan: CachePlan) {
        if let Running::Lambda(gateway) = &self.running {
            let ttl = plan.ttl.unwrap_or(self.cache_ttl);
            let entries = plan.entries.unwrap_or(gateway::ENTRIES_MAX);
            gateway.set_cache(gateway::PolicyCache::with_entries(ttl, entries));
        }
    }

    /// Forgets every cached policy.
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

    /// Waits, for a moment, for a subject that is ending, so that [`Self::diagnosis`] knows how it did.
    pub async fn settle(&mut self) {
        if let Running::Server(server) = &mut self.running {
            server.child.settle().await;
        }
    }

    /// What is known of the subject when it gives no decision: how often it fetched the keys, what failed last, what it
    /// printed.
    pub fn diagnosis(&mut self) -> String {
        let mut facts = Vec::new();
        if self.key_origin.is_some() {
            let count = self.idp.fetch_count();
            facts.push(format!("the JWKS was fetched {count} times"));
        }
        let log = match &mut self.running {
            Running::Function(function) => of_function(function, &mut facts),
            Running::Lambda(gateway) => of_function(gateway.function(), &mut facts),
            Running::Server(server) => {
                if let Some(status) = server.child.exit_status() {
                    facts.push(format!("the process has ended ({status})"));
                }
                server.child.log_tail()
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
            Running::Function(function) => function.shutdown().await,
            Running::Lambda(gateway) => gateway.shutdown().await,
            Running::Server(mut server) => server.child.shutdown().await,
            Running::Nothing => {}
        }
        if let Some(tls) = self.tls {
            tls.shutdown().await;
        }
        self.listener.shutdown().await;
        self.idp.shutdown().await;
    }
}

/// What failed last goes to the facts; the log is the answer.
fn of_function(function: &gateway::Function, facts: &mut Vec<String>) -> Vec<String> {
    facts.extend(function.last_failure().map(|failure| failure.to_string()));
    function.log_tail()
}

/// This program's own path, for targets that start it again.
pub fn own_program() -> Result<String, TestbedError> {
    let path = std::env::current_exe().map_err(TestbedError::OwnProgram)?;
    Ok(path.to_string_lossy().into_owned())
}

/// What stands beside the issuer: the listener, and a server of keys over TLS where one is asked for.
async fn start_beside(
    minter: &Minter,
    tls: Option<ServerCertificate>,
) -> std::io::Result<(UrlListener, Option<TlsKeyServer>)> {
    let tls = match tls {
        Some(certificate) => {
            Some(TlsKeyServer::start(certificate, minter.profile(), minter.keys()).await?)
        }
        None => None,
    };
    Ok((UrlListener::start(minter.keys()).await?, tls))
}

/// An issuer that is started.
struct Issued {
    idp: MockIdp,
    key_origin: KeyOrigin,
    /// The authority that signs for servers of keys.
    authority_file: PathBuf,
}

async fn start_issuer(scenario: &Scenario) -> Result<Issued, TestbedError> {
    let issuer = Issuer {
        profile: crate::builtin::issuer(&scenario.issuer)?,
        seed: scenario.seed,
        audience: scenario.audience.clone(),
        scope: scenario
            .scope
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect(),
    };
    let made = tokio::task::spawn_blocking(move || {
        let (keys, authority_file) = (issuer.keys()?, issuer.authority_file()?);
        Ok::<_, IssuerError>((issuer, keys, authority_file))
    });
    let (issuer, keys, authority_file) = made.await.map_err(|_| TestbedError::KeyThread)??;
    let key_origin = keys.signing.origin();
    let config = issuer.config(keys, scenario.issuer_listen.unwrap_or(ANY_PORT));
    Ok(Issued {
        idp: MockIdp::start(config).await?,
        key_origin,
        authority_file,
    })
}
