//! What few requests say. It is drawn after all else, so that a campaign keeps its number.

use super::{Draft, Has, Label};
use proptest::prelude::*;

/// What the nodes of a further bound are told apart by, beside the tag `Service`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Account,
    Region,
}

impl By {
    /// As the request and the simulator's state have it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Region => "region",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) enum Further {
    Nothing,
    /// Bounds on the nodes of each account, or Region, or both.
    Labels(Vec<(By, Label)>),
    /// Waves that draw locations or nodes draw a share of them.
    Shares(u32),
    /// Nodes that do not answer are left out.
    LeavesOut,
}

impl Draft {
    /// With what is further said, where the laws can tell what comes of it.
    pub(super) fn with(mut self, further: Further) -> Self {
        let is_tried_again = !self.course.retries.is_empty();
        match further {
            // What a further campaign makes of these the laws do not say.
            Further::Labels(labels) if !is_tried_again => self.wish.other_labels = labels,
            Further::LeavesOut if !is_tried_again && self.names_nodes() => self.wish.offline = "skip",
            Further::Shares(percent) if !is_tried_again => {
                for wave in &mut self.wish.waves {
                    wave.has = match wave.has {
                        Has::Count(_) => Has::ShareOfLocations(percent),
                        Has::Nodes(_) => Has::ShareOfNodes(percent),
                        named @ (Has::Region(_) | Has::Account(_)) => named,
                        share @ (Has::ShareOfLocations(_) | Has::ShareOfNodes(_)) => share,
                    };
                }
            }
            _ => {}
        }
        self
    }
}

/// Few requests say any of it.
pub(super) fn further() -> impl Strategy<Value = Further> {
    let bound = || prop::option::of(prop_oneof![2 => Just("1"), 2 => Just("2"), 1 => Just("50%")]);
    let label = || {
        (bound(), bound()).prop_filter_map("at least one bound", |(in_flight, damaged)| {
            (in_flight.is_some() || damaged.is_some()).then_some(Label {
                in_flight,
                damaged,
                untagged: "together",
            })
        })
    };
    let labels = prop_oneof![
        1 => label().prop_map(|label| vec![(By::Account, label)]),
        1 => label().prop_map(|label| vec![(By::Region, label)]),
        1 => (label(), label()).prop_map(|(one, two)| vec![(By::Account, one), (By::Region, two)]),
    ];
    let percent = prop_oneof![Just(1_u32), Just(10), Just(30), Just(60), Just(100)];
    prop_oneof![
        70 => Just(Further::Nothing),
        8 => labels.prop_map(Further::Labels),
        12 => percent.prop_map(Further::Shares),
        8 => Just(Further::LeavesOut),
    ]
}
