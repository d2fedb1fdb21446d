//! How an [`Aws`](crate::Aws) is made: from the environment, the profiles, and what a program sets.
//!
//! | | |
//! |---|---|
//! | `tls` | the HTTP client, and whom it trusts |
//! | `services` | `services` sections of profiles, read as the AWS CLI reads them |
//! | `endpoints` | endpoints that are set have to be URLs |
//! | `surroundings` | the environment and the profile files; why there are no credentials |
//! | `limits`, `external_id` | patchfleet's own variables |
//! | `builder` | all of them together |

mod builder;
mod endpoints;
mod external_id;
mod limits;
mod services;
mod surroundings;
mod tls;

pub use builder::{AwsBuilder, load_config, simulated_config};
pub use external_id::external_id_from_env;
