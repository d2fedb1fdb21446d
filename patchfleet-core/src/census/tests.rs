//! The census, against organisations in memory.

mod by_id;
mod take;
