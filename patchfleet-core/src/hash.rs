//! SHA-256, by which contents are told apart.

use sha2::Digest as _;
use std::fmt;

/// A SHA-256 that is being made.
#[derive(Default)]
pub(crate) struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds these bytes.
    pub(crate) fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The SHA-256 of all that was added.
    pub(crate) fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    /// The SHA-256 of these bytes.
    pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> [u8; 32] {
        sha2::Sha256::digest(bytes).into()
    }
}

/// A SHA-256 as 64 hexadecimal digits in lower case.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8; 32]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(64);
        for byte in self.0 {
            let digits = [byte >> 4, byte & 0xf].map(|digit| char::from_digit(u32::from(digit), 16));
            text.extend(digits.into_iter().flatten());
        }
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_of_the_standard_are_made_in_one_piece_and_in_several() {
        // FIPS 180-2, appendix B.
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Hex(&Sha256::digest("abc")).to_string(), expected);
        let mut hash = Sha256::new();
        hash.update("a");
        hash.update("bc");
        assert_eq!(Hex(&hash.finalize()).to_string(), expected);
    }
}
