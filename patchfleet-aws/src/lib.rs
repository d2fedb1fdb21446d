//! patchfleet's ports over the AWS SDK for Rust.

mod bucket;
mod clock;
mod limits;

pub use bucket::Rate;
pub use clock::SystemClock;
pub use limits::{Limits, Operation};
