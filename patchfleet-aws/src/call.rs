//! One way to make a call of AWS: in its turn, watched, again where that may help, and its failure
//! as one error of core.
//!
//! | | |
//! |---|---|
//! | `operation`, `rate`, `limits` | what is called, and how hard AWS is asked |
//! | `place` | where a call goes |
//! | `flow`, `turn` | when it may be made: the rate of each operation there, and the slots |
//! | `failure`, `classify` | what went wrong, from the SDK's error to core's |
//! | `watch` | what became of each attempt |
//! | `renew` | the call again, with new credentials |
//! | `send` | all of these, for one call |
//! | `reading`, `pages` | what several operations answer alike |
//! | `sdk` | the SDK's clients |

mod classify;
mod failure;
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
mod turn;
mod watch;

pub use limits::Limits;
pub use operation::Operation;
pub use rate::Rate;

pub(crate) use failure::{AssumeFailure, Failure};
pub(crate) use pages::{all_pages, first_of_pages};
pub(crate) use place::Place;
pub(crate) use reading::{Unreadable, count, timestamp, token};
pub(crate) use renew::Signer;
pub(crate) use send::{Call, Sender, send};
