//! Identifiers, parsed once. A value of one of these types has AWS's own shape for it, so nothing
//! further down has to check again.
//!
//! Every identifier reads from and prints as its plain text, in Rust (`FromStr`, `Display`) as in
//! JSON, TOML and YAML.
//!
//! ```
//! use patchfleet_core::id::{AccountId, Location, Partition, Region};
//!
//! let account: AccountId = "111122223333".parse()?;
//! let region: Region = "eu-west-1".parse()?;
//! assert_eq!(region.partition(), Partition::Aws);
//! assert_eq!(Location::new(account, region).to_string(), "111122223333/eu-west-1");
//! assert!("1111222233334".parse::<AccountId>().is_err());
//! # Ok::<(), patchfleet_core::id::ParseIdError>(())
//! ```

use crate::text::cut;

mod account;
mod campaign;
mod event;
mod name;
mod node;
mod node_set;
mod nodes_digest;
mod output;
mod region;
mod rows_digest;

pub use account::{AccountId, Location, OrgParent, OuId, RootId, TargetAccount};
pub use campaign::{
    CampaignId, ClientToken, CommandId, ExecutionId, RequestDigest, SnapshotId, UnitId, WriterId,
};
pub use event::{EventId, EventIdError, EventSource};
pub use name::{
    AlarmName, DocumentName, FreezeName, RequestName, ResourceGroupName, RoleArn, RoleName, SessionName,
    WaveName,
};
pub use node::{NodeId, NodeKind};
pub use node_set::NodeSet;
pub use nodes_digest::NodesDigest;
pub use output::{BucketName, LogGroupName, S3KeyPrefix};
pub use region::{Partition, Region};
pub use rows_digest::RowsDigest;

/// A text that is not the identifier it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {kind}: {expected}")]
pub struct ParseIdError {
    kind: &'static str,
    value: String,
    expected: &'static str,
}

impl ParseIdError {
    /// Longest part of a wrong value that a message repeats, in characters.
    const SHOWN: usize = 80;

    pub(crate) fn new(kind: &'static str, value: &str, expected: &'static str) -> Self {
        Self {
            kind,
            value: cut(value, Self::SHOWN),
            expected,
        }
    }

    /// What the text was taken for, with its article: "an account id".
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The text, cut after 80 characters.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// What would have been right.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

/// Defines a newtype over text that is checked by `$check` when it is made.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The identifier's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err($crate::id::ParseIdError::new($kind, text, $expected))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::id::ParseIdError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}
use text_id;

/// Whether `text` has `range` characters, each of which satisfies `each`.
fn all_of(text: &str, range: std::ops::RangeInclusive<usize>, each: fn(u8) -> bool) -> bool {
    range.contains(&text.len()) && text.bytes().all(each)
}

/// Lower-case ASCII letters and digits, as in organisation ids.
fn lower_or_digit(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}
