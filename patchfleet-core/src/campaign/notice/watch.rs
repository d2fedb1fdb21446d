//! Since when something does not work, and when that is to be said again. Pure: times are arguments.

use super::{Notice, Tried, Trouble};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// For how long at most nothing is said of trouble. A person who watches begins to wonder then.
pub(crate) const SILENT_FOR: SignedDuration = SignedDuration::from_secs(10);

/// The longest time between two lines about the same trouble. The first is [`SILENT_FOR`], each is twice the one
/// before.
const SAID_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// What is under way, and what does not work.
#[derive(Debug, Default)]
pub(super) struct Watch {
    tried: BTreeMap<Tried, Kind>,
    /// How many tries have had a number of their own.
    numbered: u64,
}

/// Everything of one kind that is tried: one line is said of all.
#[derive(Debug, Default)]
struct Kind {
    /// By subject, and by the number of the try: 0 if there is one try at a time.
    cases: BTreeMap<(String, u64), Case>,
    /// When the line was said first and last, and how often.
    said: Option<(Timestamp, Timestamp, u32)>,
}

/// One thing that is tried.
#[derive(Debug)]
struct Case {
    since: Timestamp,
    /// Why it last failed; `None`: it has no answer yet.
    failed: Option<Failed>,
    /// In whose words it was put off meanwhile.
    put_off: Option<String>,
    /// Whether its answer has come, and is not taken yet. Nothing is said of it meanwhile.
    is_answered: bool,
}

/// A failure, and what follows.
#[derive(Debug, Clone)]
pub(in crate::campaign) struct Failed {
    /// In whose words.
    pub(in crate::campaign) reason: String,
    /// When it is tried again.
    pub(in crate::campaign) next: Option<Timestamp>,
    /// Until when, if it fails in the same way.
    pub(in crate::campaign) until: Option<Timestamp>,
}

impl Watch {
    /// Something is tried, or tried again.
    pub(super) fn asked(&mut self, what: Tried, subject: &str, call: u64, now: Timestamp) {
        let cases = &mut self.tried.entry(what).or_default().cases;
        let case = cases.entry((subject.to_owned(), call)).or_insert(Case {
            since: now,
            failed: None,
            put_off: None,
            is_answered: false,
        });
        if case.is_answered {
            case.is_answered = false;
            if case.failed.is_none() {
                case.since = now;
            }
        }
    }

    /// Something is tried, maybe several times at once. Gives the number of this try.
    pub(super) fn asked_anew(&mut self, what: Tried, subject: &str, now: Timestamp) -> u64 {
        self.numbered = self.numbered.saturating_add(1);
        self.asked(what, subject, self.numbered, now);
        self.numbered
    }

    /// It is throttled, and made again by itself.
    pub(super) fn put_off(&mut self, what: Tried, subject: &str, call: u64, words: &str) {
        let kind = self.tried.get_mut(&what);
        let case = kind.and_then(|kind| kind.cases.get_mut(&(subject.to_owned(), call)));
        if let Some(case) = case {
            case.put_off = Some(words.to_owned());
        }
    }

    /// Its answer has come. What it says is not known yet.
    pub(super) fn answered(&mut self, what: Tried, subject: &str) {
        let kind = self.tried.get_mut(&what);
        let case = kind.and_then(|kind| kind.cases.get_mut(&(subject.to_owned(), 0)));
        if let Some(case) = case {
            case.is_answered = true;
            case.put_off = None;
        }
    }

    /// It failed and is tried again.
    pub(super) fn failed(
        &mut self,
        what: Tried,
        subject: &str,
        failed: Failed,
        now: Timestamp,
    ) -> Option<Notice> {
        self.asked(what, subject, 0, now);
        let kind = self.tried.get_mut(&what)?;
        // Nothing happens before the next try, so nobody may look in between.
        let next = failed.next.unwrap_or(now).max(now);
        kind.cases.get_mut(&(subject.to_owned(), 0))?.failed = Some(failed);
        let due = kind.due()?;
        let is_silent = kind.said.is_none() && next > due;
        (now >= due || is_silent).then(|| kind.say(what, now)).flatten()
    }

    /// It works, or is tried no more.
    pub(super) fn over(
        &mut self,
        what: Tried,
        subject: &str,
        call: u64,
        works: bool,
        now: Timestamp,
    ) -> Option<Notice> {
        let kind = self.tried.get_mut(&what)?;
        kind.cases.remove(&(subject.to_owned(), call));
        let goes_on = kind
            .waited_for()
            .any(|(_, case)| case.failed.is_some() || now.duration_since(case.since) >= SILENT_FOR);
        if goes_on {
            return None;
        }
        let said = kind.said.take();
        if kind.cases.is_empty() {
            self.tried.remove(&what);
        }
        let (since, ..) = said.filter(|_| works)?;
        Some(Notice::Over { what, since, at: now })
    }

    /// What is due to be said by now.
    pub(super) fn look(&mut self, now: Timestamp) -> Vec<Notice> {
        let due = |kind: &Kind| kind.due().is_some_and(|due| now >= due);
        let kinds = self.tried.iter_mut().filter(|(_, kind)| due(kind));
        kinds.filter_map(|(what, kind)| kind.say(*what, now)).collect()
    }
}

impl Kind {
    /// What has no answer, or failed and is tried again.
    fn waited_for(&self) -> impl Iterator<Item = (&String, &Case)> {
        let waited_for = self.cases.iter().filter(|(_, case)| !case.is_answered);
        waited_for.map(|((subject, _), case)| (subject, case))
    }

    fn oldest(&self) -> Option<(&String, &Case)> {
        self.waited_for().min_by_key(|(_, case)| case.since)
    }

    /// When something is to be said.
    fn due(&self) -> Option<Timestamp> {
        let (_, oldest) = self.oldest()?;
        let (from, wait) = match self.said {
            None => (oldest.since, SILENT_FOR),
            Some((_, last, times)) => {
                let doubled = 1_i32.checked_shl(times.min(16)).unwrap_or(i32::MAX);
                (last, (SILENT_FOR * doubled).min(SAID_EVERY))
            }
        };
        Some(from.checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    fn say(&mut self, what: Tried, now: Timestamp) -> Option<Notice> {
        let (subject, oldest) = self.oldest()?;
        let subjects: BTreeSet<&String> = self.waited_for().map(|(subject, _)| subject).collect();
        let trouble = Trouble {
            what,
            subject: subject.clone(),
            others: subjects.len().saturating_sub(1),
            since: oldest.since,
            at: now,
            reason: oldest.failed.as_ref().map(|failed| failed.reason.clone()),
            throttled: oldest.put_off.clone().filter(|_| oldest.failed.is_none()),
            next: oldest
                .failed
                .as_ref()
                .and_then(|failed| failed.next)
                .filter(|next| *next > now),
            until: oldest.failed.as_ref().and_then(|failed| failed.until),
        };
        let since = trouble.since;
        let (first, _, times) = self.said.unwrap_or((since, now, 0));
        self.said = Some((first, now, times.saturating_add(1)));
        Some(Notice::Trouble(Box::new(trouble)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_772_400_000 + second).unwrap()
    }

    fn failed(next: i64) -> Failed {
        Failed {
            reason: "Rate exceeded".to_owned(),
            next: Some(at(next)),
            until: Some(at(1_800)),
        }
    }

    fn line(notice: Option<Notice>) -> Option<String> {
        notice.map(|notice| notice.to_string())
    }

    #[test]
    fn trouble_is_told_before_ten_seconds_are_over_and_then_at_growing_intervals() {
        let mut watch = Watch::default();
        let mut told = vec![];
        // As failures come: 2, 4, 8, … seconds apart, then every minute.
        let mut now = 0;
        let mut wait = 2;
        while now < 1_800 {
            if watch
                .failed(Tried::Log, "", failed(now + wait), at(now))
                .is_some()
            {
                told.push(now);
            }
            now += wait;
            wait = (wait * 2).min(60);
        }
        assert_eq!(told, [6, 30, 122, 242, 422, 782, 1382]);
        assert!(watch.look(at(1_801)).is_empty(), "not twice");
    }

    #[test]
    fn a_line_says_what_is_tried_since_when_why_it_fails_and_until_when() {
        let mut watch = Watch::default();
        assert_eq!(
            line(watch.failed(Tried::Execution, "unit 2", failed(2), at(0))),
            None
        );
        let told = watch.failed(Tried::Execution, "unit 2", failed(14), at(6));
        assert_eq!(
            line(told).unwrap(),
            "looking at the execution of unit 2 has not worked since 2026-03-01T21:20:00Z (6s): Rate exceeded; the next \
             try is at 2026-03-01T21:20:14Z, and it is tried until 2026-03-01T21:50:00Z"
        );
        assert_eq!(
            line(watch.over(Tried::Execution, "unit 2", 0, true, at(15))).unwrap(),
            "looking at an execution works again, after 15s"
        );
        assert_eq!(
            line(watch.over(Tried::Execution, "unit 2", 0, true, at(16))),
            None,
            "told once"
        );
    }

    #[test]
    fn one_line_is_said_of_many_that_fail_alike_and_one_once_all_of_them_work() {
        let mut watch = Watch::default();
        let location = |n| format!("11111111111{n}/us-east-1");
        for n in 0..3 {
            assert_eq!(
                line(watch.failed(Tried::Results, &location(n), failed(4), at(0))),
                None
            );
        }
        let lines: Vec<String> = (0..3)
            .filter_map(|n| line(watch.failed(Tried::Results, &location(n), failed(20), at(4))))
            .collect();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].starts_with("reading the results of 111111111110/us-east-1 and 2 others has not worked"),
            "{lines:?}"
        );
        assert_eq!(
            line(watch.over(Tried::Results, &location(1), 0, true, at(20))),
            None
        );
        assert_eq!(
            line(watch.over(Tried::Results, &location(0), 0, true, at(20))),
            None
        );
        assert!(line(watch.over(Tried::Results, &location(2), 0, true, at(20))).is_some());
    }

    #[test]
    fn what_has_no_answer_for_ten_seconds_is_told_once_somebody_looks() {
        let mut watch = Watch::default();
        watch.asked(Tried::Rows, "111111111111/us-east-1", 0, at(0));
        assert_eq!(watch.look(at(9)), []);
        let told = watch.look(at(10));
        assert_eq!(
            told.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "keeping the results of 111111111111/us-east-1 has had no answer since 2026-03-01T21:20:00Z (10s), and is waited \
              for"
            ]
        );
        assert_eq!(watch.look(at(11)), []);
        assert!(line(watch.over(Tried::Rows, "111111111111/us-east-1", 0, true, at(12))).is_some());
    }

    #[test]
    fn what_is_throttled_and_made_again_by_itself_is_told_in_the_words_of_whoever_throttles_it() {
        let mut watch = Watch::default();
        let number = watch.asked_anew(Tried::Organization, "", at(0));
        watch.put_off(
            Tried::Organization,
            "",
            number,
            "ThrottlingException: Rate exceeded",
        );
        let told = watch.look(at(10));
        assert_eq!(
            told.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "reading the organization has been throttled since 2026-03-01T21:20:00Z (10s), and is made again more \
                 slowly: ThrottlingException: Rate exceeded"
            ]
        );
        assert!(line(watch.over(Tried::Organization, "", number, true, at(12))).is_some());
    }

    #[test]
    fn what_is_given_up_is_not_said_to_work_again() {
        let mut watch = Watch::default();
        assert!(watch.failed(Tried::Stop, "unit 1", failed(60), at(0)).is_some());
        assert_eq!(watch.over(Tried::Stop, "unit 1", 0, false, at(60)), None);
        assert_eq!(watch.look(at(900)), []);
    }
}
