//! Systems Manager documents: what they say, and what becomes of it.

mod amazon;
mod calendar;
mod document;
pub(in crate::world) mod parameters;
pub(in crate::world) mod runbook;
pub(in crate::world) mod template;

pub(in crate::world) use amazon::documents as amazons;
pub(crate) use calendar::{Calendar, state as calendar_state};
pub use document::{Document, DocumentVersion};
pub(crate) use document::{
    DocumentFormat, DocumentOwner, DocumentRefusal, EVERYBODY, FoundDocument, ParameterAbout, SharedVersion,
    convert,
};
pub(crate) use runbook::StepRule;
