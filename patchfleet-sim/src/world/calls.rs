//! Calls: which come through, and the record of them.

mod fault;
mod rate;
mod record;

pub use fault::Fault;
pub(crate) use fault::Struck;
pub use record::RequestRecord;
pub(in crate::world) use record::Requests;
