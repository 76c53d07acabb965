//! `[invoke]` of a target file: an endpoint that takes events.

use serde::Deserialize;
use toml::Spanned;

use super::super::{CommandPlan, SubjectKind};
use super::{Mistake, RawReady, checked_path, endpoint_url, http};
use crate::target::{EMULATOR_AT_ONCE, EMULATOR_PATH, Endpoint, EventForm};
use crate::units::WholeNumber;

/// As many as there are users at most.
const AT_ONCE_MAX: usize = 1_024;

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInvoke {
    path: Option<Spanned<String>>,
    #[serde(default)]
    event: EventForm,
    at_once: Option<Spanned<WholeNumber>>,
}

impl RawInvoke {
    pub(super) fn at_url(self, url: &Spanned<String>) -> Result<SubjectKind, Mistake> {
        if let Some(path) = &self.path {
            return Err(Mistake::at(
                path,
                "a url holds its path; leave this one out",
            ));
        }
        let parts = endpoint_url(url.get_ref()).map_err(|message| Mistake::at(url, message))?;
        let endpoint = Endpoint {
            authority: parts.authority,
            path: parts.path,
            at_once: self.at_once()?,
        };
        Ok(SubjectKind::InvokeUrl(endpoint, self.event))
    }

    pub(super) fn served_by(
        self,
        command: CommandPlan,
        ready: RawReady,
    ) -> Result<SubjectKind, Mistake> {
        let at_once = self.at_once()?;
        let path = match self.path {
            Some(path) => checked_path(path)?,
            None => EMULATOR_PATH.to_owned(),
        };
        let http = http(command, path, ready)?;
        Ok(SubjectKind::InvokeCommand {
            http,
            form: self.event,
            at_once,
        })
    }

    fn at_once(&self) -> Result<usize, Mistake> {
        match &self.at_once {
            None => Ok(EMULATOR_AT_ONCE),
            Some(number) if (1..=AT_ONCE_MAX).contains(&number.get_ref().size()) => {
                Ok(number.get_ref().size())
            }
            Some(number) => {
                let given = number.get_ref().0;
                let message = format!("at_once is {given}; it takes 1 to {AT_ONCE_MAX}");
                Err(Mistake::at(number, message))
            }
        }
    }
}
