//! Campaigns from end to end, over an AWS that is played by a few hundred lines.

pub(crate) mod admission;
mod again;
mod aws;
mod bounds;
mod budget;
mod by_name;
mod cancelled;
mod claims;
mod copies;
mod cut_short;
mod evidence;
mod fire;
mod gone;
mod late;
pub(crate) mod ledger;
mod left_out;
mod named;
mod once;
mod outcomes;
mod outlives;
mod presigned;
mod runbook;
mod starting;
mod the_rest;
mod unattended;
mod within;
pub(crate) mod world;
