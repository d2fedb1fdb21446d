//! What the small AWS says of executions, their steps and what runs below them.

use super::*;

impl Automation for FakeAws {
    fn start(
        &self,
        request: &StartRequest,
        token: ClientToken,
        _: Timestamp,
    ) -> BoxFuture<'_, PortResult<ExecutionId>> {
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
                let mut same_tags = request.clone();
                same_tags.tags.clone_from(&known.request.tags);
                let is_same = match *self.one_token.lock().unwrap() {
                    OneToken::OneStart => {
                        assert_eq!(known.request, request, "one token, two requests");
                        true
                    }
                    OneToken::Mismatch => known.request == request,
                    OneToken::MismatchButForTags => known.request == same_tags,
                };
                return match is_same {
                    true => Ok(known.id.clone()),
                    false => Err(PortError::new(
                        PortErrorKind::TokenMismatch,
                        "another start has it",
                    )),
                };
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
                triggered: None,
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
            let found = executions
                .iter()
                .filter(|e| e.request.document_name == document && self.is_listed(e, &tag_key));
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
            if *self.looks_denied.lock().unwrap() {
                return Err(PortError::new(
                    PortErrorKind::Denied,
                    "GetAutomationExecution is denied",
                ));
            }
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
                triggered: execution.triggered,
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
                // One that began at the instant at which its parent was cancelled was never there, afterwards.
                if self.is_cancelled_in(&owner.id, &location) || slot.begins.is_none() {
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

    fn stop_child(
        &self,
        location: &Location,
        id: &ExecutionId,
        kind: StopType,
    ) -> BoxFuture<'_, PortResult<()>> {
        let (location, id) = (location.clone(), id.clone());
        self.call(move || {
            let slot = self.slot_of("child", &location, id.as_str())?;
            let stop = (location.clone(), Below::Child(kind), self.now());
            self.stops_below.lock().unwrap().push(stop);
            match *self.takes_stops_below.lock().unwrap() {
                TakesStops::Denied => {
                    let denied = PortError::new(PortErrorKind::Denied, "no stop here");
                    return Err(denied.with_words("AccessDeniedException: no ssm:StopAutomationExecution"));
                }
                TakesStops::NotRunning => {
                    return Err(PortError::new(PortErrorKind::NotRunning, "it is over"));
                }
                _ => {}
            }
            if slot.ends <= self.now() {
                return Err(PortError::new(PortErrorKind::NotRunning, "it is over"));
            }
            if kind == StopType::Cancel {
                let owner = self.owner_of("child", &location, id.as_str());
                self.cancelled_in
                    .lock()
                    .unwrap()
                    .insert((owner, location.clone()));
            }
            Ok(())
        })
    }

    fn stop(&self, id: &ExecutionId, kind: StopType) -> BoxFuture<'_, PortResult<()>> {
        let id = id.clone();
        self.call(move || {
            self.stops.lock().unwrap().push((id.clone(), kind));
            let takes = *self.takes_stops.lock().unwrap();
            let error = |kind, words| Err(PortError::new(kind, words));
            match takes {
                TakesStops::Denied => return error(PortErrorKind::Denied, "no StopAutomationExecution"),
                TakesStops::Throttled => return error(PortErrorKind::Throttled, "later"),
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
