//! Routes: which resource and method a request is for.
//!
//! Routing comes before authorization and works on the pair of resource and method: an open `ANY /{proxy+}` serves
//! `GET /admin` although `POST /admin` is protected (observed).

use super::ApiError;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAuth {
    /// Everybody.
    None,
    /// Whom the TOKEN authorizer lets in.
    Token,
}

/// What answers a request that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integration {
    /// Stores a planet.
    CreatePlanet,
    /// Removes a planet.
    DeletePlanet,
    /// Says which resource was matched, and who called.
    Echo,
    /// Says that the server runs; the null target of measurements.
    Health,
    /// All planets.
    ListPlanets,
    /// One planet.
    ReadPlanet,
}

/// All routes of an API, the most specific first.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    sorted: Vec<Route>,
}

#[derive(Debug, Clone)]
struct Route {
    segments: Vec<Segment>,
    /// `None` is `ANY`.
    method: Option<String>,
    resource: String,
    auth: RouteAuth,
    integration: Integration,
}

/// The order is the precedence: a literal wins over a parameter, and that over the rest of the path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    Parameter(String),
    Proxy(String),
}

impl Segment {
    fn rank(&self) -> u8 {
        match self {
            Self::Literal(_) => 0,
            Self::Parameter(_) => 1,
            Self::Proxy(_) => 2,
        }
    }
}

/// A route that a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteMatch<'a> {
    /// Who may call it.
    pub auth: RouteAuth,
    /// What answers.
    pub integration: Integration,
    /// The resource as it was given, such as `/planets/{id}`.
    pub resource: &'a str,
    /// Names and values of path parameters, still percent-encoded.
    pub parameters: Vec<(&'a str, &'a str)>,
}

impl Routes {
    pub(super) fn add(
        &mut self,
        method: &str,
        resource: &str,
        auth: RouteAuth,
        integration: Integration,
    ) -> Result<(), ApiError> {
        let segments = parse(resource).ok_or_else(|| ApiError::Resource(resource.to_owned()))?;
        let method = (method != "ANY").then(|| method.to_owned());
        self.sorted.push(Route {
            segments,
            method,
            resource: resource.to_owned(),
            auth,
            integration,
        });
        self.sorted.sort_by_key(|route| {
            (
                route.segments.iter().map(Segment::rank).collect::<Vec<_>>(),
                route.method.is_none(),
            )
        });
        Ok(())
    }

    pub(super) fn find<'a>(&'a self, method: &str, path: &'a str) -> Option<RouteMatch<'a>> {
        self.sorted
            .iter()
            .filter(|route| route.method.as_ref().is_none_or(|own| own == method))
            .find_map(|route| {
                Some(RouteMatch {
                    auth: route.auth,
                    integration: route.integration,
                    resource: &route.resource,
                    parameters: route.parameters(path)?,
                })
            })
    }
}

fn parse(resource: &str) -> Option<Vec<Segment>> {
    let resource = resource.strip_prefix('/')?;
    if resource.is_empty() {
        return Some(Vec::new());
    }
    let segments: Vec<Segment> = resource
        .split('/')
        .map(|text| {
            match text
                .strip_prefix('{')
                .and_then(|text| text.strip_suffix('}'))
            {
                None => Segment::Literal(text.to_owned()),
                Some(name) => match name.strip_suffix('+') {
                    None => Segment::Parameter(name.to_owned()),
                    Some(name) => Segment::Proxy(name.to_owned()),
                },
            }
        })
        .collect();
    let (_last, all_but_last) = segments.split_last()?;
    let sound = !all_but_last
        .iter()
        .any(|segment| matches!(segment, Segment::Proxy(_)))
        && !segments.contains(&Segment::Literal(String::new()));
    sound.then_some(segments)
}

impl Route {
    /// The parameters of a path that this route has; `None` for any other path. One slash at the end makes no
    /// difference, it stays in the method ARN only.
    fn parameters<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let path = path.strip_prefix('/')?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let mut rest = (!path.is_empty()).then_some(path);
        let mut parameters = Vec::new();
        for segment in &self.segments {
            let here = rest?;
            let (text, after) = here
                .split_once('/')
                .map_or((here, None), |(text, after)| (text, Some(after)));
            match segment {
                Segment::Literal(literal) if literal == text => {}
                Segment::Parameter(name) if !text.is_empty() => {
                    parameters.push((name.as_str(), text));
                }
                Segment::Proxy(name) => {
                    parameters.push((name.as_str(), here));
                    return Some(parameters);
                }
                Segment::Literal(_) | Segment::Parameter(_) => return None,
            }
            rest = after;
        }
        rest.is_none().then_some(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(all: &[(&str, &str)]) -> Routes {
        let mut routes = Routes::default();
        for (method, resource) in all {
            routes
                .add(method, resource, RouteAuth::None, Integration::Echo)
                .unwrap();
        }
        routes
    }

    #[test]
    fn the_most_specific_resource_that_has_the_method_wins() {
        let routes = routes(&[
            ("ANY", "/{proxy+}"),
            ("POST", "/admin"),
            ("GET", "/planets/{id}"),
            ("GET", "/planets/earth"),
            ("ANY", "/planets/earth"),
            ("GET", "/planets/{id}/moons/{moon}"),
            ("GET", "/{kind}/earth/moons"),
            ("GET", "/"),
        ]);
        for (method, path, want) in [
            ("GET", "/", "/"),
            ("POST", "/admin", "/admin"),
            ("GET", "/admin", "/{proxy+}"),
            ("GET", "/planets/earth", "/planets/earth"),
            ("PUT", "/planets/earth", "/planets/earth"),
            ("GET", "/planets/mars", "/planets/{id}"),
            ("GET", "/planets/mars/", "/planets/{id}"),
            ("PUT", "/planets/mars", "/{proxy+}"),
            ("GET", "/planets/1/moons/2", "/planets/{id}/moons/{moon}"),
            ("GET", "/planets/1/moons/", "/{proxy+}"),
            ("GET", "/stars/earth/moons", "/{kind}/earth/moons"),
            ("GET", "/planets//", "/{proxy+}"),
        ] {
            let found = routes.find(method, path).map(|found| found.resource);
            assert_eq!(found, Some(want), "{method} {path}");
        }
        assert_eq!(routes.find("POST", "/"), None);
    }

    #[test]
    fn parameters_stay_as_they_were_sent() {
        let routes = routes(&[("ANY", "/a/{proxy+}"), ("GET", "/b/{x}/{y}")]);
        for (path, want) in [
            ("/a/b//c%20d", vec![("proxy", "b//c%20d")]),
            ("/a/b/", vec![("proxy", "b")]),
            ("/b/1%2F2/3", vec![("x", "1%2F2"), ("y", "3")]),
        ] {
            assert_eq!(routes.find("GET", path).unwrap().parameters, want, "{path}");
        }
    }

    #[test]
    fn a_resource_that_is_no_path_is_refused_by_its_name() {
        for resource in ["planets", "", "/{proxy+}/x", "/a//b"] {
            let error = Routes::default()
                .add("GET", resource, RouteAuth::None, Integration::Echo)
                .unwrap_err();
            assert!(
                error.to_string().contains(&format!("`{resource}`")),
                "{error}"
            );
        }
    }
}
