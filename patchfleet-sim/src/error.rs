//! How operations fail.

use crate::{
    model::{Kind, Violation},
    service::Service,
};
use serde_json::Value;
use std::borrow::Cow;

/// Characters that are shown of a name.
const MAX_NAME: usize = 200;

/// Violations of an input that are worded; all of them are counted.
const MAX_WORDED: usize = 100;

/// An error as AWS answers it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    status: u16,
    code: Cow<'static, str>,
    message: String,
    members: Vec<(&'static str, Value)>,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            members: vec![],
        }
    }

    /// Adds a member that the error has beside its message.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((name, value.into()));
        self
    }

    /// Adds `words` to its message.
    pub(crate) fn saying(mut self, words: &str) -> Self {
        self.message.push_str(words);
        self
    }

    /// A client's error of the JSON protocols, which is always status 400 there.
    pub(crate) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// What AWS answers to an operation that it does not know, with words that say which one the
    /// simulator does not have.
    pub(crate) fn unknown_operation(service: Service, operation: &str) -> Self {
        let named = format!("{}:{operation}", service.name());
        match service {
            Service::Sts if operation.is_empty() => Self::client("MissingAction", "Missing Action"),
            Service::Sts => Self::client(
                "InvalidAction",
                format!(
                    "Could not find operation {operation} for version 2011-06-15. {}",
                    not_simulated(&named)
                ),
            ),
            Service::ResourceGroups | Service::Account | Service::S3 => {
                Self::new(404, "UnknownOperationException", not_simulated(&named))
            }
            Service::Ssm | Service::Organizations | Service::Tagging | Service::CloudWatch => {
                Self::client("UnknownOperationException", not_simulated(&named))
            }
        }
    }

    /// A fault has broken the connection.
    pub(crate) fn lost() -> Self {
        Self::new(
            0,
            "ConnectionLost",
            "The connection broke before the answer was whole.",
        )
    }

    /// Whether there was no answer at all, because a fault broke the connection. Status 0 then.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.status == 0
    }

    /// What a service says of an input that is not what its model wants.
    pub(crate) fn invalid(service: Service, violations: &[Violation]) -> Self {
        let worded = violations.iter().take(MAX_WORDED);
        let words: Vec<&str> = worded.map(|one| one.words.as_str()).collect();
        let words = words.join("; ");
        let first = violations.first().map_or(Kind::Type, |one| one.kind);
        if first == Kind::Type {
            let code = if service == Service::Sts {
                "MalformedInput"
            } else {
                "SerializationException"
            };
            return Self::client(code, words);
        }
        let count = violations.len();
        let plural = if count == 1 { "" } else { "s" };
        let words = format!("{count} validation error{plural} detected: {words}");
        match service {
            Service::Ssm | Service::S3 => Self::client("ValidationException", words),
            Service::Account => {
                Self::client("ValidationException", words).with("reason", "fieldValidationFailed")
            }
            Service::Sts | Service::CloudWatch => Self::client("ValidationError", words),
            // Its model has 2,048 characters for a message, and no word for this.
            Service::Tagging => Self::client(
                "InvalidParameterException",
                words.chars().take(2048).collect::<String>(),
            ),
            // Its model has 1,024 characters for a message.
            Service::ResourceGroups => Self::client(
                "BadRequestException",
                words.chars().take(1024).collect::<String>(),
            ),
            Service::Organizations => {
                // An empty token is one that no listing gave.
                let empty_token = first == Kind::TooShort && words.contains("'nextToken'");
                let reason = if empty_token {
                    "INVALID_NEXT_TOKEN"
                } else {
                    reason(first)
                };
                Self::client("InvalidInputException", words).with("Reason", reason)
            }
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The error's name.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What AWS says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The members that it has beside its message.
    pub(crate) fn members(&self) -> &[(&'static str, Value)] {
        &self.members
    }
}

/// What a client is told of something that the simulator does not have. A name is the sender's, and
/// may be as long as a request.
pub(crate) fn not_simulated(what: &str) -> String {
    let what: String = what.chars().take(MAX_NAME).collect();
    format!("patchfleet-sim does not simulate {what}.")
}

/// Organizations' `InvalidInputExceptionReason`.
fn reason(kind: Kind) -> &'static str {
    match kind {
        // A wrong type never comes here: it has an error of its own.
        Kind::Type | Kind::Required => "INPUT_REQUIRED",
        Kind::TooShort => "MIN_LENGTH_EXCEEDED",
        Kind::TooLong => "MAX_LENGTH_EXCEEDED",
        Kind::TooSmall => "MIN_VALUE_EXCEEDED",
        Kind::TooLarge => "MAX_VALUE_EXCEEDED",
        Kind::Pattern => "INVALID_PATTERN",
        Kind::Enum => "INVALID_ENUM",
    }
}
