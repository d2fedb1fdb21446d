//! Regions and the partitions they belong to. The partition is always derived from the Region's
//! name, by the patterns that AWS publishes for its endpoints (botocore `partitions.json`).

use super::ParseIdError;
use std::{fmt, str::FromStr};

/// A part of AWS with its own accounts, IAM and endpoints. Nothing crosses from one to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Partition {
    /// Commercial Regions.
    Aws,
    /// China.
    AwsCn,
    /// US government.
    AwsUsGov,
    /// European Sovereign Cloud.
    AwsEusc,
    /// US intelligence community, Top Secret.
    AwsIso,
    /// US intelligence community, Secret.
    AwsIsoB,
    /// Europe, isolated.
    AwsIsoE,
    /// US, isolated (F).
    AwsIsoF,
}

impl Partition {
    /// Every partition, in the order in which a Region's name is tried.
    const ALL: [Self; 8] = [
        Self::AwsUsGov,
        Self::AwsIso,
        Self::AwsIsoB,
        Self::AwsIsoE,
        Self::AwsIsoF,
        Self::AwsCn,
        Self::AwsEusc,
        Self::Aws,
    ];

    /// The id that stands second in an ARN: `aws`, `aws-cn`, ….
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::AwsCn => "aws-cn",
            Self::AwsUsGov => "aws-us-gov",
            Self::AwsEusc => "aws-eusc",
            Self::AwsIso => "aws-iso",
            Self::AwsIsoB => "aws-iso-b",
            Self::AwsIsoE => "aws-iso-e",
            Self::AwsIsoF => "aws-iso-f",
        }
    }

    /// How the names of its Regions begin.
    fn region_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Aws => &["us-", "eu-", "ap-", "sa-", "ca-", "me-", "af-", "il-", "mx-"],
            Self::AwsCn => &["cn-"],
            Self::AwsUsGov => &["us-gov-"],
            Self::AwsEusc => &["eusc-de-"],
            Self::AwsIso => &["us-iso-"],
            Self::AwsIsoB => &["us-isob-"],
            Self::AwsIsoE => &["eu-isoe-"],
            Self::AwsIsoF => &["us-isof-"],
        }
    }

    fn of_region(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|partition| {
            partition
                .region_prefixes()
                .iter()
                .any(|prefix| name.strip_prefix(prefix).is_some_and(is_direction_and_number))
        })
    }
}

/// `\w+-\d+`, the end of every Region's name.
fn is_direction_and_number(text: &str) -> bool {
    text.split_once('-').is_some_and(|(direction, number)| {
        !direction.is_empty()
            && direction.bytes().all(|b| b.is_ascii_lowercase())
            && (1..=3).contains(&number.len())
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// An AWS Region by its code, with the partition it belongs to. A code that parses need not be a Region. Only ListRegions
/// tells which Regions exist.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region {
    name: Box<str>,
    partition: Partition,
}

impl Region {
    /// The Region's code: `eu-west-1`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The partition, derived from the code.
    #[must_use]
    pub fn partition(&self) -> Partition {
        self.partition
    }
}

impl FromStr for Region {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match Partition::of_region(text) {
            Some(partition) => Ok(Self {
                name: text.into(),
                partition,
            }),
            None => Err(ParseIdError::new(
                "a Region",
                text,
                "a Region code such as eu-west-1",
            )),
        }
    }
}

impl TryFrom<String> for Region {
    type Error = ParseIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Region> for String {
    fn from(region: Region) -> Self {
        region.name.into()
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_follows_from_the_regions_name() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("mx-central-1", "aws"),
            ("ap-southeast-7", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("cn-north-1", "aws-cn"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
        ] {
            assert_eq!(
                region.parse::<Region>().unwrap().partition().id(),
                partition,
                "{region}"
            );
        }
    }

    #[test]
    fn what_has_no_regions_shape_is_refused() {
        for wrong in [
            "",
            "us-east",
            "us-east-1a",
            "US-EAST-1",
            "us-east-1 ",
            "xx-east-1",
            "us--1",
            "global",
        ] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }
}
