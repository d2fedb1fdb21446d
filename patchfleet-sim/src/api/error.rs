//! How operations fail.

use super::Service;

/// An error as AWS answers it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    status: u16,
    code: &'static str,
    message: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    /// A client's error of the JSON protocols, which is always status 400 there.
    pub(crate) fn client(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(crate) fn unknown_operation(service: Service) -> Self {
        match service {
            Service::Sts => Self::client("InvalidAction", "Could not find operation for version 2011-06-15"),
            Service::ResourceGroups | Service::Account => {
                Self::new(404, "UnknownOperationException", "Not Found")
            }
            Service::Ssm | Service::Organizations => Self::client("UnknownOperationException", ""),
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The error's name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What AWS says.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}
