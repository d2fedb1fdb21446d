//! What a delivery is: an event, or an operation of a state machine or a person.

use crate::event::{Asked, Reading, below, problems, shown};
use crate::settings::{LOG, Settings};
use crate::{sns, wish};
use jiff::{SignedDuration, Timestamp};
use patchfleet_core::campaign::StopMode;
use patchfleet_core::id::CampaignId;
use patchfleet_core::problem::{Problem, ProblemCode, Problems};
use serde_json::{Map, Value};

/// What a delivery asks for.
#[derive(Debug)]
pub(crate) enum Delivered {
    /// An event by itself.
    Event(Asked),
    /// An operation.
    Operation(Operation),
}

/// An operation: `{"op": …}`.
#[derive(Debug)]
pub(crate) enum Operation {
    /// Plan an event, and begin nothing.
    Plan(Asked),
    /// Plan an event, and write its campaign down.
    Start(Asked),
    /// Drive a campaign for a while.
    Advance {
        /// The campaign.
        campaign: CampaignId,
        /// How often it was driven before, as the caller counts.
        turn: u64,
    },
    /// Have a campaign stopped.
    Stop {
        /// The campaign. `None`: the only one that is open.
        campaign: Option<CampaignId>,
        /// How.
        mode: StopMode,
        /// When SNS was told, if it was.
        said_at: Option<Timestamp>,
    },
    /// Nothing is to be done, for this reason.
    Ignore(String),
    /// Read results again that could not be read.
    Collect(CampaignId),
    /// Give a campaign's report.
    Report(CampaignId),
}

/// An operation's name and the fields beside `op`.
const OPERATIONS: [(&str, &[&str]); 6] = [
    ("plan", &["event"]),
    ("start", &["event", "invocation", "asked_at"]),
    ("advance", &["campaign_id", "turn"]),
    ("stop", &["campaign_id", "let_commands_run"]),
    ("collect", &["campaign_id"]),
    ("report", &["campaign_id"]),
];

/// The longest time for which the id of a caller's own may come again. A state machine's execution is tried again for as
/// long as its own retries go on, and no other one ever has its id.
const CALLERS_RETRY: SignedDuration = SignedDuration::from_hours(22);

impl Delivered {
    /// Reads what was delivered. What is wrong with the environment is told along with it.
    ///
    /// # Errors
    ///
    /// Every problem at once.
    pub(crate) fn read(delivered: &Value, invocation: &str, settings: &Settings) -> Result<Self, Problems> {
        let reading = Reading {
            path: "",
            invocation: ("the invocation's id", invocation),
            variables: &settings.sample,
        };
        let read = match delivered {
            Value::Object(fields) if fields.contains_key("op") => {
                Operation::read(fields, reading, settings).map(Self::Operation)
            }
            Value::Object(fields) if sns::is_one(fields) => {
                Operation::published(fields, reading, settings).map(Self::Operation)
            }
            event => reading.read(event).map(Self::Event),
        };
        let read = read.and_then(|read| {
            let (path, asked) = match &read {
                Self::Event(asked) => ("", asked),
                Self::Operation(Operation::Plan(asked) | Operation::Start(asked)) => ("event", asked),
                Self::Operation(_) => return Ok(read),
            };
            let against = wish::against(path, asked, settings);
            match against.is_empty() {
                true => Ok(read),
                false => Err(against),
            }
        });
        match read {
            Ok(read) if settings.problems.is_empty() => Ok(read),
            read => {
                let of_event = read.err().unwrap_or_default();
                let all = of_event.into_iter().chain(settings.problems.iter().cloned());
                Err(problems(all.collect()))
            }
        }
    }
}

impl Operation {
    /// What somebody has published by SNS: a stop.
    fn published(
        fields: &Map<String, Value>,
        reading: Reading<'_>,
        settings: &Settings,
    ) -> Result<Self, Vec<Problem>> {
        match sns::read(fields)? {
            sns::Message::Calm(state) => Ok(Self::Ignore(format!("the alarm is in the state {state}"))),
            sns::Message::Stop(mut stop) => {
                stop.insert("op".to_owned(), "stop".into());
                let mut read = Self::read(&stop, reading, settings);
                if let Ok(Self::Stop { said_at, .. }) = &mut read {
                    *said_at = sns::published_at(fields);
                }
                read.map_err(|problems| {
                    let (of_settings, of_message) =
                        problems.into_iter().partition(|problem| problem.path == LOG);
                    let of_message: Vec<Problem> = of_message;
                    let of_settings: Vec<Problem> = of_settings;
                    below(sns::PATH, of_message)
                        .into_iter()
                        .chain(of_settings)
                        .collect()
                })
            }
        }
    }

    fn read(
        fields: &Map<String, Value>,
        reading: Reading<'_>,
        settings: &Settings,
    ) -> Result<Self, Vec<Problem>> {
        let mut found = Fields {
            fields,
            problems: vec![],
        };
        let op = fields.get("op").and_then(Value::as_str);
        let Some((op, known)) = OPERATIONS.into_iter().find(|(name, _)| Some(*name) == op) else {
            let all: Vec<&str> = OPERATIONS.iter().map(|(name, _)| *name).collect();
            let value = shown("op", fields.get("op").unwrap_or(&Value::Null));
            let expected = format!("one of {}", all.join(", "));
            return Err(vec![Problem::new(
                ProblemCode::InvalidValue,
                "op",
                value,
                expected,
            )]);
        };
        for (key, value) in fields {
            if key != "op" && !known.contains(&key.as_str()) {
                let expected = format!(
                    "no such field of the operation {op}, which takes {}",
                    known.join(", ")
                );
                found.problem(ProblemCode::UnknownKey, key, shown(key, value), expected);
            }
        }
        // A log that is set and wrong is told by itself.
        if op != "plan"
            && settings.log.is_none()
            && !settings.problems.iter().any(|problem| problem.path == LOG)
        {
            let expected = format!(
                "s3://BUCKET/PREFIX in the function's environment, where campaigns are written down: the operation {op} \
                 needs it"
            );
            found.problem(ProblemCode::Missing, LOG, String::new(), expected);
        }
        let read = match op {
            "plan" => found.event(reading).map(Self::Plan),
            "start" => found.event(reading).map(Self::Start),
            "advance" => {
                let (campaign, turn) = (found.campaign(), found.turn());
                campaign
                    .zip(turn)
                    .map(|(campaign, turn)| Self::Advance { campaign, turn })
            }
            "stop" => {
                let campaign = match fields.get("campaign_id") {
                    None | Some(Value::Null) => Some(None),
                    Some(_) => found.campaign().map(Some),
                };
                campaign.zip(found.mode()).map(|(campaign, mode)| Self::Stop {
                    campaign,
                    mode,
                    said_at: None,
                })
            }
            "collect" => found.campaign().map(Self::Collect),
            _ => found.campaign().map(Self::Report),
        };
        match read {
            Some(read) if found.problems.is_empty() => Ok(read),
            _ => Err(found.problems),
        }
    }
}

/// The fields of an operation, and what is wrong with them.
struct Fields<'a> {
    fields: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl Fields<'_> {
    fn problem(&mut self, code: ProblemCode, path: &str, value: String, expected: impl Into<String>) {
        self.problems.push(Problem::new(code, path, value, expected));
    }

    /// The event, which may have any form that is taken by itself.
    fn event(&mut self, reading: Reading<'_>) -> Option<Asked> {
        let own = match self.fields.get("invocation") {
            None => None,
            Some(Value::String(own)) => Some(own.as_str()),
            Some(other) => {
                let (value, expected) = (
                    shown("invocation", other),
                    "what identifies this call and its retries, as a text",
                );
                self.problem(ProblemCode::WrongType, "invocation", value, expected);
                None
            }
        };
        let asked_at = self.asked_at();
        let Some(event) = self.fields.get("event") else {
            let expected = "the event, in any form that the function takes by itself";
            self.problem(ProblemCode::Missing, "event", String::new(), expected);
            return None;
        };
        if event.get("op").is_some() {
            let expected = "an event: an operation in an operation is none";
            self.problem(ProblemCode::Conflict, "event.op", String::new(), expected);
            return None;
        }
        let reading = Reading {
            path: "event",
            invocation: own.map_or(reading.invocation, |own| ("invocation", own)),
            ..reading
        };
        match reading.read(event) {
            Ok(mut asked) => {
                if own.is_some() {
                    asked.longest_retry = asked.longest_retry.max(CALLERS_RETRY);
                }
                asked.asked_at = asked_at;
                Some(asked)
            }
            Err(problems) => {
                self.problems.extend(problems);
                None
            }
        }
    }

    /// When the caller was asked for it.
    fn asked_at(&mut self) -> Option<Timestamp> {
        const WHEN: &str = "when the caller was asked, such as \"2026-11-03T22:15:00Z\"";
        match self.fields.get("asked_at") {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => match text.parse() {
                Ok(at) => return Some(at),
                Err(_) => self.problem(ProblemCode::InvalidValue, "asked_at", format!("{text:?}"), WHEN),
            },
            Some(other) => self.problem(ProblemCode::WrongType, "asked_at", shown("asked_at", other), WHEN),
        }
        None
    }

    /// The campaign.
    fn campaign(&mut self) -> Option<CampaignId> {
        const ID: &str = "a campaign's id, as the answer to its start has it";
        match self.fields.get("campaign_id") {
            Some(Value::String(text)) => match text.trim().parse() {
                Ok(campaign) => return Some(campaign),
                Err(_) => self.problem(ProblemCode::InvalidValue, "campaign_id", format!("{text:?}"), ID),
            },
            Some(other) => {
                let value = shown("campaign_id", other);
                self.problem(ProblemCode::WrongType, "campaign_id", value, ID);
            }
            None => self.problem(ProblemCode::Missing, "campaign_id", String::new(), ID),
        }
        None
    }

    /// How a campaign is stopped.
    fn mode(&mut self) -> Option<StopMode> {
        const RUN: &str = "let_commands_run";
        match self.fields.get(RUN) {
            None | Some(Value::Null | Value::Bool(false)) => Some(StopMode::CancelCommands),
            Some(Value::Bool(true)) => Some(StopMode::LetCommandsRun),
            Some(other) => {
                self.problem(ProblemCode::WrongType, RUN, shown(RUN, other), "true or false");
                None
            }
        }
    }

    /// How often the campaign was driven before.
    fn turn(&mut self) -> Option<u64> {
        match self.fields.get("turn") {
            None | Some(Value::Null) => Some(0),
            Some(turn) => {
                // JSONata and other tools write whole numbers as 3.0.
                let whole = turn
                    .as_f64()
                    .filter(|turn| turn.fract() == 0.0 && (0.0..1e15).contains(turn));
                let read = turn.as_u64().or_else(|| format!("{:.0}", whole?).parse().ok());
                if read.is_none() {
                    let expected = "how often the campaign was driven before: a whole number from 0";
                    self.problem(ProblemCode::InvalidValue, "turn", shown("turn", turn), expected);
                }
                read
            }
        }
    }
}
