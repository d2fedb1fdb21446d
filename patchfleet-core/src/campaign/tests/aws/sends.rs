//! What the small AWS makes of commands that somebody sends by himself.

use super::*;
use crate::id::{CampaignId, UnitId};

impl FakeAws {
    pub(super) fn sends(
        &self,
        location: &Location,
        request: &SendRequest,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<CommandId>> {
        let (location, request) = (location.clone(), request.clone());
        let waits = std::mem::take(&mut *self.sends_wait.lock().unwrap());
        self.clock.advance(waits);
        self.call_in(&location.clone(), move || {
            // A driver's clock may differ from this one, and then only its own says.
            if !waits.is_zero() && self.now() > not_after {
                return Err(PortError::new(PortErrorKind::Unavailable, "too late to be sent"));
            }
            if let Some(refusal) = self.refusals.lock().unwrap().pop() {
                return Err(refusal());
            }
            let stopped = self.stopped.lock().unwrap();
            if request
                .settings
                .instance_ids
                .iter()
                .any(|node| stopped.contains(node))
            {
                let error = PortError::new(PortErrorKind::Invalid, "SendCommand was refused");
                return Err(error.with_words("InvalidInstanceId: Instances not in a valid state for account"));
            }
            let (mut sends, mut executions) = (self.sends.lock().unwrap(), self.executions.lock().unwrap());
            let owner: ExecutionId = id_of(&format!("send/{}", sends.len()));
            let id: CommandId = id_of(&format!("command/{owner}/{location}"));
            let ids: Vec<&str> = request.settings.instance_ids.iter().map(NodeId::as_str).collect();
            let targets = serde_json::json!({"Key": "InstanceIds", "Values": ids}).to_string();
            let mut start = StartRequest::of_command(location.clone(), request.clone());
            start.command = None;
            start.parameters.insert("Targets".to_owned(), vec![targets]);
            executions.push(Execution {
                id: owner.clone(),
                request: start,
                token: CampaignId::from_uuid(Uuid::nil()).client_token(UnitId::from_index(0), 1),
                started_at: self.now(),
                cancelled_at: None,
                triggered: None,
                refused: false,
            });
            sends.push(OwnCommand {
                id: id.clone(),
                location,
                request,
                at: self.now(),
                owner,
            });
            Ok(id)
        })
    }

    pub(super) fn listed(
        &self,
        location: &Location,
        document: &DocumentName,
        after: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ListedCommand>>> {
        let (location, document) = (location.clone(), document.clone());
        self.call_in(&location.clone(), move || {
            if let Some(kind) = *self.finds_fail.lock().unwrap() {
                return Err(PortError::new(kind, "not authorized to look"));
            }
            if self.listing_denied.lock().unwrap().contains(&location) {
                return Err(PortError::new(PortErrorKind::Denied, "no ssm:ListCommands here"));
            }
            let sends = self.sends.lock().unwrap();
            // How late what has such a comment is listed.
            let hidden_by = self.hidden_by.lock().unwrap();
            let late = |send: &OwnCommand| {
                let comment = &send.request.settings.comment;
                let of_key = hidden_by.iter().filter(|(key, _)| comment.starts_with(**key));
                of_key.map(|(_, late)| *late).max().unwrap_or_default()
            };
            let is_listed = |send: &&OwnCommand| {
                send.location == location
                    && send.request.document_name == document
                    && send.at >= after
                    && send.at + self.hidden().max(late(send)) <= self.now()
                    && !*self.forgets.lock().unwrap()
            };
            let listed = sends.iter().filter(is_listed).map(|send| ListedCommand {
                id: send.id.clone(),
                comment: send.request.settings.comment.clone(),
                nodes: send.request.settings.instance_ids.clone(),
                requested_at: send.at,
            });
            // Everything stands on the second page.
            Ok(match page {
                None => Page {
                    items: vec![],
                    next: Some(PageToken::new("2")),
                },
                Some(_) => Page::last(listed.collect()),
            })
        })
    }

    /// The command that somebody sent by himself, if it is one.
    pub(super) fn send_of(&self, id: &CommandId) -> Option<OwnCommand> {
        let sends = self.sends.lock().unwrap();
        sends.iter().find(|send| send.id == *id).cloned()
    }

    /// What is said of such a command: whether it is there yet, and otherwise its status, if that is not as that of an
    /// automation's command.
    pub(super) fn status_of_send(
        &self,
        send: &OwnCommand,
        slot: &slots::Slot,
    ) -> PortResult<Option<&'static str>> {
        if matches!(self.script(&send.location), Script::Sealed) {
            return Err(PortError::new(PortErrorKind::Denied, "may not read"));
        }
        if send.at + self.hidden() > self.now() {
            return Err(PortError::new(PortErrorKind::NotFound, "no such command"));
        }
        if self.is_cancelled_in(&send.owner, &send.location) {
            return Ok(Some("Cancelled"));
        }
        let went_well = slot.status == ExecutionStatus::Success && slot.ends <= self.now();
        Ok(went_well.then_some("Success"))
    }

    /// Cancels such a command. Nodes that are at work come to their end.
    pub(super) fn cancel_send(&self, send: &OwnCommand) {
        let place = (send.owner.clone(), send.location.clone());
        self.cancelled_in.lock().unwrap().insert(place);
    }

    /// Somebody else cancels the first command.
    pub(crate) fn cancel_first_send(&self) {
        let first = self.sends.lock().unwrap()[0].clone();
        self.cancel_send(&first);
    }
}
