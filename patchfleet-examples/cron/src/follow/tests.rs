use super::*;
use std::cell::RefCell;
use std::sync::Mutex;

mod made_good;

/// A wall clock that moves while somebody sleeps, and jumps as it is told to.
struct Virtual {
    now: Mutex<Timestamp>,
    /// Its jumps: before which sleep, counted from 1, and by how much.
    jumps: Vec<(u32, SignedDuration)>,
    sleeps: Mutex<u32>,
    /// After so many sleeps the process is told to stop.
    stop: (u32, watch::Sender<bool>),
}

impl Virtual {
    fn advance(&self, by: SignedDuration) {
        *self.now.lock().unwrap() += by;
    }
}

impl Wall for Virtual {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    async fn sleep(&self, time: Duration) {
        let sleeps = {
            let mut sleeps = self.sleeps.lock().unwrap();
            *sleeps += 1;
            *sleeps
        };
        self.advance(SignedDuration::try_from(time).unwrap());
        for (at, by) in &self.jumps {
            if *at == sleeps {
                self.advance(*by);
            }
        }
        if sleeps == self.stop.0 {
            self.stop.1.send_replace(true);
        }
    }
}

/// What a process finds, and how long it takes.
#[derive(Default)]
struct Life {
    /// How many naps it lives for.
    sleeps: u32,
    jumps: Vec<(u32, SignedDuration)>,
    /// How long a campaign takes.
    takes: SignedDuration,
    /// How long a campaign takes that was left open.
    open: Option<SignedDuration>,
    /// Slots whose campaigns are in the log as finished, as their ids begin.
    has_run: &'static [&'static str],
    /// What becomes of a slot that is not run.
    not_begun: Option<Became>,
    /// Whether it is told to stop while the first campaign runs.
    stopped: bool,
    /// Since when a missed slot is made good.
    made_good_since: Option<&'static str>,
    /// How long after its time each slot begins.
    delay: SignedDuration,
}

struct Scripted<'a> {
    life: &'a Life,
    wall: &'a Virtual,
    lines: &'a RefCell<Vec<String>>,
}

impl Scripted<'_> {
    fn campaign(&self, takes: SignedDuration) {
        self.wall.advance(takes);
        if self.life.stopped {
            self.wall.stop.1.send_replace(true);
        }
    }
}

impl Work for Scripted<'_> {
    async fn finish_open(&self) -> bool {
        self.life.open.map(|takes| self.campaign(takes)).is_some()
    }

    async fn made_good_since(&self) -> Option<Timestamp> {
        Some(self.life.made_good_since?.parse().unwrap())
    }

    async fn not_run(&self, mut slots: Vec<Slot>) -> Vec<Slot> {
        slots.retain(|slot| !self.life.has_run.iter().any(|id| slot.id.starts_with(id)));
        slots
    }

    async fn run(&self, slot: &Slot) -> Became {
        if let Some(why) = self.life.not_begun {
            self.campaign(self.life.takes);
            return why;
        }
        let mut line = format!("ran {} at {}", slot.at, self.wall.now());
        if slot.counts_from != slot.at {
            line += &format!(", cutoff from {}", slot.counts_from);
        }
        self.lines.borrow_mut().push(line);
        self.campaign(self.life.takes);
        Became::Run
    }
}

impl Life {
    /// What a process does that starts at `from`: each line a slot that ran, or what was told.
    fn lived(&self, expression: &str, from: &str) -> Vec<String> {
        let (sender, stop) = watch::channel(false);
        let wall = Virtual {
            now: Mutex::new(from.parse().unwrap()),
            jumps: self.jumps.clone(),
            sleeps: Mutex::new(0),
            stop: (self.sleeps, sender),
        };
        let schedule = Schedule::parse(expression, "UTC").unwrap().delayed(self.delay);
        let lines = RefCell::new(vec![]);
        let tell = |told: Told| {
            lines.borrow_mut().push(match told {
                Told::Next(at) => format!("next {at}"),
                Told::Ran(at) => format!("has run {at}"),
                Told::MadeGood(at) => format!("made good {at}"),
                Told::Missed(left) => format!("missed {left}"),
                Told::Busy(left) => format!("busy {left}"),
                Told::Stopped(left) => format!("stopped {left}"),
                Told::SetBack(by) => format!("set back {by:#}"),
                Told::TooLate(left) => format!("too late {left}"),
                Told::Over => "over".to_owned(),
            });
        };
        let work = Scripted {
            life: self,
            wall: &wall,
            lines: &lines,
        };
        let late = SignedDuration::from_mins(15);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(follow(&wall, &schedule, late, stop, tell, &work));
        lines.into_inner()
    }
}

/// What a process does that starts at `from` and finds nothing left open, with a clock that jumps.
fn lived(
    expression: &str,
    from: &str,
    (sleeps, jumps): (u32, &[(u32, SignedDuration)]),
    takes: SignedDuration,
) -> Vec<String> {
    let life = Life {
        sleeps,
        jumps: jumps.to_vec(),
        takes,
        ..Life::default()
    };
    life.lived(expression, from)
}

const DAILY: &str = "cron(15 22 * * ? *)";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

#[test]
fn a_slot_runs_at_its_time_and_the_next_is_told() {
    assert_eq!(
        lived(DAILY, "2026-03-03T22:14:00Z", (3, &[]), MINUTE),
        [
            "next 2026-03-03T22:15:00Z",
            "ran 2026-03-03T22:15:00Z at 2026-03-03T22:15:00Z",
            "next 2026-03-04T22:15:00Z",
        ]
    );
}

#[test]
fn a_machine_that_wakes_within_the_tolerance_runs_the_slot_and_later_misses_it() {
    let asleep = |minutes| [(1, SignedDuration::from_mins(minutes))];
    // The first nap ends half a minute before the slot.
    let woke = |minutes| lived(DAILY, "2026-03-03T22:14:00Z", (2, &asleep(minutes)), MINUTE);
    assert_eq!(woke(15)[1], "ran 2026-03-03T22:15:00Z at 2026-03-03T22:29:30Z");
    assert_eq!(
        woke(16)[1..],
        ["missed 2026-03-03T22:15:00Z", "next 2026-03-04T22:15:00Z"]
    );
    // Exactly fifteen minutes late.
    let exact = lived(
        DAILY,
        "2026-03-03T22:14:00Z",
        (2, &[(1, SignedDuration::from_secs(15 * 60 + 30))]),
        MINUTE,
    );
    assert_eq!(exact[1], "ran 2026-03-03T22:15:00Z at 2026-03-03T22:30:00Z");
}

#[test]
fn several_missed_slots_are_each_told_and_none_runs_late() {
    let days = SignedDuration::from_hours(3 * 24);
    assert_eq!(
        lived(DAILY, "2026-03-03T22:00:00Z", (2, &[(1, days)]), MINUTE),
        [
            "next 2026-03-03T22:15:00Z",
            "missed 2026-03-03T22:15:00Z, 2026-03-04T22:15:00Z, 2026-03-05T22:15:00Z",
            "next 2026-03-06T22:15:00Z",
        ]
    );
}

#[test]
fn of_several_slots_that_are_due_at_once_the_newest_runs_and_the_others_are_told() {
    let lines = lived(
        "cron(0/5 22 * * ? *)",
        "2026-03-03T21:58:30Z",
        (2, &[(1, SignedDuration::from_mins(13))]),
        SignedDuration::from_secs(1),
    );
    assert_eq!(
        lines,
        [
            "next 2026-03-03T22:00:00Z",
            "missed 2026-03-03T22:00:00Z, 2026-03-03T22:05:00Z",
            "ran 2026-03-03T22:10:00Z at 2026-03-03T22:12:00Z",
            "next 2026-03-03T22:15:00Z",
        ]
    );
}

#[test]
fn a_long_sleep_names_some_missed_slots_and_counts_no_more_than_it_must() {
    let year = SignedDuration::from_hours(365 * 24);
    let lines = lived(
        "cron(* * ? * MON-FRI *)",
        "2026-03-01T12:00:00Z",
        (2, &[(1, year)]),
        MINUTE,
    );
    let missed = lines.iter().find(|line| line.starts_with("missed")).unwrap();
    assert!(
        missed.starts_with("missed 2026-03-02T00:00:00Z, 2026-03-02T00:01:00Z"),
        "{missed}"
    );
    assert!(missed.ends_with(" and more than 1000 more"), "{missed}");
}

#[test]
fn a_slot_that_comes_while_a_campaign_runs_is_left_out_and_told() {
    let lines = lived(
        "cron(0/20 * * * ? *)",
        "2026-03-03T21:59:30Z",
        (2, &[]),
        SignedDuration::from_mins(45),
    );
    assert_eq!(
        lines,
        [
            "next 2026-03-03T22:00:00Z",
            "ran 2026-03-03T22:00:00Z at 2026-03-03T22:00:00Z",
            "busy 2026-03-03T22:20:00Z, 2026-03-03T22:40:00Z",
            "next 2026-03-03T23:00:00Z",
        ]
    );
}

#[test]
fn a_clock_that_is_set_back_runs_no_slot_twice() {
    let back = -SignedDuration::from_mins(10);
    let lines = lived(DAILY, "2026-03-03T22:14:30Z", (40, &[(2, back)]), MINUTE);
    let runs = lines.iter().filter(|line| line.starts_with("ran 2026-03-03"));
    assert_eq!(runs.count(), 1, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("set back")), "{lines:?}");
}

#[test]
fn a_clock_that_was_wrong_by_a_day_and_is_set_right_runs_the_slot_that_it_had_called_missed() {
    let day = SignedDuration::from_hours(24);
    let lines = lived(DAILY, "2026-03-03T22:13:00Z", (8, &[(1, day), (2, -day)]), MINUTE);
    assert_eq!(
        lines,
        [
            "next 2026-03-03T22:15:00Z",
            "missed 2026-03-03T22:15:00Z",
            "next 2026-03-04T22:15:00Z",
            "set back 23h 59m 30s",
            "next 2026-03-03T22:15:00Z",
            "ran 2026-03-03T22:15:00Z at 2026-03-03T22:15:00Z",
            "next 2026-03-04T22:15:00Z",
        ]
    );
}

#[test]
fn a_schedule_that_is_over_ends_and_one_that_is_told_to_stop_begins_no_further_slot() {
    assert_eq!(
        lived("cron(0 0 1 1 ? 2026)", "2026-03-03T22:13:00Z", (9, &[]), MINUTE),
        ["over"]
    );
    // Told to stop in the nap at whose end the slot is due.
    assert_eq!(
        lived(DAILY, "2026-03-03T22:14:30Z", (1, &[]), MINUTE),
        ["next 2026-03-03T22:15:00Z", "stopped 2026-03-03T22:15:00Z"]
    );
}

#[test]
fn a_process_that_is_started_again_just_after_a_slot_runs_it_unless_its_campaign_has_run() {
    let again = |from: &str, has_run| {
        let life = Life {
            sleeps: 1,
            takes: MINUTE,
            has_run,
            ..Life::default()
        };
        life.lived(DAILY, from)
    };
    let next = "next 2026-03-04T22:15:00Z";
    assert_eq!(
        again("2026-03-03T22:15:30Z", &[]),
        ["ran 2026-03-03T22:15:00Z at 2026-03-03T22:15:30Z", next]
    );
    assert_eq!(
        again("2026-03-03T22:15:30Z", &["2026-03-03T22:15"]),
        ["has run 2026-03-03T22:15:00Z", next]
    );
    // Before this process was there.
    assert_eq!(again("2026-03-03T22:30:01Z", &[]), [next]);
}

#[test]
fn slots_that_come_due_while_an_open_campaign_is_finished_at_the_start_run_in_time_or_are_told() {
    let found_open = |from: &str, minutes, has_run| {
        let life = Life {
            sleeps: 1,
            takes: MINUTE,
            open: Some(SignedDuration::from_mins(minutes)),
            has_run,
            ..Life::default()
        };
        life.lived(DAILY, from)
    };
    let next = "next 2026-03-04T22:15:00Z";
    assert_eq!(
        found_open("2026-03-03T22:00:00Z", 20, &[]),
        ["ran 2026-03-03T22:15:00Z at 2026-03-03T22:20:00Z", next]
    );
    for from in ["2026-03-03T22:00:00Z", "2026-03-03T22:15:30Z"] {
        assert_eq!(
            found_open(from, 120, &[]),
            ["busy 2026-03-03T22:15:00Z", next],
            "{from}"
        );
        // What was left open was the slot's own campaign.
        assert_eq!(found_open(from, 120, &["2026-03-03T22:15"]), [next], "{from}");
    }
}

#[test]
fn a_slot_that_an_open_campaign_holds_up_too_long_is_told_and_not_run() {
    let life = Life {
        sleeps: 3,
        takes: SignedDuration::from_hours(25),
        not_begun: Some(Became::TooLate),
        ..Life::default()
    };
    assert_eq!(
        life.lived(DAILY, "2026-03-03T22:14:30Z"),
        [
            "next 2026-03-03T22:15:00Z",
            "too late 2026-03-03T22:15:00Z, 2026-03-04T22:15:00Z",
            "next 2026-03-05T22:15:00Z",
        ]
    );
}

#[test]
fn a_slot_that_does_not_begin_because_the_process_is_told_to_stop_is_told() {
    let life = Life {
        sleeps: 9,
        takes: MINUTE,
        not_begun: Some(Became::Stopped),
        stopped: true,
        ..Life::default()
    };
    assert_eq!(
        life.lived(DAILY, "2026-03-03T22:14:30Z"),
        ["next 2026-03-03T22:15:00Z", "stopped 2026-03-03T22:15:00Z"]
    );
    let at_the_start = Life {
        sleeps: 9,
        open: Some(SignedDuration::from_mins(20)),
        stopped: true,
        ..Life::default()
    };
    assert_eq!(
        at_the_start.lived(DAILY, "2026-03-03T22:00:00Z"),
        ["stopped 2026-03-03T22:15:00Z"]
    );
}

#[test]
fn a_slot_that_ran_is_not_called_missed_when_the_clock_is_set_back_and_then_forward() {
    let jumps = [
        (2, -SignedDuration::from_mins(10)),
        (3, SignedDuration::from_hours(1)),
    ];
    let lines = lived(DAILY, "2026-03-03T22:14:30Z", (5, &jumps), MINUTE);
    assert!(lines.iter().any(|line| line.starts_with("ran ")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("missed")), "{lines:?}");
}
