//! Change calendars: when they are open, and when that changes.

mod recurrences;

use crate::fleet::{CENTRAL, Fleet};
use patchfleet_sim::ApiError;
use serde_json::{Value, json};

fn fleet() -> Fleet {
    Fleet::of(&format!(
        "management_account = \"{CENTRAL}\"\naccounts = [{{ id = \"{CENTRAL}\", name = \"Main\" }}]\n"
    ))
}

fn add(fleet: &mut Fleet, name: &str, kind: &str, lines: &[&str]) {
    let events = lines.join("\r\n");
    let content = format!(
        "BEGIN:VCALENDAR\r\nPRODID:-//AWS//Change Calendar 1.0//EN\r\nVERSION:2.0\r\nX-CALENDAR-TYPE:{kind}\r\n{events}\r\nEND:VCALENDAR\r\n"
    );
    let input =
        json!({"Name": name, "DocumentType": "ChangeCalendar", "DocumentFormat": "TEXT", "Content": content});
    fleet.ssm("CreateDocument", input).unwrap();
}

fn ask(fleet: &mut Fleet, names: &[&str], at: &str) -> Result<Value, ApiError> {
    fleet.ssm("GetCalendarState", json!({"CalendarNames": names, "AtTime": at}))
}

/// State and next transition of a calendar with one event, at a time.
fn state(kind: &str, event: &[&str], at: &str) -> (String, Option<String>) {
    let mut fleet = fleet();
    let event = [&["BEGIN:VEVENT", "UID:1"], event, &["END:VEVENT"]].concat();
    add(&mut fleet, "Calendar", kind, &event);
    let state = ask(&mut fleet, &["Calendar"], at).unwrap();
    assert_eq!(state["AtTime"], at);
    (
        state["State"].as_str().unwrap().to_owned(),
        state
            .get("NextTransitionTime")
            .map(|time| time.as_str().unwrap().to_owned()),
    )
}

fn open(next: &str) -> (String, Option<String>) {
    (
        "OPEN".to_owned(),
        Some(next.to_owned()).filter(|next| !next.is_empty()),
    )
}

fn closed(next: &str) -> (String, Option<String>) {
    (
        "CLOSED".to_owned(),
        Some(next.to_owned()).filter(|next| !next.is_empty()),
    )
}

#[test]
fn an_event_turns_the_default_round_from_its_start_to_before_its_end() {
    let event = ["DTSTART:20260310T080000Z", "DTEND:20260310T100000Z"];
    let (start, end) = ("2026-03-10T08:00:00Z", "2026-03-10T10:00:00Z");
    assert_eq!(state("DEFAULT_OPEN", &event, "2026-03-10T07:59:59Z"), open(start));
    assert_eq!(state("DEFAULT_OPEN", &event, start), closed(end));
    assert_eq!(state("DEFAULT_OPEN", &event, "2026-03-10T09:59:59Z"), closed(end));
    assert_eq!(state("DEFAULT_OPEN", &event, end), open(""));
    assert_eq!(
        state("DEFAULT_CLOSED", &event, "2026-03-01T00:00:00Z"),
        closed(start)
    );
    assert_eq!(state("DEFAULT_CLOSED", &event, start), open(end));
    assert_eq!(state("DEFAULT_CLOSED", &event, end), closed(""));
}

#[test]
fn events_recur_in_their_own_time_zone_through_its_clock_changes() {
    // Berlin's clocks go forward on 2026-03-29: 22:00 is 21:00Z before and 20:00Z after.
    let daily = [
        "DTSTART;TZID=Europe/Berlin:20260101T220000",
        "DTEND;TZID=Europe/Berlin:20260101T230000",
        "RRULE:FREQ=DAILY",
    ];
    assert_eq!(
        state("DEFAULT_CLOSED", &daily, "2026-03-28T12:00:00Z"),
        closed("2026-03-28T21:00:00Z")
    );
    assert_eq!(
        state("DEFAULT_CLOSED", &daily, "2026-03-29T12:00:00Z"),
        closed("2026-03-29T20:00:00Z")
    );
    assert_eq!(
        state("DEFAULT_CLOSED", &daily, "2026-03-29T20:30:00Z"),
        open("2026-03-29T21:00:00Z")
    );
    let weekly = [
        "DTSTART;TZID=\"Asia/Tokyo\":20260501T080000",
        "DURATION:PT10H",
        "RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,TU,WE,TH,FR",
        "X-EVENT-TYPE:STANDARD",
    ];
    // 2026-05-01 is a Friday; 08:00 in Tokyo is 23:00Z the day before.
    assert_eq!(
        state("DEFAULT_CLOSED", &weekly, "2026-05-01T12:00:00Z"),
        closed("2026-05-03T23:00:00Z")
    );
    assert_eq!(
        state("DEFAULT_CLOSED", &weekly, "2026-05-04T00:00:00Z"),
        open("2026-05-04T09:00:00Z")
    );
}

#[test]
fn a_recurrence_ends_and_has_exceptions() {
    let lines = |rule: &'static str| {
        [
            "DTSTART:20260302T100000Z",
            "DTEND:20260302T110000Z",
            rule,
            "EXDATE:20260303T100000Z",
        ]
    };
    for rule in [
        "RRULE:FREQ=DAILY;COUNT=3",
        "RRULE:FREQ=DAILY;UNTIL=20260304T100000Z",
        "RRULE:FREQ=DAILY;UNTIL=20260304",
    ] {
        assert_eq!(
            state("DEFAULT_OPEN", &lines(rule), "2026-03-02T12:00:00Z"),
            open("2026-03-04T10:00:00Z"),
            "{rule}"
        );
        assert_eq!(
            state("DEFAULT_OPEN", &lines(rule), "2026-03-04T12:00:00Z"),
            open(""),
            "{rule}"
        );
    }
    let monthly = [
        "DTSTART:20260113T000000Z",
        "DTEND:20260114T000000Z",
        "RRULE:FREQ=MONTHLY;BYDAY=2TU",
    ];
    assert_eq!(
        state("DEFAULT_CLOSED", &monthly, "2026-03-01T00:00:00Z"),
        closed("2026-03-10T00:00:00Z")
    );
    let yearly = [
        "DTSTART;VALUE=DATE:20201224",
        "DTEND;VALUE=DATE:20201227",
        "RRULE:FREQ=YEARLY",
    ];
    assert_eq!(
        state("DEFAULT_OPEN", &yearly, "2026-03-01T00:00:00Z"),
        open("2026-12-24T00:00:00Z")
    );
    assert_eq!(
        state("DEFAULT_OPEN", &yearly, "2026-12-25T00:00:00Z"),
        closed("2026-12-27T00:00:00Z")
    );
}

#[test]
fn one_occurrence_may_be_moved() {
    let mut fleet = fleet();
    let lines = [
        "BEGIN:VEVENT",
        "UID:1",
        "DTSTART:20260302T100000Z",
        "DTEND:20260302T110000Z",
        "RRULE:FREQ=DAILY",
        "END:VEVENT",
        "BEGIN:VEVENT",
        "UID:1",
        "RECURRENCE-ID:20260303T100000Z",
        "DTSTART:20260303T150000Z",
        "DTEND:20260303T160000Z",
        "END:VEVENT",
    ];
    add(&mut fleet, "Calendar", "DEFAULT_OPEN", &lines);
    let state = ask(&mut fleet, &["Calendar"], "2026-03-02T12:00:00Z").unwrap();
    assert_eq!(state["NextTransitionTime"], "2026-03-03T15:00:00Z");
}

#[test]
fn overlapping_events_are_one_and_advisory_cancelled_and_empty_ones_none() {
    let mut fleet = fleet();
    let event = |start: &str, end: &str, more: &str| {
        format!("BEGIN:VEVENT\r\nDTSTART:20260310T{start}Z\r\nDTEND:20260310T{end}Z\r\n{more}END:VEVENT")
    };
    let events = [
        event("060000", "070000", "X-EVENT-TYPE:ADVISORY\r\n"),
        event("060000", "070000", "STATUS:CANCELLED\r\n"),
        event("063000", "063000", ""),
        event("080000", "100000", ""),
        event("090000", "120000", ""),
        event(
            "120000",
            "130000",
            "SUMMARY:a name that is folded\r\n  over two lines: with a colon\r\n",
        ),
        "BEGIN:VTODO\r\nUID:2\r\nEND:VTODO".to_owned(),
    ];
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    add(&mut fleet, "Calendar", "DEFAULT_OPEN", &events);
    let mut at = |time: &str| {
        let state = ask(&mut fleet, &["Calendar"], time).unwrap();
        (state["State"].clone(), state["NextTransitionTime"].clone())
    };
    assert_eq!(
        at("2026-03-10T06:30:00Z"),
        (json!("OPEN"), json!("2026-03-10T08:00:00Z"))
    );
    assert_eq!(
        at("2026-03-10T09:30:00Z"),
        (json!("CLOSED"), json!("2026-03-10T13:00:00Z"))
    );
}

#[test]
fn several_calendars_are_open_if_all_are() {
    let mut fleet = fleet();
    add(
        &mut fleet,
        "Freeze",
        "DEFAULT_OPEN",
        &[
            "BEGIN:VEVENT",
            "DTSTART:20260310T120000Z",
            "DTEND:20260310T140000Z",
            "END:VEVENT",
        ],
    );
    add(
        &mut fleet,
        "Window",
        "DEFAULT_CLOSED",
        &[
            "BEGIN:VEVENT",
            "DTSTART:20260310T100000Z",
            "DTEND:20260310T160000Z",
            "END:VEVENT",
        ],
    );
    let both = [
        "Freeze",
        &format!("arn:aws:ssm:us-east-1:{CENTRAL}:document/Window"),
    ];
    let mut at = |time: &str| {
        let state = ask(&mut fleet, &both, time).unwrap();
        (state["State"].clone(), state["NextTransitionTime"].clone())
    };
    assert_eq!(
        at("2026-03-10T09:00:00Z"),
        (json!("CLOSED"), json!("2026-03-10T10:00:00Z"))
    );
    assert_eq!(
        at("2026-03-10T10:00:00Z"),
        (json!("OPEN"), json!("2026-03-10T12:00:00Z"))
    );
    assert_eq!(
        at("2026-03-10T13:00:00Z"),
        (json!("CLOSED"), json!("2026-03-10T14:00:00Z"))
    );
    assert_eq!(at("2026-03-10T16:00:00Z"), (json!("CLOSED"), Value::Null));
}

#[test]
fn without_a_time_it_is_the_virtual_now() {
    let mut fleet = fleet();
    add(&mut fleet, "Calendar", "DEFAULT_CLOSED", &[]);
    let state = fleet
        .ssm("GetCalendarState", json!({"CalendarNames": ["Calendar"]}))
        .unwrap();
    assert_eq!(
        state,
        json!({"State": "CLOSED", "AtTime": "2026-03-01T00:00:00Z"})
    );
    let local = ask(&mut fleet, &["Calendar"], "2026-03-01T01:00:00+01:00").unwrap();
    assert_eq!(local["AtTime"], "2026-03-01T00:00:00Z");
}

#[test]
fn what_is_no_calendar_or_not_understood_has_its_own_error() {
    let mut fleet = fleet();
    let code = |result: Result<Value, ApiError>| result.unwrap_err().code().to_owned();
    let now = "2026-03-01T00:00:00Z";
    assert_eq!(code(ask(&mut fleet, &["None"], now)), "InvalidDocument");
    assert_eq!(
        code(ask(&mut fleet, &["AWS-RunShellScript"], now)),
        "InvalidDocumentType"
    );
    assert_eq!(code(ask(&mut fleet, &[], now)), "ValidationException");
    let broken = [
        vec!["DTSTART:20260310T080000Z", "DTEND:20260310T070000Z"],
        vec!["DTSTART;TZID=W. Europe Standard Time:20260310T080000"],
        vec![
            "DTSTART:20260310T080000Z",
            "DTEND:20260310T081000Z",
            "RRULE:FREQ=HOURLY",
        ],
        vec!["DTSTART:20260310T080000Z", "RRULE:FREQ=SOMETIMES"],
        vec!["DTSTART:soon"],
        vec!["SUMMARY:without a start"],
    ];
    for (index, event) in broken.iter().enumerate() {
        let name = format!("Broken{index}");
        let event = [&["BEGIN:VEVENT"], event.as_slice(), &["END:VEVENT"]].concat();
        add(&mut fleet, &name, "DEFAULT_OPEN", &event);
        assert_eq!(
            code(ask(&mut fleet, &[&name], now)),
            "UnsupportedCalendarException",
            "{event:?}"
        );
    }
    add(&mut fleet, "Sound", "DEFAULT_OPEN", &[]);
    assert_eq!(
        code(ask(&mut fleet, &["Sound"], "tomorrow")),
        "ValidationException"
    );
}

#[test]
fn odd_events_are_understood_or_refused_and_never_more() {
    let mut fleet = fleet();
    let starts = [
        "DTSTART:00010101T000000Z",
        "DTSTART:99991231T235959Z",
        "DTSTART;VALUE=DATE:19000229",
        "DTSTART;TZID=America/New_York:20260308T023000",
        "DTSTART:20260301T000000",
    ];
    let ends = [
        "",
        "DURATION:P7000000D",
        "DURATION:-PT1H",
        "DURATION:PT100000000H",
        "DTEND:99991231T235959Z",
        "DTEND;VALUE=DATE:20260302",
    ];
    let rules = [
        "",
        "RRULE:FREQ=DAILY",
        "RRULE:FREQ=DAILY;INTERVAL=0",
        "RRULE:FREQ=DAILY;COUNT=0",
        "RRULE:FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2",
        "RRULE:FREQ=YEARLY;BYSETPOS=-400;BYDAY=MO",
        "RRULE:FREQ=WEEKLY;INTERVAL=65535",
        "RRULE:FREQ=DAILY;UNTIL=00000000T000000Z",
        "RRULE:FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=1,2,3;BYSECOND=1,2,3",
        "RRULE:;;=",
        "EXDATE:20260301T000000Z,,",
        "RDATE:20260303T000000Z,20260304T000000Z",
        "RECURRENCE-ID:20260301T000000Z",
        "EXRULE:FREQ=DAILY",
    ];
    let with_rules = starts
        .iter()
        .flat_map(|start| rules.map(|rule| [*start, "DURATION:PT1H", rule]));
    let with_ends = starts
        .iter()
        .flat_map(|start| ends.map(|end| [*start, end, "RRULE:FREQ=WEEKLY"]));
    let mut understood = 0;
    for [start, end, rule] in with_rules.chain(with_ends) {
        let lines = ["BEGIN:VEVENT", "UID:1", start, end, rule, "END:VEVENT"];
        add(&mut fleet, "Odd", "DEFAULT_OPEN", &lines);
        for at in [
            "2026-03-01T00:00:00Z",
            "9999-12-30T00:00:00Z",
            "0001-01-01T00:00:00Z",
        ] {
            match ask(&mut fleet, &["Odd"], at) {
                Ok(_) => understood += 1,
                Err(error) => assert_eq!(error.code(), "UnsupportedCalendarException", "{lines:?}"),
            }
        }
        fleet.ssm("DeleteDocument", json!({"Name": "Odd"})).unwrap();
    }
    assert!(understood > 100, "{understood}");
}
