//! A Lambda function that plans patch campaigns, starts them, and drives them call by call.
//!
//! It serves a maintenance window's Lambda task, an EventBridge rule or Scheduler, direct invocations, and the
//! operations of a state machine.
//!
//! Without a log it starts every execution of a plan whose executions can run side by side, and leaves them to Systems
//! Manager. The answer says what was started, and what was skipped and why. What an earlier delivery of an event started
//! is looked for before anything is planned, because the patching itself changes what a plan is made from.
//!
//! With a log (`PATCHFLEET_LOG=s3://BUCKET/PREFIX`) an event's campaign is written down, and `{"op": "advance"}` drives
//! it, as often as it is called. So any plan can be followed to its end, whatever the function's time is.
//!
//! An event that is delivered twice is one campaign, whose identity is the event's id and a digest of the whole request.
//! A request that is invalid or refused is a function error, so that alarms on errors see it. Its
//! message names every problem at once, and nothing has been started.
//!
//! In the place of the second post's function (its environment variables, an event that says nothing of what to patch) it
//! does no less than that function: locations without nodes are kept where leaving them out takes more executions than
//! may run side by side, and so are locations that nobody may look into.
//!
//! `PATCHFLEET_CUTOFF` (`9h`) says when every command must have expired, from when the function is called. With
//! `PATCHFLEET_CARRY_OVER` (`true`) a campaign begins with what the last one could not begin before its cutoff. With
//! `PATCHFLEET_SECOND_ATTEMPT` (`true`) the nodes that a campaign did not reach are tried once more when it is over.

mod answer;
mod cutoff;
mod delivered;
mod event;
mod failure;
mod function;
mod operation;
mod sample;
mod settings;
mod sns;
mod wish;

pub use answer::{Answer, Execution, Planned, Reported, Standing, Summary};
pub use delivered::Event;
pub use failure::{Failure, FailureKind};
pub use function::Function;
pub use settings::Settings;
