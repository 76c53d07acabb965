//! The machine that the figures belong to.

use serde::{Deserialize, Serialize};

/// Facts about the machine; a figure without them cannot be compared with another.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Operating system and kernel release.
    pub os: String,
    /// Processor architecture.
    pub architecture: String,
    /// The processor's own name.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// Memory in mebibytes.
    pub memory_mib: u64,
    /// One-minute load average at the start of the run: a busy machine makes noisy figures.
    pub load_average: f64,
    /// `release` or `debug`: figures of a debug build are worth nothing.
    pub build: String,
}

impl Machine {
    /// Reads the facts from the running system; what cannot be read is `unknown` or zero.
    pub fn detect() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, key: &str| {
            text.lines()
                .find(|line| line.starts_with(key))
                .and_then(|line| line.split_once(':'))
                .map(|(_, value)| value.trim().to_owned())
        };
        let release = read("/proc/sys/kernel/osrelease");
        let memory_kib = field(&read("/proc/meminfo"), "MemTotal").and_then(|value| {
            value
                .split(' ')
                .next()
                .and_then(|number| number.parse::<u64>().ok())
        });
        Self {
            os: format!("{} {}", std::env::consts::OS, release.trim())
                .trim()
                .to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            cpu: field(&read("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: memory_kib.unwrap_or(0) / 1024,
            load_average: read("/proc/loadavg")
                .split(' ')
                .next()
                .and_then(|value| value.parse().ok())
                .unwrap_or(0.0),
            build: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
        }
    }
}
