//! A store in a bucket of S3 (feature `s3`): logs and node rows that any machine reaches, a Lambda's next
//! invocation among them.
//!
//! ```text
//! s3://BUCKET/PREFIX/campaigns/<campaign id>/<number>.json       what happened, one object for each record
//! s3://BUCKET/PREFIX/names/<request name>/<number>.json          whose the name is
//! s3://BUCKET/PREFIX/nodes/<campaign id>/<account>_<region>.json what became of the nodes there
//! s3://BUCKET/PREFIX/patchfleet.txt                              that patchfleet may write here
//! ```
//!
//! | | |
//! |---|---|
//! | `uri` | where it is: `s3://BUCKET/PREFIX` |
//! | `objects` | the five calls of S3 that it takes |
//! | `log` | records as objects |
//! | `rows` | rows as objects |
//!
//! "Append record n if there is no record n" is PutObject with `If-None-Match: *` (Amazon S3 User Guide, "How to
//! prevent object overwrites with conditional writes"). S3 reads and lists what was written at once (the same,
//! "Amazon S3 data consistency model"). No promise of the log rests on the listing alone, so a store that lists
//! late will do as well.

mod log;
mod objects;
mod rows;
mod uri;

pub use uri::{S3Uri, S3UriError};

use aws_types::SdkConfig;
use log::S3Log;
use objects::Objects;
use patchfleet_core::campaign::Store;
use rows::S3Rows;
use std::sync::Arc;

/// The store there, reached with a configuration of the SDK. Nobody is called yet.
pub(crate) fn store(config: &SdkConfig, uri: &S3Uri) -> Store {
    let objects = Objects::new(config, uri);
    Store::new(
        Arc::new(S3Log::new(objects.clone())),
        Arc::new(S3Rows::new(objects)),
    )
}
