//! `[invoke]` of a target file: an endpoint that takes events.

use serde::Deserialize;
use toml::Spanned;

use super::super::{CommandPlan, SubjectKind};
use super::{Mistake, RawReady, checked_path, http, parse_url};
use crate::target::{EMULATOR_PATH, Endpoint, EventForm};

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInvoke {
    path: Option<Spanned<String>>,
    #[serde(default)]
    event: EventForm,
}

impl RawInvoke {
    pub(super) fn at_url(self, url: &Spanned<String>) -> Result<SubjectKind, Mistake> {
        if let Some(path) = &self.path {
            return Err(Mistake::at(
                path,
                "a url holds its path; leave this one out",
            ));
        }
        let (authority, path) =
            parse_url(url.get_ref()).map_err(|message| Mistake::at(url, message))?;
        let endpoint = Endpoint { authority, path };
        Ok(SubjectKind::InvokeUrl(endpoint, self.event))
    }

    pub(super) fn served_by(
        self,
        command: CommandPlan,
        ready: RawReady,
    ) -> Result<SubjectKind, Mistake> {
        let path = match self.path {
            Some(path) => checked_path(path)?,
            None => EMULATOR_PATH.to_owned(),
        };
        let http = http(command, path, ready)?;
        Ok(SubjectKind::InvokeCommand(http, self.event))
    }
}
