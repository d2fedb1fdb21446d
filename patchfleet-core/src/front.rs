//! The front door: what a program that patches a fleet calls, in the only order that is right.
//!
//! A [`Store`](crate::campaign::Store) says what was done. [`Campaigns`] plans, begins, follows and reports.
//! [`serve_event`] is for a function that ends long before its patching does. The types keep the order: nothing
//! begins without a plan ([`Planned::begin`]), and nothing goes on without what the log says of it
//! ([`Campaigns::resume`]).

mod campaign;
mod campaigns;
mod carry_over;
mod error;
mod event;
mod override_list;
mod retry;
mod store;
mod watched;

pub use campaign::{Campaign, ReadAgain};
pub use campaigns::{Campaigns, Planned};
pub use error::{CampaignError, Remedy};
pub use event::{Served, plan_event, serve_event};
pub use override_list::OverrideListError;
pub use retry::{Retry, RetryPlan};
pub use watched::watched;
