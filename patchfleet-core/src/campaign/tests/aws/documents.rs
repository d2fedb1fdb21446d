//! What the small AWS says of the runbook and of its copies.

use super::*;

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

    fn calendars(&self, _: &[DocumentName]) -> BoxFuture<'_, PortResult<CalendarsView>> {
        self.call(move || {
            let now = self.clock.now();
            self.calendars_asked.lock().unwrap().push(now);
            if let Some((kind, until)) = *self.calendars_fail.lock().unwrap()
                && now < until
            {
                return Err(PortError::new(kind, "no calendar"));
            }
            let closed = self.calendars_closed.lock().unwrap();
            let changes = closed.iter().flat_map(|(from, to)| [*from, *to]);
            Ok(CalendarsView {
                are_open: !closed.iter().any(|(from, to)| *from <= now && now < *to),
                changes_at: changes.filter(|at| *at > now).min(),
            })
        })
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
