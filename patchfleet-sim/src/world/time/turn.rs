//! Whose turn it is among what happens at one instant.
//!
//! What the calls of two accounts set off may meet in a third, at its nodes and at its quotas. What meets there
//! takes its turn by what it is. When it was put into the queue does not count, because that is the order of
//! calls to different accounts.

use crate::world::{World, time::Event};
use jiff::Timestamp;

/// An execution's or a command's age, as it is told among those of all accounts. The last of it stands for
/// the id: see [`rank`].
pub(in crate::world) type Age = (Timestamp, u64, u128);

/// Earlier ones come first; those of one turn in the order in which they were put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::world) enum Turn {
    /// What somebody outside of the model does.
    Hand,
    /// What concerns one execution only.
    Own,
    /// What a command does to its nodes, the oldest command's first; `None`: no command's.
    Node(Option<Age>),
    /// A child comes to the quotas of its location, the oldest parent's first. All who leave at this
    /// instant have left.
    Child(Age, usize),
    /// Who waits begins. All who come at this instant are in line.
    Line,
}

impl World {
    pub(in crate::world) fn turn(&self, event: &Event) -> Turn {
        match event {
            Event::Changes { .. } | Event::Forgotten { .. } => Turn::Hand,
            Event::ExecutionArrives { .. }
            | Event::ChildEnded { .. }
            | Event::StepBegins { .. }
            | Event::StepTriesAgain { .. }
            | Event::StepWakes { .. }
            | Event::StepTimesOut { .. }
            | Event::AlarmRead { .. }
            | Event::ExecutionCancelled { .. }
            | Event::CleanUpEnds { .. } => Turn::Own,
            Event::CommandBegins { command }
            | Event::Delivered { command, .. }
            | Event::WorkDone { command, .. }
            | Event::ExecutionTimesOut { command, .. }
            | Event::CommandExpires { command }
            | Event::InvocationCancelled { command, .. } => Turn::Node(self.command_age(command)),
            Event::Returns { command, .. } => {
                Turn::Node(command.as_ref().and_then(|id| self.command_age(id)))
            }
            Event::LocationAnswers { execution, step }
            | Event::TargetBegins { execution, step }
            | Event::ChildComes { execution, step, .. } => match self.executions.get(execution) {
                Some(parent) => Turn::Child(owned(parent.age()), *step),
                None => Turn::Own,
            },
            Event::LineMoves { .. } => Turn::Line,
        }
    }

    /// The turn of what a command does to its nodes.
    pub(in crate::world) fn turn_of_command(&self, id: &str) -> Turn {
        Turn::Node(self.command_age(id))
    }

    fn command_age(&self, id: &str) -> Option<Age> {
        self.commands.get(id).map(|command| owned(command.age()))
    }
}

fn owned((at, number, id): (Timestamp, u64, &str)) -> Age {
    (at, number, rank(id))
}

/// A number for an id of hexadecimal digits, as every execution and command has one. Numbers stand in the
/// order of the ids' texts, and two of them are compared without a look at a text.
fn rank(id: &str) -> u128 {
    let digits = id.chars().filter_map(|digit| digit.to_digit(16)).take(32);
    digits.fold(0, |rank, digit| (rank << 4) | u128::from(digit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn ids_have_the_same_order_as_their_ranks() {
        let mut ids: Vec<String> = (0..200).map(|n: u32| Seed(7).uuid(&[&n.to_string()])).collect();
        ids.sort_by_key(|id| rank(id));
        assert!(ids.is_sorted());
        ids.dedup_by_key(|id| rank(id));
        assert_eq!(ids.len(), 200);
    }
}
