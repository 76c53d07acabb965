//! The gateway: one API on one socket, in front of one authorizer function.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::api::{ApiError, RestApi};
use crate::front::Front;
use crate::function::{Function, FunctionConfig, FunctionError};
use crate::policy_cache::PolicyCache;
use crate::server::Server;

/// What a gateway is made of.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Where to listen; port 0 is any free port.
    pub listen: SocketAddr,
    /// The API in front.
    pub api: RestApi,
    /// The authorizer behind.
    pub function: FunctionConfig,
}

/// A gateway that does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The API cannot be served.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The authorizer cannot be run.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}; choose another address, or port 0 for any free port")]
    Listen {
        /// The address as configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// What a gateway did since it was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests that were decided from a cached policy.
    pub cache_hits: u64,
    /// Requests that asked the cache in vain.
    pub cache_misses: u64,
    /// Misses whose invocation another one had made needless by then: both had asked for the same token at once.
    pub cache_repeats: u64,
    /// Invocations that waited for INIT.
    pub cold_starts: u64,
    /// Processes that were started.
    pub environments_spawned: u64,
    /// Invocations that ended in an error of the function, time-outs and crashes included.
    pub function_errors: u64,
    /// Invocations of the authorizer, by requests and by [`Function::invoke`].
    pub invocations: u64,
    /// Requests that were answered, refusals included.
    pub requests: u64,
    /// Invocations that ran out of time.
    pub timeouts: u64,
}

/// A running gateway. [`Self::shutdown`] ends it in order; dropping it closes the socket and kills the processes.
#[derive(Debug)]
pub struct Gateway {
    front: Arc<Front>,
    server: Server,
    base_url: String,
}

impl Gateway {
    /// Checks the configuration, opens the socket and starts serving. No process of the authorizer is started yet.
    pub async fn start(config: GatewayConfig) -> Result<Self, GatewayError> {
        config.api.check()?;
        let function = Function::start(config.function).await?;
        let limits = config.api.limits().clone();
        let stage = config.api.stage().to_owned();
        let front = Arc::new(Front::new(config.api, function));
        let server = Server::start(config.listen, limits, Arc::clone(&front))
            .await
            .map_err(|source| GatewayError::Listen {
                address: config.listen,
                source,
            })?;
        let base_url = format!("http://{}/{stage}", server.address());
        Ok(Self {
            front,
            server,
            base_url,
        })
    }

    /// `http://127.0.0.1:PORT/test`: where the API's paths begin.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Forgets every cached policy.
    pub fn flush_cache(&self) {
        self.front.flush_cache();
    }

    /// Begins anew with this cache of policies, empty as it is; what is asked meanwhile may still be kept in the old one.
    pub fn set_cache(&self, cache: PolicyCache) {
        self.front.set_cache(cache);
    }

    /// The authorizer function.
    pub fn function(&self) -> &Function {
        self.front.function()
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.front.counters()
    }

    /// Stops listening, ends the processes of the authorizer, and lets open connections finish for a moment.
    pub async fn shutdown(self) {
        self.server.stop_accepting();
        self.front.function().shutdown().await;
        self.server.shutdown().await;
    }
}
