//! The plan as plain text, for people: aligned, without colour.

use super::lifetime::timeout_of;
use super::{Followed, Plan, PlannedLocation, Unit};
use crate::budget::Seconds;
use crate::presigned::concealed;
use crate::refusal::{Skip, SkipReason, details};
use crate::request::{Operation, Selector};
use crate::runbook::{MAX_CONCURRENCY, MAX_ERRORS, TARGETS, TIMEOUT_PARAMETER};
use crate::text::{by_number, counted, one_line, table};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

impl Plan {
    /// The plan as text. It says what will be patched, what will not be and why, what can go wrong at most, and which
    /// starts are made. Ends in a line break.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut sections = vec![self.headline()];
        if !self.locations.is_empty() {
            sections.push(self.planned());
            sections.extend(self.waves_in_words());
        }
        if !self.skipped.is_empty() {
            sections.push(self.left_out());
        }
        if !self.warnings.is_empty() {
            let mut text = "Warnings\n".to_owned();
            for warning in &self.warnings {
                push(&mut text, &format!("  ! {}", one_line(warning)));
            }
            sections.push(text);
        }
        if !self.locations.is_empty() {
            sections.extend(self.dispatch_in_words());
            sections.extend(self.fleet_in_words());
            sections.extend(self.wave_budgets_in_words());
            sections.extend(self.labels_in_words());
            sections.extend(self.breakers_in_words());
            sections.push(self.at_worst());
            sections.extend(self.forecast_in_words());
            sections.push(self.starts());
            sections.extend(self.sight());
        }
        sections.join("\n")
    }

    fn headline(&self) -> String {
        let patch = &self.request.patch;
        let mut text = String::new();
        push(
            &mut text,
            &format!("Plan {}: {}", self.request.name, patch.operation.as_str()),
        );
        push(
            &mut text,
            &format!(
                "  {} from {}/{}, reboot option {}",
                match self.dispatch {
                    Some(_) => "commands sent",
                    None => "started",
                },
                self.central.account,
                self.central.region,
                patch.reboot_option.as_str()
            ),
        );
        if let Some(retried) = &self.retries {
            let nodes = match &self.request.targets.selector {
                Selector::NodeIds(nodes) => counted(nodes.len(), "node"),
                _ => "nodes".to_owned(),
            };
            let campaign = retried.campaign;
            push(
                &mut text,
                &format!("  tries {nodes} again that campaign {campaign} has left"),
            );
        }
        if self.second_attempt {
            push(
                &mut text,
                "  tries the nodes once more, when it is over, that it did not reach",
            );
        }
        if let Some(places) = self.request.output.in_words() {
            push(&mut text, &format!("  the nodes' output goes to {places}"));
        }
        if let Some(cutoff) = self.lifetime.as_ref().and_then(|lifetime| lifetime.cutoff) {
            push(
                &mut text,
                &format!("  every command has expired by {cutoff:.0}, unless AWS begins it late"),
            );
        }
        for freeze in self.freezes_in_words() {
            push(&mut text, &format!("  {freeze}"));
        }
        let unknown = |skip: &&Skip| skip.reason == SkipReason::Unknown;
        let unknown = match self.skipped.iter().filter(unknown).count() {
            0 => String::new(),
            n => format!(", {n} of them unknown"),
        };
        push(
            &mut text,
            &format!(
                "  {}: {} to patch, {} skipped{unknown}",
                counted(self.candidates, "candidate"),
                self.locations.len(),
                self.skipped.len()
            ),
        );
        if self.is_empty() {
            push(&mut text, "  Nothing to do.");
        }
        text
    }

    fn planned(&self) -> String {
        let mut rows = vec![
            [
                "ACCOUNT",
                "REGION",
                "EC2",
                "HYBRID",
                "ONLINE",
                "OFFLINE",
                "UNMANAGED",
                "",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        rows.extend(self.locations.iter().map(row));
        if self.locations.len() > 1 && self.locations.iter().all(|location| location.nodes.is_some()) {
            rows.push(self.total());
        }
        if self.request.waves.is_empty() {
            return format!("Will be patched\n{}", table("  ", &rows, 2..7));
        }
        let waves = self.locations.iter().map(|location| location.wave.to_string());
        let waves = std::iter::once("WAVE".to_owned()).chain(waves);
        for (row, wave) in rows.iter_mut().zip(waves.chain(std::iter::repeat(String::new()))) {
            row.insert(0, wave);
        }
        let mut text = table("  ", &rows, 3..8);
        text.insert_str(0, "Will be patched\n");
        text
    }

    fn total(&self) -> Vec<String> {
        let mut sums = [0_u32; 5];
        for nodes in self.locations.iter().filter_map(|location| location.nodes) {
            let each = [
                nodes.ec2,
                nodes.hybrid,
                nodes.online,
                nodes.offline,
                nodes.unmanaged,
            ];
            for (sum, n) in sums.iter_mut().zip(each) {
                *sum = sum.saturating_add(n);
            }
        }
        let mut row = vec!["total".to_owned(), String::new()];
        row.extend(sums.map(|sum| sum.to_string()));
        row
    }

    fn left_out(&self) -> String {
        let mut skips: Vec<&Skip> = self.skipped.iter().collect();
        // By reason, and within one by location, as they come.
        skips.sort_by_key(|skip| skip.reason);
        let mut rows = vec![
            ["REASON", "ACCOUNT", "REGION", "DETAIL"]
                .map(str::to_owned)
                .to_vec(),
        ];
        let details = details(skips.iter().copied());
        rows.extend(skips.iter().zip(details).map(|(skip, detail)| {
            vec![
                skip.reason.as_str().to_owned(),
                skip.account.to_string(),
                skip.region.to_string(),
                detail,
            ]
        }));
        format!("Will not be patched\n{}", table("  ", &rows, 0..0))
    }

    fn at_worst(&self) -> String {
        let worst = &self.worst_case;
        let (truth, dead) = (&worst.in_truth, &worst.driver_dead);
        let figure = |n: Option<u32>| n.map_or_else(|| "not counted".to_owned(), |n| n.to_string());
        let rows = [
            ["", "AS AWS COUNTS", "IN TRUTH", "DRIVER DEAD"].map(str::to_owned),
            [
                "locations at once".to_owned(),
                worst.locations_at_once.to_string(),
                worst.locations_at_once.to_string(),
                dead.locations_at_once.to_string(),
            ],
            [
                "locations failing".to_owned(),
                worst.locations_failing.to_string(),
                truth.locations_failing.to_string(),
                dead.locations_failing_in_truth.to_string(),
            ],
            [
                "nodes at once".to_owned(),
                figure(worst.nodes_at_once),
                figure(truth.nodes_at_once),
                figure(dead.nodes_at_once),
            ],
            [
                "nodes failing".to_owned(),
                figure(worst.node_errors),
                figure(truth.nodes_damaged),
                figure(dead.nodes_damaged),
            ],
        ]
        .map(Vec::from);
        let mut text = format!(
            "At worst (percentages are of the nodes at run time)\n{}",
            table("  ", &rows, 1..4)
        );
        push(&mut text, &format!("  slowest location  {}", self.slowest()));
        let starts = format!("{}s", self.start_in_a_word());
        push(&mut text, &format!("  {starts:<16}  {}", self.side_by_side()));
        if truth.nodes_at_once > worst.nodes_at_once {
            push(
                &mut text,
                "  In truth: where a command may expire while a node is patched, its script runs on while AWS begins the next \
                 node. So up to twice as many may be at work at once.",
            );
        }
        let counts_more = worst
            .node_errors
            .zip(truth.nodes_damaged)
            .is_some_and(|(counted, damaged)| damaged <= counted);
        let truth = match self.request.patch.operation {
            Operation::Install if counts_more => {
                "  In truth: AWS does not count patches that failed in a command that succeeded, nor nodes that do not come back \
                 from their reboot. It counts commands that ran out of time though their patches are there."
            }
            Operation::Install => {
                "  In truth: more can go wrong than AWS counts. It does not count patches that failed in a command that \
                 succeeded, nor nodes that do not come back from their reboot."
            }
            Operation::Scan => {
                "  In truth: a Scan changes nothing. Nodes that fail are left without a result."
            }
        };
        if self.fleet.is_some_and(|fleet| fleet.max_damaged.is_some()) {
            push(
                &mut text,
                "  In truth: no more nodes fail or are lost than budget.fleet.max_damaged allows, with a driver and without one. AWS \
                 may count more, as to it a command has failed that ran out of time though its patches are there.",
            );
            return text;
        }
        push(&mut text, truth);
        if self.followed == Followed::ByDriver {
            if self.units.len() > 1 {
                push(&mut text, &self.with_a_driver());
            }
            let (what, more) = match self.dispatch {
                Some(_) => ("command that was sent", "sent"),
                None => ("start that was made", "started"),
            };
            let dead = format!(
                "  Driver dead: if patchfleet is killed and nobody resumes it, AWS finishes every {what}, each with its whole error \
                 budget, and nothing more is {more}. The figures count as IN TRUTH."
            );
            push(&mut text, &dead);
        }
        text
    }

    /// Whether a driver would stop what AWS alone goes on with, and when.
    fn with_a_driver(&self) -> String {
        let (errors, all) = (self.location_errors(), self.location_count());
        if errors >= all {
            return format!(
                "  With a driver no fewer fail: the error budget allows for failures in all {}.",
                counted(all, "location")
            );
        }
        let stops = match self.dispatch {
            Some(_) => "sends no further command",
            None => "stops the other starts",
        };
        format!(
            "  With a driver fewer fail: it {stops} once it sees that more than {} {} failed.",
            counted(errors, "location"),
            by_number(errors, "has", "have"),
        )
    }

    /// How the starts share what the request allows for all locations together.
    fn shared_out(&self) -> String {
        let (places, errors) = (
            counted(self.location_budget(), "location"),
            self.location_errors(),
        );
        let they = match (self.request.waves.is_empty(), self.wave_budgets.is_empty()) {
            (true, _) => "They",
            (false, true) => "Those of one wave",
            (false, false) => "Those of a wave without a budget of its own",
        };
        let has_own = self.wave_budgets.iter().any(|own| own.location_errors.is_some());
        let own = if has_own {
            ", or that of its wave if that is smaller"
        } else {
            ""
        };
        match self.followed {
            Followed::ByDriver => format!(
                "  {they} share {places} at once. Each carries the whole error budget of {errors}{own}, since \
                 AWS counts for each apart."
            ),
            Followed::ByNobody => format!(
                "  They share {places} at once and an error budget of {errors}, since nobody follows \
                 them and AWS counts for each apart."
            ),
        }
    }

    fn slowest(&self) -> String {
        match (self.worst_case.slowest_location_seconds, &self.lifetime) {
            (Some(seconds), _) => format!(
                "{}: then its commands have expired, and a node that has had no turn has none",
                Seconds::new(seconds)
            ),
            (None, Some(_)) => "not counted".to_owned(),
            (None, None) => "not known: its commands live as long as the runbook says".to_owned(),
        }
    }

    fn starts(&self) -> String {
        let sends = self.dispatch.is_some();
        let mut text = if sends { "Commands\n" } else { "Starts\n" }.to_owned();
        if sends && self.units.len() > 1 {
            let (places, errors) = (self.location_budget(), self.location_errors());
            push(
                &mut text,
                &format!(
                    "  They are sent in {} at once, and none any more once more than {errors} {} failed.",
                    counted(places, "location"),
                    by_number(errors, "has", "have"),
                ),
            );
        } else if self.units.len() > 1 {
            push(&mut text, &self.shared_out());
        }
        // The time for which its commands live stands with each start.
        let others = |unit: &Unit| {
            let mut parameters = unit.start.parameters.clone();
            parameters.remove(TIMEOUT_PARAMETER);
            if unit.nodes.is_some() {
                parameters.remove(TARGETS); // these nodes
            }
            parameters
        };
        let mut parameters = self.units.iter().map(others);
        let first = parameters.next();
        let shared = first.filter(|first| parameters.all(|other| other == *first));
        let mut wave = None;
        for unit in &self.units {
            let start = &unit.start;
            if wave.replace(unit.wave) != Some(unit.wave) && !self.request.waves.is_empty() {
                let name = self.request.wave_name(unit.wave);
                push(&mut text, &format!("  wave {} ({name})", unit.wave));
            }
            describe(&mut text, unit);
            if let (Some(timeout), Some(lifetime)) = (timeout_of(start), &self.lifetime) {
                push(
                    &mut text,
                    &format!(
                        "     commands  live for {} ({TIMEOUT_PARAMETER} = {} and the steps' {})",
                        lifetime.expiry(timeout),
                        timeout.get(),
                        lifetime.steps.most,
                    ),
                );
            }
            if shared.is_none() {
                list_parameters(&mut text, &others(unit));
            }
        }
        if let Some(shared) = shared {
            push(&mut text, "  with the parameters");
            list_parameters(&mut text, &shared);
        }
        let mut seen = BTreeSet::new();
        let named = self.units.iter().filter(|unit| unit.nodes.is_some());
        if named
            .flat_map(Unit::locations)
            .any(|location| !seen.insert(location))
        {
            push(
                &mut text,
                &format!(
                    "  {} of one location are sent its limits as counts: as many nodes at once as {MAX_CONCURRENCY} is of all its \
                     nodes, and as many errors as {MAX_ERRORS} leaves after those before.",
                    if sends { "Commands" } else { "Starts" },
                ),
            );
        }
        text
    }
}

fn row(location: &PlannedLocation) -> Vec<String> {
    let mut row = vec![location.account.to_string(), location.region.to_string()];
    match location.nodes {
        Some(n) => row.extend([n.ec2, n.hybrid, n.online, n.offline, n.unmanaged].map(|n| n.to_string())),
        None => row.extend(std::iter::repeat_n("?".to_owned(), 5)),
    }
    if let Some(reason) = location.kept {
        row.push(format!("kept though {}", reason.as_str()));
    }
    row
}

fn describe(text: &mut String, unit: &Unit) {
    if let Some((location, command)) = unit.start.to_send() {
        let nodes = &command.settings.instance_ids;
        let of = counted(nodes.len(), "node");
        let line = format!("  {}. {} in {location}: {of}", unit.id, command.document_name);
        push(text, &line);
        push(text, &format!("     nodes     {}", list(nodes)));
        return;
    }
    let (start, target) = (&unit.start, unit.start.target_location());
    if let (Some(nodes), Some(location)) = (&unit.nodes, unit.locations().next()) {
        let (of, role) = (counted(nodes.len(), "node"), &target.execution_role_name);
        let line = format!(
            "  {}. {} in {location} as {role}: {of}",
            unit.id, start.document_name
        );
        push(text, &line);
        push(text, &format!("     nodes     {}", list(nodes)));
        return;
    }
    push(
        text,
        &format!(
            "  {}. {}: {} x {} as {}, {} at once, {} may fail",
            unit.id,
            start.document_name,
            counted(target.accounts.len(), "account"),
            counted(target.regions.len(), "Region"),
            target.execution_role_name,
            unit.locations_at_once(),
            unit.location_errors()
        ),
    );
    push(text, &format!("     accounts  {}", list(&target.accounts)));
    push(text, &format!("     Regions   {}", list(&target.regions)));
}

fn list_parameters(text: &mut String, parameters: &BTreeMap<String, Vec<String>>) {
    for (name, values) in parameters {
        let values: Vec<_> = values.iter().map(|value| concealed(value)).collect();
        push(text, &format!("     {name} = {}", one_line(&values.join(" "))));
    }
}

fn list<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

fn push(text: &mut String, line: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{}", line.trim_end());
}
