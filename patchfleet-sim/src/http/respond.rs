//! From a request that has been understood to the bytes that AWS would answer.

use super::{
    request::{Credential, Protocol, Route, Unread},
    xml,
};
use crate::{
    api::{self, ApiError, Caller, Service},
    world::{RequestRecord, World},
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Value, json};

pub(super) fn answer(world: &mut World, route: Route, headers: &HeaderMap) -> Response {
    let Route {
        protocol,
        service,
        operation,
        input,
    } = route;
    let result = act(world, service, protocol, &operation, input, headers);
    tracing::debug!(
        operation,
        error = result.as_ref().err().map(tracing::field::display),
        "answered"
    );
    let number = world.requests().len().to_string();
    let id = world.seed.uuid(&["request", &number]);
    write(protocol, service, &operation, result, &id)
}

fn act(
    world: &mut World,
    service: Option<Service>,
    protocol: Protocol,
    operation: &str,
    input: Result<Value, Unread>,
    headers: &HeaderMap,
) -> Result<Value, ApiError> {
    match (identify(world, service, protocol, headers), input) {
        (Ok((service, caller)), Ok(input)) => api::call(world, &caller, service, operation, input),
        (Ok((service, caller)), Err(Unread { shown, error })) => {
            api::refuse(world, &caller, service, operation, shown, error)
        }
        (Err(error), input) => {
            let service = service.map_or("", Service::name).to_owned();
            world.requests.push(RequestRecord {
                principal_account: String::new(),
                principal: String::new(),
                account: String::new(),
                region: String::new(),
                service,
                operation: operation.to_owned(),
                input: input.unwrap_or_else(|unread| unread.shown),
                status: error.status(),
                error: Some(error.code().to_owned()),
                time: world.now,
            });
            Err(error)
        }
    }
}

/// The service, and who calls it.
fn identify(
    world: &World,
    service: Option<Service>,
    protocol: Protocol,
    headers: &HeaderMap,
) -> Result<(Service, Caller), ApiError> {
    let service = service.ok_or_else(|| match protocol {
        Protocol::Rest => ApiError::new(404, "UnknownOperationException", "Not Found"),
        Protocol::Query => ApiError::client("InvalidAction", "This service is not simulated."),
        Protocol::Json => ApiError::client("UnknownOperationException", ""),
    })?;
    let credential = Credential::of(headers)
        .ok_or_else(|| ApiError::new(403, missing_token(protocol), "Missing Authentication Token"))?;
    let region = credential.region.parse().map_err(|_| {
        let (status, code) = match protocol {
            Protocol::Query => (403, "InvalidClientTokenId"),
            _ => (400, "UnrecognizedClientException"),
        };
        ApiError::new(
            status,
            code,
            "The security token included in the request is invalid.",
        )
    })?;
    Ok((service, Caller::of_key(world, credential.key, region)))
}

fn missing_token(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Query {
        "MissingAuthenticationToken"
    } else {
        "MissingAuthenticationTokenException"
    }
}

fn write(
    protocol: Protocol,
    service: Option<Service>,
    operation: &str,
    result: Result<Value, ApiError>,
    id: &str,
) -> Response {
    let (status, kind, text) = match (protocol, &result) {
        (Protocol::Query, Ok(output)) => (200, "text/xml", xml::answer(operation, output, id)),
        (Protocol::Query, Err(error)) => (error.status(), "text/xml", xml::error(error, id)),
        (_, Ok(output)) => (200, content_type(protocol), output.to_string()),
        (_, Err(error)) => {
            let namespace = service.map_or("coral.service", Service::name);
            let body = json!({"__type": format!("com.amazonaws.{namespace}#{}", error.code()), "Message": error.message()});
            (error.status(), content_type(protocol), body.to_string())
        }
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let (Protocol::Rest, Err(error)) = (protocol, &result) {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(error.code()));
    }
    response
}

fn content_type(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Json {
        "application/x-amz-json-1.1"
    } else {
        "application/json"
    }
}
