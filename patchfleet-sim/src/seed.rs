//! Randomness that depends on names, never on the order of calls.
//!
//! Every random number of a world is a hash of the world's seed and of the number's purpose (a node's
//! id, "minutes"). So an added node changes nothing about the others, and calls to different accounts
//! may come in any order.

/// A world's seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    /// A number that depends on the seed and on `names`.
    #[must_use]
    pub(crate) fn number(self, names: &[&str]) -> u64 {
        // FNV-1a over the names, each ended by a byte that no UTF-8 text has, then splitmix64's
        // finaliser, because FNV alone leaves the high bits of short names nearly equal.
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for name in names {
            for byte in name.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }

    /// A number from 0 up to, but not including, 1.
    #[must_use]
    pub(crate) fn unit(self, names: &[&str]) -> f64 {
        let bits = u32::try_from(self.number(names) >> 32).unwrap_or(u32::MAX);
        f64::from(bits) / (f64::from(u32::MAX) + 1.0)
    }

    /// A whole number from `low` to `high`, both included.
    #[must_use]
    pub(crate) fn between(self, low: i64, high: i64, names: &[&str]) -> i64 {
        let span = u64::try_from(high.saturating_sub(low))
            .unwrap_or(0)
            .saturating_add(1);
        low.saturating_add(i64::try_from(self.number(names) % span).unwrap_or(0))
    }

    /// Text in the shape of a random UUID.
    #[must_use]
    pub(crate) fn uuid(self, names: &[&str]) -> String {
        uuid::Builder::from_random_bytes(self.bits(names).to_be_bytes())
            .into_uuid()
            .hyphenated()
            .to_string()
    }

    /// 17 hexadecimal digits, as EC2 and Systems Manager put them behind `i-` and `mi-`. The first
    /// is 0, as it is in practice.
    #[must_use]
    pub(crate) fn hex17(self, names: &[&str]) -> String {
        format!("0{:016x}", self.number(names))
    }

    /// `count` letters of A-Z and 2-7, the alphabet of IAM's ids. It makes 24 at most.
    #[must_use]
    pub(crate) fn letters(self, count: usize, names: &[&str]) -> String {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bits = self.bits(names);
        (0..count.min(24))
            .filter_map(|i| alphabet.get(usize::try_from((bits >> (i * 5)) & 0x1f).ok()?))
            .map(|byte| char::from(*byte))
            .collect()
    }

    fn bits(self, names: &[&str]) -> u128 {
        let low = Self(self.0.wrapping_add(1)).number(names);
        (u128::from(self.number(names)) << 64) | u128::from(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_the_seed_and_on_every_name() {
        let seed = Seed(1);
        assert_eq!(seed.number(&["a", "b"]), seed.number(&["a", "b"]));
        assert_ne!(seed.number(&["a", "b"]), seed.number(&["ab"]));
        assert_ne!(seed.number(&["a"]), Seed(2).number(&["a"]));
    }

    #[test]
    fn ids_have_awss_lengths() {
        assert_eq!(Seed(1).hex17(&["x"]).len(), 17);
        assert_eq!(Seed(1).uuid(&["x"]).len(), 36);
        assert_eq!(Seed(1).letters(17, &["x"]).len(), 17);
        assert!((0..200).all(|i| (3..=5).contains(&Seed(7).between(3, 5, &[&i.to_string()]))));
    }
}
