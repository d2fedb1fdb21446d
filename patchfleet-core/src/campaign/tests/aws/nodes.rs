//! What the small AWS says of nodes, their patch states and who is online.

use super::*;

impl PatchStates for FakeAws {
    fn patch_states(
        &self,
        location: &Location,
        nodes: &[NodeId],
    ) -> BoxFuture<'_, PortResult<Vec<PatchStateView>>> {
        assert!(nodes.len() <= 50);
        let (location, nodes) = (location.clone(), nodes.to_vec());
        let hangs = *self.states_hang.lock().unwrap() && !self.names_asked.lock().unwrap().is_empty();
        if hangs {
            return std::future::pending().boxed();
        }
        self.call(move || {
            let executions = self.executions.lock().unwrap().clone();
            let ends = executions
                .iter()
                .flat_map(|e| self.slots(e))
                .filter(|slot| slot.location == location)
                .map(|slot| slot.ends)
                .max()
                .unwrap();
            let there = |one: &&Execution| self.slots(one).iter().any(|slot| slot.location == location);
            let last = executions.iter().rev().find(there);
            let told = last.and_then(|one| one.request.parameters.get("Operation")?.first().cloned());
            let operation = told.unwrap_or_else(|| "Install".to_owned());
            let known = self
                .nodes(&location)
                .into_iter()
                .filter(|node| nodes.contains(&node.id));
            Ok(known
                .filter_map(|node| {
                    let [failed, missing, pending_reboot] =
                        node.patches.filter(|_| ends + node.late <= self.now())?;
                    let asked = self.names_asked.lock().unwrap();
                    let anew =
                        *self.reports_anew.lock().unwrap() && asked.iter().any(|(id, _)| *id == node.id);
                    Some(PatchStateView {
                        node: node.id,
                        operation: operation.clone(),
                        ended_at: if anew {
                            ends + SignedDuration::from_secs(1)
                        } else {
                            ends
                        },
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

    fn patches(
        &self,
        location: &Location,
        node: &NodeId,
        state: PatchListState,
        most: Option<usize>,
    ) -> BoxFuture<'_, PortResult<Vec<PatchView>>> {
        let (location, node) = (location.clone(), node.clone());
        let takes = *self.names_take.lock().unwrap();
        let until = self.now().saturating_add(takes).unwrap();
        let answer = self.call(move || {
            self.names_asked.lock().unwrap().push((node.clone(), state));
            if let Some(kind) = *self.names_fail.lock().unwrap() {
                return Err(PortError::new(kind, "may not read names"));
            }
            let known = self.nodes(&location).into_iter().find(|one| one.id == node);
            let [failed, missing, _] = known.and_then(|node| node.patches).unwrap();
            let (count, first) = match state {
                PatchListState::Failed => (failed, 1_000),
                PatchListState::Missing => (missing, 2_000),
                PatchListState::Installed => return self.installed(&node, false),
                PatchListState::InstalledPendingReboot => return self.installed(&node, true),
            };
            let name = |n: u32| PatchView {
                id: format!("KB{}", first + n),
                title: format!("Update {n}"),
                classification: "SecurityUpdates".to_owned(),
                severity: "Critical".to_owned(),
            };
            // In no order.
            Ok((0..count)
                .rev()
                .map(name)
                .take(most.unwrap_or(usize::MAX))
                .collect())
        });
        async move {
            let answer = answer.await;
            if takes == SignedDuration::MAX {
                std::future::pending::<()>().await;
            }
            while self.now() < until {
                self.clock.advance(SignedDuration::from_millis(500));
                give_way().await;
            }
            answer
        }
        .boxed()
    }
}

impl FakeAws {
    /// What a node has installed by name, in no order.
    fn installed(&self, node: &NodeId, waits: bool) -> PortResult<Vec<PatchView>> {
        let installed = self.installed.lock().unwrap();
        let of_node = installed.get(node).cloned().unwrap_or(Ok(vec![]));
        let patches = of_node.map_err(|kind| PortError::new(kind, format!("may not read {node}")))?;
        let those = patches.into_iter().filter(|(.., pending)| *pending == waits);
        let view = |(id, title, _): (&str, &str, bool)| PatchView {
            id: id.to_owned(),
            title: title.to_owned(),
            classification: "Security".to_owned(),
            severity: "Important".to_owned(),
        };
        Ok(those.rev().map(view).collect())
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
                            platform: Some(crate::port::PlatformType::Linux),
                        })
                    })
                    .collect(),
            ))
        })
    }
}
