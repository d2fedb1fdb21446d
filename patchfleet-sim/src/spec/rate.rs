//! How many calls an action takes.

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use std::fmt;

/// How many calls an action takes: a number, or a bucket.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum RateSpec {
    /// Calls a second, 0.01 to 10000. The bucket holds as many, and one at least.
    PerSecond(f64),
    /// A bucket that says how many calls it holds.
    Bucket(BucketSpec),
}

/// A bucket from which each call takes one.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketSpec {
    /// Calls a second that it fills by, 0.01 to 10000.
    pub rate: f64,
    /// Calls that it holds, and begins with: 1 to 10000.
    pub burst: u32,
}

impl RateSpec {
    /// Calls a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        match self {
            Self::PerSecond(rate) => rate,
            Self::Bucket(bucket) => bucket.rate,
        }
    }

    /// Calls that may come at once.
    #[must_use]
    pub fn burst(self) -> f64 {
        match self {
            Self::PerSecond(rate) => rate.max(1.0),
            Self::Bucket(bucket) => f64::from(bucket.burst),
        }
    }
}

impl<'de> Deserialize<'de> for RateSpec {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RateVisitor)
    }
}

struct RateVisitor;

impl<'de> Visitor<'de> for RateVisitor {
    type Value = RateSpec;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("calls a second, as a number or as { rate = 5, burst = 8 }")
    }

    fn visit_f64<E>(self, rate: f64) -> Result<RateSpec, E> {
        Ok(RateSpec::PerSecond(rate))
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate that is this large is refused")]
    fn visit_i64<E>(self, rate: i64) -> Result<RateSpec, E> {
        Ok(RateSpec::PerSecond(rate as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate that is this large is refused")]
    fn visit_u64<E>(self, rate: u64) -> Result<RateSpec, E> {
        Ok(RateSpec::PerSecond(rate as f64))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RateSpec, A::Error> {
        BucketSpec::deserialize(MapAccessDeserializer::new(map)).map(RateSpec::Bucket)
    }
}
