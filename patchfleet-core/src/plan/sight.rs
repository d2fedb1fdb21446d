//! Who sees the runbook: which of the planned locations in other accounts have a copy, or are shown it.

use super::Plan;
use crate::id::{DocumentName, Location, Region};
use crate::port::{Documents, PortError, PortErrorKind, Share};
use crate::runbook::{self, PlannedRunbook, Sight};
use crate::text::{counted, names};
use futures_util::future::join_all;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// With whom the runbook is shared in the Regions that were asked.
pub(super) struct Shown<'a> {
    documents: &'a dyn Documents,
    home: &'a Region,
    /// `None` while a Region is being asked.
    told: Mutex<BTreeMap<Region, Option<Shares>>>,
}

/// With whom a Region's runbook is shared.
enum Shares {
    Are(Vec<Share>),
    Unread(PortError),
    /// Documents of one Region alone tell nothing of another.
    NotAsked,
}

impl<'a> Shown<'a> {
    pub(super) fn new(documents: &'a dyn Documents, home: &'a Region) -> Self {
        Self {
            documents,
            home,
            told: Mutex::default(),
        }
    }

    /// Asks a Region, unless it was asked before.
    pub(super) async fn ask(&self, runbook: &PlannedRunbook, region: &Region) {
        if runbook.name.is_arn() || runbook.name.is_amazons() {
            return;
        }
        match self.told().entry(region.clone()) {
            Entry::Occupied(_) => return,
            Entry::Vacant(place) => place.insert(None),
        };
        let shares = self.shares(&runbook.name, region).await;
        self.told().insert(region.clone(), Some(shares));
    }

    async fn shares(&self, name: &DocumentName, region: &Region) -> Shares {
        let there = (region != self.home).then(|| self.documents.in_region(region));
        let shares = match there.as_ref().map(|there| there.as_deref()) {
            None => runbook::shares(self.documents, name).await,
            Some(Some(there)) => runbook::shares(there, name).await,
            Some(None) => return Shares::NotAsked,
        };
        match shares {
            Ok(shares) => Shares::Are(shares),
            // There is no such runbook in that Region that could be shared.
            Err(error) if error.kind() == PortErrorKind::NotFound => Shares::Are(vec![]),
            Err(error) => Shares::Unread(error),
        }
    }

    fn told(&self) -> MutexGuard<'_, BTreeMap<Region, Option<Shares>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    /// Notes in [`runbook`](Self::runbook) which locations see it. AWS's guide says that a runbook has to be shared with
    /// every target account; AWS's own sample shares none. So this says what is, and is no warning.
    ///
    /// It asks the Regions that were not asked before, all at once. It notes nothing where every location is the central
    /// account's or has a copy, or where the runbook is AWS's own or another account's.
    pub(super) async fn note_who_sees(&mut self, shown: Shown<'_>) {
        let Some(planned) = &mut self.runbook else { return };
        if planned.name.is_arn() || planned.name.is_amazons() {
            return;
        }
        let mut by_region: BTreeMap<Region, Vec<Location>> = BTreeMap::new();
        for location in self.locations.iter().map(super::PlannedLocation::location) {
            let has_copy = planned.copies.contains(&location) || planned.unread.contains(&location);
            if location.account != self.central.account && !has_copy {
                by_region
                    .entry(location.region.clone())
                    .or_default()
                    .push(location);
            }
        }
        if by_region.is_empty() {
            return;
        }
        let asked = by_region.keys().map(|region| shown.ask(planned, region));
        join_all(asked).await;
        let mut told = shown.told.into_inner().unwrap_or_else(PoisonError::into_inner);
        let needed = runbook::shared_version(self.request.automation.pin);
        let mut sight = Sight::default();
        for (region, locations) in by_region {
            let shares = match told.remove(&region).flatten() {
                Some(Shares::Are(shares)) => shares,
                Some(Shares::Unread(error)) => {
                    sight.why.get_or_insert_with(|| error.reason());
                    sight.unknown.extend(locations);
                    continue;
                }
                Some(Shares::NotAsked) | None => {
                    sight.unknown.extend(locations);
                    continue;
                }
            };
            for location in locations {
                if runbook::shows(&shares, &location.account, needed) {
                    sight.shared.push(location);
                } else {
                    sight.unseen.push(location);
                }
            }
        }
        for list in [&mut sight.shared, &mut sight.unseen, &mut sight.unknown] {
            list.sort();
        }
        planned.sight = Some(sight);
    }

    /// What was found out, in words.
    pub(super) fn sight(&self) -> Option<String> {
        let runbook = self.runbook.as_ref()?;
        let sight = runbook.sight.as_ref()?;
        let mut text = format!("Who sees the runbook {}\n", runbook.name);
        let mut line = |n: usize, words: &str, which: &[Location]| {
            if n > 0 {
                // Writing to a String does not fail.
                let _ = writeln!(text, "  {words}: {}", names(which));
            }
        };
        line(runbook.copies.len(), "have a copy", &runbook.copies);
        line(sight.shared.len(), "it is shared with", &sight.shared);
        line(sight.unseen.len(), "have neither", &sight.unseen);
        line(sight.unknown.len(), "not known", &sight.unknown);
        if let Some(why) = &sight.why {
            let _ = writeln!(text, "  it could not be read: {}", crate::text::one_line(why));
        }
        if !sight.unseen.is_empty() {
            let _ = writeln!(
                text,
                "  AWS's guide asks for a share with {}, and AWS's own sample does without. `patchfleet runbook ensure \
                 --share -f REQUEST` shares it.",
                counted(sight.unseen.len(), "location")
            );
        }
        Some(text)
    }
}
