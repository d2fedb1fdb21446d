//! Which of the commands of a location tell what became of its nodes.
//!
//! A runbook of one's own may send several: a hook before the patching, a check after it, one patching for
//! each operating system. What a hook did on a node says nothing about the node's patches.

use crate::id::CommandId;
use crate::port::{ChildView, SentCommand};
use crate::runbook::Purpose;

/// The commands that tell what became of a location's nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Patching {
    /// In the order of their steps; none if none has been sent yet.
    pub(super) commands: Vec<CommandId>,
    /// Whether each of them is known to patch.
    pub(super) sure: bool,
}

impl Patching {
    /// Those of an execution, whose runbook may be patchfleet's `own`.
    ///
    /// A command patches if its step's document says so. If none does, it may be any whose document is not
    /// known: all of them once the execution is over, and none before, because the one that patches may be
    /// yet to come. Only where AWS says no document at all is that not waited for.
    pub(super) fn of(child: &ChildView, own: bool) -> Self {
        let purpose = |sent: &SentCommand| match sent.document.as_deref() {
            _ if own => Purpose::Patching,
            Some(document) => Purpose::of(document),
            None => Purpose::Unknown,
        };
        let of_purpose = |wanted: Purpose| -> Vec<CommandId> {
            let commands = child.commands.iter().filter(|sent| purpose(sent) == wanted);
            commands.map(|sent| sent.id.clone()).collect()
        };
        let known = of_purpose(Purpose::Patching);
        if !known.is_empty() {
            return Self {
                commands: known,
                sure: true,
            };
        }
        let nothing_said = child.commands.iter().all(|sent| sent.document.is_none());
        Self {
            commands: if child.status.is_terminal() || nothing_said {
                of_purpose(Purpose::Unknown)
            } else {
                vec![]
            },
            sure: false,
        }
    }
}

/// The commands of an execution that are not among these: hooks and checks. They say nothing of a node's
/// patches, and a person who cancels one stops the campaign all the same.
pub(super) fn others(child: &ChildView, patching: &[CommandId]) -> Vec<CommandId> {
    let sent = child.commands.iter().map(|sent| &sent.id);
    sent.filter(|id| !patching.contains(id)).cloned().collect()
}

/// The documents of the commands that an execution sent, in words, if it sent any.
pub(super) fn documents(child: &ChildView) -> Option<String> {
    let documents = child.commands.iter().filter_map(|sent| sent.document.as_deref());
    let documents: Vec<&str> = documents.collect();
    (!documents.is_empty()).then(|| documents.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::ExecutionStatus;

    const ARN: &str = "arn:aws:ssm:us-east-1::document/AWS-RunPatchBaseline";

    /// Commands 1, 2, … with these documents.
    fn child(status: &str, documents: &[Option<&str>]) -> ChildView {
        let command = |(n, document): (usize, &Option<&str>)| SentCommand {
            id: id(n + 1),
            document: document.map(str::to_owned),
        };
        ChildView {
            status: ExecutionStatus::from(status),
            commands: documents.iter().enumerate().map(command).collect(),
            failure: String::new(),
        }
    }

    fn id(n: usize) -> CommandId {
        format!("00000000-0000-4000-8000-{n:012}").parse().unwrap()
    }

    fn chosen(status: &str, documents: &[Option<&str>]) -> (Vec<CommandId>, bool) {
        let Patching { commands, sure } = Patching::of(&child(status, documents), false);
        (commands, sure)
    }

    #[test]
    fn the_commands_of_the_patching_are_told_from_hooks_by_their_documents() {
        for status in ["InProgress", "Success", "Failed"] {
            for patching in [
                "AWS-RunPatchBaseline",
                ARN,
                "AWS-RunPatchBaselineWithHooks",
                "AWS-RunPatchBaselineAssociation",
                "AWS-ApplyPatchBaseline",
            ] {
                let sent = [
                    Some("AWS-RunShellScript"),
                    Some(patching),
                    Some("Our-Check"),
                    Some(patching),
                    None,
                ];
                assert_eq!(chosen(status, &sent), (vec![id(2), id(4)], true), "{patching}");
            }
        }
    }

    #[test]
    fn a_hook_of_awss_own_is_never_the_patching() {
        for status in ["InProgress", "Success", "Failed"] {
            assert_eq!(chosen(status, &[Some("AWS-RunShellScript")]), (vec![], false));
        }
    }

    #[test]
    fn a_document_of_ones_own_may_patch_and_is_taken_for_it_once_nothing_else_can_come() {
        let sent = [
            Some("AWS-RunShellScript"),
            Some("Our-Patch"),
            Some("AWS-RunDocument"),
        ];
        assert_eq!(chosen("InProgress", &sent), (vec![], false));
        assert_eq!(chosen("Success", &sent), (vec![id(2), id(3)], false));
    }

    #[test]
    fn where_no_document_is_said_every_command_counts_and_none_is_sure() {
        assert_eq!(chosen("InProgress", &[None, None]), (vec![id(1), id(2)], false));
        let own = Patching::of(&child("InProgress", &[None]), true);
        assert_eq!((own.commands, own.sure), (vec![id(1)], true));
    }
}
