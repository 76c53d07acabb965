//! The environments that wait for an event: taken last in, first out, so that few stay warm instead of many half cold.

use std::sync::Mutex;

use tokio::task::JoinSet;

use super::environment::Environment;

/// Idle environments, and the generation that they must be of.
#[derive(Debug, Default)]
pub(super) struct Pool {
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// Raised by each recycling: an environment of an older generation is not taken back.
    generation: u64,
    /// At most as many as there are permits, since each came from one.
    environments: Vec<Environment>,
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, Idle> {
        self.idle.lock().expect("no holder of this lock panics")
    }

    /// The environment that was used last. Whether it is still alive is the caller's to ask.
    pub(super) fn take(&self) -> Option<Environment> {
        self.idle().environments.pop()
    }

    /// Takes an environment back, or hands it out again when it has been recycled meanwhile.
    pub(super) fn put(&self, environment: Environment) -> Option<Environment> {
        let mut idle = self.idle();
        if environment.generation() != idle.generation {
            return Some(environment);
        }
        idle.environments.push(environment);
        None
    }

    /// Takes out those whose process has ended while they waited.
    pub(super) fn ended(&self) -> Vec<Environment> {
        let mut idle = self.idle();
        let all = std::mem::take(&mut idle.environments);
        let (alive, ended) = all
            .into_iter()
            .map(|mut environment| (environment.is_alive(), environment))
            .partition::<Vec<_>, _>(|(alive, _)| *alive);
        idle.environments = alive
            .into_iter()
            .map(|(_, environment)| environment)
            .collect();
        ended
            .into_iter()
            .map(|(_, environment)| environment)
            .collect()
    }

    pub(super) fn generation(&self) -> u64 {
        self.idle().generation
    }

    pub(super) fn process_ids(&self) -> Vec<u32> {
        self.idle()
            .environments
            .iter()
            .map(Environment::process_id)
            .collect()
    }

    /// Empties the pool and starts a new generation; what it held is the caller's to end.
    pub(super) fn retire(&self) -> Vec<Environment> {
        let mut idle = self.idle();
        idle.generation += 1;
        std::mem::take(&mut idle.environments)
    }

    /// Ends all of them at once and waits for the last.
    pub(super) async fn terminate_all(environments: Vec<Environment>) {
        let mut ending: JoinSet<()> = environments
            .into_iter()
            .map(Environment::terminate)
            .collect();
        while ending.join_next().await.is_some() {}
    }
}
