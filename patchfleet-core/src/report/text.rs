//! The report for people: a summary, every location, every node that needs action, every location
//! that was skipped.

use super::{NodeReport, Report, WaveToApprove};
use crate::campaign::NotStopped;
use crate::id::Location;
use crate::outcome::saturating_sum;
use crate::outcome::{NodeOutcome, Tally};
use crate::refusal::{Skip, SkipReason, details};
use crate::text::{by_number, counted, one_line, table};
use std::collections::BTreeMap;
use std::fmt;

impl Report {
    /// The report as text, aligned and without colour: a summary, every location, every node that
    /// needs action and why, every location that was skipped. Ends in a line break.
    #[must_use]
    pub fn to_text(&self) -> String {
        Text(self).to_string()
    }
}

struct Text<'a>(&'a Report);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.summary(f)?;
        self.0.locations(f)?;
        self.0.nodes(f)?;
        self.0.skips(f)
    }
}

impl Report {
    fn summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, operation, outcome) = (&self.request, self.operation.as_str(), self.outcome.as_str());
        writeln!(f, "{name} ({operation}): {}", outcome)?;
        writeln!(f, "campaign {}", self.campaign_id)?;
        if let Some(retried) = self.retries {
            writeln!(f, "tries again what campaign {retried} has left")?;
        }
        if let Some(started) = self.started_at {
            write!(f, "begun {started:.0}")?;
            if let Some(finished) = self.finished_at {
                let took = finished.duration_since(started).as_secs();
                write!(f, ", over {finished:.0} ({})", minutes(took))?;
            }
            writeln!(f)?;
        }
        if let Some(reason) = &self.left_out_because {
            let who = if self.not_stopped.is_empty() {
                "nothing more was begun"
            } else {
                "patchfleet began nothing more"
            };
            writeln!(f, "{who}: {}", one_line(reason))?;
        }
        for line in not_stopped(&self.not_stopped) {
            writeln!(f, "{line}")?;
        }
        for unresolved in &self.unresolved {
            writeln!(f, "unit {}: {}", unresolved.unit, one_line(&unresolved.detail))?;
        }
        if let Some(WaveToApprove { wave, name, detail }) = &self.to_approve {
            writeln!(f, "wave {wave} ({name}) {}", one_line(detail))?;
        }
        let totals = &self.totals;
        write!(f, "{}", counted(totals.locations, "location"))?;
        let outcomes = totals.outcomes.iter().map(|(outcome, n)| {
            let outcome = outcome.as_str();
            format!("{n} × {outcome}")
        });
        writeln!(f, "{}", after_colon(&outcomes.collect::<Vec<_>>().join(", ")))?;
        let nodes = counted(totals.nodes.total(), "node");
        writeln!(f, "{nodes}{}", after_colon(&in_words(&totals.nodes)))?;
        if totals.skipped > 0 {
            let skipped = counted(totals.skipped, "location");
            writeln!(f, "{skipped} skipped{}", after_colon(&self.skipped_by_reason()))?;
        }
        let open = self
            .locations
            .iter()
            .filter(|location| location.outcome.is_none());
        match open.count() {
            0 => {}
            open => writeln!(
                f,
                "so far: the figures above are of the locations that are over; {open} of {} {} not",
                counted(totals.locations, "location"),
                by_number(open, "is", "are")
            )?,
        }
        if totals.scanned > 0 {
            let (nodes, are) = (
                counted(totals.scanned, "node"),
                by_number(totals.scanned, "is", "are"),
            );
            writeln!(
                f,
                "{nodes} of these {are} scanned only, and nothing was installed there"
            )?;
        }
        let late = self.locations.iter().filter(|location| location.after_snapshot);
        let late = late.count();
        if late > 0 {
            writeln!(
                f,
                "{} {} begun more than 3 days after the first, when AWS no longer had its snapshot of the patch baseline: {} nodes may \
                 have got other patches than those before them",
                counted(late, "location"),
                by_number(late, "was", "were"),
                by_number(late, "its", "their"),
            )?;
        }
        if totals.joined > 0 {
            let (planned, joined) = (totals.planned, counted(totals.joined, "node"));
            writeln!(f, "{planned} planned; {joined} joined the selection later")?;
        }
        Ok(())
    }

    /// How many locations were skipped for which reason. What is unknown comes first.
    fn skipped_by_reason(&self) -> String {
        let mut reasons: BTreeMap<(bool, SkipReason), usize> = BTreeMap::new();
        for skip in &self.skipped {
            let is_known = skip.reason != SkipReason::Unknown;
            *reasons.entry((is_known, skip.reason)).or_default() += 1;
        }
        let reasons = reasons
            .into_iter()
            .map(|((_, reason), n)| format!("{n} × {}", reason.as_str()));
        reasons.collect::<Vec<_>>().join(", ")
    }

    fn locations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.locations.is_empty() {
            return Ok(());
        }
        writeln!(f)?;
        let rows = self.locations.iter().map(|location| {
            let outcome = match location.outcome {
                Some(outcome) => outcome.as_str(),
                None if location.unresolved => "unresolved",
                None if location.waiting => "waiting",
                None => "running",
            };
            let only = match location.operation {
                Some(operation) => format!(" ({})", operation.as_str()),
                None => String::new(),
            };
            [
                location.account.to_string(),
                location.region.to_string(),
                format!("{outcome}{only}"),
                in_words(&location.nodes),
                one_line(&location.detail),
            ]
        });
        let head = ["ACCOUNT", "REGION", "OUTCOME", "NODES", "DETAIL"].map(str::to_owned);
        f.write_str(&table(
            "",
            &[head].into_iter().chain(rows).collect::<Vec<_>>(),
            0..0,
        ))
    }

    fn nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unnamed = saturating_sum(self.locations.iter().map(|location| location.unnamed));
        let named = u32::try_from(self.needs_action.len()).unwrap_or(u32::MAX);
        let needy = named.saturating_add(unnamed);
        if needy == 0 {
            return Ok(());
        }
        let verb = by_number(needy, "needs", "need");
        writeln!(f, "\n{} {verb} action:", counted(needy, "node"))?;
        let rows = together(&self.needs_action).into_iter().map(|(node, n)| {
            [
                node.account.to_string(),
                node.region.to_string(),
                match n {
                    1 => node.node.to_string(),
                    n => counted(n, "node"),
                },
                node.outcome.as_str().to_owned(),
                one_line(&node.detail),
            ]
        });
        f.write_str(&table("  ", &rows.collect::<Vec<_>>(), 0..0))?;
        let without = self.locations.iter().filter(|location| location.unnamed > 0);
        let rows = without.map(|location| {
            [
                location.account.to_string(),
                location.region.to_string(),
                match location.rows_differ {
                    false => format!(
                        "{} not named: no row of them is kept",
                        counted(location.unnamed, "node")
                    ),
                    true => format!(
                        "{} not named: the rows are not those that the log counts, and `patchfleet collect {}` reads them again",
                        counted(location.unnamed, "node"),
                        self.campaign_id
                    ),
                },
            ]
        });
        f.write_str(&table("  ", &rows.collect::<Vec<_>>(), 0..0))
    }

    fn skips(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.skipped.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{} skipped:", counted(self.totals.skipped, "location"))?;
        let details = details(self.skipped.iter());
        let rows = self.skipped.iter().zip(details).map(|(skip, detail)| {
            [
                skip.account.to_string(),
                skip.region.to_string(),
                reason(skip),
                detail,
            ]
        });
        f.write_str(&table("  ", &rows.collect::<Vec<_>>(), 0..0))
    }
}

/// How many nodes of one location that were not run for one reason are named. More of them are a line together: nobody has to
/// look at each.
const NOT_RUN: usize = 3;

/// The nodes that need action, worst first, and how many each line stands for.
fn together(nodes: &[NodeReport]) -> Vec<(&NodeReport, usize)> {
    let alike = |one: &NodeReport, other: &NodeReport| {
        (one.outcome, &one.account, &one.region, &one.detail)
            == (other.outcome, &other.account, &other.region, &other.detail)
    };
    let mut lines: Vec<(&NodeReport, usize)> = vec![];
    for group in nodes.chunk_by(alike) {
        match group {
            [first, ..] if first.outcome == NodeOutcome::NotRun && group.len() > NOT_RUN => {
                lines.push((first, group.len()));
            }
            _ => lines.extend(group.iter().map(|node| (node, 1))),
        }
    }
    // Those of one rank stay in the order of their locations.
    lines.sort_by_key(|(node, _)| attention(node.outcome));
    lines
}

/// Which node a person looks at first.
fn attention(outcome: NodeOutcome) -> u8 {
    match outcome {
        NodeOutcome::Failed => 0,
        NodeOutcome::Lost => 1,
        NodeOutcome::RunningAtExpiry => 2,
        NodeOutcome::Unknown => 3,
        NodeOutcome::Missing => 4,
        NodeOutcome::PendingReboot => 5,
        NodeOutcome::Unreached => 6,
        NodeOutcome::Unmanaged => 7,
        NodeOutcome::Gone => 8,
        NodeOutcome::NotRun => 9,
        NodeOutcome::Done => 10,
    }
}

fn reason(skip: &Skip) -> String {
    let reason = skip.reason.as_str();
    match skip.cause {
        Some(cause) => format!("{reason} ({})", cause.as_str()),
        None => reason.to_owned(),
    }
}

/// How many locations of one reason are named in a line. Each of them says it by itself as well.
const NAMED: usize = 5;

/// What AWS did not let patchfleet stop: a line for each execution, and one for all locations of one reason.
fn not_stopped(all: &[NotStopped]) -> Vec<String> {
    let mut lines = vec![];
    let mut by_reason: BTreeMap<&str, Vec<&Location>> = BTreeMap::new();
    for one in all {
        match &one.location {
            Some(location) => by_reason.entry(&one.reason).or_default().push(location),
            None => lines.push(one_line(&one.to_string())),
        }
    }
    for (reason, locations) in by_reason {
        let named = locations.iter().take(NAMED).map(ToString::to_string);
        let named = named.collect::<Vec<_>>().join(", ");
        let more = match locations.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {}", counted(more, "more location")),
        };
        lines.push(one_line(&format!(
            "what ran in {named}{more} was not stopped: {reason}"
        )));
    }
    lines
}

fn in_words(tally: &Tally) -> String {
    let words = tally
        .iter()
        .map(|(outcome, n)| format!("{n} {}", outcome.as_str()));
    words.collect::<Vec<_>>().join(", ")
}

fn after_colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

fn minutes(seconds: i64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
