//! Nodes, the places where they are, and the groups that they are in.

mod group;
mod life;
mod node;
mod place;

pub use group::Group;
pub(crate) use group::{ALL_TYPES, GroupDetails, Members, TagQuery};
pub(in crate::world) use node::{Behaviour, FixedPatches};
pub use node::{Node, PatchReport, Patches};
pub use place::Place;
