//! From a request that has been understood to the bytes that AWS would answer.

use super::{
    request::{Credential, Protocol, Route},
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

pub(super) fn answer(world: &mut World, route: Route, headers: &HeaderMap, body: &[u8]) -> Response {
    let Route {
        protocol,
        service,
        operation,
        input,
    } = route;
    let result = act(world, service, protocol, &operation, input, headers, body);
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
    input: Result<Value, String>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Value, ApiError> {
    // What cannot be read reaches the operation as text, so that the call is on record, and is
    // refused there as AWS refuses it.
    let input = input.unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
    match identify(world, service, protocol, headers) {
        Ok((service, caller)) => api::call(world, &caller, service, operation, input),
        Err(error) => {
            let service = service.map_or("", Service::name).to_owned();
            world.requests.push(RequestRecord {
                principal_account: String::new(),
                principal: String::new(),
                account: String::new(),
                region: String::new(),
                service,
                operation: operation.to_owned(),
                input,
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
        _ => ApiError::client("UnknownOperationException", ""),
    })?;
    let credential = Credential::of(headers)
        .ok_or_else(|| ApiError::new(403, missing_token(protocol), "Missing Authentication Token"))?;
    let region = credential.region.parse().map_err(|_| {
        ApiError::client(
            "UnrecognizedClientException",
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
