//! `[budget.fleet]`: strict bounds across every account and Region.

use super::fields::{Collector, Field};
use crate::budget::{MaxConcurrency, MaxErrors};
use crate::problem::{Problem, ProblemCode};
use serde::Serialize;

/// Strict bounds across every account and Region, each a count of nodes or a share of the nodes that commands are sent to.
/// At least one of them is there.
///
/// A share is rounded down. Of `max_in_flight` it is at least 1, since nothing can be done none at a time. A `max_damaged` that
/// comes to none is refused when the plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FleetBudget {
    /// How many nodes are being patched at the same time at most: a count from 1, or 1% to 100%.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<MaxConcurrency>,
    /// How many nodes end failed or lost at most: a count from 1, or 1% to 100%. Never 0, as any node that is begun may be
    /// damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_damaged: Option<MaxErrors>,
    /// How many nodes a command may have failed to reach before nothing more is begun: a count from 0, or 0% to 100%. It
    /// halts the campaign, and is no bound: nodes that were asked for by then may turn out to be unreachable as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_unreached: Option<MaxErrors>,
}

/// Reads the table.
pub(super) fn read(field: &Field<'_>, out: &mut Collector) -> Option<FleetBudget> {
    let before = out.len();
    let mut fields = field.table(out);
    let in_flight = fields.take("max_in_flight");
    let damaged = fields.take("max_damaged");
    let unreached = fields.take("max_unreached");
    if in_flight.is_none()
        && damaged.is_none()
        && unreached.is_none()
        && !fields.has_unknown()
        && before == out.len()
    {
        let expected = "at least one of max_in_flight, max_damaged, max_unreached";
        out.add(Problem::new(ProblemCode::Missing, field.path(), "", expected));
    }
    let budget = FleetBudget {
        max_in_flight: in_flight.and_then(|field| field.rate(out)),
        max_damaged: damaged.and_then(|field| max_damaged(&field, out)),
        max_unreached: unreached.and_then(|field| field.rate(out)),
    };
    fields.finish(out);
    (before == out.len()).then_some(budget)
}

/// How many nodes may be damaged: one of the errors that AWS takes, but for none.
pub(super) fn max_damaged(field: &Field<'_>, out: &mut Collector) -> Option<MaxErrors> {
    let none = field.rate::<MaxErrors>(&mut Collector::default());
    if none.is_some_and(MaxErrors::is_zero) {
        let expected = "a count from 1 such as 2 (at most 7 digits), or a percentage from \"1%\" to \"100%\": any node \
                        that is begun may be damaged, so with none allowed nothing could be begun";
        out.add(field.problem(ProblemCode::OutOfRange, expected));
        return None;
    }
    let some: MaxConcurrency = field.rate(out)?;
    some.to_string().parse().ok()
}
