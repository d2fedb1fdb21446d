//! AWS's error codes and statuses, by what core does about them.

use patchfleet_core::port::PortErrorKind;

/// Whether a call went to the central Region or to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// The central Region, in which the caller's credentials are known to be good.
    Central,
    /// Any other.
    Elsewhere,
}

/// The codes of credentials that were good and no longer are. STS and the JSON protocols spell it
/// differently.
pub(super) const EXPIRED: [&str; 3] = ["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

/// The kind of a code; `None` if the code says nothing that its status does not.
pub(super) fn kind_of_code(code: &str, home: Home) -> Option<PortErrorKind> {
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

        // LimitExceededException is what the SDK retries as throttling, and so it is here.
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
        | "RootNotFoundException" => Kind::NotFound,

        "AWSOrganizationsNotInUseException" => Kind::NotInOrganization,

        "OptInRequired" | "RegionDisabled" | "RegionDisabledException" => Kind::RegionNotEnabled,

        // A Region that the account has not enabled does not know the account's credentials. In
        // the central Region, and for a Region that is on, the credentials themselves are wrong.
        "AuthFailure" | "InvalidAccessKeyId" | "InvalidClientTokenId" | "UnrecognizedClientException" => {
            match home {
                Home::Central => Kind::Credentials,
                Home::Elsewhere => Kind::RegionNotEnabled,
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

        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerErrorException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "ServiceException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => Kind::Unavailable,

        "BadRequestException"
        | "DocumentAlreadyExists"
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

/// The kind of an answer of which only the status is understood. A 404 is none of "there is no
/// such thing": it may be a proxy's, or a wrong endpoint's.
pub(super) fn kind_of_status(status: u16) -> PortErrorKind {
    match status {
        401 | 403 => PortErrorKind::Denied,
        429 => PortErrorKind::Throttled,
        408 | 500..=599 => PortErrorKind::Unavailable,
        _ => PortErrorKind::Other,
    }
}
