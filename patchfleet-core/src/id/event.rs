//! What identifies the event that asks for a campaign.

use jiff::SignedDuration;
use std::fmt;

/// The longest id of an event, in characters. The ARN of a schedule and a time have room.
const MAX_EVENT_ID_CHARS: usize = 512;

/// Which event asks for a campaign. Together with the request's digest it is the campaign's identity. The same event of the
/// same request is one campaign, however often it is delivered.
///
/// A text with a placeholder that nobody filled in is no id. Every event would have the same one, and all but the first
/// would be taken for a retry.
///
/// ```
/// use patchfleet_core::id::{EventId, EventSource};
/// let schedule = "arn:aws:scheduler:eu-west-1:111122223333:schedule/default/weekly";
/// assert!(EventId::new(EventSource::Event, &format!("{schedule} 2026-03-03T22:15:00Z")).is_ok());
/// assert!(EventId::new(EventSource::Event, schedule).is_err());
/// assert!(EventId::new(EventSource::Event, "<aws.scheduler.scheduled-time>").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    source: EventSource,
    text: Box<str>,
}

/// Where an event's id comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EventSource {
    /// The execution of a maintenance window.
    Window,
    /// The id that the event itself names.
    Event,
    /// The id of a Lambda invocation, which stays when Lambda tries an asynchronous one again.
    Invocation,
    /// A time at which a schedule of one's own fires.
    Slot,
}

impl EventSource {
    /// Its name in an event's identity.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Event => "event",
            Self::Invocation => "invocation",
            Self::Slot => "slot",
        }
    }
}

/// Why a text is no event's id. `Display` says what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventIdError {
    /// Empty, too long, or not one line.
    #[error("the id of one event, of 1 to {MAX_EVENT_ID_CHARS} characters in one line")]
    Shape,
    /// A placeholder that nobody filled in.
    #[error("the id of one event, and nobody filled in {placeholder}. {advice}")]
    Unfilled {
        /// The placeholder.
        placeholder: String,
        /// Who would fill it in, and what to write.
        advice: &'static str,
    },
    /// The schedule or rule alone.
    #[error(
        "the id of one event, and this ARN is the same for every event of its schedule or rule. Put the time behind \
         it: \"<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>\" in a schedule's input"
    )]
    Sender,
}

impl EventId {
    /// The event that `source` calls `text`.
    ///
    /// # Errors
    ///
    /// [`EventIdError`] if no single event can have this id.
    pub fn new(source: EventSource, text: &str) -> Result<Self, EventIdError> {
        let text = text.trim();
        let chars = text.chars().count();
        if !(1..=MAX_EVENT_ID_CHARS).contains(&chars) || text.contains(char::is_control) {
            return Err(EventIdError::Shape);
        }
        if let Some(placeholder) = placeholder(text) {
            return Err(EventIdError::Unfilled {
                placeholder: placeholder.to_owned(),
                advice: advice(placeholder),
            });
        }
        if is_sender(text) {
            return Err(EventIdError::Sender);
        }
        Ok(Self {
            source,
            text: text.into(),
        })
    }

    /// Where the id comes from.
    #[must_use]
    pub fn source(&self) -> EventSource {
        self.source
    }

    /// How long after the first start of its campaign this event may be delivered again. What comes
    /// later is another event that has the same id by mistake.
    ///
    /// - A Lambda invocation: 6 hours. Lambda keeps an asynchronous event for at most that long
    ///   (Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous
    ///   invocation").
    /// - All others: 22 hours. EventBridge and its Scheduler try for at most 24 hours, and only
    ///   what was not accepted; a start shows that the event was. Below 23 hours an id that never
    ///   changes is noticed on the second day of a daily schedule, also when the clock goes forward
    ///   in spring.
    #[must_use]
    pub fn longest_retry(&self) -> SignedDuration {
        match self.source {
            EventSource::Invocation => SignedDuration::from_hours(6),
            EventSource::Window | EventSource::Event | EventSource::Slot => SignedDuration::from_hours(22),
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.source.as_str(), self.text)
    }
}

/// The first placeholder in `text`. No id of AWS has any of these characters.
fn placeholder(text: &str) -> Option<&str> {
    // JSONPath of a state machine or an input path: the whole text is the placeholder.
    if text.starts_with("$.") || text.starts_with("$$.") || text.starts_with("$states.") {
        return Some(text);
    }
    [("{{", "}}"), ("{%", "%}"), ("${", "}"), ("<", ">")]
        .iter()
        .filter_map(|(open, close)| {
            let start = text.find(open)?;
            let rest = text.get(start..)?;
            let end = rest.find(close).map_or(rest.len(), |end| end + close.len());
            Some((start, rest.get(..end)?))
        })
        .min_by_key(|(start, _)| *start)
        .map(|(_, placeholder)| placeholder)
}

/// Who fills such a placeholder in. The names are those of the EventBridge Scheduler User Guide
/// ("Adding context attributes") and of the EventBridge User Guide ("Input transformation").
fn advice(placeholder: &str) -> &'static str {
    let name = placeholder.to_ascii_lowercase();
    if name.starts_with("<aws.scheduler.execution-id") || name.starts_with("<aws.scheduler.attempt-number") {
        "Only the input of an EventBridge Scheduler schedule has it filled in, and with another value at every attempt, \
         so it is no identity there either: write \"<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>\""
    } else if name.starts_with("<aws.scheduler.") {
        "Only the input of an EventBridge Scheduler schedule has it filled in. A rule takes the event's id by an input \
         transformer: InputPathsMap {\"id\": \"$.id\"}, and \"<id>\" in the template"
    } else if name.starts_with("<aws.events.") {
        "Only the input transformer of an EventBridge rule fills it in, and not a constant input or a schedule. The event's \
         id is InputPathsMap {\"id\": \"$.id\"}, and \"<id>\" in the template"
    } else if name.starts_with('<') {
        "The input transformer of an EventBridge rule fills in the names of its InputPathsMap, and nothing else"
    } else if name.starts_with("{{") {
        "Systems Manager fills in {{WINDOW_EXECUTION_ID}} in the payload of a maintenance window's task: the payload did not \
         come through a maintenance window, or the name is misspelt"
    } else {
        "Whatever should fill it in did not"
    }
}

/// Whether `text` is the ARN of a schedule or of a rule, and nothing else. Their names have no
/// space and no colon, so an ARN with a time behind it is none.
fn is_sender(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    let (arn, _partition, service) = (parts.next(), parts.next(), parts.next());
    let resource = parts.nth(2).unwrap_or_default();
    let kind = match service {
        Some("scheduler") => "schedule/",
        Some("events") => "rule/",
        _ => return false,
    };
    arn == Some("arn")
        && resource.strip_prefix(kind).is_some_and(|name| {
            name.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"/_.-".contains(&b))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<EventId, EventIdError> {
        EventId::new(EventSource::Event, text)
    }

    #[test]
    fn a_placeholder_that_nobody_filled_in_is_no_id_whatever_services_it_is() {
        for (text, placeholder, advice) in [
            (
                "<aws.scheduler.execution-id>",
                "<aws.scheduler.execution-id>",
                "at every attempt",
            ),
            (
                "weekly <aws.scheduler.attempt-number>",
                "<aws.scheduler.attempt-number>",
                "at every attempt",
            ),
            (
                "<aws.scheduler.schedule-arn> <aws.scheduler.scheduled-time>",
                "<aws.scheduler.schedule-arn>",
                "$.id",
            ),
            (
                "<aws.events.event.ingestion-time>",
                "<aws.events.event.ingestion-time>",
                "$.id",
            ),
            ("<AWS.events.rule-arn>", "<AWS.events.rule-arn>", "$.id"),
            ("<id>", "<id>", "InputPathsMap"),
            ("<id", "<id", "InputPathsMap"),
            (
                "{{WINDOW_EXECUTION_ID}}",
                "{{WINDOW_EXECUTION_ID}}",
                "maintenance window",
            ),
            (
                "w-{{ TASK_EXECUTION_ID }}-1",
                "{{ TASK_EXECUTION_ID }}",
                "maintenance window",
            ),
            ("{{", "{{", "maintenance window"),
            ("{% $states.input.id %}", "{% $states.input.id %}", "did not"),
            ("${EventId}", "${EventId}", "did not"),
            ("$.id", "$.id", "did not"),
            ("$$.Execution.Id", "$$.Execution.Id", "did not"),
        ] {
            let error = read(text).unwrap_err();
            let EventIdError::Unfilled {
                placeholder: found, ..
            } = &error
            else {
                panic!("{text}: {error:?}");
            };
            assert_eq!(found, placeholder, "{text}");
            let words = error.to_string();
            assert!(
                words.contains(placeholder) && words.contains(advice),
                "{text}: {words}"
            );
        }
    }

    #[test]
    fn the_arn_of_a_schedule_or_rule_is_an_id_only_with_something_of_the_event_behind_it() {
        let schedule = "arn:aws:scheduler:us-east-1:111122223333:schedule/my-group/weekly.linux_1";
        let rule = "arn:aws-cn:events:cn-north-1:111122223333:rule/weekly";
        assert_eq!(read(schedule), Err(EventIdError::Sender));
        assert_eq!(read(rule), Err(EventIdError::Sender));
        for joined in [" ", "/", "-", "_", "|", ""] {
            let text = format!("{schedule}{joined}2026-09-26T19:14:33Z");
            assert_eq!(read(&text).unwrap().to_string(), format!("event/{text}"));
        }
    }

    #[test]
    fn ids_of_events_are_taken_as_they_are() {
        for text in [
            "1a6ab819-9929-4869-94d9-8dda75d12280",
            "2026-09-26T19:14:33Z",
            "release 4.2 (friday) #7 a/b:c=d",
            "0",
        ] {
            assert_eq!(read(text).unwrap().to_string(), format!("event/{text}"));
        }
        let long = "ü".repeat(MAX_EVENT_ID_CHARS);
        assert!(read(&long).is_ok());
        for text in ["", "  ", "a\nb", &format!("{long}x")] {
            assert_eq!(read(text), Err(EventIdError::Shape), "{text:?}");
        }
    }

    #[test]
    fn no_id_of_a_daily_event_stays_the_same_unnoticed_into_the_next_day() {
        let sources = [
            EventSource::Window,
            EventSource::Event,
            EventSource::Slot,
            EventSource::Invocation,
        ];
        for source in sources {
            let id = EventId::new(source, "nightly").unwrap();
            let shortest_day = SignedDuration::from_hours(23);
            assert!(id.longest_retry() < shortest_day, "{id}");
            assert!(id.longest_retry() >= SignedDuration::from_hours(6), "{id}");
        }
    }
}
