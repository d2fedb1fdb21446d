//! The bodies of answers: whole, or broken off.

use http_body::{Body, Frame, SizeHint};
use hyper::body::Bytes;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// An answer's body.
#[derive(Debug)]
pub(super) struct Reply {
    left: Option<Bytes>,
    end: End,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Well,
    /// It breaks off as soon as the bytes before are sent.
    Breaks,
    /// The bytes before are sent.
    BreaksNow,
}

/// The body ends before its end, and hyper closes the connection.
#[derive(Debug, thiserror::Error)]
#[error("a fault of this world breaks the answer off")]
pub(super) struct BrokenOff;

impl Reply {
    /// All of it.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self {
            left: Some(bytes.into()),
            end: End::Well,
        }
    }

    /// The first half of it.
    pub(super) fn half(bytes: impl Into<Bytes>) -> Self {
        let mut bytes = bytes.into();
        bytes.truncate(bytes.len() / 2);
        Self {
            left: Some(bytes),
            end: End::Breaks,
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(bytes) = self.left.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.end {
            End::Well => Poll::Ready(None),
            // hyper writes what it has when the body has nothing for the moment.
            End::Breaks => {
                self.end = End::BreaksNow;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::BreaksNow => Poll::Ready(Some(Err(BrokenOff))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.end == End::Well && self.left.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        if self.end != End::Well {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.left.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
