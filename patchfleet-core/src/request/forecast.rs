//! `[forecast]`: what the plan's forecast is made from.

use super::fields::{Collector, Fields};
use super::node::Node;
use crate::problem::ProblemCode;
use serde::Serialize;

/// What the forecast of a plan is made from ([`Forecast`](crate::plan::Forecast)). It decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct ForecastBasis {
    /// How long a node takes, from 1 to 1440 minutes: until its command is there, its patching, and its reboots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes_per_node: Option<u32>,
}

impl ForecastBasis {
    pub(super) fn is_none(&self) -> bool {
        self.minutes_per_node.is_none()
    }
}

/// Reads `forecast`.
pub(super) fn read(root: &mut Fields<'_>, out: &mut Collector) -> ForecastBasis {
    const SHAPE: &str = "a count of minutes from 1 to 1440, such as 15";
    let mut fields = root.take_table("forecast", out);
    let minutes_per_node = fields.take("minutes_per_node").and_then(|field| {
        let code = match field.node() {
            Node::Integer(minutes @ 1..=1_440) => return u32::try_from(*minutes).ok(),
            Node::Integer(_) => ProblemCode::OutOfRange,
            _ => ProblemCode::WrongType,
        };
        out.add(field.problem(code, SHAPE));
        None
    });
    fields.finish(out);
    ForecastBasis { minutes_per_node }
}
