//! The gate between a call and its operation. It checks credentials, the Region, injected faults, rates
//! and permissions. A call that it refuses changes nothing.

use super::{ApiError, Caller, Principal, Service, call::Cut, resource};
use crate::{
    model::{ServiceModel, action},
    spec::FaultEffect,
    world::{Struck, World},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What faults do to a call. It is drawn when the call arrives.
#[derive(Debug, Default)]
pub(crate) struct Fate {
    /// How much longer it takes.
    pub(crate) delay: SignedDuration,
    /// What it is refused with.
    refusal: Option<FaultEffect>,
    /// How its answer is lost.
    pub(crate) cut: Option<Cut>,
    /// Query errors that make its listing partial.
    pub(crate) query_errors: Vec<String>,
    /// Words that are added to every text of its answer.
    pub(crate) words: String,
    /// The faults that struck, for the record.
    pub(crate) names: Vec<String>,
}

/// Draws what faults do to a call.
pub(crate) fn fate(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    input: &Value,
) -> Fate {
    let role = input.get("RoleArn").and_then(Value::as_str);
    let effects = world.strike(Struck {
        account: &caller.account,
        region: &caller.region,
        action: &action(service, operation),
        subject: role.unwrap_or_default(),
    });
    let mut fate = Fate::default();
    for effect in effects {
        let name = serde_json::to_value(&effect).unwrap_or_default();
        let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
        fate.names.push(name);
        match effect {
            FaultEffect::Slow(millis) => fate.delay += SignedDuration::from_millis(millis.into()),
            FaultEffect::DropBefore => fate.cut = fate.cut.or(Some(Cut::Before)),
            FaultEffect::DropAfter => fate.cut = fate.cut.or(Some(Cut::After)),
            FaultEffect::Truncate => fate.cut = fate.cut.or(Some(Cut::Middle)),
            FaultEffect::QueryErrors(codes) => fate.query_errors.extend(codes),
            FaultEffect::Words(words) => fate.words.push_str(&words),
            refusal => fate.refusal = fate.refusal.or(Some(refusal)),
        }
    }
    fate
}

/// Lets a call through, or says why not.
pub(crate) fn admit(
    world: &mut World,
    caller: &Caller,
    service: Service,
    operation: &str,
    input: &Value,
    fate: &Fate,
) -> Result<(), ApiError> {
    check_region(world, caller, service)?;
    check_session(world, caller, service)?;
    if let Some(effect) = &fate.refusal {
        return Err(refusal(world, caller, (service, operation), input, effect));
    }
    let action = action(service, operation);
    if !world.take_call(&caller.account, &caller.region, &action) {
        return Err(throttled(service));
    }
    let denied = match &caller.principal {
        Principal::Administrator => false,
        // That one needs no permission.
        Principal::Role { .. } if action == "sts:GetCallerIdentity" => false,
        Principal::Role { name, .. } => world.organization().denies(&caller.account, name, &action),
    };
    if denied {
        return Err(access_denied(caller, service, operation, input));
    }
    Ok(())
}

/// A Region that does not exist, or that the account has not enabled, knows none of its keys.
fn check_region(world: &World, caller: &Caller, service: Service) -> Result<(), ApiError> {
    let (org, account, region) = (&world.organization(), &caller.account, &caller.region);
    let is_enabled = match service {
        Service::Sts => org.is_enabled_for_sts(account, region),
        _ => service.is_global() || org.is_enabled(account, region),
    };
    if is_enabled {
        Ok(())
    } else {
        Err(invalid_token(service))
    }
}

/// What is answered to an access key or session token that is not known.
pub(crate) fn invalid_token(service: Service) -> ApiError {
    let (code, words) = match service {
        Service::Sts | Service::CloudWatch => (
            "InvalidClientTokenId",
            "The security token included in the request is invalid",
        ),
        Service::S3 => (
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ),
        _ => (
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ),
    };
    ApiError::new(client_status(service), code, words)
}

/// Credentials end when they were said to end, in real time, because an SDK renews them by that.
fn check_session(world: &World, caller: &Caller, service: Service) -> Result<(), ApiError> {
    let session = caller.key.as_ref().and_then(|key| world.session(key));
    if session.is_some_and(|session| session.is_over(Timestamp::now())) {
        return Err(expired(service));
    }
    Ok(())
}

fn refusal(
    world: &mut World,
    caller: &Caller,
    (service, operation): (Service, &str),
    input: &Value,
    effect: &FaultEffect,
) -> ApiError {
    match effect {
        FaultEffect::Throttle => throttled(service),
        FaultEffect::Deny => access_denied(caller, service, operation, input),
        FaultEffect::ExpireCredentials => {
            if let Some(key) = &caller.key {
                world.revoke_session(key);
            }
            expired(service)
        }
        FaultEffect::Error(code) => {
            let modelled = ServiceModel::of(service).error(code);
            let unmodelled = match service {
                Service::S3 => super::objects::status_of(code),
                _ => 400,
            };
            let status = modelled.map_or(unmodelled, |error| error.status);
            let code = modelled.map_or(code, |error| &error.code);
            ApiError::new(status, code.clone(), "An error that was asked for.")
        }
        // Only what refuses comes here.
        _ => internal_error(service),
    }
}

fn throttled(service: Service) -> ApiError {
    let (status, code) = match service {
        Service::Ssm => (400, "ThrottlingException"),
        Service::Sts | Service::CloudWatch => (400, "Throttling"),
        Service::Tagging => (400, "ThrottledException"),
        Service::Organizations => (400, "TooManyRequestsException"),
        Service::ResourceGroups | Service::Account => (429, "TooManyRequestsException"),
        Service::S3 => (503, "SlowDown"),
    };
    ApiError::new(status, code, "Rate exceeded")
}

fn internal_error(service: Service) -> ApiError {
    let code = match service {
        Service::Ssm => "InternalServerError",
        Service::Sts => "InternalFailure",
        Service::Tagging => "InternalServiceException",
        Service::Organizations => "ServiceException",
        Service::ResourceGroups => "InternalServerErrorException",
        Service::Account => "InternalServerException",
        Service::CloudWatch => "InternalServiceFault",
        Service::S3 => "InternalError",
    };
    let words = match service {
        // Recorded.
        Service::Organizations => {
            "AWS Organizations can't complete your request because there was an internal service error. Try again later."
        }
        _ => "An internal error has occurred.",
    };
    ApiError::new(500, code, words)
}

fn expired(service: Service) -> ApiError {
    let (status, code) = match service {
        Service::Sts | Service::CloudWatch => (403, "ExpiredToken"),
        Service::S3 => (400, "ExpiredToken"),
        _ => (client_status(service), "ExpiredTokenException"),
    };
    ApiError::new(
        status,
        code,
        "The security token included in the request is expired",
    )
}

/// What is answered to somebody who may not do this.
fn access_denied(caller: &Caller, service: Service, operation: &str, input: &Value) -> ApiError {
    access_denied_to(
        caller,
        service,
        operation,
        &resource::of(caller, service, operation, input),
    )
}

/// What is answered to somebody who may not do this with that resource.
pub(crate) fn access_denied_to(
    caller: &Caller,
    service: Service,
    operation: &str,
    resource: &str,
) -> ApiError {
    let action = action(service, operation);
    let (status, code) = match service {
        Service::Ssm | Service::Organizations | Service::Tagging => (400, "AccessDeniedException"),
        Service::Sts | Service::CloudWatch | Service::S3 => (403, "AccessDenied"),
        // ForbiddenException is of groups that a service manages.
        Service::ResourceGroups | Service::Account => (403, "AccessDeniedException"),
    };
    let message = format!(
        "User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action",
        caller.arn(),
    );
    ApiError::new(status, code, message)
}

/// The JSON protocol has 400 for everything that is the client's fault, the others 403 for who it is.
fn client_status(service: Service) -> u16 {
    match service {
        Service::Ssm | Service::Organizations | Service::Tagging => 400,
        Service::Sts | Service::ResourceGroups | Service::Account | Service::CloudWatch | Service::S3 => 403,
    }
}
