//! The Regions that there are, and which of them an account has without asking.

use patchfleet_core::id::{Partition, Region};

/// Whether a Region has to be opted into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegionKind {
    /// Enabled by default in every account.
    Default,
    /// Disabled until an account enables it.
    OptIn,
}

const COMMERCIAL: &[&str] = &[
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-north-1",
    "ap-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-southeast-1",
    "ap-southeast-2",
];

const COMMERCIAL_OPT_IN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
];

/// The names of every Region of `partition`, those enabled by default first. The isolated
/// partitions have none here: a world in one of them lists its Regions.
pub(crate) fn names(partition: Partition) -> impl Iterator<Item = &'static str> {
    let (default, opt_in): (&[&str], &[&str]) = match partition {
        Partition::Aws => (COMMERCIAL, COMMERCIAL_OPT_IN),
        Partition::AwsCn => (&["cn-north-1", "cn-northwest-1"], &[]),
        Partition::AwsUsGov => (&["us-gov-east-1", "us-gov-west-1"], &[]),
        Partition::AwsEusc => (&["eusc-de-east-1"], &[]),
        _ => (&[], &[]),
    };
    default.iter().chain(opt_in).copied()
}

/// Whether `region` has to be opted into.
pub(crate) fn kind(region: &Region) -> RegionKind {
    if COMMERCIAL_OPT_IN.contains(&region.as_str()) {
        RegionKind::OptIn
    } else {
        RegionKind::Default
    }
}
