//! AWS's wire protocols on one port. The request itself says who calls and which service.

mod body;
mod cbor;
mod form;
mod guard;
mod inspect;
mod request;
mod respond;
mod s3;
mod serve;
mod xml;

pub(crate) use serve::serve;

use crate::clock::SimClock;
use body::Reply;
use guard::refusal;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use request::Route;
use std::time::Duration;

/// Bytes that a request's body may have. AWS's own limits are lower, and checked by the operations.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Bytes that an object of S3 may have. S3 takes 5 GB in one PutObject.
const MAX_OBJECT: usize = 256 * 1024 * 1024;
/// Bytes that the names and values of a request's headers may have.
const MAX_HEADERS: usize = 64 * 1024;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault of this world breaks the connection")]
struct Dropped;

/// How long a connection may keep the simulator waiting, in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long a connection may be idle, or take to send a request's head (default 60 s). The time
    /// counts from the answer before. Then the connection is closed.
    pub head: Duration,
    /// How long a request's body may take after its head (default 60 s). Then the answer is status 408,
    /// and the connection is closed.
    pub body: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self {
            head: minute,
            body: minute,
        }
    }
}

async fn answer(
    clock: SimClock,
    patience: Patience,
    request: Request<Incoming>,
) -> Result<Response<Reply>, Dropped> {
    let (head, body) = request.into_parts();
    if let Some(problem) = refusal(&head.headers).filter(|_| head.uri.path().starts_with("/_sim/")) {
        return Ok(inspect::refused(&problem));
    }
    let is_for_s3 = s3::is_for_s3(&head.headers);
    let most = if is_for_s3 { MAX_OBJECT } else { MAX_BODY };
    let Ok(body) = tokio::time::timeout(patience.body, read(body, most)).await else {
        let mut late = inspect::too_slow();
        late.headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        return Ok(late);
    };
    if let Some(path) = head.uri.path().strip_prefix("/_sim/") {
        return Ok(inspect::answer(&clock, &head.method, path, body.as_deref()));
    }
    if is_for_s3 {
        let arrived =
            clock.with_world(|world| s3::arrive(world, &head.method, &head.uri, &head.headers, body));
        clock.call_latency(arrived.delay()).await;
        return clock
            .with_world(|world| s3::answer(world, arrived))
            .ok_or(Dropped);
    }
    let mut route = Route::of(&head.method, &head.uri, &head.headers, body.as_deref());
    if size(&head.headers) > MAX_HEADERS {
        route.input = Err(request::too_large(431, "headers", MAX_HEADERS));
    }
    let arrived = clock.with_world(|world| respond::arrive(world, route, &head.headers));
    clock.call_latency(arrived.delay()).await;
    clock
        .with_world(|world| respond::answer(world, arrived))
        .ok_or(Dropped)
}

fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum()
}

/// A request's body; `None` if it is too large or was broken off. A body that is too large is still
/// read to its end, because a client that is writing when the connection closes never sees the answer.
async fn read(mut body: Incoming, most: usize) -> Option<Vec<u8>> {
    let mut whole = Some(vec![]);
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.ok()?.into_data() else {
            continue;
        };
        whole = whole
            .filter(|read: &Vec<u8>| read.len() + chunk.len() <= most)
            .map(|mut read| {
                read.extend_from_slice(&chunk);
                read
            });
    }
    whole
}
