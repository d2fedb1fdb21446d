//! From the request to the plan, against organisations in memory.

mod dispatch;
mod file;
mod fleet;
mod forecast;
mod freezes;
mod gaps;
pub(crate) mod helpers;
mod in_wave;
mod labels;
mod latencies;
mod laws;
mod lifetime;
mod nowhere;
mod offline;
mod policy;
mod runbook;
mod shapes;
mod sight;
mod slow;
mod snapshot;
mod units;
mod waves;
mod waves_by_tag;
