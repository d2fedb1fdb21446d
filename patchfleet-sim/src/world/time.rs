//! Time: what will happen, in which order.

mod event;
mod turn;

pub(in crate::world) use event::Event;
pub(in crate::world) use turn::Turn;
