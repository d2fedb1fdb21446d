//! An explanation for people: what became of it and why, what AWS calls it, the records that say so, what to do next.

use super::patches;
use super::{AwsId, Explanation, LocationExplanation, LogLine, Standing, UnitExplanation};
use crate::outcome::NodeRow;
use crate::text::{counted, one_line, table};
use std::fmt;

impl Explanation {
    /// The explanation as text, aligned and without colour. Ends in a line break.
    #[must_use]
    pub fn to_text(&self) -> String {
        Text(self).to_string()
    }
}

struct Text<'a>(&'a Explanation);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation {
            request,
            operation,
            outcome,
            campaign_id,
            planned_at,
            ..
        } = self.0;
        for at in &self.0.at {
            at.headline(f)?;
            for why in &at.why {
                writeln!(f, "  {}", one_line(why))?;
            }
            at.nodes(f)?;
        }
        let over = self.0.finished_at;
        let over = over.map_or_else(String::new, |over| format!(", over {over:.0}"));
        writeln!(
            f,
            "campaign {campaign_id} ({request}, {}): {}; planned {planned_at:.0}{over}",
            operation.as_str(),
            outcome.as_str()
        )?;
        for at in &self.0.at {
            if self.0.at.len() > 1 {
                writeln!(f, "\n{}", at.location())?;
            }
            at.units(f)?;
            at.needy(f)?;
            at.log(f)?;
        }
        if !self.0.next.is_empty() {
            writeln!(f, "\nWhat to do")?;
        }
        for step in &self.0.next {
            writeln!(f, "  {}", one_line(step))?;
        }
        Ok(())
    }
}

impl LocationExplanation {
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.report.as_ref().and_then(|report| report.outcome);
        let location = match (self.standing, outcome, &self.skip) {
            (Standing::Settled, Some(outcome), _) => outcome.as_str().to_owned(),
            (Standing::Skipped, _, Some(skip)) => format!("skipped ({})", skip.reason.as_str()),
            (standing, ..) => standing.as_str().to_owned(),
        };
        let at = self.location();
        let Some(node) = &self.node else {
            return writeln!(f, "{at}: {location}");
        };
        match &node.row {
            Some(row) => writeln!(f, "{} in {at}: {}", node.node, row.outcome.as_str()),
            None => writeln!(f, "{} in {at}, which is {location}", node.node),
        }
    }

    /// The nodes by number: of the location, or the patches of the node that was asked about.
    fn nodes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            let patches = node.row.as_ref().map_or_else(String::new, counts);
            if !patches.is_empty() {
                writeln!(f, "  patches: {patches}")?;
            }
            return Ok(());
        }
        let Some(report) = self.report.as_ref().filter(|report| report.nodes.total() > 0) else {
            return Ok(());
        };
        let nodes = report.nodes.iter();
        let nodes: Vec<String> = nodes
            .map(|(outcome, n)| format!("{n} {}", outcome.as_str()))
            .collect();
        writeln!(f, "  nodes: {}", nodes.join(", "))
    }

    fn units(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for unit in &self.units {
            unit.write(f)?;
        }
        Ok(())
    }

    /// The nodes that did not reach their goal, as the report has them, and the patches for which they did not.
    fn needy(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(node) = &self.node {
            return patches::sections(node.row.iter(), true, f);
        }
        patches::sections(self.needs_action.iter(), false, f)?;
        if !self.needs_action.is_empty() {
            writeln!(f, "\nNodes that need action")?;
        }
        let rows = self.needs_action.iter().map(|row| {
            let node = row.node.to_string();
            [node, row.outcome.as_str().to_owned(), patches::detail(row)]
        });
        f.write_str(&table("  ", &rows.collect::<Vec<_>>(), 0..0))?;
        if let Some(why) = &self.rows_damaged {
            writeln!(f, "  the rows of its nodes are damaged: {}", one_line(why))?;
        }
        match self.report.as_ref().map_or(0, |report| report.unnamed) {
            0 => Ok(()),
            n => writeln!(f, "  {} not named: no row of them is kept", counted(n, "node")),
        }
    }

    fn log(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nRecords of the log")?;
        let rows = self.records.iter().map(LogLine::row);
        f.write_str(&table("  ", &rows.collect::<Vec<_>>(), 0..0))
    }
}

/// What a node's patches came to; empty if nothing is known of them.
fn counts(row: &NodeRow) -> String {
    let counts = [
        (row.installed, "installed"),
        (row.missing, "missing"),
        (row.failed, "failed"),
    ];
    let counts = counts
        .iter()
        .filter_map(|(n, kind)| Some(format!("{} {kind}", (*n)?)));
    counts.collect::<Vec<_>>().join(", ")
}

impl UnitExplanation {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let attempt = self
            .attempt
            .map_or_else(String::new, |attempt| format!(", attempt {attempt}"));
        let instead = self.instead_of;
        let instead = instead.map_or_else(String::new, |of| format!(", in place of unit {of}"));
        let rule = self.hold.as_ref().map_or_else(String::new, |hold| {
            let until = hold
                .until
                .map_or_else(String::new, |until| format!(" until {until:.0}"));
            format!(", held by the rule {}{until}", name(&hold.rule))
        });
        writeln!(f, "unit {}{attempt}{instead}{rule}", self.unit)?;
        let rows = self.aws.iter().map(AwsId::row);
        f.write_str(&table("  ", &rows.collect::<Vec<_>>(), 0..0))
    }
}

/// The name of a value that is one word in JSON.
fn name(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_value(value).unwrap_or_default();
    json.as_str().unwrap_or_default().to_owned()
}

impl AwsId {
    fn row(&self) -> [String; 5] {
        [
            self.kind.in_words().to_owned(),
            self.id.clone(),
            format!("{}/{}", self.account, self.region),
            self.status.clone(),
            self.console.clone().unwrap_or_default(),
        ]
    }
}

impl LogLine {
    fn row(&self) -> [String; 4] {
        let last = self.last.as_ref();
        let unit = self
            .unit
            .map_or_else(String::new, |unit| format!("unit {unit}: "));
        [
            last.map_or_else(
                || self.record.to_string(),
                |last| format!("{}-{}", self.record, last.record),
            ),
            last.map_or_else(
                || format!("{:.0}", self.at),
                |last| format!("{:.0} to {:.0}", self.at, last.at),
            ),
            self.event.clone(),
            one_line(&format!("{unit}{}", self.says)),
        ]
    }
}
