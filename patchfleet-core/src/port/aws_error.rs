//! AWS's error codes and HTTP statuses, and what core does about each of them.
//!
//! This is the one table for everything that speaks to AWS or plays AWS's part. The codes are those of the
//! services' API references ("Common Error Types", and the errors of each operation). Throttling is
//! what the SDKs retry as throttling (AWS SDKs and Tools Reference Guide, "Retry behavior").

use super::{PortErrorKind, Sent};

/// An error that AWS answered.
///
/// ```
/// use patchfleet_core::port::{AwsError, PortErrorKind, Sent};
/// let refused = AwsError { code: Some("AccessDeniedException"), status: 400, is_central: true };
/// assert_eq!((refused.kind(), refused.sent()), (PortErrorKind::Denied, Sent::No));
/// let broken = AwsError { code: None, status: 503, is_central: true };
/// assert_eq!((broken.kind(), broken.sent()), (PortErrorKind::Unavailable, Sent::Maybe));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsError<'a> {
    /// The error's code, such as `ThrottlingException`, if the answer has one.
    pub code: Option<&'a str>,
    /// The HTTP status of the answer, or 0 if the connection broke before there was one.
    pub status: u16,
    /// Whether the call went to the central Region. The caller's credentials are known to be good
    /// there.
    pub is_central: bool,
}

impl AwsError<'_> {
    /// What kind of failure it is, by its code. Without a known code the status decides.
    ///
    /// A status of 404 without a known code is never [`PortErrorKind::NotFound`]: it may be the
    /// answer of a proxy, or of a wrong endpoint.
    #[must_use]
    pub fn kind(&self) -> PortErrorKind {
        let by_code = self.code.and_then(|code| kind_of_code(code, self.is_central));
        by_code.unwrap_or(match self.status {
            401 | 403 => PortErrorKind::Denied,
            429 => PortErrorKind::Throttled,
            0 | 408 | 500..=599 => PortErrorKind::Unavailable,
            _ => PortErrorKind::Other,
        })
    }

    /// Whether the call may have taken effect, by its status ([`Sent::of_status`]).
    #[must_use]
    pub fn sent(&self) -> Sent {
        Sent::of_status(self.status)
    }

    /// Whether the credentials of the call were good and no longer are. New ones may do.
    #[must_use]
    pub fn says_expired(&self) -> bool {
        self.code.is_some_and(|code| EXPIRED.contains(&code))
    }
}

impl Sent {
    /// Whether a call that was answered with this HTTP status may have taken effect. Only a status from 400 to 499 says
    /// that it did not. The exception is 408, since AWS may have read the request late and then taken it.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        if (400..500).contains(&status) && status != 408 {
            Self::No
        } else {
            Self::Maybe
        }
    }
}

/// The codes of credentials that were good and no longer are. STS and the JSON protocols spell it
/// differently.
const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

/// The kind of a code. `None` if the code says nothing that the status does not.
fn kind_of_code(code: &str, is_central: bool) -> Option<PortErrorKind> {
    use PortErrorKind as Kind;
    Some(match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "AccessDeniedForDependencyException"
        | "AuthorizationError"
        | "Forbidden"
        | "ForbiddenException"
        | "NotAuthorized"
        | "UnauthorizedException"
        | "UnauthorizedOperation" => Kind::Denied,

        // The SDKs retry LimitExceededException as throttling, and patchfleet reads it so too.
        "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "PriorRequestNotComplete"
        | "RateExceeded"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "ThrottledException"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "TooManyRequestsException" => Kind::Throttled,

        "AccountNotFoundException"
        | "AutomationDefinitionNotFoundException"
        | "AutomationDefinitionVersionNotFoundException"
        | "AutomationExecutionNotFoundException"
        | "AutomationStepNotFoundException"
        | "ChildNotFoundException"
        | "DoesNotExistException"
        | "InvalidCommandId"
        | "InvalidDocument"
        | "InvalidDocumentVersion"
        | "InvocationDoesNotExist"
        | "NotFoundException"
        | "OrganizationalUnitNotFoundException"
        | "ParentNotFoundException"
        | "ResourceNotFoundException"
        | "RootNotFoundException"
        | "TargetNotFoundException" => Kind::NotFound,

        "AWSOrganizationsNotInUseException" => Kind::NotInOrganization,

        "OptInRequired" | "RegionDisabled" | "RegionDisabledException" => Kind::RegionNotEnabled,

        // A Region that is off in an account knows none of the account's credentials. The central
        // Region is on, so there the credentials themselves are wrong.
        "AuthFailure" | "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
            if is_central {
                Kind::Credentials
            } else {
                Kind::RegionNotEnabled
            }
        }

        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired" => Kind::Credentials,

        "AutomationExecutionLimitExceededException"
        | "DocumentLimitExceeded"
        | "DocumentVersionLimitExceeded"
        | "ServiceQuotaExceededException" => Kind::LimitExceeded,

        "IdempotentParameterMismatch" => Kind::TokenMismatch,

        "InvalidAutomationStatusUpdateException" => Kind::NotRunning,

        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerErrorException"
        | "InternalServerException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "ServiceException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => Kind::Unavailable,

        "BadRequestException"
        | "DocumentAlreadyExists"
        | "DocumentPermissionLimit"
        | "MalformedPolicyDocument"
        | "MaxDocumentSizeExceeded"
        | "MethodNotAllowedException"
        | "PackedPolicyTooLarge"
        | "SerializationException"
        | "UnknownOperationException"
        | "ValidationError"
        | "ValidationException" => Kind::Invalid,

        _ if code.starts_with("Invalid") => Kind::Invalid,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: &str, is_central: bool) -> PortErrorKind {
        let status = 400;
        AwsError {
            code: Some(code),
            status,
            is_central,
        }
        .kind()
    }

    fn bare(status: u16) -> AwsError<'static> {
        AwsError {
            code: None,
            status,
            is_central: true,
        }
    }

    #[test]
    fn each_code_has_its_kind() {
        for (code, expected) in [
            ("ForbiddenException", PortErrorKind::Denied),
            ("LimitExceededException", PortErrorKind::Throttled),
            ("RequestLimitExceeded", PortErrorKind::Throttled),
            (
                "AutomationExecutionLimitExceededException",
                PortErrorKind::LimitExceeded,
            ),
            ("AutomationStepNotFoundException", PortErrorKind::NotFound),
            ("InvocationDoesNotExist", PortErrorKind::NotFound),
            ("TargetNotFoundException", PortErrorKind::NotFound),
            ("RegionDisabledException", PortErrorKind::RegionNotEnabled),
            ("IdempotentParameterMismatch", PortErrorKind::TokenMismatch),
            (
                "InvalidAutomationStatusUpdateException",
                PortErrorKind::NotRunning,
            ),
            ("InvalidSignatureException", PortErrorKind::Credentials),
            ("InvalidSomethingOfTomorrow", PortErrorKind::Invalid),
            ("SomethingOfTomorrowException", PortErrorKind::Other),
        ] {
            assert_eq!(kind(code, true), expected, "{code}");
        }
    }

    #[test]
    fn unknown_credentials_are_wrong_in_the_central_region_and_a_region_that_is_off_elsewhere() {
        for code in ["UnrecognizedClientException", "InvalidClientTokenId"] {
            assert_eq!(kind(code, true), PortErrorKind::Credentials, "{code}");
            assert_eq!(kind(code, false), PortErrorKind::RegionNotEnabled, "{code}");
        }
    }

    #[test]
    fn an_answer_without_a_code_is_read_by_its_status_and_never_as_not_found() {
        for (status, expected) in [
            (0, PortErrorKind::Unavailable),
            (400, PortErrorKind::Other),
            (401, PortErrorKind::Denied),
            (403, PortErrorKind::Denied),
            (404, PortErrorKind::Other),
            (408, PortErrorKind::Unavailable),
            (429, PortErrorKind::Throttled),
            (500, PortErrorKind::Unavailable),
            (503, PortErrorKind::Unavailable),
        ] {
            assert_eq!(bare(status).kind(), expected, "{status}");
        }
    }

    #[test]
    fn only_a_refusal_says_that_nothing_was_done() {
        for status in [400, 403, 404, 429, 499] {
            assert_eq!(bare(status).sent(), Sent::No, "{status}");
        }
        for status in [0, 200, 408, 500, 503] {
            assert_eq!(bare(status).sent(), Sent::Maybe, "{status}");
        }
    }

    #[test]
    fn expired_credentials_are_told_from_wrong_ones() {
        let says_expired = |code| {
            AwsError {
                code: Some(code),
                ..bare(400)
            }
            .says_expired()
        };
        assert!(says_expired("ExpiredToken") && says_expired("ExpiredTokenException"));
        assert!(!says_expired("InvalidClientTokenId"));
        assert!(!bare(403).says_expired());
    }
}
