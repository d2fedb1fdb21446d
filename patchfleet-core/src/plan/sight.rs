//! Who sees the runbook: which of the planned locations in other accounts have a copy, or are shown it.

use super::Plan;
use crate::id::{Location, Region};
use crate::port::{Documents, PortErrorKind};
use crate::runbook::{self, Sight};
use crate::text::{counted, names};
use std::collections::BTreeMap;
use std::fmt::Write as _;

impl Plan {
    /// Looks with whom the runbook is shared, and notes in [`runbook`](Self::runbook) which locations see it. AWS's guide
    /// says that a runbook has to be shared with every target account; AWS's own sample shares none. So this says what is,
    /// and is no warning.
    ///
    /// It asks once for each Region and 20 accounts, with the caller's own credentials
    /// (`ssm:DescribeDocumentPermission`). It asks nothing where every location is the central account's or has a copy, or
    /// where the runbook is AWS's own or another account's.
    pub async fn look_who_sees(&mut self, documents: &dyn Documents) {
        let Some(planned) = &self.runbook else { return };
        if planned.name.as_str().starts_with("arn:") || planned.name.as_str().starts_with("AWS-") {
            return;
        }
        let central = &self.central;
        let mut by_region: BTreeMap<Region, Vec<Location>> = BTreeMap::new();
        for location in self.locations.iter().map(super::PlannedLocation::location) {
            let asked = planned.copies.contains(&location) || planned.unread.contains(&location);
            if location.account != central.account && !asked {
                by_region
                    .entry(location.region.clone())
                    .or_default()
                    .push(location);
            }
        }
        if by_region.is_empty() {
            return;
        }
        let needed = runbook::shared_version(self.request.automation.pin);
        let mut sight = Sight::default();
        for (region, locations) in by_region {
            let there = (region != central.region).then(|| documents.in_region(&region));
            let shares = match there.as_ref().map(|there| there.as_deref()) {
                None => runbook::shares(documents, &planned.name).await,
                Some(Some(there)) => runbook::shares(there, &planned.name).await,
                // Documents of one Region alone tell nothing of another.
                Some(None) => {
                    sight.unknown.extend(locations);
                    continue;
                }
            };
            let shares = match shares {
                Ok(shares) => shares,
                // There is no such runbook in that Region that could be shared.
                Err(error) if error.kind() == PortErrorKind::NotFound => vec![],
                Err(error) => {
                    sight.why.get_or_insert_with(|| error.reason());
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
        if let Some(runbook) = &mut self.runbook {
            runbook.sight = Some(sight);
        }
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
        line(sight.unseen.len(), "neither", &sight.unseen);
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
