//! The one way to call AWS. A call waits for its turn, is watched, and is made again where that may
//! help. If it fails, its failure is one error of core.
//!
//! | | |
//! |---|---|
//! | `operation`, `rate`, `limits` | what is called, and how often it may be |
//! | `place` | where a call goes |
//! | `flow`, `slots`, `turn` | when a call may be made |
//! | `error`, `classify` | what went wrong: from the SDK's error to core's |
//! | `watch` | what became of each attempt of a call |
//! | `renew` | a call made again with new credentials |
//! | `send` | one call, with everything above |
//! | `reading`, `pages` | what the answers of several operations have in common |
//! | `sdk` | the SDK's clients |

mod classify;
mod error;
mod flow;
mod limits;
mod operation;
mod pages;
mod place;
mod rate;
mod reading;
mod renew;
pub(crate) mod sdk;
mod send;
mod slots;
mod turn;
mod watch;

pub use limits::Limits;
pub use operation::Operation;
pub use rate::Rate;

#[cfg(feature = "s3")]
pub(crate) use classify::failure;
pub(crate) use error::{CallError, RoleError};
pub(crate) use pages::{all_pages, first_of_pages};
pub(crate) use place::Place;
pub(crate) use reading::{Unreadable, count, timestamp, token};
pub(crate) use renew::Signer;
pub(crate) use send::{Call, Sender, send, send_once};
pub(crate) use watch::SignedBy;
#[cfg(feature = "s3")]
pub(crate) use watch::Watch;
