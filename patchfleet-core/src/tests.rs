//! What the tests of several stages share.

pub(crate) mod numbers;
pub(crate) mod shelf;
pub(crate) mod world;
