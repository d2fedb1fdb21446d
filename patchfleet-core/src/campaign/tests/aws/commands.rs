//! What the small AWS says of commands and of what they printed on each node.

use super::*;

impl Commands for FakeAws {
    fn send(
        &self,
        location: &Location,
        request: &SendRequest,
        not_after: Timestamp,
    ) -> BoxFuture<'_, PortResult<CommandId>> {
        self.sends(location, request, not_after)
    }

    fn sent(
        &self,
        location: &Location,
        document: &DocumentName,
        after: Timestamp,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ListedCommand>>> {
        self.listed(location, document, after, page)
    }

    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        let (location, id) = (location.clone(), id.clone());
        self.call_in(&location.clone(), move || {
            if let Some(status) = self.hook(&location)
                && let Ok(slot) = self.slot_of("hook", &location, id.as_str())
            {
                return Ok(CommandView {
                    status: status.into(),
                    details: status.to_owned(),
                    requested_at: slot.begins.unwrap_or(slot.ends) + SENDS,
                    expires_at: None,
                    counts: CommandCounts {
                        targets: 1,
                        completed: 1,
                        errors: 0,
                        undelivered: 0,
                    },
                });
            }
            let slot = self.slot_of("command", &location, id.as_str())?;
            let over = slot.ends + *self.runs_on.lock().unwrap() <= self.now();
            let counted = !*self.counts_late.lock().unwrap()
                || slot.ends + *self.lists_late.lock().unwrap() <= self.now();
            let sent_to = self.targets(&location, &id);
            let mut targets = u32::try_from(sent_to.len()).unwrap();
            let failed = sent_to.iter().filter(|node| node.status == "Failed").count();
            let cancelled = sent_to.iter().any(|node| node.status == "Cancelled");
            let alarmed = sent_to.iter().any(|node| node.status == "Alarmed");
            let by_hand = match self.send_of(&id) {
                Some(send) => self.status_of_send(&send, &slot)?,
                None => None,
            };
            let (status, details) = match self.script(&location) {
                _ if by_hand.is_some() => (by_hand.unwrap(), by_hand.unwrap()),
                Script::Emptied => ("Success", "NoInstancesInTag"),
                Script::CommandFails(details) => {
                    targets = 0;
                    let cancelled = details == "Cancelled";
                    (if cancelled { details } else { "Failed" }, details)
                }
                _ if targets == 0 => ("Success", "NoInstancesInTag"),
                _ if !over => ("InProgress", "InProgress"),
                // One that had failed nodes before ends as Failed.
                _ if cancelled && failed == 0 => ("Cancelled", "Cancelled"),
                _ if alarmed => ("Failed", "FailedDueToAlarm"),
                _ => ("Failed", "Failed"),
            };
            Ok(CommandView {
                status: status.into(),
                details: details.to_owned(),
                requested_at: slot.begins.unwrap_or(slot.ends) + self.waits() + SENDS,
                expires_at: Some(slot.ends + *self.expires_late.lock().unwrap()),
                counts: CommandCounts {
                    targets,
                    completed: if over && counted { targets } else { 0 },
                    errors: if over { u32::try_from(failed).unwrap() } else { 0 },
                    undelivered: 0,
                },
            })
        })
    }

    fn invocations(
        &self,
        location: &Location,
        id: &CommandId,
        plugins: bool,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<InvocationView>>> {
        let (location, id) = (location.clone(), id.clone());
        self.call_in(&location.clone(), move || {
            let ends = self.slot_of("command", &location, id.as_str())?.ends;
            let listed = ends + *self.lists_late.lock().unwrap() <= self.now();
            let nodes = self.targets(&location, &id).into_iter().filter(|_| listed);
            Ok(Page::last(
                nodes
                    .map(|node| InvocationView {
                        requested_at: None,
                        plugins: if plugins { plugins_of(&node) } else { vec![] },
                        status: InvocationStatus::from_details(match node.status {
                            "Alarmed" => "Terminated",
                            status => status,
                        }),
                        node: node.id,
                    })
                    .collect(),
            ))
        })
    }

    fn output(
        &self,
        location: &Location,
        id: &CommandId,
        node: &NodeId,
        plugin: &str,
    ) -> BoxFuture<'_, PortResult<String>> {
        assert_eq!(plugin, "PatchLinux");
        let (location, id, node) = (location.clone(), id.clone(), node.clone());
        self.call(move || {
            let mut targets = self.targets(&location, &id).into_iter();
            Ok(targets.find(|one| one.id == node).unwrap().printed)
        })
    }

    fn cancel(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<()>> {
        let (location, id) = (location.clone(), id.clone());
        self.call_in(&location.clone(), move || {
            self.slot_of("command", &location, id.as_str())?;
            let stop = (location.clone(), Below::Command, self.now());
            self.stops_below.lock().unwrap().push(stop);
            let send = self.send_of(&id);
            if *self.takes_stops_below.lock().unwrap() == TakesStops::Denied {
                let denied = PortError::new(PortErrorKind::Denied, "no cancel here");
                return Err(denied.with_words("AccessDeniedException: no ssm:CancelCommand"));
            }
            if let Some(send) = send {
                self.cancel_send(&send);
            }
            Ok(())
        })
    }
}

/// What the steps of AWS-RunPatchBaseline did on a node, as a listing gives it.
fn plugins_of(node: &Node) -> Vec<PluginView> {
    let step = |name: &str, code, output: &str| PluginView {
        name: name.to_owned(),
        status: InvocationStatus::from_details(node.status),
        response_code: Some(code),
        started_at: node.begun.then_some(Timestamp::UNIX_EPOCH),
        output: output.chars().take(2_500).collect(),
    };
    let code = if node.status == "Failed" { 162 } else { 0 };
    vec![
        step(
            "PatchWindows",
            0,
            "Step execution skipped due to unsatisfied preconditions",
        ),
        step("PatchLinux", code, &node.printed),
    ]
}
