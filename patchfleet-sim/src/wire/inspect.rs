//! The simulator's own endpoints, under `/_sim/`: what was called, what is true, and time.

use super::body::Reply;
use crate::{
    api,
    clock::SimClock,
    model::ServiceModel,
    service::Service,
    spec::{ChangeSpec, FaultSpec},
    world::World,
};
use http::{HeaderValue, Method, Response, StatusCode, header};
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

/// The furthest that time may be moved at once, a virtual year. A larger number is taken for a mistake.
const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// The header of `GET /_sim/requests` that says how many calls came before those in its body.
const DROPPED: &str = "x-sim-dropped-requests";

const ENDPOINTS: &str = "there are GET requests, GET state, GET operations, POST advance, GET and POST change, and GET, POST and DELETE fault";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

pub(super) fn answer(clock: &SimClock, method: &Method, path: &str, body: Option<&[u8]>) -> Response<Reply> {
    let Some(body) = body else {
        return reply(413, json!({"error": "the body is too large"}));
    };
    match (method.as_str(), path) {
        ("GET", "requests") => clock.with_world(|world| requests(world)),
        ("GET", "state") => reply(200, clock.with_world(|world| world.state())),
        ("GET", "operations") => reply(200, operations()),
        ("GET", "fault") => reply(200, clock.with_world(|world| json!(world.faults()))),
        ("POST", "fault") => add_fault(clock, body),
        ("DELETE", "fault") => {
            clock.with_world(World::clear_faults);
            reply(200, json!([]))
        }
        ("POST", "advance") => advance(clock, body),
        ("GET", "change") => reply(200, clock.with_world(|world| json!(world.changes()))),
        ("POST", "change") => add_change(clock, body),
        (_, "requests" | "state" | "operations" | "fault" | "advance" | "change") => {
            reply(405, json!({"error": ENDPOINTS}))
        }
        _ => reply(404, json!({"error": ENDPOINTS})),
    }
}

/// The calls that are kept, and in a header how many are not.
fn requests(world: &World) -> Response<Reply> {
    let mut response = reply(200, json!(world.requests()));
    let dropped = HeaderValue::from(world.dropped_requests());
    response.headers_mut().insert(DROPPED, dropped);
    response
}

/// Every operation, with the errors that its model has.
fn operations() -> Value {
    let operation = |(service, name): (Service, &str)| {
        let errors = ServiceModel::of(service).errors_of(name);
        let errors: Vec<Value> = errors
            .map(|error| json!({"code": error.code, "status": error.status}))
            .collect();
        json!({"service": service.name(), "operation": name, "errors": errors})
    };
    api::operations().into_iter().map(operation).collect()
}

/// Adds one fault, and answers with all of them.
fn add_fault(clock: &SimClock, body: &[u8]) -> Response<Reply> {
    let spec: FaultSpec = match serde_json::from_slice(body) {
        Ok(spec) => spec,
        Err(error) => return reply(400, json!({"error": format!("the body is a fault: {error}")})),
    };
    clock.with_world(|world| match world.add_fault(spec) {
        Ok(()) => reply(200, json!(world.faults())),
        Err(problems) => reply(400, json!({"error": problems.join("; ")})),
    })
}

/// Does one change, now or later, and answers with all that have happened.
fn add_change(clock: &SimClock, body: &[u8]) -> Response<Reply> {
    let spec: ChangeSpec = match serde_json::from_slice(body) {
        Ok(spec) => spec,
        Err(error) => return reply(400, json!({"error": format!("the body is a change: {error}")})),
    };
    clock.with_world(|world| match world.add_change(&spec) {
        Ok(()) => reply(200, json!(world.changes())),
        Err(problems) => reply(400, json!({"error": problems.join("; ")})),
    })
}

fn advance(clock: &SimClock, body: &[u8]) -> Response<Reply> {
    let wanted: Advance = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(error) => {
            return reply(
                400,
                json!({"error": format!("the body is {{\"seconds\": n}}: {error}")}),
            );
        }
    };
    if !(0.0..=MAX_SECONDS).contains(&wanted.seconds) {
        return reply(400, json!({"error": "seconds is from 0 to a year"}));
    }
    clock.advance(SignedDuration::from_secs_f64(wanted.seconds));
    reply(200, json!({"now": clock.with_world(|world| world.now())}))
}

/// The request may not use these endpoints.
pub(super) fn refused(problem: &str) -> Response<Reply> {
    reply(403, json!({"error": problem}))
}

/// The request's body did not come in time.
pub(super) fn too_slow() -> Response<Reply> {
    reply(
        408,
        json!({"error": "the body of the request did not come in time"}),
    )
}

fn reply(status: u16, value: Value) -> Response<Reply> {
    let mut response = Response::new(Reply::whole(value.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
