//! Random runbooks and calendars: right in their form, so that they are made, and odd in what they
//! say.

use super::Random;
use serde_json::{Map, Value, json};

/// A runbook of a few steps, as JSON.
pub(super) fn runbook(random: &mut Random) -> String {
    let count = 1 + random.below(4);
    let steps: Vec<Value> = (0..count).map(|index| step(random, index, count)).collect();
    let wait = [0, 1, 60, -1][random.below(4)];
    let parameters = json!({
        "Big": {"type": "String", "default": "x".repeat(random.below(4) * 5_000)},
        "List": {"type": "StringList", "default": ["a", "b"], "allowedPattern": "^(?!x)\\w+$"},
        "Wait": {"type": "Integer", "default": wait},
    });
    let outputs: Vec<String> = (0..random.below(3))
        .map(|n| format!("s{n}.{}", random.of_all(&["Output", "Status", "CommandId"])))
        .collect();
    json!({"schemaVersion": "0.3", "parameters": parameters, "mainSteps": steps, "outputs": outputs})
        .to_string()
}

/// A name of a step, mostly one that there is.
fn goal(random: &mut Random, count: usize) -> String {
    let odd = usize::from(random.percent(3));
    format!("s{}", random.below(count + odd))
}

fn step(random: &mut Random, index: usize, count: usize) -> Value {
    let (action, inputs) = action(random, count);
    let mut step = json!({"name": format!("s{index}"), "action": action, "inputs": inputs});
    if random.percent(30) {
        let values = [
            json!(1),
            json!(60),
            json!("600"),
            json!("{{ Wait }}"),
            json!(i64::MAX),
        ];
        step["timeoutSeconds"] = values[random.below(values.len())].clone();
    }
    if random.percent(2) {
        let values = [json!("soon"), json!(1.5), json!(-5), json!(0)];
        step["timeoutSeconds"] = values[random.below(values.len())].clone();
    }
    if random.percent(20) {
        step["maxAttempts"] = json!(random.below(4));
    }
    if random.percent(30) {
        step["onFailure"] = match random.below(3) {
            0 => json!("Continue"),
            1 => json!("Abort"),
            _ => json!(format!("step:{}", goal(random, count))),
        };
    }
    if random.percent(20) {
        step["nextStep"] = json!(goal(random, count));
    }
    for key in ["isEnd", "isCritical"] {
        if random.percent(15) {
            step[key] = json!(random.percent(50));
        }
    }
    step
}

fn action(random: &mut Random, count: usize) -> (&'static str, Value) {
    match random.below(8) {
        0 | 1 => {
            let length = random.of_all(&["PT0S", "PT1S", "PT9M", "P7D", "P8D", "{{ List }}", "-PT1S"]);
            ("aws:sleep", json!({"Duration": length}))
        }
        2 => ("aws:pause", json!({})),
        3 => {
            let variable = reference(random);
            let choice =
                json!({"NextStep": goal(random, count), "Variable": variable, "StringEquals": "Success"});
            (
                "aws:branch",
                json!({"Choices": [choice], "Default": goal(random, count)}),
            )
        }
        4 => {
            let name = random.of_all(&["Fuzzed", "Simple", "Pauses", "Nothing"]);
            ("aws:executeAutomation", json!({"DocumentName": name}))
        }
        5 => {
            let text = reference(random).repeat(1 + random.below(200));
            let target = json!({"Key": "resource-groups:Name", "Values": ["Web"]});
            (
                "aws:runCommand",
                json!({
                    "DocumentName": "AWS-RunPatchBaseline", "Targets": [target], "Comment": text,
                    "Parameters": {"Operation": random.of_all(&["Scan", "Install", "{{ List }}"])},
                }),
            )
        }
        6 => {
            let who = json!(["arn:aws:iam::111111111111:user/a"]);
            (
                "aws:approve",
                json!({"Approvers": who, "MinRequiredApprovals": random.below(3)}),
            )
        }
        _ => {
            let mut inputs = Map::new();
            inputs.insert(reference(random), json!([{"a": reference(random)}]));
            ("aws:copyImage", Value::Object(inputs))
        }
    }
}

fn reference(random: &mut Random) -> String {
    let names = [
        "Big",
        "List",
        "Wait",
        "s0.Status",
        "s1.Output",
        "global:REGION",
        "nothing",
        "",
    ];
    format!("{{{{ {} }}}}", random.of_all(&names))
}

/// A calendar of a few events, as iCalendar.
pub(super) fn calendar(random: &mut Random) -> String {
    let kind = random.of_all(&["DEFAULT_OPEN", "DEFAULT_CLOSED"]);
    let count = if random.percent(10) {
        150
    } else {
        1 + random.below(5)
    };
    let events: String = (0..count).map(|_| event(random)).collect();
    format!("BEGIN:VCALENDAR\r\nX-CALENDAR-TYPE:{kind}\r\n{events}END:VCALENDAR\r\n")
}

fn event(random: &mut Random) -> String {
    let years = [1, 1883, 1970, 2020, 2026, 2027, 9999];
    let date = format!(
        "{:04}{:02}{:02}",
        years[random.below(years.len())],
        1 + random.below(12),
        1 + random.below(29)
    );
    let start = match random.below(4) {
        0 => format!("DTSTART;VALUE=DATE:{date}"),
        1 => format!("DTSTART;TZID=Europe/Berlin:{date}T023000"),
        2 => format!("DTSTART;TZID=Pacific/Apia:{date}T000000"),
        _ => format!("DTSTART:{date}T{:02}0000Z", random.below(24)),
    };
    let length = random.of_all(&["PT0S", "PT1H", "P1D", "P40D", "P90000D"]);
    let mut lines = format!(
        "BEGIN:VEVENT\r\nUID:{}\r\n{start}\r\nDURATION:{length}\r\n",
        random.below(3)
    );
    for _ in 0..random.below(3) {
        lines += &format!("RRULE:{}\r\n", rule(random));
    }
    for name in ["EXDATE", "RDATE", "RECURRENCE-ID"] {
        if random.percent(10) {
            lines += &format!("{name}:{date}T020000Z\r\n");
        }
    }
    lines + "END:VEVENT\r\n"
}

fn rule(random: &mut Random) -> String {
    let often = if random.percent(3) { "HOURLY" } else { "DAILY" };
    let freq = random.of_all(&[often, "WEEKLY", "MONTHLY", "YEARLY"]);
    let mut rule = format!("FREQ={freq}");
    let parts: [(&str, &[&str]); 11] = [
        ("INTERVAL", &["1", "2", "7", "1000", "65535", "0"]),
        ("BYDAY", &["MO", "MO,TU,WE,TH,FR", "2TU", "-1FR", "SU"]),
        ("BYMONTH", &["2", "1,7", "12", "13"]),
        ("BYMONTHDAY", &["1", "-1", "15,16", "31"]),
        ("BYYEARDAY", &["1", "366", "-1"]),
        ("BYWEEKNO", &["1", "20", "53"]),
        ("BYSETPOS", &["1", "-1", "300"]),
        ("BYHOUR", &["0", "23", "2"]),
        ("BYSECOND", &["30", "1,2"]),
        ("WKST", &["SU", "TU"]),
        ("COUNT", &["0", "1", "100", "4000000000"]),
    ];
    for (name, values) in parts {
        if random.percent(12) {
            rule += &format!(";{name}={}", random.of_all(values));
        }
    }
    if random.percent(15) {
        rule += &format!(
            ";UNTIL={}",
            random.of_all(&["20260401", "20270101T000000Z", "19000101", "x"])
        );
    }
    rule
}
