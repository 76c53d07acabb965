//! What each route of a table puts into a policy, worked out once for all tokens.
//!
//! A route that a token may call adds its resources to the Allow. Because a wildcard crosses `/`, they can cover requests
//! of a route that the token may not call; for those, a pair of routes adds resources to the Deny. Such a request is
//! denied by the narrowest pattern that covers it. If that pattern also covers a request that some token is owed, then so
//! does every other pattern of whole segments, and the table is refused. Which routes a token may call enters as the
//! question whether there is a token that may call two given routes and not a third, so no set of scopes is left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter,
};

use super::{
    pattern::{Token, covers, without_covered},
    route::{Route, Verb, Verbs},
    routing::{Requests, Routing, TooManySteps},
};

/// Resources after the stage, verb first.
pub(super) type Resources = Vec<Vec<Token>>;

/// What the routes of a table put into policies. Routes are named by their place in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Compiled {
    /// For each route, what its callers are allowed.
    pub(super) grants: Vec<Resources>,
    /// For each pair of a route that is permitted and one that is refused, what has to be denied.
    pub(super) guards: BTreeMap<(usize, usize), Resources>,
}

/// Why there is no policy for some token.
#[derive(Debug)]
pub(super) enum CompileFault {
    /// A token that may call `permitted` and `lost` but not `refused` cannot have a policy.
    Inexpressible {
        permitted: usize,
        refused: usize,
        lost: usize,
    },
    TooManySteps,
}

impl From<TooManySteps> for CompileFault {
    fn from(_: TooManySteps) -> CompileFault {
        CompileFault::TooManySteps
    }
}

impl Compiled {
    pub(super) fn new(routes: &[Route]) -> Result<Compiled, CompileFault> {
        let compiler = Compiler {
            routes,
            routing: Routing::new(routes),
        };
        let guards = compiler.guards()?;
        let grants = (0..routes.len())
            .map(|route| compiler.grants(route))
            .collect::<Result<_, _>>()?;
        Ok(Compiled { grants, guards })
    }

    /// The Allow and the Deny of a token that may call the routes for which `permitted` holds.
    pub(super) fn select(&self, permitted: impl Fn(usize) -> bool) -> [Resources; 2] {
        let allowed = (self.grants.iter().enumerate())
            .filter(|(route, _)| permitted(*route))
            .flat_map(|(_, grants)| grants.iter().cloned());
        let denied: BTreeSet<&Vec<Token>> = (self.guards.iter())
            .filter(|((caller, refused), _)| permitted(*caller) && !permitted(*refused))
            .flat_map(|(_, guards)| guards)
            .collect();
        let denied = denied.into_iter().cloned().collect();
        [
            without_covered(allowed.collect()),
            without_covered_verb_by_verb(&without_covered(denied)),
        ]
    }
}

/// Without the resources for all verbs where others cover each verb by itself.
fn without_covered_verb_by_verb(resources: &[Vec<Token>]) -> Resources {
    let needed = |resource: &Vec<Token>| {
        resource.first() != Some(&Token::Any)
            || each_verb(Verb::ALL.into_iter(), &resource[1..])
                .iter()
                .any(|single| {
                    let mut others = resources.iter().filter(|other| *other != resource);
                    !others.any(|other| covers(other, single))
                })
    };
    resources
        .iter()
        .filter(|one| needed(one))
        .cloned()
        .collect()
}

struct Compiler<'a> {
    routes: &'a [Route],
    routing: Routing<'a>,
}

impl Compiler<'_> {
    fn guards(&self) -> Result<BTreeMap<(usize, usize), Resources>, CompileFault> {
        let mut guards = BTreeMap::new();
        for permitted in 0..self.routes.len() {
            for refused in 0..self.routes.len() {
                // A route and itself never part.
                if self.can_part(permitted, permitted, refused) {
                    let resources = self.pair_guards(permitted, refused)?;
                    if !resources.is_empty() {
                        guards.insert((permitted, refused), resources);
                    }
                }
            }
        }
        Ok(guards)
    }

    fn pair_guards(&self, permitted: usize, refused: usize) -> Result<Resources, CompileFault> {
        let pattern = self.routes[permitted].path.pattern();
        let mut paths: BTreeMap<Vec<Token>, Vec<Verb>> = BTreeMap::new();
        for verb in Verb::ALL {
            if !self.routing.serves(permitted, verb) || !self.routing.serves(refused, verb) {
                continue;
            }
            let overreach = (self.routing).shared(verb, &pattern, refused, Requests::Possible)?;
            for path in overreach {
                if let Some(lost) = self.owed(verb, &path, permitted, refused)? {
                    return Err(CompileFault::Inexpressible {
                        permitted,
                        refused,
                        lost,
                    });
                }
                paths.entry(path).or_default().push(verb);
            }
        }
        let mut resources = Resources::new();
        for (path, verbs) in paths {
            resources.extend(self.guard_resources(permitted, refused, &path, &verbs)?);
        }
        Ok(resources)
    }

    /// A route that a token with `permitted` and without `refused` may call, and of whose requests a Deny of `path` would
    /// take some.
    fn owed(
        &self,
        verb: Verb,
        path: &[Token],
        permitted: usize,
        refused: usize,
    ) -> Result<Option<usize>, TooManySteps> {
        for &route in self.routing.serving(verb) {
            if self.can_part(permitted, route, refused)
                && !self
                    .routing
                    .shared(verb, path, route, Requests::Canonical)?
                    .is_empty()
            {
                return Ok(Some(route));
            }
        }
        Ok(None)
    }

    /// A Deny of several verbs is one of `*` where that takes nothing that is owed, also where the `*` crosses a slash.
    fn guard_resources(
        &self,
        permitted: usize,
        refused: usize,
        path: &[Token],
        verbs: &[Verb],
    ) -> Result<Resources, TooManySteps> {
        let across = any_verb(path);
        let mut together = verbs.len() > 1;
        for verb in Verb::ALL {
            for path in [path, &across] {
                together = together && self.owed(verb, path, permitted, refused)?.is_none();
            }
        }
        Ok(if together {
            vec![across]
        } else {
            each_verb(verbs.iter().copied(), path)
        })
    }

    /// What the callers of a route are allowed: one resource for each verb, or one for all if the route has all.
    fn grants(&self, route: usize) -> Result<Resources, TooManySteps> {
        let path = self.routes[route].path.pattern();
        if self.routes[route].verbs == Verbs::Any && self.is_any_verb_exact(route, &path)? {
            return Ok(vec![any_verb(&path)]);
        }
        let verbs = Verb::ALL.into_iter();
        let served = verbs.filter(|verb| self.routing.serves(route, *verb));
        Ok(without_covered(each_verb(served, &path)))
    }

    /// Whether `*` for the verb covers nothing that a caller of the route may not call and that no guard denies: neither a
    /// verb that another route has on the same path, nor a path that ends like this one, as the `*` crosses a slash.
    fn is_any_verb_exact(&self, route: usize, path: &[Token]) -> Result<bool, TooManySteps> {
        let across = any_verb(path);
        for verb in Verb::ALL {
            for &other in self.routing.serving(verb) {
                if !self.can_part(route, route, other) {
                    continue;
                }
                let same_path = (self.routes[other].path).is_same_shape(&self.routes[route].path);
                let requests = (self.routing).shared(verb, &across, other, Requests::Possible)?;
                // What the path covers without crossing is guarded already.
                if same_path || !requests.iter().all(|request| covers(path, request)) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether some token may call the first two routes and not the last.
    fn can_part(&self, first: usize, second: usize, refused: usize) -> bool {
        let [first, second, refused] =
            [first, second, refused].map(|route| &self.routes[route].scopes);
        refused.can_fail_while([first, second])
    }
}

/// A wildcard where the verb stands. Read as a path, it is what the wildcard covers when it crosses a slash.
fn any_verb(path: &[Token]) -> Vec<Token> {
    iter::once(Token::Any).chain(path.iter().cloned()).collect()
}

fn each_verb(verbs: impl Iterator<Item = Verb>, path: &[Token]) -> Resources {
    let resource = |verb: Verb| {
        iter::once(Token::literal(verb.as_str()))
            .chain(path.iter().cloned())
            .collect()
    };
    verbs.map(resource).collect()
}
