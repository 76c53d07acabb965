//! API Gateway's choice of a route.
//!
//! It works on the pair of verb and path (observed): of the routes that have the verb the most specific path wins, and on
//! one path a verb that is named wins over `ANY`. So the verbs can be looked at one after the other, and within one verb
//! only paths matter.

use super::{
    pattern::Token,
    route::{Route, Verb, Verbs},
};

/// The routes of a table, by their place in it, in the order in which API Gateway tries them for each verb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouteOrder {
    /// One row for each of [`Verb::ALL`], in that order.
    by_verb: Vec<Vec<usize>>,
}

impl RouteOrder {
    pub(super) fn new(routes: &[Route]) -> RouteOrder {
        let by_verb = Verb::ALL.into_iter().map(|verb| {
            let named = |route: &Route| route.verbs.lists(verb);
            let overridden = |any: &Route| {
                let mut same = routes.iter().filter(|r| r.path.is_same_shape(&any.path));
                same.any(named)
            };
            let serves =
                |route: &Route| named(route) || route.verbs == Verbs::Any && !overridden(route);
            let mut serving: Vec<usize> = (0..routes.len())
                .filter(|&index| serves(&routes[index]))
                .collect();
            serving.sort_by(|&a, &b| routes[a].path.precedence(&routes[b].path));
            serving
        });
        RouteOrder {
            by_verb: by_verb.collect(),
        }
    }

    /// The routes that have this verb, the most specific first.
    pub(super) fn serving(&self, verb: Verb) -> &[usize] {
        &self.by_verb[verb as usize]
    }

    /// The route of a request whose path has these segments. `routes` are those that the order was made of.
    pub(super) fn winner(&self, routes: &[Route], verb: Verb, word: &[Token]) -> Option<usize> {
        let mut serving = self.serving(verb).iter().copied();
        serving.find(|&index| routes[index].path.matches(word))
    }
}
