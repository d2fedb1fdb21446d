//! Recurrences that are too many, too frequent or far away.

use super::{add, ask, fleet, open, state};

/// The error that the state of a calendar with these events has.
fn unsupported(events: &[String]) -> String {
    let mut fleet = fleet();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    add(&mut fleet, "Calendar", "DEFAULT_OPEN", &events);
    let error = ask(&mut fleet, &["Calendar"], "2026-03-01T00:00:00Z").unwrap_err();
    assert_eq!(error.code(), "UnsupportedCalendarException");
    error.message().to_owned()
}

fn event(lines: &str) -> String {
    format!("BEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT")
}

#[test]
fn what_recurs_more_often_than_daily_is_refused_however_it_is_written() {
    let all = |count: i32| (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let every_second = format!(
        "FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={};BYMINUTE={};BYSECOND={}",
        all(24),
        all(60),
        all(60)
    );
    for rule in [
        "FREQ=DAILY;BYHOUR=0,8,16",
        "FREQ=WEEKLY;BYMINUTE=0,30",
        "FREQ=MONTHLY;BYSECOND=1,2",
        "FREQ=HOURLY",
        "FREQ=MINUTELY;INTERVAL=1440",
        "FREQ=SECONDLY;COUNT=2",
        &every_second,
    ] {
        let lines = format!("DTSTART:20260301T000000Z\r\nDURATION:PT1M\r\nRRULE:{rule}");
        let message = unsupported(&[event(&lines)]);
        assert!(message.contains("more often than daily"), "{message}");
    }
    // One hour that is not that of the start is as often as before.
    let once = [
        "DTSTART:20260301T000000Z",
        "DURATION:PT1H",
        "RRULE:FREQ=DAILY;BYHOUR=8;BYMINUTE=30",
    ];
    assert_eq!(
        state("DEFAULT_OPEN", &once, "2026-03-02T00:00:00Z"),
        open("2026-03-02T08:30:00Z")
    );
}

#[test]
fn all_events_and_calendars_share_the_occurrences_that_one_answer_follows() {
    let daily = |hour: i32| {
        event(&format!(
            "DTSTART:19300101T{hour:02}0000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY"
        ))
    };
    let events: Vec<String> = (0..400).map(|n| daily(n % 24)).collect();
    assert!(unsupported(&events).contains("occurrences"));
    let mut fleet = fleet();
    for name in ["AAA", "BBB", "CCC", "DDD"] {
        let events: Vec<&str> = events.iter().take(40).map(String::as_str).collect();
        add(&mut fleet, name, "DEFAULT_OPEN", &events);
    }
    let now = "2026-03-01T00:00:00Z";
    assert!(ask(&mut fleet, &["AAA"], now).is_ok());
    assert!(
        ask(&mut fleet, &["AAA", "AAA", "AAA", "AAA"], now).is_ok(),
        "they are one"
    );
    let error = ask(&mut fleet, &["AAA", "BBB", "CCC", "DDD"], now).unwrap_err();
    assert_eq!(error.code(), "UnsupportedCalendarException");
}

#[test]
fn a_rule_that_has_to_be_counted_or_comes_to_nothing_is_not_followed_for_ever() {
    let with = |rule: &str| {
        event(&format!(
            "DTSTART:00010101T000000Z\r\nDURATION:PT1H\r\nRRULE:{rule}"
        ))
    };
    assert!(unsupported(&[with("FREQ=DAILY;COUNT=4000000000")]).contains("occurrences"));
    // Years are fewer, and each takes longer to look through.
    let years = vec![with("FREQ=YEARLY;COUNT=4000000000"); 40];
    assert!(unsupported(&years).contains("occurrences"));
    for rule in [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=31",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31;UNTIL=20300101",
    ] {
        let events = vec![with(rule); 300];
        assert!(unsupported(&events).contains("no more dates"), "{rule}");
    }
}

#[test]
fn a_recurrence_keeps_its_step_over_a_century_and_more() {
    let date = |text: &str| text.parse::<jiff::civil::Date>().unwrap();
    let (monday, now) = (date("1883-01-01"), date("2026-03-02"));
    let next = |first: jiff::civil::Date, step: i64| {
        let gone = (now - first).get_days();
        let left = (step - i64::from(gone) % step) % step;
        now.checked_add(jiff::Span::new().days(left)).unwrap()
    };
    for (rule, due) in [
        ("FREQ=DAILY;INTERVAL=9", next(monday, 9)),
        ("FREQ=WEEKLY;INTERVAL=5", next(monday, 35)),
        ("FREQ=WEEKLY;INTERVAL=5;WKST=TU;BYDAY=MO", next(monday, 35)),
        ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TU;BYSETPOS=1", next(monday, 14)),
        // 143 years are 1716 months, 245 times seven and one more: the next is 6 months on.
        ("FREQ=MONTHLY;INTERVAL=7;BYMONTHDAY=5", date("2026-07-05")),
        ("FREQ=YEARLY;INTERVAL=4;BYMONTH=5", date("2027-05-01")),
    ] {
        let rule = format!("RRULE:{rule}");
        let lines = ["DTSTART:18830101T120000Z", "DURATION:PT1H", &rule];
        let expected = open(&format!("{due}T12:00:00Z"));
        assert_eq!(
            state("DEFAULT_OPEN", &lines, &format!("{now}T00:00:00Z")),
            expected,
            "{rule}"
        );
    }
    // The first is still on, a century later.
    let long = [
        "DTSTART:18830101T120000Z",
        "DURATION:P60000D",
        "RRULE:FREQ=YEARLY;INTERVAL=150",
    ];
    assert_eq!(state("DEFAULT_OPEN", &long, "2026-03-02T00:00:00Z").0, "CLOSED");
}

#[test]
fn a_rule_whose_next_date_is_after_all_years_is_understood() {
    for (rule, at, expected) in [
        (
            "RRULE:FREQ=YEARLY;INTERVAL=9000",
            "2026-06-01T00:00:00Z",
            open(""),
        ),
        (
            "RRULE:FREQ=DAILY",
            "9999-12-30T00:00:00Z",
            open("9999-12-30T12:00:00Z"),
        ),
    ] {
        let lines = ["DTSTART:20260301T120000Z", "DURATION:PT1H", rule];
        assert_eq!(state("DEFAULT_OPEN", &lines, at), expected, "{rule}");
    }
}
