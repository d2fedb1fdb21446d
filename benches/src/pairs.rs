//! Sets of account–Region pairs, as scattered as sets can be.

use crate::Fallible;
use patchfleet_core::id::{AccountId, Location, Region};
use std::collections::BTreeSet;

/// Twenty Regions.
pub const REGIONS: [&str; 20] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "me-south-1",
];

/// The id of account number `n`.
#[must_use]
pub fn account(n: u64) -> String {
    format!("{:012}", 100_000_000_000 + n)
}

/// About `percent` of all pairs of so many accounts with the [`REGIONS`]. Each pair is in or out
/// by a hash of its own, so no account is like another: the worst that packing can meet.
///
/// # Errors
///
/// Never for fewer accounts than there are account ids.
pub fn scattered(accounts: u64, percent: u64) -> Fallible<BTreeSet<Location>> {
    let mut wanted = BTreeSet::new();
    for number in 0..accounts {
        let account: AccountId = account(number).parse()?;
        for (column, region) in (0..).zip(REGIONS) {
            if hash(number * 100 + column) % 100 < percent {
                let region: Region = region.parse()?;
                wanted.insert(Location::new(account.clone(), region));
            }
        }
    }
    Ok(wanted)
}

/// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
fn hash(n: u64) -> u64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
