//! What is said of connections, and what it comes to for so many users.

use crate::target::Connections;

/// More connections than this from one address run into the limit of its ports.
const CONNECTIONS_LIMIT: usize = 16_384;

/// The keys of a phase, or the flags, about connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionKeys {
    /// How many there are for all users together; one for each user where nothing is said.
    pub connections: Option<usize>,
    /// Whether HTTP/2 is spoken on them.
    pub http2: bool,
    /// Whether one is used again for the next request.
    pub keep_alive: bool,
}

impl ConnectionKeys {
    pub(super) fn for_users(self, users: usize) -> Result<Connections, String> {
        let all = self.connections.unwrap_or(users);
        if self.http2 {
            self.check_shared(all, users)?;
            return Ok(Connections::Http2 { shared: all });
        }
        if all < users || !all.is_multiple_of(users) || all > CONNECTIONS_LIMIT {
            return Err(format!(
                "connections is {all}; it takes a multiple of users, which is {users}, up to {CONNECTIONS_LIMIT}: over \
                 HTTP/1.1 a request has its connection to itself"
            ));
        }
        if !self.keep_alive && self.connections.is_some() {
            return Err(
                "without keep-alive each request has a connection of its own, so connections says nothing"
                    .to_owned(),
            );
        }
        Ok(Connections::Http1 {
            keep_alive: self.keep_alive,
            per_user: all / users,
        })
    }

    fn check_shared(self, all: usize, users: usize) -> Result<(), String> {
        if !self.keep_alive {
            return Err(
                "over HTTP/2 users share connections, which stay open: keep_alive = false is for HTTP/1.1"
                    .to_owned(),
            );
        }
        if (1..=users).contains(&all) {
            return Ok(());
        }
        Err(format!(
            "connections is {all}; over HTTP/2 it takes 1 to users, which is {users}: users share connections"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_a_users_own_or_shared_and_what_does_not_go_together_is_named() {
        let keys = |connections, http2, keep_alive| ConnectionKeys {
            connections,
            http2,
            keep_alive,
        };
        let own = |per_user, keep_alive| Connections::Http1 {
            keep_alive,
            per_user,
        };
        let good = [
            (keys(None, false, true), own(1, true)),
            (keys(None, false, false), own(1, false)),
            (keys(Some(12), false, true), own(3, true)),
            (keys(None, true, true), Connections::Http2 { shared: 4 }),
            (keys(Some(1), true, true), Connections::Http2 { shared: 1 }),
        ];
        for (keys, wanted) in good {
            assert_eq!(keys.for_users(4), Ok(wanted), "{keys:?}");
        }
        let wrong = [
            (keys(Some(6), false, true), "multiple of users"),
            (keys(Some(8), false, false), "says nothing"),
            (keys(Some(0), true, true), "1 to users"),
            (keys(Some(5), true, true), "1 to users"),
            (keys(None, true, false), "keep_alive"),
        ];
        for (keys, part) in wrong {
            let message = keys.for_users(4).expect_err(part);
            assert!(message.contains(part), "{message}");
        }
    }
}
