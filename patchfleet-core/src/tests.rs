//! What the tests of several stages share.

pub(crate) mod shelf;
pub(crate) mod world;
