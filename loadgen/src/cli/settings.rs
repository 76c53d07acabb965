//! Where the authorizer's settings come from, for the commands that use it at a desk.

use std::path::PathBuf;

use authorizer::{Authorizer, Settings};
use clap::Args;

use super::Failure;

#[derive(Debug, Default, Args)]
pub(crate) struct SettingsArguments {
    /// Read the settings from this `.env` file alone [default: the environment, and `.env` for what it lacks]
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    env_file: Option<PathBuf>,
    /// Read the settings from this TOML file alone
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl SettingsArguments {
    pub(crate) fn read(&self) -> Result<Settings, Failure> {
        match (&self.env_file, &self.config) {
            (Some(path), _) => Settings::from_dotenv(path),
            (None, Some(path)) => Settings::from_toml(path),
            (None, None) => Settings::from_env_or_dotenv(".env"),
        }
        .map_err(Failure::usage)
    }

    /// Whether the settings are of a TOML file that was named.
    pub(crate) fn is_file(&self) -> bool {
        self.config.is_some()
    }

    pub(crate) fn authorizer(&self) -> Result<Authorizer, Failure> {
        Authorizer::new(self.read()?).map_err(Failure::usage)
    }
}
