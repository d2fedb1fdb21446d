//! What the small AWS answers to each call.

use super::*;

impl Automation for FakeAws {
    fn start(&self, request: &StartRequest, token: ClientToken) -> BoxFuture<'_, PortResult<ExecutionId>> {
        let request = request.clone();
        self.call(move || {
            let now = self.now();
            let bytes = serde_json::to_string(&request).unwrap();
            self.starts.lock().unwrap().push((token, bytes));
            if let Some(refusal) = self.refusals.lock().unwrap().pop() {
                return Err(refusal());
            }
            let mut executions = self.executions.lock().unwrap();
            let known = executions
                .iter()
                .find(|e| e.token == token && now.duration_since(e.started_at) < self.remembers);
            if let Some(known) = known {
                assert_eq!(known.request, request, "one token, two requests");
                return Ok(known.id.clone());
            }
            let stopped = self.stopped.lock().unwrap();
            let named = |node: &NodeId| {
                let mut targets = request.parameters.get("Targets").into_iter().flatten();
                targets.any(|json| json.contains(node.as_str()))
            };
            let refused = stopped.iter().any(named);
            let id: ExecutionId = id_of(&format!("{token}/{}", executions.len()));
            executions.push(Execution {
                id: id.clone(),
                request,
                token,
                started_at: now,
                cancelled_at: None,
                refused,
            });
            Ok(id)
        })
    }

    fn find(
        &self,
        document: &DocumentName,
        tag_key: &str,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let (document, tag_key) = (document.clone(), tag_key.to_owned());
        let found = self.call(move || {
            if let Some(kind) = *self.finds_fail.lock().unwrap() {
                return Err(PortError::new(kind, "not authorized to look"));
            }
            let executions = self.executions.lock().unwrap();
            let found = executions.iter().filter(|e| {
                e.request.document_name == document
                    && e.request.tags.iter().any(|tag| tag.key == tag_key)
                    && self.is_shown(e)
            });
            // Everything stands on the second page.
            Ok(match page {
                None => Page {
                    items: vec![],
                    next: Some(PageToken::new("2")),
                },
                Some(_) => Page::last(found.map(|e| e.id.clone()).collect()),
            })
        });
        async move {
            while (*self.finds_slow.lock().unwrap()).is_some_and(|until| self.now() < until) {
                self.clock.advance(SignedDuration::from_millis(50));
                give_way().await;
            }
            found.await
        }
        .boxed()
    }

    fn execution(&self, id: &ExecutionId) -> BoxFuture<'_, PortResult<ExecutionView>> {
        let id = id.clone();
        self.call(move || {
            let execution = self.seen(&id)?;
            let look = (execution.id.clone(), self.now());
            self.looks.lock().unwrap().push(look);
            let slots = self.slots(&execution);
            let mut told = slots.iter().filter(|slot| !slot.hidden);
            let over = told.all(|slot| slot.ends <= self.now()) || self.is_cut_off(&execution);
            let cancelling = execution.cancelled_at.is_some() && *self.says_cancelling.lock().unwrap();
            let status = if !over && cancelling {
                ExecutionStatus::Cancelling
            } else if !over {
                ExecutionStatus::InProgress
            } else if execution.cancelled_at.is_some() {
                ExecutionStatus::Cancelled
            } else if slots.iter().any(|slot| slot.status != ExecutionStatus::Success) {
                ExecutionStatus::Failed
            } else {
                ExecutionStatus::Success
            };
            Ok(ExecutionView {
                status,
                failure: String::new(),
                started_at: Some(execution.started_at),
                parameters: execution.request.parameters.clone(),
                document: Some(execution.request.document_name.to_string()),
                locations: Some(execution.request.target_location().locations().collect()),
                answered_at: Some(self.now()),
            })
        })
    }

    fn steps(&self, id: &ExecutionId, page: Option<PageToken>) -> BoxFuture<'_, PortResult<Page<StepView>>> {
        let id = id.clone();
        self.call(move || {
            let now = self.now();
            let execution = self.seen(&id)?;
            let mut steps: Vec<StepView> = vec![StepView {
                location: None,
                status: ExecutionStatus::Success,
                child: None,
                failure: String::new(),
            }];
            for slot in self.slots(&execution) {
                let begun = !slot.hidden && slot.begins.is_some_and(|at| at <= now);
                let over = begun && slot.ends <= now;
                let early = matches!(
                    self.script(&slot.location),
                    Script::RoleMissing | Script::NeverBegins
                );
                steps.push(StepView {
                    child: (begun && !early && !*self.unnamed.lock().unwrap())
                        .then(|| id_of(&format!("child/{}/{}", execution.id, slot.location))),
                    location: Some(slot.location),
                    status: match (begun, over) {
                        (false, _) => ExecutionStatus::Pending,
                        (true, false) if self.is_cut_off(&execution) => ExecutionStatus::Cancelled,
                        (true, false) => ExecutionStatus::InProgress,
                        (true, true) => slot.status,
                    },
                    failure: if over { slot.failure } else { String::new() },
                });
            }
            // Two steps a page.
            let first: usize = page.map_or(0, |token| token.as_str().parse().unwrap());
            let rest = steps.split_off(first.min(steps.len()));
            let next = (rest.len() > 2).then(|| PageToken::new((first + 2).to_string()));
            Ok(Page {
                items: rest.into_iter().take(2).collect(),
                next,
            })
        })
    }

    fn children(
        &self,
        location: &Location,
        parent: &ExecutionId,
        page: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ExecutionId>>> {
        let (location, parent) = (location.clone(), parent.clone());
        self.call(move || {
            let execution = self.seen(&parent)?;
            let mut slots = self.slots(&execution).into_iter();
            let slot = slots.find(|slot| slot.location == location).unwrap();
            let there = match self.script(&location) {
                Script::Sealed => return Err(PortError::new(PortErrorKind::Denied, "may not read")),
                Script::RoleMissing | Script::NeverBegins => false,
                _ => slot.begins.is_some_and(|at| at <= self.now()),
            };
            // Everything stands on the second page.
            Ok(match page {
                None => Page {
                    items: vec![],
                    next: Some(PageToken::new("2")),
                },
                Some(_) => {
                    let child = there.then(|| id_of(&format!("child/{parent}/{location}")));
                    Page::last(child.into_iter().collect())
                }
            })
        })
    }

    fn child(&self, location: &Location, id: &ExecutionId) -> BoxFuture<'_, PortResult<ChildView>> {
        let (location, id) = (location.clone(), id.clone());
        self.late(
            location.clone(),
            self.call(move || {
                let slot = self.slot_of("child", &location, id.as_str())?;
                let execution = self.executions.lock().unwrap().clone();
                let owner = execution
                    .iter()
                    .find(|e| id == id_of(&format!("child/{}/{location}", e.id)))
                    .unwrap();
                if self.is_cancelled_in(&owner.id, &location) {
                    return Ok(ChildView {
                        status: ExecutionStatus::Cancelled,
                        commands: vec![],
                        failure: String::new(),
                    });
                }
                let over = slot.ends <= self.now();
                let sends = !matches!(self.script(&location), Script::FailsEarly)
                    && !owner.refused
                    && slot.begins.unwrap() + self.waits() + SENDS <= self.now();
                Ok(ChildView {
                    status: if over {
                        slot.status
                    } else if slot.begins.unwrap() + self.waits() > self.now() {
                        ExecutionStatus::Pending
                    } else {
                        ExecutionStatus::InProgress
                    },
                    commands: {
                        let sent = |kind: &str, document: Option<&str>| SentCommand {
                            id: id_of(&format!("{kind}/{}/{location}", owner.id)),
                            document: document.map(str::to_owned),
                        };
                        let document = *self.command_document.lock().unwrap();
                        let hook = self.hook(&location);
                        let patches = sends && hook != Some("Cancelled");
                        let hook = hook
                            .filter(|_| sends)
                            .map(|_| sent("hook", Some("AWS-RunShellScript")));
                        hook.into_iter()
                            .chain(patches.then(|| sent("command", document)))
                            .collect()
                    },
                    failure: if over { slot.failure } else { String::new() },
                })
            }),
        )
    }

    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>> {
        let id = id.clone();
        self.call(move || {
            self.stops.lock().unwrap().push((id.clone(), kind));
            let takes = *self.takes_stops.lock().unwrap();
            let error = |kind, words| Err(PortError::new(kind, words));
            match takes {
                TakesStops::Denied => return error(PortErrorKind::Denied, "no StopAutomationExecution"),
                TakesStops::NoCredentials => return error(PortErrorKind::Credentials, "they have expired"),
                TakesStops::NotRunning => return error(PortErrorKind::NotRunning, "it is over"),
                TakesStops::Well | TakesStops::CompleteInVain => {}
            }
            let execution = self.seen(&id)?;
            let now = self.now();
            let over = self.slots(&execution).iter().all(|slot| slot.ends <= now);
            if over || execution.cancelled_at.is_some() {
                return Err(PortError::new(PortErrorKind::NotRunning, "it is over"));
            }
            if takes == TakesStops::CompleteInVain && kind == StopType::Complete {
                return Ok(());
            }
            let mut executions = self.executions.lock().unwrap();
            let stopped = executions.iter_mut().find(|one| one.id == id).unwrap();
            stopped.cancelled_at = Some(now);
            Ok(())
        })
    }
}

impl Commands for FakeAws {
    fn command(&self, location: &Location, id: &CommandId) -> BoxFuture<'_, PortResult<CommandView>> {
        let (location, id) = (location.clone(), id.clone());
        self.call(move || {
            if let Some(status) = self.hook(&location)
                && let Ok(slot) = self.slot_of("hook", &location, id.as_str())
            {
                return Ok(CommandView {
                    status: status.into(),
                    details: status.to_owned(),
                    requested_at: slot.begins.unwrap() + SENDS,
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
            let (status, details) = match self.script(&location) {
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
                requested_at: slot.begins.unwrap() + self.waits() + SENDS,
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
        self.call(move || {
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
}

impl PatchStates for FakeAws {
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        assert!(nodes.len() <= 50);
        let (location, nodes) = (location.clone(), nodes.to_vec());
        self.call(move || {
            let executions = self.executions.lock().unwrap().clone();
            let ends = executions
                .iter()
                .flat_map(|e| self.slots(e))
                .filter(|slot| slot.location == location)
                .map(|slot| slot.ends)
                .max()
                .unwrap();
            let known = self
                .nodes(&location)
                .into_iter()
                .filter(|node| nodes.contains(&node.id));
            Ok(known
                .filter_map(|node| {
                    let [failed, missing, pending_reboot] =
                        node.patches.filter(|_| ends + node.late <= self.now())?;
                    Some(PatchStateView {
                        node: node.id,
                        operation: "Install".to_owned(),
                        ended_at: ends,
                        snapshot: node.snapshot.map(str::to_owned),
                        missing,
                        failed,
                        pending_reboot,
                        installed: 10,
                    })
                })
                .collect())
        })
    }
}

impl Inventory for FakeAws {
    fn resolution(&self) -> Resolution {
        Resolution::SameAsAws
    }

    fn members(
        &self,
        location: &Location,
        _: &Selection,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<MemberPage>> {
        let location = location.clone();
        let waits = match *self.staggered.lock().unwrap() {
            true => location
                .region
                .as_str()
                .rsplit('-')
                .next()
                .unwrap()
                .parse()
                .unwrap(),
            false => 0,
        };
        let answer = self.call(move || {
            if *self.members_denied.lock().unwrap() {
                return Err(PortError::new(PortErrorKind::Denied, "may not list"));
            }
            let nodes = self
                .nodes(&location)
                .into_iter()
                .filter(|node| node.selected && !node.moved);
            Ok(MemberPage {
                page: Page::last(nodes.map(|node| node.id).collect()),
                query_errors: vec![],
            })
        });
        async move {
            for _ in 0..waits {
                give_way().await;
            }
            answer.await
        }
        .boxed()
    }

    fn managed(
        &self,
        location: &Location,
        only: Option<&[NodeId]>,
        _: Option<PageToken>,
    ) -> BoxFuture<'_, PortResult<Page<ManagedNode>>> {
        assert!(only.is_none_or(|nodes| nodes.len() <= 50));
        let (location, only) = (location.clone(), only.map(<[_]>::to_vec));
        self.call(move || {
            if let Some(kind) = *self.look_up_fails.lock().unwrap() {
                return Err(PortError::new(kind, "no answer"));
            }
            let nodes = self.nodes(&location).into_iter();
            Ok(Page::last(
                nodes
                    .filter(|node| {
                        *self.still_listed.lock().unwrap() || !self.stopped.lock().unwrap().contains(&node.id)
                    })
                    .filter(|node| only.as_ref().is_none_or(|only| only.contains(&node.id)))
                    .filter_map(|node| {
                        let now = self.now();
                        // Systems Manager notices after minutes that an agent does not ping any more.
                        let died = self
                            .ends(&location)
                            .zip(node.dies)
                            .map(|(ends, before)| ends - before);
                        let last_ping = died.filter(|died| *died < now).unwrap_or(now);
                        let noticed = now.duration_since(last_ping) > SignedDuration::from_mins(6);
                        Some(ManagedNode {
                            id: node.id,
                            ping: node
                                .ping
                                .map(|ping| if noticed { PingStatus::Offline } else { ping })?,
                            last_ping: Some(last_ping),
                        })
                    })
                    .collect(),
            ))
        })
    }
}

impl Documents for FakeAws {
    fn read(
        &self,
        at: Option<&Location>,
        _: &DocumentName,
        version: DocumentVersion,
    ) -> BoxFuture<'_, PortResult<DocumentView>> {
        let at = at.cloned();
        let slow = at.clone();
        let answer = self.call(move || {
            if let Some(answer) = self.runbook_reads.lock().unwrap().pop() {
                return Err(answer());
            }
            *self.reads.lock().unwrap().entry(at.clone()).or_default() += 1;
            let content = match at {
                None => self.runbook.lock().unwrap().clone(),
                Some(at) => {
                    let copy = self.copies.lock().unwrap().get(&at).cloned();
                    if let Some(Err(kind)) = copy {
                        if let Some(left) = self.copies_mend_after.lock().unwrap().as_mut() {
                            *left -= 1;
                            if *left == 0 {
                                self.copies.lock().unwrap().remove(&at);
                            }
                        }
                        return Err(PortError::new(kind, "may not"));
                    }
                    copy.and_then(Result::ok)
                }
            };
            let content =
                content.ok_or_else(|| PortError::new(PortErrorKind::NotFound, "InvalidDocument"))?;
            // Version 7 is what was there at first, whatever the default version says now.
            Ok(match version {
                DocumentVersion::Default => DocumentView {
                    version: if content == RUNBOOK { "7" } else { "8" }.to_owned(),
                    content,
                },
                DocumentVersion::Number(number) => DocumentView {
                    version: number.to_string(),
                    content: RUNBOOK.to_owned(),
                },
            })
        });
        match slow {
            Some(location) => self.late(location, answer),
            None => answer,
        }
    }

    fn create(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("a campaign makes no document")
    }

    fn update(&self, _: &DocumentName, _: String) -> BoxFuture<'_, PortResult<Option<String>>> {
        unreachable!("a campaign changes no document")
    }

    fn latest_version(&self, _: &DocumentName) -> BoxFuture<'_, PortResult<String>> {
        unreachable!("a campaign asks for no newest version")
    }

    fn set_default(&self, _: &DocumentName, _: &str) -> BoxFuture<'_, PortResult<()>> {
        unreachable!("a campaign moves no default version")
    }
}

/// What the steps of AWS-RunPatchBaseline did on a node, as a listing gives it.
fn plugins_of(node: &Node) -> Vec<PluginView> {
    let step = |name: &str, code, output: &str| PluginView {
        name: name.to_owned(),
        status: InvocationStatus::from_details(node.status),
        response_code: Some(code),
        started_at: None,
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
