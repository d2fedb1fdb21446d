//! What freezes are written like, and when they hold.

use super::Freeze;
use crate::request::PatchRequest;
use jiff::Timestamp;
use serde_json::{Value, json};

fn request(freezes: &Value) -> Result<PatchRequest, String> {
    let request = json!({
        "name": "web", "targets": {"resource_group": "Web", "regions": ["us-east-1"]}, "freezes": freezes,
    });
    PatchRequest::from_value(request).map_err(|problems| problems.to_string())
}

fn freeze(keys: Value) -> Freeze {
    let mut freeze = json!({"name": "f"});
    freeze
        .as_object_mut()
        .unwrap()
        .extend(keys.as_object().unwrap().clone());
    request(&json!([freeze])).unwrap().freezes.remove(0)
}

/// The first periods that are not over at an instant.
fn periods(keys: Value, at: &str, n: usize) -> Vec<String> {
    let periods = freeze(keys).periods_after(at.parse().unwrap());
    let words = periods.into_iter().take(n);
    words
        .map(|(begins, ends)| format!("{begins} to {ends}"))
        .collect()
}

#[test]
fn a_freeze_with_dates_holds_once_by_the_clocks_of_its_zone() {
    let year_end = json!({
        "from": "2026-12-20T00:00", "to": "2027-01-03T18:30", "time_zone": "europe/berlin",
    });
    assert_eq!(
        periods(year_end.clone(), "2026-12-01T00:00:00Z", 9),
        ["2026-12-19T23:00:00Z to 2027-01-03T17:30:00Z"]
    );
    assert!(periods(year_end.clone(), "2027-01-03T17:30:00Z", 9).is_empty());
    assert_eq!(
        freeze(year_end).to_string(),
        "f, from 2026-12-20T00:00 to 2027-01-03T18:30 (Europe/Berlin)"
    );
}

#[test]
fn a_freeze_of_days_holds_from_midnight_to_midnight_each_week() {
    let weekend = json!({"days": ["sun", "sat"], "time_zone": "America/New_York"});
    // A Sunday, and the one after it on which clocks go back: that day has 25 hours.
    assert_eq!(
        periods(weekend.clone(), "2026-10-25T12:00:00Z", 3),
        [
            "2026-10-25T04:00:00Z to 2026-10-26T04:00:00Z",
            "2026-10-31T04:00:00Z to 2026-11-01T04:00:00Z",
            "2026-11-01T04:00:00Z to 2026-11-02T05:00:00Z",
        ]
    );
    assert_eq!(freeze(weekend).to_string(), "f, each sat, sun (America/New_York)");
}

#[test]
fn a_freeze_of_hours_may_pass_midnight_and_then_belongs_to_the_day_on_which_it_begins() {
    let night = json!({"days": ["fri"], "from": "22:00", "to": "06:00", "time_zone": "UTC"});
    assert_eq!(
        periods(night, "2026-11-28T05:59:59Z", 2),
        [
            "2026-11-27T22:00:00Z to 2026-11-28T06:00:00Z",
            "2026-12-04T22:00:00Z to 2026-12-05T06:00:00Z",
        ]
    );
    let office = json!({"from": "08:00", "to": "18:00", "time_zone": "Asia/Kathmandu"});
    assert_eq!(
        periods(office.clone(), "2026-11-28T12:15:00Z", 1),
        ["2026-11-29T02:15:00Z to 2026-11-29T12:15:00Z"]
    );
    assert_eq!(
        freeze(office).to_string(),
        "f, each day from 08:00 to 18:00 (Asia/Kathmandu)"
    );
}

#[test]
fn where_clocks_are_changed_the_longer_period_counts() {
    // 02:30 is not on 28 March, and twice on 31 October.
    let hours = |from: &str, to: &str| json!({"from": from, "to": to, "time_zone": "Europe/Berlin"});
    let first = |hours, at| periods(hours, at, 1).remove(0);
    assert_eq!(
        first(hours("02:30", "12:00"), "2027-03-28T00:00:00Z"),
        "2027-03-28T00:30:00Z to 2027-03-28T10:00:00Z"
    );
    assert_eq!(
        first(hours("01:00", "02:30"), "2027-10-30T23:30:00Z"),
        "2027-10-30T23:00:00Z to 2027-10-31T01:30:00Z"
    );
}

#[test]
fn a_period_at_an_instant_is_never_missed_and_never_over() {
    let freezes = [
        json!({"days": ["mon"], "time_zone": "Pacific/Kiritimati"}),
        json!({"days": ["sun", "wed"], "time_zone": "Pacific/Pago_Pago"}),
        json!({"days": ["sat"], "from": "23:59", "to": "23:58", "time_zone": "America/New_York"}),
    ];
    for keys in freezes {
        let freeze = freeze(keys);
        let mut at: Timestamp = "2026-10-20T00:00:00Z".parse().unwrap();
        let end = at + jiff::SignedDuration::from_hours(24 * 30);
        let all: Vec<_> = {
            let mut all = vec![];
            let mut from = at;
            while from < end {
                let next = freeze.periods_after(from)[0];
                all.push(next);
                from = next.1;
            }
            all
        };
        while at < end {
            let held = freeze
                .periods_after(at)
                .first()
                .is_some_and(|(begins, _)| *begins <= at);
            let expected = all.iter().any(|(begins, ends)| *begins <= at && at < *ends);
            assert_eq!(held, expected, "{freeze} at {at}");
            at += jiff::SignedDuration::from_mins(29);
        }
    }
}

#[test]
fn a_request_with_freezes_is_written_out_as_it_is_read() {
    let freezes = json!([
        {"name": "year end", "from": "2026-12-20T00:00", "to": "2027-01-03T00:00", "time_zone": "Europe/Berlin",
         "running": "finish"},
        {"name": "weekends", "days": ["sat", "sun"], "time_zone": "UTC", "running": "expire"},
        {"name": "office", "days": ["mon"], "from": "08:00", "to": "18:00", "time_zone": "UTC", "running": "expire"},
    ]);
    let read = request(&freezes).unwrap();
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written["freezes"], freezes);
    assert_eq!(PatchRequest::from_value(written).unwrap(), read);
}

#[test]
fn every_problem_of_a_freeze_is_told_with_its_key_its_value_and_what_would_be_right() {
    let wrong = json!([
        {"name": "a", "from": "2026-12-20", "to": "24:00", "time_zone": "Berlin"},
        {"name": "a", "from": "2026-12-20T00:00", "to": "2026-12-20T00:00", "time_zone": "UTC"},
        {"name": " b", "from": "08:00", "time_zone": "UTC", "running": "stop"},
        {"name": "c", "from": "08:00", "to": "2026-12-20T00:00", "time_zone": 1},
        {"name": "d", "from": "2026-12-20T00:00", "to": "2026-12-21T00:00", "days": ["sat"], "time_zone": "UTC"},
        {"name": "e", "days": ["saturday", "sun", "sun"], "time_zone": "UTC"},
        {"name": "f", "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "time_zone": "UTC"},
        {"name": "g", "from": "08:00", "to": "08:00", "time_zone": "UTC"},
        {"name": "h"},
        {"name": "i", "dyas": ["sat"], "time_zone": "UTC"},
        {"name": "j", "from": "2026-12-20T00:00+01:00", "to": "2026-12-21T00:00[UTC]", "time_zone": "UTC"},
        "weekends",
    ]);
    insta::assert_snapshot!(request(&wrong).unwrap_err());
}

#[test]
fn a_runbook_of_ones_own_can_only_let_what_runs_finish() {
    let of = |running: &str| {
        PatchRequest::from_value(json!({
            "name": "web", "targets": {"resource_group": "Web", "regions": ["us-east-1"]},
            "automation": {"document": "Ours"},
            "freezes": [{"name": "f", "days": ["sat"], "time_zone": "UTC", "running": running}],
        }))
    };
    assert!(of("finish").is_ok());
    insta::assert_snapshot!(of("expire").unwrap_err());
}
