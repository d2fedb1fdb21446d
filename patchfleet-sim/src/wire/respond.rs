//! From a request that has been understood to the bytes that AWS would answer.

use super::{
    body::Reply,
    cbor,
    request::{Credential, Protocol, Route, Unread},
    xml,
};
use crate::{
    api::{self, Caller, Cut, Fate},
    error::{ApiError, not_simulated},
    model::ServiceModel,
    service::Service,
    world::{RequestRecord, World},
};
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use jiff::SignedDuration;
use serde_json::{Map, Value};

/// A request that has come in: who sent it, and what faults have in store for it.
pub(super) struct Arrived {
    route: Route,
    caller: Result<(Service, Caller), ApiError>,
    fate: Fate,
}

impl Arrived {
    /// How much longer than others it takes.
    pub(super) fn delay(&self) -> SignedDuration {
        self.fate.delay
    }
}

/// Takes a request in.
pub(super) fn arrive(world: &mut World, route: Route, headers: &HeaderMap) -> Arrived {
    let caller = identify(world, route.service, route.protocol, &route.operation, headers);
    let fate = match (&caller, &route.input) {
        (Ok((service, caller)), Ok(input)) => api::fate(world, caller, *service, &route.operation, input),
        _ => Fate::default(),
    };
    Arrived { route, caller, fate }
}

/// Answers it; `None`: the connection is to break.
pub(super) fn answer(world: &mut World, arrived: Arrived) -> Option<Response<Reply>> {
    let Arrived { route, caller, fate } = arrived;
    let Route {
        protocol,
        service,
        operation,
        input,
    } = route;
    let place = match &caller {
        Ok((_, caller)) => format!("{}/{}/{operation}", caller.account, caller.region),
        Err(_) => String::new(),
    };
    let result = act(world, service, caller, &operation, input, &fate);
    tracing::debug!(
        operation,
        error = result.as_ref().err().map(tracing::field::display),
        "answered"
    );
    // Each place numbers its own calls, so calls elsewhere make no difference.
    let number = world.count(&format!("request/{place}")).to_string();
    let id = world.seed().uuid(&["request", &place, &number]);
    match fate.cut {
        Some(Cut::Before | Cut::After) => None,
        cut => {
            let mut response = write(protocol, service, &operation, result, &id, cut.is_some());
            if response.status().is_success() {
                date(world, &mut response);
            }
            Some(response)
        }
    }
}

fn act(
    world: &mut World,
    service: Option<Service>,
    caller: Result<(Service, Caller), ApiError>,
    operation: &str,
    input: Result<Value, Box<Unread>>,
    fate: &Fate,
) -> Result<Value, ApiError> {
    match (caller, input) {
        (Ok((service, caller)), Ok(input)) => api::perform(world, &caller, service, operation, input, fate),
        (Ok((service, caller)), Err(unread)) => {
            let Unread { shown, error } = *unread;
            api::refuse(world, &caller, service, operation, shown, error)
        }
        (Err(error), input) => {
            if service.is_none() {
                tracing::warn!(operation, "not an operation that is simulated");
            }
            let service = service.map_or("", Service::name).to_owned();
            let record = RequestRecord {
                principal_account: String::new(),
                principal: String::new(),
                account: String::new(),
                region: String::new(),
                service,
                operation: operation.to_owned(),
                input: input.unwrap_or_else(|unread| unread.shown),
                status: error.status(),
                error: Some(error.code().to_owned()),
                faults: vec![],
                time: world.now(),
            };
            world.record(record, None);
            Err(error)
        }
    }
}

/// The service, and who calls it.
fn identify(
    world: &World,
    service: Option<Service>,
    protocol: Protocol,
    operation: &str,
    headers: &HeaderMap,
) -> Result<(Service, Caller), ApiError> {
    let service = service.ok_or_else(|| {
        let words = not_simulated(operation);
        match protocol {
            Protocol::Rest => ApiError::new(404, "UnknownOperationException", words),
            Protocol::Query => ApiError::client("InvalidAction", words),
            Protocol::Json | Protocol::Cbor => ApiError::client("UnknownOperationException", words),
        }
    })?;
    if Credential::of(headers).is_none() {
        return Err(ApiError::new(
            403,
            missing_token(protocol),
            "Missing Authentication Token",
        ));
    }
    Ok((service, caller_of(world, service, headers)?))
}

/// Who calls a service.
pub(super) fn caller_of(world: &World, service: Service, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let credential = Credential::of(headers).ok_or_else(|| api::invalid_token(service))?;
    let region = credential
        .region
        .parse()
        .map_err(|_| api::invalid_token(service))?;
    let caller = Caller::of_key(world, credential.key, region);
    let token = headers.get("x-amz-security-token").map(HeaderValue::as_bytes);
    let wrong = |key: &String| token != Some(world.session_token(key).as_bytes());
    if caller.key.as_ref().is_some_and(wrong) {
        return Err(api::invalid_token(service));
    }
    Ok(caller)
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
    breaks: bool,
) -> Response<Reply> {
    let (status, kind, text) = match (protocol, &result) {
        (Protocol::Query, Ok(output)) => (200, "text/xml", xml::answer(operation, output, id).into_bytes()),
        (Protocol::Query, Err(error)) => (error.status(), "text/xml", xml::error(error, id).into_bytes()),
        (_, Ok(output)) => (200, content_type(protocol), body_of(protocol, output)),
        (_, Err(error)) => (
            error.status(),
            content_type(protocol),
            body_of(protocol, &error_body(service, error)),
        ),
    };
    let length = HeaderValue::from(text.len());
    let mut response = Response::new(if breaks {
        Reply::half(text)
    } else {
        Reply::whole(text)
    });
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, length);
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    if protocol == Protocol::Cbor {
        headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
    }
    if let (Protocol::Rest, Err(error)) = (protocol, &result)
        && let Ok(code) = HeaderValue::from_str(error.code())
    {
        headers.insert("x-amzn-errortype", code);
    }
    response
}

/// Dates an answer by the world's clock, and an error by this machine's. A client that is denied access compares
/// the date with its own clock. If they are far apart it takes that for the reason, and calls again.
pub(super) fn date(world: &World, response: &mut Response<Reply>) {
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&world.now());
    if let Some(date) = date.ok().and_then(|date| HeaderValue::from_str(&date).ok()) {
        response.headers_mut().insert(header::DATE, date);
    }
}

/// An error in JSON. The model names the member that holds its message. AWS sends a message even where
/// the model has none.
fn error_body(service: Option<Service>, error: &ApiError) -> Value {
    let namespace = service.map_or("coral.service", Service::name);
    let mut body = Map::new();
    body.insert(
        "__type".to_owned(),
        Value::from(format!("com.amazonaws.{namespace}#{}", error.code())),
    );
    let modelled = service.and_then(|service| ServiceModel::of(service).error(error.code()));
    let name = modelled.and_then(|error| error.message.as_deref());
    body.insert(name.unwrap_or("message").to_owned(), Value::from(error.message()));
    for (name, value) in error.members() {
        body.insert((*name).to_owned(), value.clone());
    }
    Value::Object(body)
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Json => "application/x-amz-json-1.1",
        Protocol::Cbor => "application/cbor",
        Protocol::Rest | Protocol::Query => "application/json",
    }
}

fn body_of(protocol: Protocol, value: &Value) -> Vec<u8> {
    match protocol {
        Protocol::Cbor => cbor::written(value),
        Protocol::Json | Protocol::Rest | Protocol::Query => value.to_string().into_bytes(),
    }
}
