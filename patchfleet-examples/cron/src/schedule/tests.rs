use super::*;
use std::collections::BTreeSet;

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone).unwrap_or_else(|error| panic!("{error}"))
}

fn slots(schedule: &Schedule, from: Timestamp, n: usize) -> Vec<Slot> {
    let mut at = from;
    std::iter::from_fn(|| {
        let slot = schedule.next(at)?;
        at = slot.at;
        Some(slot)
    })
    .take(n)
    .collect()
}

#[test]
fn slots_are_those_of_a_table_that_was_computed_elsewhere() {
    let rows = include_str!("slots.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let mut checked = 0;
    for row in rows {
        let [expression, zone, from, wanted] = row.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let wanted: Vec<&str> = wanted.split(' ').collect();
        let found = slots(&schedule(expression, zone), from.parse().unwrap(), wanted.len());
        let found: Vec<String> = found.iter().map(|slot| slot.at.to_string()).collect();
        assert_eq!(found, wanted, "{expression} in {zone}");
        checked += 1;
    }
    assert_eq!(checked, 34);
}

#[test]
fn slots_so_many_days_after_or_delayed_are_those_of_a_table_that_was_computed_elsewhere() {
    let rows = include_str!("slots_after.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let mut checked = 0;
    for row in rows {
        let [expression, zone, days, delay, from, wanted] = row.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let wanted: Vec<&str> = wanted.split(' ').collect();
        let schedule = schedule(expression, zone)
            .days_after(days.parse().unwrap())
            .delayed(SignedDuration::from_secs(delay.parse().unwrap()));
        // One slot that is not in the table would stand between those that are.
        let found = slots(&schedule, from.parse().unwrap(), wanted.len());
        let found: Vec<String> = found.iter().map(|slot| slot.at.to_string()).collect();
        assert_eq!(found, wanted, "{row}");
        checked += 1;
    }
    assert_eq!(checked, 10);
}

#[test]
fn a_slot_that_is_delayed_keeps_the_id_of_its_time() {
    let from = "2026-03-01T00:00:00Z".parse().unwrap();
    let plain = schedule("cron(15 22 ? * 3#2 *)", "Europe/Berlin").days_after(3);
    let delayed = plain.clone().delayed(SignedDuration::from_mins(17));
    let (plain, delayed) = (slots(&plain, from, 3), slots(&delayed, from, 3));
    assert_eq!(plain[0].id, "2026-03-13T22:15:00 Europe/Berlin");
    for (one, other) in plain.iter().zip(&delayed) {
        assert_eq!(one.id, other.id);
        assert_eq!(other.at.duration_since(one.at), SignedDuration::from_mins(17));
    }
}

/// Another reading of the grammar, for one minute at a time: whether a field's text names `value`.
fn names(text: &str, value: i32, (min, max): (i32, i32), words: &[&str]) -> bool {
    let number = |text: &str| -> i32 {
        let word = words.iter().position(|word| *word == text.to_uppercase());
        word.map_or_else(
            || text.parse().unwrap(),
            |index| min + i32::try_from(index).unwrap(),
        )
    };
    text.split(',').any(|part| {
        let (range, step) = part
            .split_once('/')
            .map_or((part, 1), |(a, b)| (a, b.parse().unwrap()));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (number(from), number(to)),
            None if range == "*" => (min, max),
            None if part.contains('/') => (number(range), max),
            None => (number(range), number(range)),
        };
        // Counts up from the first value, over the end of the field, until the last is reached.
        let mut at = from;
        let mut count = 0;
        loop {
            if at == value && count % step == 0 {
                return true;
            }
            if at == to {
                return false;
            }
            at = if at == max { min } else { at + 1 };
            count += 1;
        }
    })
}

/// Whether the day fields name a date, by looking at the dates around it.
fn names_day(of_month: &str, of_week: &str, date: Date) -> bool {
    const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let month: Vec<Date> = date
        .first_of_month()
        .series(1.day())
        .take_while(|day| day.month() == date.month())
        .collect();
    let workday = |day: &&Date| !matches!(day.weekday().to_monday_zero_offset(), 5 | 6);
    let index = |day: Date| i32::from(day.weekday().to_sunday_zero_offset()) + 1;
    match (of_month, of_week) {
        ("?", "L") => index(date) == 7,
        ("?", week) if week.ends_with('L') => {
            let wanted: i32 = week.trim_end_matches('L').parse().unwrap();
            month.iter().rfind(|day| index(**day) == wanted) == Some(&date)
        }
        ("?", week) if week.contains('#') => {
            let (day, nth) = week.split_once('#').unwrap();
            let (day, nth): (i32, usize) = (day.parse().unwrap(), nth.parse().unwrap());
            month.iter().filter(|one| index(**one) == day).nth(nth - 1) == Some(&date)
        }
        ("?", week) => names(week, index(date), (1, 7), &DAYS),
        ("L", _) => month.last() == Some(&date),
        ("LW", _) => month.iter().rfind(workday) == Some(&date),
        (day, _) if day.starts_with("L-") => {
            let before: usize = day.trim_start_matches("L-").parse().unwrap();
            month.iter().rev().nth(before) == Some(&date)
        }
        (day, _) if day.ends_with('W') => {
            let wanted: i8 = day.trim_end_matches('W').parse().unwrap();
            let there = month.iter().any(|day| day.day() == wanted);
            let nearest = month
                .iter()
                .filter(workday)
                .min_by_key(|day| (day.day() - wanted).abs());
            there && nearest == Some(&date)
        }
        (day, _) => names(day, date.day().into(), (1, 31), &[]),
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }

    fn pick<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.roll(texts.len())]
    }
}

#[test]
fn slots_are_those_of_a_clock_that_is_read_minute_by_minute() {
    // Around the changes of 2026: an hour in Berlin, half an hour on Lord Howe, midnight in Havana.
    let walks = [
        ("Europe/Berlin", "2026-03-27T00:00:00Z", 6),
        ("Europe/Berlin", "2026-10-23T00:00:00Z", 10),
        ("Australia/Lord_Howe", "2026-04-02T00:00:00Z", 4),
        ("Australia/Lord_Howe", "2026-10-01T00:00:00Z", 4),
        ("America/Havana", "2026-03-06T00:00:00Z", 4),
        ("America/Havana", "2026-10-30T00:00:00Z", 4),
    ];
    let mut dice = Dice(7);
    let mut fired = 0;
    for (zone, from, days) in walks {
        let from: Timestamp = from.parse().unwrap();
        let tz = TimeZone::get(zone).unwrap();
        let mut seen = BTreeSet::new();
        // Every minute that the zone's clock shows for the first time.
        let minutes: Vec<(Timestamp, DateTime)> = (1..=days * 24 * 60)
            .map(|minute| from + jiff::SignedDuration::from_mins(minute))
            .map(|at| (at, at.to_zoned(tz.clone()).datetime()))
            .filter(|(_, shown)| seen.insert(*shown))
            .collect();
        for _ in 0..20 {
            let minute = dice.pick(&["0", "*", "*/25", "10/25", "50-10/5", "5,35", "58-1", "30"]);
            let hour = dice.pick(&["*", "0-3", "1/2", "22-2", "2", "1,2,3", "20-4/3", "0"]);
            let month = dice.pick(&["*", "OCT-APR", "mar,oct", "3-11/7", "10"]);
            let (of_month, of_week) = if dice.roll(2) == 0 {
                let days = ["*", "L", "LW", "L-2", "28-3", "1W", "29W", "*/2", "25,29", "31W"];
                (dice.pick(&days), "?")
            } else {
                (
                    "?",
                    dice.pick(&[
                        "*", "L", "1L", "7L", "SAT-SUN", "FRI-MON", "1#4", "1#5", "2/2", "6,SUN",
                    ]),
                )
            };
            let expression = format!("cron({minute} {hour} {of_month} {month} {of_week} *)");
            const MONTHS: [&str; 12] = [
                "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
            ];
            let wanted: Vec<Timestamp> = minutes
                .iter()
                .filter(|(_, shown)| {
                    names(minute, shown.minute().into(), (0, 59), &[])
                        && names(hour, shown.hour().into(), (0, 23), &[])
                        && names(month, shown.month().into(), (1, 12), &MONTHS)
                        && names_day(of_month, of_week, shown.date())
                })
                .map(|(at, _)| *at)
                .collect();
            let found: Vec<Timestamp> = slots(&schedule(&expression, zone), from, wanted.len() + 1)
                .iter()
                .map(|slot| slot.at)
                .take_while(|at| minutes.last().is_some_and(|(last, _)| at <= last))
                .collect();
            assert_eq!(found, wanted, "{expression} in {zone} from {from}");
            fired += wanted.len();
        }
    }
    assert!(fired > 500, "{fired} slots say little");
}

#[test]
fn days_of_two_years_are_those_that_the_calendar_shows() {
    let from: Timestamp = "2027-12-31T13:00:00Z".parse().unwrap();
    let days: Vec<Date> = Date::constant(2028, 1, 1).series(1.day()).take(731).collect();
    let fields = [
        ("L", "?"),
        ("LW", "?"),
        ("L-1", "?"),
        ("L-29", "?"),
        ("L-30", "?"),
        ("1W", "?"),
        ("2W", "?"),
        ("15W", "?"),
        ("28W", "?"),
        ("29W", "?"),
        ("30W", "?"),
        ("31W", "?"),
        ("29-31", "?"),
        ("28-2/2", "?"),
        ("?", "L"),
        ("?", "1L"),
        ("?", "4L"),
        ("?", "7L"),
        ("?", "1#1"),
        ("?", "7#5"),
        ("?", "3#3"),
        ("?", "SAT-SUN"),
        ("?", "7-2"),
        ("?", "2-6/2"),
    ];
    for (of_month, of_week) in fields {
        let wanted: Vec<Date> = days
            .iter()
            .copied()
            .filter(|day| names_day(of_month, of_week, *day))
            .collect();
        let schedule = schedule(&format!("cron(0 12 {of_month} * {of_week} 2028-2029)"), "UTC");
        let found: Vec<Date> = slots(&schedule, from, 1_000)
            .iter()
            .map(|slot| slot.at.to_zoned(TimeZone::UTC).date())
            .collect();
        assert_eq!(found, wanted, "{of_month} {of_week}");
    }
}

#[test]
fn an_hour_that_comes_twice_is_one_slot_and_one_that_is_skipped_is_none() {
    let daily = schedule("cron(30 2 * * ? *)", "Europe/Berlin");
    let autumn = slots(&daily, "2026-10-24T12:00:00Z".parse().unwrap(), 2);
    assert_eq!(autumn[0].id, "2026-10-25T02:30:00 Europe/Berlin");
    assert_eq!(autumn[0].at.to_string(), "2026-10-25T00:30:00Z");
    assert_eq!(autumn[1].id, "2026-10-26T02:30:00 Europe/Berlin");
    // A process that is started in the second of the two hours does not run the slot again.
    let second: Timestamp = "2026-10-25T01:15:00Z".parse().unwrap();
    assert_eq!(
        daily.next(second).unwrap().id,
        "2026-10-26T02:30:00 Europe/Berlin"
    );
    let spring = slots(&daily, "2026-03-28T12:00:00Z".parse().unwrap(), 1);
    assert_eq!(spring[0].id, "2026-03-30T02:30:00 Europe/Berlin");
}

#[test]
fn years_go_from_1970_to_2199_and_end() {
    let once = schedule("cron(0 0 1 1 ? 2199)", "UTC");
    let slot = once.next("2026-03-01T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(slot.at.to_string(), "2199-01-01T00:00:00Z");
    assert_eq!(once.next(slot.at), None);
    let first = schedule("cron(0 0 1 1 ? 1970)", "UTC");
    assert_eq!(first.next("2026-03-01T00:00:00Z".parse().unwrap()), None);
    let never = schedule("cron(0 0 30 2 ? *)", "UTC");
    assert_eq!(never.next("2026-03-01T00:00:00Z".parse().unwrap()), None);
}

#[test]
fn what_is_wrong_is_told_by_the_field_its_value_and_what_would_be_right() {
    for (expression, parts) in [
        (
            "15 22 * * *",
            &["not of the form cron(…)", "cron(15 22 ? * TUE *)"][..],
        ),
        ("rate(1 day)", &["rate(…) is not taken"]),
        ("at(2026-03-03T22:15:00)", &["at(…) is not taken", "--once"]),
        ("cron(15 22 * * TUE)", &["5 fields, not 6"]),
        (
            "cron(15 22 * * * *)",
            &["day-of-month = * and day-of-week = *", "exactly one of them is ?"],
        ),
        ("cron(15 22 ? * ? *)", &["exactly one of them is ?"]),
        (
            "cron(15 22 1 * TUE *)",
            &["day-of-month = 1 and day-of-week = TUE"],
        ),
        (
            "cron(75 22 ? * TUE *)",
            &["minutes = 75: 75 is out of range; right would be 0 to 59"],
        ),
        ("cron(15 24 ? * TUE *)", &["hours = 24: 24 is out of range"]),
        (
            "cron(15 12 ? * 0 *)",
            &["day-of-week = 0: 0 is out of range", "days count from 1 = SUN"],
        ),
        ("cron(15 12 ? * 8 *)", &["day-of-week = 8"]),
        (
            "cron(15 12 ? * TUES *)",
            &["TUES is no value of it", "SUN to SAT"],
        ),
        ("cron(15 12 ? * 3#6 *)", &["day-of-week = 3#6", "1 to 5"]),
        ("cron(15 12 ? * 3#1,6#3 *)", &["and nothing else"]),
        ("cron(15 12 ? * 2-6L *)", &["6L is no value of it"]),
        ("cron(15 12 0 * ? *)", &["day-of-month = 0: 0 is out of range"]),
        (
            "cron(15 12 L-31 * ? *)",
            &["31 is no number of days before the last"],
        ),
        ("cron(15 12 L,15 * ? *)", &["L stands alone"]),
        ("cron(15 12 1W,15 * ? *)", &["1W is no value of it"]),
        ("cron(15 12 W * ? *)", &["W stands behind one day"]),
        ("cron(15 12 32W * ? *)", &["W stands behind one day of the month"]),
        ("cron(15 12 1 13 ? *)", &["month = 13", "1 to 12 or JAN to DEC"]),
        ("cron(15 12 1 1 ? 1969)", &["year = 1969", "1970 to 2199"]),
        ("cron(15 12 1 1 ? 2028-2026)", &["2028-2026 goes backwards"]),
        ("cron(0/0 12 1 1 ? *)", &["minutes = 0/0: /0 is no step"]),
        (
            "cron(0/60 12 1 1 ? *)",
            &["/60 is no step: a step is a number from 1 to 59"],
        ),
        ("cron(1, 12 1 1 ? *)", &["minutes = 1,: a value is missing"]),
        ("cron(-1 12 1 1 ? *)", &["a value is missing"]),
        ("cron(+1 12 1 1 ? *)", &["+1 is no value of it"]),
        ("cron(? 12 1 1 ? *)", &["? is no value of it"]),
    ] {
        let error = Schedule::parse(expression, "UTC").unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{expression}: no {part:?} in {error}");
        }
        assert!(
            error.starts_with(&format!("--schedule = {expression:?}: ")),
            "{error}"
        );
    }
}

#[test]
fn every_wrong_field_is_told_at_once() {
    let error = Schedule::parse("cron(60 24 0 13 ? 2200)", "UTC")
        .unwrap_err()
        .to_string();
    for field in [
        "minutes = 60",
        "hours = 24",
        "day-of-month = 0",
        "month = 13",
        "year = 2200",
    ] {
        assert!(error.contains(field), "no {field} in {error}");
    }
    let error = Schedule::parse("cron(15 22 ? * TUE *)", "S/EasternU")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("S/EasternU") && error.contains("Europe/Berlin"),
        "{error}"
    );
}
