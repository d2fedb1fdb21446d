//! SHA-256, by which contents are told apart.

/// A SHA-256 that is being made.
#[derive(Default)]
pub(crate) struct Sha256(hmac_sha256::Hash);

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
        self.0.finalize()
    }

    /// The SHA-256 of these bytes.
    pub(crate) fn digest(bytes: impl AsRef<[u8]>) -> [u8; 32] {
        hmac_sha256::Hash::hash(bytes.as_ref())
    }
}
