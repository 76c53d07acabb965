//! Which cases of the catalogue are asked.

use std::fmt;

use super::case::{Case, Level, Severity};

/// What a case must be to be asked. The default takes every case.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Its id holds one of these texts; any id when there is none.
    pub texts: Vec<String>,
    /// Its rule binds at least so strongly.
    pub level: Option<Level>,
    /// A wrong answer is at least so severe.
    pub severity: Option<Severity>,
}

impl Selection {
    /// Whether the case is asked.
    pub fn takes(&self, case: &Case) -> bool {
        (self.texts.is_empty()
            || self
                .texts
                .iter()
                .any(|text| case.id.contains(text.as_str())))
            && self.level.is_none_or(|level| case.level >= level)
            && self
                .severity
                .is_none_or(|severity| case.severity >= severity)
    }
}

/// For the message that nothing is left: `filter "rfc9999::", level MUST, severity high or above`.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if !self.texts.is_empty() {
            parts.push(format!("filter {:?}", self.texts.join(", ")));
        }
        if let Some(level) = self.level {
            parts.push(format!("level {} or stronger", level.word()));
        }
        if let Some(severity) = self.severity {
            parts.push(format!("severity {} or above", severity.word()));
        }
        f.write_str(&parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_narrows_and_none_takes_all() {
        let catalogue = crate::builtin::catalogue().expect("the built-in cases");
        let count = |selection: &Selection| catalogue.select(selection).len();
        let all = Selection::default();
        assert_eq!(count(&all), catalogue.cases().len());
        let time = Selection {
            texts: vec!["::exp-".to_owned(), "::nbf-".to_owned()],
            ..Selection::default()
        };
        let severe = Selection {
            severity: Some(Severity::High),
            ..time.clone()
        };
        let binding = Selection {
            level: Some(Level::Must),
            ..severe.clone()
        };
        assert!(count(&all) > count(&time));
        assert!(count(&time) > count(&severe));
        assert!(count(&severe) >= count(&binding) && count(&binding) > 0);
        for case in catalogue.select(&binding) {
            assert_eq!(case.level, Level::Must);
            assert!(case.severity >= Severity::High, "{}", case.id);
            assert!(case.id.contains("::exp-") || case.id.contains("::nbf-"));
        }
    }
}
