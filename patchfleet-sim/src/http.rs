//! AWS's wire protocols on one port: who calls and for which service is read from the request.

mod form;
mod inspect;
mod request;
mod respond;
mod xml;

use crate::clock::SimClock;
use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, Uri},
    response::Response,
};
use patchfleet_core::port::Clock;
use request::Route;

/// Bytes that a request may have. AWS's own limits are lower, and checked by the operations.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Everything that the simulator answers.
pub(crate) fn router(clock: SimClock) -> Router {
    Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(clock)
}

async fn answer(
    State(clock): State<SimClock>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(path) = uri.path().strip_prefix("/_sim/") {
        return inspect::answer(&clock, &method, path, &body);
    }
    let route = Route::of(&method, &uri, &headers, &body);
    let latency = clock.with_world(|world| world.latency());
    if !latency.is_zero() {
        clock.sleep_until(crate::world::after(clock.now(), latency)).await;
    }
    clock.with_world(|world| respond::answer(world, route, &headers, &body))
}
