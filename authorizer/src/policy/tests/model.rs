//! API Gateway's routing and IAM's evaluation, on texts. Shares nothing with the code under test but the wire.

use serde_json::Value;

/// What comes before the verb in every ARN of these tests.
pub(super) const STAGE: &str = "arn:aws:execute-api:r:1:api/s/";

/// A route of a table, as its text has it.
pub(super) struct ModelRoute<'a> {
    pub(super) verbs: &'a str,
    pub(super) path: &'a str,
    scopes: &'a str,
}

impl<'a> ModelRoute<'a> {
    pub(super) fn read(text: &'a str) -> ModelRoute<'a> {
        let words: Vec<&str> = text.split(' ').collect();
        ModelRoute {
            verbs: words[0],
            path: words[1],
            scopes: words[2],
        }
    }

    /// Verbs and path, as an error calls the route.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.verbs, self.path)
    }

    pub(super) fn lets_in(&self, held: &[&str]) -> bool {
        match self.scopes.split_once(':') {
            Some(("any", list)) => list.split(',').any(|scope| held.contains(&scope)),
            Some((_all, list)) => list.split(',').all(|scope| held.contains(&scope)),
            None => true,
        }
    }

    /// The narrowest resource for the route's path.
    pub(super) fn wildcard_path(&self) -> String {
        let segments = self.path[1..].split('/');
        let segments = segments.map(|s| if s.starts_with('{') { "*" } else { s });
        segments.collect::<Vec<_>>().join("/")
    }

    pub(super) fn has_verb(&self, verb: &str) -> bool {
        self.verbs == "*" || self.verbs.split(',').any(|own| own == verb)
    }

    fn has_path(&self, path: &str) -> bool {
        let path = &path[1..];
        let path = path.strip_suffix('/').unwrap_or(path);
        let template = &self.path[1..];
        if template.is_empty() || path.is_empty() {
            return template == path;
        }
        let sent: Vec<&str> = path.split('/').collect();
        let own: Vec<&str> = template.split('/').collect();
        let open = own.last().is_some_and(|last| last.ends_with("+}"));
        let fixed = own.len() - usize::from(open);
        let right_length = sent.len() == fixed || open && sent.len() > fixed;
        right_length
            && (!open || sent.len() > fixed)
            && own[..fixed]
                .iter()
                .zip(&sent)
                .all(|(own, sent)| own == sent || own.starts_with('{') && !sent.is_empty())
    }

    fn rank(&self, verb: &str) -> (Vec<u8>, bool) {
        let kinds = self.path[1..].split('/').map(|segment| {
            match (segment.starts_with('{'), segment.ends_with("+}")) {
                (false, _) => 0,
                (true, false) => 1,
                (true, true) => 2,
            }
        });
        (
            kinds.collect(),
            !self.verbs.split(',').any(|own| own == verb),
        )
    }
}

/// The route that API Gateway takes for a request.
pub(super) fn routed(routes: &[ModelRoute<'_>], verb: &str, path: &str) -> Option<usize> {
    (0..routes.len())
        .filter(|&index| routes[index].has_verb(verb) && routes[index].has_path(path))
        .min_by_key(|&index| routes[index].rank(verb))
}

/// The resources of an authorizer's policy.
pub(super) struct ModelPolicy<'a> {
    allowed: Vec<&'a str>,
    denied: Vec<&'a str>,
}

impl<'a> ModelPolicy<'a> {
    pub(super) fn read(policy: &'a Value) -> ModelPolicy<'a> {
        let of_effect = |effect: &str| {
            let statements = policy["Statement"].as_array().unwrap().iter();
            let statements = statements.filter(|statement| statement["Effect"] == effect);
            let resources = statements.flat_map(|statement| {
                assert_eq!(statement["Action"], "execute-api:Invoke");
                match &statement["Resource"] {
                    Value::Array(resources) => resources.iter().collect(),
                    one => vec![one],
                }
            });
            resources.map(|one| one.as_str().unwrap()).collect()
        };
        ModelPolicy {
            allowed: of_effect("Allow"),
            denied: of_effect("Deny"),
        }
    }

    /// Whether a request is let in: an Allow matches and no Deny does.
    pub(super) fn lets_through(&self, arn: &str) -> bool {
        let any = |resources: &[&str]| resources.iter().any(|resource| glob(resource, arn));
        any(&self.allowed) && !any(&self.denied)
    }
}

/// IAM's wildcards on bytes: `*` for any run, slashes included, `?` for one.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                None => return false,
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[test]
fn the_model_knows_the_rules_that_the_reference_states() {
    for (pattern, text, want) in [
        ("a/*", "a/b/c", true),
        ("a/*", "a/", true),
        ("a/*", "a", false),
        ("*/b", "a/b/b", true),
        ("a/?", "a//", true),
        ("a*b*c", "a-b-c-", false),
        ("", "", true),
    ] {
        assert_eq!(glob(pattern, text), want, "{pattern} {text}");
    }
    let routes: Vec<ModelRoute<'_>> = [
        "* /{p+} none",
        "POST /admin none",
        "GET /a/{x} none",
        "GET /a/b none",
        "* /a/b none",
        "GET / none",
        "GET /{x}/b/c none",
    ]
    .map(ModelRoute::read)
    .into();
    for (verb, path, want) in [
        ("GET", "/", Some(5)),
        ("POST", "/", None),
        ("POST", "/admin", Some(1)),
        ("GET", "/admin", Some(0)),
        ("GET", "/a/b", Some(3)),
        ("PUT", "/a/b", Some(4)),
        ("GET", "/a/b/", Some(3)),
        ("GET", "/a/c", Some(2)),
        ("GET", "/a//", Some(0)),
        ("GET", "/a/", Some(0)),
        ("GET", "/z/b/c", Some(6)),
    ] {
        assert_eq!(routed(&routes, verb, path), want, "{verb} {path}");
    }
}
