//! The listener: takes connections until it is told to stop.

use super::{Patience, answer};
use crate::clock::SimClock;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::time::Duration;
use tokio::{net::TcpListener, sync::oneshot};

/// Room for a request's head, large enough that a head over the limit is answered and not cut off.
const HEAD_ROOM: usize = 1024 * 1024;
/// How many headers a request may have before the connection is refused.
const MAX_HEADER_COUNT: usize = 20_000;

/// Serves until `stopped` is sent or dropped, and then until every request that had come is
/// answered.
pub(crate) async fn serve(
    listener: TcpListener,
    clock: SimClock,
    patience: Patience,
    mut stopped: oneshot::Receiver<()>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = &mut stopped => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // This connection failed, or file descriptors ran out. The next one may succeed.
                tracing::debug!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let clock = clock.clone();
        let service = service_fn(move |request| answer(clock.clone(), patience, request));
        let connection = http1::Builder::new()
            .max_buf_size(HEAD_ROOM)
            .max_headers(MAX_HEADER_COUNT)
            .timer(TokioTimer::new())
            .header_read_timeout(patience.head)
            .serve_connection(TokioIo::new(stream), service);
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection broke");
            }
        });
    }
    drop(listener);
    graceful.shutdown().await;
}
