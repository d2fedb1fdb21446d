//! From a request that has been understood to the bytes that AWS would answer.

use super::{
    request::{Credential, Protocol, Route, Unread},
    xml,
};
use crate::{
    api::{self, ApiError, Caller, Service},
    model::ServiceModel,
    world::{RequestRecord, World},
};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::{Map, Value};

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
        (_, Err(error)) => (
            error.status(),
            content_type(protocol),
            error_body(service, error).to_string(),
        ),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    if let (Protocol::Rest, Err(error)) = (protocol, &result)
        && let Ok(code) = HeaderValue::from_str(error.code())
    {
        headers.insert("x-amzn-errortype", code);
    }
    response
}

/// An error in JSON. Its message is called what the model calls it; some errors have none.
fn error_body(service: Option<Service>, error: &ApiError) -> Value {
    let namespace = service.map_or("coral.service", Service::name);
    let mut body = Map::new();
    body.insert(
        "__type".to_owned(),
        Value::from(format!("com.amazonaws.{namespace}#{}", error.code())),
    );
    let modelled = service.and_then(|service| ServiceModel::of(service).error(error.code()));
    if let Some(name) = modelled.map_or(Some("message"), |error| error.message.as_deref()) {
        body.insert(name.to_owned(), Value::from(error.message()));
    }
    for (name, value) in error.members() {
        body.insert((*name).to_owned(), value.clone());
    }
    Value::Object(body)
}

fn content_type(protocol: Protocol) -> &'static str {
    if protocol == Protocol::Json {
        "application/x-amz-json-1.1"
    } else {
        "application/json"
    }
}
