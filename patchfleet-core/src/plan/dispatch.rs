//! What a plan comes to by who sends its commands.

use super::{Plan, Unit};
use crate::budget::{Seconds, WorstCase};
use crate::refusal::{RefusalCode, RefusalReason};
use crate::text::counted;
use serde::{Deserialize, Serialize};

/// Starts that AWS takes in a second (published, StartAutomationExecution).
pub(super) const STARTS_A_SECOND: u32 = 1;

/// Automations that run at once in an account and Region (published). The others wait at AWS.
pub(super) const AUTOMATIONS_AT_ONCE: u32 = 100;

/// Commands that a driver sends in a second. Each waits for the answer to the one before, which takes about 0.2 s. AWS
/// publishes no rate for SendCommand.
pub(super) const SENDS_A_SECOND: u32 = 5;

/// The most that can go wrong by Automation: no more starts run side by side than AWS runs automations.
pub(super) fn automations_at_most(worst: WorstCase) -> WorstCase {
    WorstCase {
        starts_at_once: worst.starts_at_once.min(AUTOMATIONS_AT_ONCE),
        ..worst
    }
}

/// How a plan whose commands patchfleet sends itself compares with the same plan by Automation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedDispatch {
    /// Commands that the plan sends.
    pub commands: u32,
    /// How long a driver takes to send them, if all had a place at once, in seconds.
    pub commands_seconds: u32,
    /// Starts that Automation would need for the same locations and nodes. `None` if no runbook could be told of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<u32>,
    /// How long it would take to make them, at one a second, if all had a place at once, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_seconds: Option<u32>,
    /// In how many rounds they would run, as at most 100 automations of an account run at once in a Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_rounds: Option<u32>,
    /// How long the campaign would take by Automation, in seconds, as the plan's own forecast has it by commands:
    /// [`Forecast::expected_seconds`](super::Forecast::expected_seconds). `None`: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_seconds_by_automation: Option<u64>,
    /// The same at worst: [`Forecast::worst_seconds`](super::Forecast::worst_seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_seconds_by_automation: Option<u64>,
}

impl PlannedDispatch {
    /// Of so many commands, compared with nothing.
    pub(super) fn of_commands(commands: u32) -> Self {
        Self {
            commands,
            commands_seconds: commands.div_ceil(SENDS_A_SECOND),
            starts: None,
            starts_seconds: None,
            starts_rounds: None,
            expected_seconds_by_automation: None,
            worst_seconds_by_automation: None,
        }
    }

    /// The same, compared with the plan of the same request by Automation.
    fn beside(self, by_automation: &Plan) -> Self {
        let (starts, forecast) = (by_automation.unit_count(), by_automation.forecast);
        Self {
            starts: Some(starts),
            starts_seconds: Some(starts.div_ceil(STARTS_A_SECOND)),
            starts_rounds: Some(by_automation.rounds()),
            expected_seconds_by_automation: forecast.and_then(|forecast| forecast.expected_seconds),
            worst_seconds_by_automation: forecast.and_then(|forecast| forecast.worst_seconds),
            ..self
        }
    }
}

/// What AWS's rates and quotas make of the starts of a plan whose commands Automation sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PlannedAutomation {
    /// How long it takes to make the starts, at one a second, if all had a place at once, in seconds.
    pub starts_seconds: u32,
    /// In how many rounds they run at least, wave by wave, as at most 100 automations of an account run at once in a Region.
    pub starts_rounds: u32,
    /// The same plan by run-command. `None` if it would be refused, if nodes were not counted everywhere, under a runbook of one's
    /// own, and where nobody follows the campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_run_command: Option<ByRunCommand>,
}

/// What a plan by Automation would come to if patchfleet sent its commands itself (`automation.dispatch = "run-command"`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ByRunCommand {
    /// Commands that it would send.
    pub commands: u32,
    /// How long a driver would take to send them, if all had a place at once, in seconds.
    pub commands_seconds: u32,
    /// How long the campaign would take, in seconds, as the plan's own forecast has it by Automation:
    /// [`Forecast::expected_seconds`](super::Forecast::expected_seconds). `None`: nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_seconds: Option<u64>,
    /// The same at worst: [`Forecast::worst_seconds`](super::Forecast::worst_seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst_seconds: Option<u64>,
}

impl Plan {
    fn unit_count(&self) -> u32 {
        u32::try_from(self.units.len()).unwrap_or(u32::MAX)
    }

    /// Notes how this plan compares with that of the same request by the other dispatch, if there can be one.
    pub(super) fn compare_with(&mut self, other: Option<&Self>) {
        if let Some(of_commands) = self.dispatch {
            self.dispatch = Some(other.map_or(of_commands, |other| of_commands.beside(other)));
            return;
        }
        if self.is_empty() {
            return;
        }
        self.automation = Some(PlannedAutomation {
            starts_seconds: self.unit_count().div_ceil(STARTS_A_SECOND),
            starts_rounds: self.rounds(),
            by_run_command: other.map(|other| ByRunCommand {
                commands: other.unit_count(),
                commands_seconds: other.unit_count().div_ceil(SENDS_A_SECOND),
                expected_seconds: other.forecast.and_then(|forecast| forecast.expected_seconds),
                worst_seconds: other.forecast.and_then(|forecast| forecast.worst_seconds),
            }),
        });
    }
}

/// Why a plan that nobody follows cannot have patchfleet send the commands.
pub(crate) fn nobody_follows() -> RefusalReason {
    RefusalReason {
        code: RefusalCode::Unsupported,
        subject: "automation.dispatch".to_owned(),
        detail: "with \"run-command\" each command is sent when there is room for it, so somebody has to follow the \
                 campaign to its end, and nobody would: run it with a driver, or leave automation.dispatch out"
            .to_owned(),
    }
}

impl Plan {
    /// What a unit is begun by, in a word.
    pub(super) fn start_in_a_word(&self) -> &'static str {
        match self.dispatch {
            Some(_) => "command",
            None => "start",
        }
    }

    /// What becomes of a unit once there is room for it, in a word.
    pub(super) fn is_begun_in_words(&self) -> &'static str {
        match self.dispatch {
            Some(_) => "sent",
            None => "made",
        }
    }

    /// How many starts run side by side at most as long as none is divided: the campaign makes one once there is room for its nodes.
    fn side_by_side_at_most(&self) -> u32 {
        // No two starts that name nodes of one location run beside each other.
        let most = self
            .worst_case
            .starts_at_once
            .min(self.worst_case.locations_at_once.max(1));
        let fleet = self.fleet.filter(|fleet| fleet.nodes_in_a_start().is_some());
        let bounds = fleet.map(|fleet| [fleet.max_in_flight, fleet.max_damaged]);
        let Some(mut left) = bounds.into_iter().flatten().flatten().min() else {
            return most;
        };
        let named = |unit: &Unit| u32::try_from(unit.nodes.as_ref().map_or(0, Vec::len)).unwrap_or(u32::MAX);
        let mut names: Vec<u32> = self.units.iter().map(named).collect();
        names.sort_unstable();
        let fit = names.into_iter().take_while(|names| {
            let rest = left.checked_sub(*names);
            left = rest.unwrap_or(left);
            rest.is_some()
        });
        u32::try_from(fit.count())
            .unwrap_or(u32::MAX)
            .clamp(1, most.max(1))
    }

    /// How many starts there are, how long they take, and how many of them run at the same time.
    pub(super) fn side_by_side(&self) -> String {
        let (all, at_once) = (self.worst_case.starts, self.side_by_side_at_most());
        let pace = match self.dispatch {
            Some(_) => format!("{all}, which patchfleet sends"),
            None if all <= 1 || at_once <= 1 => format!("{all}, about {STARTS_A_SECOND} a second"),
            None => format!(
                "{all}, about {STARTS_A_SECOND} a second: {} for all of them{}",
                Seconds::new(all.div_ceil(STARTS_A_SECOND).into()),
                match at_once < all {
                    true => ", if each has a place",
                    false => "",
                }
            ),
        };
        match at_once {
            _ if all <= 1 => pace,
            n if n >= all => format!("{pace}; all run side by side"),
            1 => format!("{pace}; one runs after another"),
            AUTOMATIONS_AT_ONCE if self.dispatch.is_none() => format!(
                "{pace}; {AUTOMATIONS_AT_ONCE} run side by side, in at least {} rounds: AWS runs no more automations at once, \
                 unless your quota is larger",
                self.rounds()
            ),
            n => format!("{pace}; {n} run side by side, and the others wait for their places"),
        }
    }

    /// In how many rounds the starts run, wave by wave, if AWS runs no more automations at once than its quota has.
    fn rounds(&self) -> u32 {
        let at_once = usize::try_from(AUTOMATIONS_AT_ONCE).unwrap_or(usize::MAX);
        let waves = self.units.chunk_by(|a, b| a.wave == b.wave);
        let rounds: usize = waves.map(|units| units.len().div_ceil(at_once)).sum();
        u32::try_from(rounds).unwrap_or(u32::MAX)
    }

    /// How long the campaign would take by run-command, in words; `None` if that is not known.
    pub(super) fn by_run_command_in_words(&self) -> Option<String> {
        let by = self.automation?.by_run_command?;
        let minutes = |seconds: u64| Seconds::new(seconds.div_ceil(60).saturating_mul(60));
        let expected = minutes(by.expected_seconds?);
        let worst = by
            .worst_seconds
            .map_or_else(String::new, |worst| format!(", at worst {}", minutes(worst)));
        Some(format!(
            "{expected}{worst}: {}, about {SENDS_A_SECOND} a second (automation.dispatch)",
            counted(by.commands, "command"),
        ))
    }

    /// How both ways compare, in words; `None` if Automation sends the commands.
    pub(super) fn dispatch_in_words(&self) -> Option<String> {
        let of = self.dispatch?;
        let seconds = |seconds: u32| Seconds::new(u64::from(seconds));
        let mut text = format!(
            "Dispatch: run-command\n  patchfleet sends {}, about {SENDS_A_SECOND} a second: {} for all of them, if each has a \
             place. Nobody sends the next one if patchfleet stops.\n",
            counted(of.commands, "command"),
            seconds(of.commands_seconds),
        );
        if let (Some(starts), Some(took), Some(rounds)) = (of.starts, of.starts_seconds, of.starts_rounds) {
            // Each wave has a round at least, whatever the quota.
            let waves = self.units.chunk_by(|a, b| a.wave == b.wave).count();
            let is_one_each = usize::try_from(rounds).is_ok_and(|rounds| rounds <= waves);
            let rounds = match rounds {
                _ if is_one_each => String::new(),
                n => format!(", in {n} rounds of {AUTOMATIONS_AT_ONCE} automations at once"),
            };
            text.push_str(&format!(
                "  Automation would take {}, about {STARTS_A_SECOND} a second: {} for all of them{rounds}.\n",
                counted(starts, "start"),
                seconds(took),
            ));
        }
        text.extend(self.durations_compared(of));
        Some(text)
    }

    /// How long both ways take in all.
    fn durations_compared(&self, of: PlannedDispatch) -> Option<String> {
        let forecast = self.forecast?;
        let minutes = |seconds: u64| Seconds::new(seconds.div_ceil(60).saturating_mul(60));
        let both = |own: Option<u64>, other: Option<u64>| Some((minutes(own?), minutes(other?)));
        let (own, other) = both(forecast.expected_seconds, of.expected_seconds_by_automation)?;
        let worst = both(forecast.worst_seconds, of.worst_seconds_by_automation);
        let worst = worst.map_or_else(String::new, |(own, other)| {
            format!("; at worst {own}, and {other} by Automation")
        });
        Some(format!(
            "  The campaign is expected to take {own}, and {other} by Automation{worst}.\n"
        ))
    }
}
