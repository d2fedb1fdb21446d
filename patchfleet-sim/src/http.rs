//! AWS's wire protocols on one port: who calls and for which service is read from the request.

mod form;
mod inspect;
mod request;
mod respond;
mod xml;

use crate::clock::SimClock;
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use futures_util::StreamExt;
use request::Route;

/// Bytes that a request may have. AWS's own limits are lower, and checked by the operations.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// Everything that the simulator answers.
pub(crate) fn router(clock: SimClock) -> Router {
    Router::new().fallback(answer).with_state(clock)
}

async fn answer(State(clock): State<SimClock>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = read(body).await;
    if let Some(path) = head.uri.path().strip_prefix("/_sim/") {
        return inspect::answer(&clock, &head.method, path, body.as_deref());
    }
    let route = Route::of(&head.method, &head.uri, &head.headers, body.as_deref());
    clock.call_latency().await;
    clock.with_world(|world| respond::answer(world, route, &head.headers))
}

/// A request's body; `None` if it is too large or was broken off. One that is too large is read to
/// its end all the same: a client that is still writing when the connection closes never sees the
/// answer.
async fn read(body: Body) -> Option<Vec<u8>> {
    let mut whole = Some(vec![]);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.ok()?;
        whole = whole
            .filter(|read: &Vec<u8>| read.len() + chunk.len() <= MAX_BODY)
            .map(|mut read| {
                read.extend_from_slice(&chunk);
                read
            });
    }
    whole
}
