//! The routes of an API and the scopes that they ask for, checked as a whole and compiled.

use serde::Deserialize;
use thiserror::Error;

use super::{
    compile::{CompileFault, Compiled, Resources},
    pattern,
    request_path::RequestPath,
    route::{RawRoute, Route, Verb},
    route_fault::RouteFault,
    route_order::RouteOrder,
};
use crate::VerifiedToken;

/// Most bytes of a policy. API Gateway documents 8 KB for the whole answer for WebSocket APIs and no figure for REST
/// APIs, where policies overflow in practice; one KB is left for the principal and the context.
const POLICY_BYTES_MAX: usize = 7 * 1_024;

/// Bytes for which a table reserves room before the verb of each resource: a standard region of the longest name has 59,
/// then come the stage and its slash.
const STAGE_PREFIX_BYTES: usize = 72;

/// Longest resource in a policy that API Gateway accepts (API Gateway quotas: authorizer result).
pub(super) const RESOURCE_BYTES_MAX: usize = 512;

/// Most bytes of a resource after the stage: 195 come before it where the stage has the longest name, 128 characters.
const AFTER_STAGE_BYTES_MAX: usize = RESOURCE_BYTES_MAX - 195;

/// All of a policy but its resources: two statements and a condition, with room to spare.
const FRAME_BYTES: usize = 320;

/// Most routes of a table. More than 80 do not fit the default budget; the search for overlaps costs their square.
const MAX_ROUTES: usize = 256;

/// Why a table of routes cannot be used. Each message names the routes as the table has them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RouteTableError {
    /// Two routes have the same verb and paths that differ in parameter names at most.
    #[error(
        "routes `{first}` and `{second}` are for the same requests; remove one or join their scopes"
    )]
    Duplicate {
        /// The first of the two.
        first: String,
        /// The second of the two.
        second: String,
    },
    /// A table without routes would refuse everything.
    #[error("the table has no routes")]
    Empty,
    /// A token with the first and the last route and without the middle one cannot have a policy.
    #[error(
        "routes `{permitted}` and `{refused}` cannot have different scopes: an IAM wildcard crosses `/`, so whatever \
         denies what `{permitted}` covers of `{refused}` also denies requests for `{lost}`; give `{refused}` scopes that \
         each caller of `{permitted}` has, or a path that does not start like it"
    )]
    Inexpressible {
        /// The route whose resource covers requests for the refused one.
        permitted: String,
        /// The route that the token may not call.
        refused: String,
        /// The route that a Deny would take from the token; it may be `permitted` itself.
        lost: String,
    },
    /// A resource would be longer than API Gateway takes.
    #[error(
        "route `{route}` makes a policy resource of {bytes} bytes after the stage; at most {AFTER_STAGE_BYTES_MAX} are safe"
    )]
    ResourceTooLong {
        /// The route.
        route: String,
        /// Bytes of the resource after the stage.
        bytes: usize,
    },
    /// A route is wrong in itself.
    #[error("route `{route}` {fault}")]
    Route {
        /// The route as the table has it.
        route: String,
        /// What is wrong with it.
        fault: RouteFault,
    },
    /// The policy of some token might not fit.
    #[error(
        "the longest policy of this table may have {bytes} bytes, and {max} are taken; use fewer routes, `*` for the verb or {{proxy+}}"
    )]
    TooLong {
        /// An upper bound for the longest policy.
        bytes: usize,
        /// The budget.
        max: usize,
    },
    /// More than 256 routes.
    #[error("the table has {0} routes; at most {MAX_ROUTES} are taken")]
    TooManyRoutes(usize),
    /// The search for overlaps took too long.
    #[error("the routes overlap in too many ways; use fewer parameters in one path")]
    TooTangled,
}

/// The routes of an API and the scopes that they ask for. There is an exact policy for each set of scopes.
///
/// A table has to have all routes that are behind the authorizer. What it does not have is refused, as far as no wildcard
/// of a permitted route covers it: API Gateway's policies cannot tell `/planets/{id}` from `/planets/{id}/more`, and an
/// API without the latter answers 403 before it asks an authorizer.
///
/// ```
/// use authorizer::{RouteTable, RouteTableError};
///
/// let table = RouteTable::parse("
///     GET    /planets      any:read:planets,admin
///     DELETE /planets/{id} all:admin
///     GET    /health       none
/// ")?;
/// assert!(table.longest_policy_bytes() < 1_024);
/// // Both are for the same requests: which scopes were meant?
/// let twice = RouteTable::parse("GET /planets/{id} any:a; GET /planets/{planet} any:b");
/// assert!(matches!(twice, Err(RouteTableError::Duplicate { .. })));
/// # Ok::<(), RouteTableError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteTable {
    routes: Vec<Route>,
    order: RouteOrder,
    compiled: Compiled,
    policy_bytes_max: usize,
}

/// A table as a file has it, not yet checked: `[[route]]` with `methods`, `path`, and exactly one of `any_of`, `all_of`
/// and `no_scope = true`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRouteTable {
    route: Vec<RawRoute>,
}

impl RouteTable {
    /// Compiles routes, for policies of at most 7 KiB.
    pub fn new(routes: Vec<Route>) -> Result<RouteTable, RouteTableError> {
        RouteTable::with_policy_bytes_max(routes, POLICY_BYTES_MAX)
    }

    /// Compiles routes, for policies of at most so many bytes.
    pub fn with_policy_bytes_max(
        routes: Vec<Route>,
        policy_bytes_max: usize,
    ) -> Result<RouteTable, RouteTableError> {
        match routes.len() {
            0 => return Err(RouteTableError::Empty),
            1..=MAX_ROUTES => {}
            many => return Err(RouteTableError::TooManyRoutes(many)),
        }
        check_duplicates(&routes)?;
        let name = |route: usize| routes[route].to_string();
        let compiled = Compiled::new(&routes).map_err(|fault| match fault {
            CompileFault::Inexpressible {
                permitted,
                refused,
                lost,
            } => RouteTableError::Inexpressible {
                permitted: name(permitted),
                refused: name(refused),
                lost: name(lost),
            },
            CompileFault::TooManySteps => RouteTableError::TooTangled,
        })?;
        let table = RouteTable {
            order: RouteOrder::new(&routes),
            routes,
            compiled,
            policy_bytes_max,
        };
        table.check_lengths()?;
        Ok(table)
    }

    /// Compiles the routes of a file.
    pub fn from_raw(routes: Vec<RawRoute>) -> Result<RouteTable, RouteTableError> {
        RouteTable::try_from(RawRouteTable { route: routes })
    }

    /// The route of a request, by its verb and its path as they were sent, without the query.
    ///
    /// A path with percent-escapes has a route only if it leads there as it was sent and decoded. To a path that servers
    /// read in yet other ways no route leads: [`RequestPath::parse`] says which those are.
    pub(crate) fn route_of(&self, method: &str, path: &str) -> Option<&Route> {
        let verb = Verb::ALL.into_iter().find(|verb| verb.as_str() == method)?;
        let path = RequestPath::parse(path)?;
        let winner = |word| self.order.winner(&self.routes, verb, word);
        let route = winner(path.sent())?;
        (winner(path.decoded()) == Some(route)).then(|| &self.routes[route])
    }

    /// The routes as tables of TOML.
    pub(crate) fn to_toml(&self) -> String {
        let tables: Vec<_> = self.routes.iter().map(Route::to_toml).collect();
        tables.join("\n")
    }

    /// Reads routes from a text, one on each line or separated by semicolons, each as [`Route`] says.
    pub fn parse(text: &str) -> Result<RouteTable, RouteTableError> {
        let routes = text
            .split(['\n', ';'])
            .map(str::trim)
            .filter(|text| !text.is_empty());
        let routes = routes.map(|text| {
            text.parse().map_err(|fault| RouteTableError::Route {
                route: text.to_owned(),
                fault,
            })
        });
        RouteTable::new(routes.collect::<Result<_, _>>()?)
    }

    /// An upper bound for the bytes of the longest policy that a token can get.
    pub fn longest_policy_bytes(&self) -> usize {
        let bytes = |resources: &[Vec<pattern::Token>]| -> usize {
            let texts = resources.iter().map(|pattern| pattern::text(pattern));
            texts
                .map(|text| resource_bytes(STAGE_PREFIX_BYTES + text.len()))
                .sum()
        };
        // A route is permitted and adds to the Allow, or it is refused and adds to the Deny.
        let routes = self
            .compiled
            .grants
            .iter()
            .enumerate()
            .map(|(route, grants)| {
                let guards = self.compiled.guards.iter();
                let guards = guards.filter(|((_, refused), _)| *refused == route);
                let guards = guards
                    .flat_map(|(_, guards)| guards.iter().cloned())
                    .collect();
                bytes(grants).max(bytes(&pattern::without_covered(guards)))
            });
        FRAME_BYTES + routes.sum::<usize>()
    }

    pub(super) fn policy_bytes_max(&self) -> usize {
        self.policy_bytes_max
    }

    /// What a token is allowed and denied.
    pub(super) fn select(&self, token: &VerifiedToken) -> [Resources; 2] {
        self.select_by(|scope| token.has_scope(scope))
    }

    pub(super) fn select_by(&self, holds: impl Fn(&str) -> bool) -> [Resources; 2] {
        self.compiled
            .select(|route| self.routes[route].scopes.is_met(&holds))
    }

    fn check_lengths(&self) -> Result<(), RouteTableError> {
        let grants = self.compiled.grants.iter().enumerate();
        let guards = self.compiled.guards.iter();
        let all = grants.chain(guards.map(|((_, refused), guards)| (*refused, guards)));
        for (route, resources) in all {
            let lengths = resources.iter().map(|pattern| pattern::text(pattern).len());
            let bytes = lengths.max().unwrap_or_default();
            if bytes > AFTER_STAGE_BYTES_MAX {
                let route = self.routes[route].to_string();
                return Err(RouteTableError::ResourceTooLong { route, bytes });
            }
        }
        let (bytes, max) = (self.longest_policy_bytes(), self.policy_bytes_max);
        if bytes > max {
            return Err(RouteTableError::TooLong { bytes, max });
        }
        Ok(())
    }
}

/// Bytes of a policy with these resources.
pub(super) fn policy_bytes<'a>(resources: impl Iterator<Item = &'a String>) -> usize {
    let bytes = resources.map(|resource| resource_bytes(resource.len()));
    FRAME_BYTES + bytes.sum::<usize>()
}

/// A resource, its quotes and its comma. No character of it is escaped in JSON.
fn resource_bytes(text_bytes: usize) -> usize {
    text_bytes + 3
}

fn check_duplicates(routes: &[Route]) -> Result<(), RouteTableError> {
    for (index, second) in routes.iter().enumerate() {
        let twin = routes[..index].iter().find(|first| {
            let shares = |verb| first.verbs.lists(verb) && second.verbs.lists(verb);
            first.path.is_same_shape(&second.path)
                && (first.verbs == second.verbs || Verb::ALL.into_iter().any(shares))
        });
        if let Some(first) = twin {
            return Err(RouteTableError::Duplicate {
                first: first.to_string(),
                second: second.to_string(),
            });
        }
    }
    Ok(())
}

impl TryFrom<RawRouteTable> for RouteTable {
    type Error = RouteTableError;

    fn try_from(raw: RawRouteTable) -> Result<RouteTable, RouteTableError> {
        let routes = raw.route.into_iter().map(|route| {
            let name = route.name();
            Route::try_from(route).map_err(|fault| RouteTableError::Route { route: name, fault })
        });
        RouteTable::new(routes.collect::<Result<_, _>>()?)
    }
}
