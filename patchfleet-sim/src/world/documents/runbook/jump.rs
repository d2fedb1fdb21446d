//! Where an execution goes when a step fails or is cancelled.

use serde::Deserialize;
use std::fmt::{Display, Formatter};

/// `onFailure` and `onCancel`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Jump {
    /// Nowhere: the execution ends.
    #[default]
    Abort,
    /// On, as if the step had succeeded.
    Continue,
    /// To the step of that name.
    Step(String),
}

impl TryFrom<String> for Jump {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "Abort" => Ok(Self::Abort),
            "Continue" => Ok(Self::Continue),
            other => match other.strip_prefix("step:") {
                Some(name) => Ok(Self::Step(name.trim().to_owned())),
                None => Err(format!("{other:?} is none of Abort, Continue and step:NAME")),
            },
        }
    }
}

impl Display for Jump {
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Abort => out.write_str("Abort"),
            Self::Continue => out.write_str("Continue"),
            Self::Step(name) => write!(out, "step:{name}"),
        }
    }
}
