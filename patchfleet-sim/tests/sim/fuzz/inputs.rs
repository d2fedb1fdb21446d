//! Random inputs: members and types as the model has them, values that are right, nearly right, or
//! nothing like it.

use super::{Random, documents};
use fancy_regex::Regex;
use patchfleet_sim::{
    Service, Sim,
    world::{Execution, Status},
};
use serde_json::{Map, Value, json};
use std::{cell::RefCell, collections::BTreeMap};

pub(super) const WORLD: &str = r#"
management_account = "111111111111"
documents = [
    { name = "Runbook", builtin = "patchfleet" },
    { name = "Simple", content = "schemaVersion: '0.3'\nmainSteps:\n- {name: a, action: 'aws:sleep', inputs: {Duration: PT9M}}\n" },
    { name = "Calendar", type = "ChangeCalendar", content = "BEGIN:VCALENDAR\nX-CALENDAR-TYPE:DEFAULT_OPEN\nBEGIN:VEVENT\nUID:1\nDTSTART:20260301T100000Z\nDTEND:20260301T120000Z\nRRULE:FREQ=DAILY\nEND:VEVENT\nEND:VCALENDAR\n" },
    { name = "Pauses", content = "schemaVersion: '0.3'\nmainSteps:\n- {name: a, action: 'aws:pause', inputs: {}}\n" },
    { name = "Freezes", type = "ChangeCalendar", content = "BEGIN:VCALENDAR\nX-CALENDAR-TYPE:DEFAULT_OPEN\nBEGIN:VEVENT\nDTSTART;TZID=Europe/Berlin:20260101T220000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;BYDAY=MO\nEND:VEVENT\nEND:VCALENDAR\n" },
]
patch = { minutes = 4.0, reboot_minutes = 1.0 }
units = [{ id = "ou-ab12-abcdefgh", name = "Unit" }]

[[accounts]]
id = "111111111111"
name = "Main"

[[accounts]]
id = "222222222222"
name = "Web"
parent = "ou-ab12-abcdefgh"

[[groups]]
name = "Web"
accounts = ["111111111111", "222222222222"]
regions = ["us-east-1"]
nodes = [{ count = 3 }, { count = 2, kind = "hybrid" }]
"#;

const DOCUMENT: &str =
    "schemaVersion: '0.3'\nmainSteps:\n- {name: a, action: 'aws:sleep', inputs: {Duration: PT1M}}\n";

/// What fits a member because of its name, where the model's pattern says little.
const FITTING: [(&str, &str); 8] = [
    ("DocumentType", "Automation"),
    ("Content", DOCUMENT),
    ("DocumentFormat", "YAML"),
    ("DocumentName", "Simple"),
    ("Group", "Web"),
    (
        "Query",
        r#"{"ResourceTypeFilters":["AWS::AllSupported"],"TagFilters":[]}"#,
    ),
    (
        "RoleArn",
        "arn:aws:iam::222222222222:role/AWS-SystemsManager-AutomationExecutionRole",
    ),
    ("RoleSessionName", "me"),
];

const BASE: [&str; 37] = [
    "",
    "x",
    "Freezes",
    "Runbook",
    "NewDocument",
    "Simple",
    "AWS-RunPatchBaseline",
    "Web",
    "111111111111",
    "222222222222",
    "r-ab12",
    "ou-ab12-abcdefgh",
    "us-east-1",
    "eu-west-1",
    "$LATEST",
    "$DEFAULT",
    "1",
    "10%",
    "100%",
    "0",
    "tag:Env",
    "resource-groups:Name",
    "InstanceIds",
    "*",
    "Success",
    "InProgress",
    "2026-03-01T00:00:00Z",
    "Install",
    "Operation",
    "arn:aws:iam::222222222222:role/AWS-SystemsManager-AutomationExecutionRole",
    "arn:aws:resource-groups:us-east-1:111111111111:group/Web",
    "12345678-1234-1234-1234-123456789012",
    "{}",
    DOCUMENT,
    r#"{"ResourceTypeFilters":["AWS::AllSupported"],"TagFilters":[]}"#,
    "TAG_FILTERS_1_0",
    "Automation",
];

const NASTY: [&str; 8] = [
    "\u{0}",
    "ä€😀\u{202e}",
    "a b\nc\t\"'<>&{{ }}",
    "{{ global:REGION }}",
    "{{",
    "[[[[[[[[",
    "-1",
    "999999999999999999999999",
];

/// The models, read here anew.
pub(super) struct Inputs {
    models: Vec<(Service, Value)>,
    patterns: RefCell<BTreeMap<String, Option<Regex>>>,
}

impl Inputs {
    pub(super) fn read() -> Self {
        let read = |text| serde_json::from_str(text).unwrap();
        let models = vec![
            (Service::Ssm, read(include_str!("../../../model/ssm.json"))),
            (
                Service::ResourceGroups,
                read(include_str!("../../../model/resource-groups.json")),
            ),
            (
                Service::Tagging,
                read(include_str!("../../../model/resourcegroupstaggingapi.json")),
            ),
            (Service::Sts, read(include_str!("../../../model/sts.json"))),
            (
                Service::Organizations,
                read(include_str!("../../../model/organizations.json")),
            ),
            (
                Service::Account,
                read(include_str!("../../../model/account.json")),
            ),
            (
                Service::CloudWatch,
                read(include_str!("../../../model/cloudwatch.json")),
            ),
        ];
        Self {
            models,
            patterns: RefCell::default(),
        }
    }

    fn model(&self, service: Service) -> &Value {
        &self.models.iter().find(|(one, _)| *one == service).unwrap().1
    }

    pub(super) fn path(&self, service: Service, operation: &str) -> &str {
        self.model(service)["operations"][operation]["path"]
            .as_str()
            .unwrap()
    }

    fn matches(&self, pattern: Option<&str>, text: &str) -> bool {
        let Some(pattern) = pattern else { return true };
        let mut known = self.patterns.borrow_mut();
        let compile = || Regex::new(&format!("^(?:{pattern})$")).ok();
        let regex = known.entry(pattern.to_owned()).or_insert_with(compile);
        regex
            .as_ref()
            .is_none_or(|regex| regex.is_match(text).unwrap_or(false))
    }

    /// An input for an operation.
    pub(super) fn random(&self, sim: &Sim, service: Service, operation: &str, random: &mut Random) -> Value {
        let model = self.model(service);
        let mut pool: Vec<String> = BASE.iter().map(|&text| text.to_owned()).collect();
        sim.with_world(|world| {
            pool.extend(world.nodes().take(4).map(|node| node.id().to_string()));
            pool.extend(world.executions().take(3).map(|one| one.id().to_owned()));
            pool.extend(world.commands().take(3).map(|one| one.id().to_owned()));
        });
        let Some(shape) = model["operations"][operation]["input"].as_str() else {
            return json!({});
        };
        // Mostly wrong in one place at most: what is wrong everywhere tries the first check alone.
        let spoiled = [0, 0, 3, 30][random.below(4)];
        let mut maker = Maker {
            inputs: self,
            model,
            pool,
            spoiled,
            random,
        };
        let makes = ["CreateDocument", "UpdateDocument"].contains(&operation);
        if maker.random.percent(if makes { 60 } else { 25 })
            && let Some(right) = right(sim, operation, maker.random)
        {
            return maker.nearly(right, shape);
        }
        let input = maker.value(shape, 0);
        if input.is_object() || maker.random.percent(50) {
            input
        } else {
            json!({})
        }
    }
}

/// An input that is right, another one each time, for operations whose inputs are seldom right by chance.
fn right(sim: &Sim, operation: &str, random: &mut Random) -> Option<Value> {
    let other = random.below(1_000_000).to_string();
    Some(match operation {
        "CreateDocument" if random.percent(50) => json!({
            "Content": documents::calendar(random), "Name": format!("Calendar-{other}"),
            "DocumentType": "ChangeCalendar", "DocumentFormat": "TEXT",
        }),
        "CreateDocument" => json!({
            "Content": documents::runbook(random), "DocumentType": "Automation", "DocumentFormat": "JSON",
            "Name": if random.percent(10) { "Fuzzed".to_owned() } else { format!("Document-{other}") },
        }),
        "UpdateDocument" if random.percent(50) => json!({
            "Content": documents::calendar(random), "Name": "Calendar", "DocumentVersion": "$LATEST",
            "DocumentFormat": "TEXT",
        }),
        "UpdateDocument" => json!({
            "Content": documents::runbook(random), "Name": "Simple", "DocumentVersion": "$LATEST",
            "DocumentFormat": "JSON",
        }),
        "GetCalendarState" => json!({
            "CalendarNames": ["Freezes", "Calendar"], "AtTime": format!("2026-03-0{}T00:00:00Z", 1 + other.len()),
        }),
        "SendCommand" => json!({
            "DocumentName": "AWS-RunPatchBaseline", "Targets": [{"Key": "resource-groups:Name", "Values": ["Web"]}],
            "Parameters": {"Operation": ["Scan"]},
        }),
        "StartAutomationExecution" => json!({"DocumentName": "Pauses"}),
        "SendAutomationSignal" => {
            let waiting = |one: &&Execution| one.status() == Status::Waiting;
            let id =
                sim.with_world(|world| world.executions().find(waiting).map(|one| one.id().to_owned()))?;
            json!({"AutomationExecutionId": id, "SignalType": "Resume", "Payload": {"StepName": ["a"]}})
        }
        _ => return None,
    })
}

struct Maker<'a> {
    inputs: &'a Inputs,
    model: &'a Value,
    pool: Vec<String>,
    /// How many of a hundred values are drawn without regard to what is right.
    spoiled: usize,
    random: &'a mut Random,
}

impl Maker<'_> {
    /// What is right, with one member spoiled now and then.
    fn nearly(&mut self, mut right: Value, shape: &str) -> Value {
        let model = self.model;
        let members = model["shapes"][shape]["members"].as_object().unwrap();
        let names: Vec<&str> = members.keys().map(String::as_str).collect();
        if self.random.percent(60) {
            let name = self.random.of_all(&names);
            right[name] = self.value(members[name]["shape"].as_str().unwrap(), 1);
        }
        right
    }

    fn value(&mut self, name: &str, depth: usize) -> Value {
        if self.random.percent(self.spoiled) {
            return self.anything();
        }
        let model = self.model;
        let shape = &model["shapes"][name];
        match shape["type"].as_str().unwrap() {
            "structure" => {
                let required: Vec<&str> = shape["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let mut made = Map::new();
                for (name, member) in shape["members"].as_object().unwrap() {
                    let optional = if depth == 0 { 12 } else { 40 };
                    if required.contains(&&**name) || self.random.percent(optional) {
                        let fitting = FITTING.iter().find(|(one, _)| one == name);
                        let value = match fitting.filter(|_| self.random.percent(70)) {
                            Some((_, text)) => Value::from(*text),
                            None => self.value(member["shape"].as_str().unwrap(), depth + 1),
                        };
                        made.insert(name.clone(), value);
                    }
                }
                Value::Object(made)
            }
            "list" => {
                let least = shape["min"]
                    .as_u64()
                    .map_or(0, |min| usize::try_from(min).unwrap());
                let length = least + self.random.below(3);
                (0..length)
                    .map(|_| self.value(shape["member"].as_str().unwrap(), depth + 1))
                    .collect()
            }
            "map" => {
                let keys = ["Operation", "InstanceIds", "commands", "x"];
                let mut made = Map::new();
                for _ in 0..self.random.below(3) {
                    made.insert(
                        self.random.of_all(&keys).to_owned(),
                        self.value(shape["value"].as_str().unwrap(), depth + 1),
                    );
                }
                Value::Object(made)
            }
            "boolean" => Value::from(self.random.percent(50)),
            "integer" | "long" => {
                let low = shape["min"].as_i64().unwrap_or(0);
                let high = shape["max"].as_i64().unwrap_or(100);
                let span = usize::try_from((high - low + 1).min(1_000_000)).unwrap();
                Value::from(low + i64::try_from(self.random.below(span)).unwrap())
            }
            _ => self.text(shape),
        }
    }

    fn text(&mut self, shape: &Value) -> Value {
        if let Some(texts) = shape["enum"].as_array().filter(|_| !self.random.percent(5)) {
            return texts[self.random.below(texts.len())].clone();
        }
        // One that fits by its length and, as far as a look tells, by its pattern.
        let fits = |text: &str| {
            let length = text.chars().count();
            length
                >= shape["min"]
                    .as_u64()
                    .map_or(0, |min| usize::try_from(min).unwrap())
                && length
                    <= shape["max"]
                        .as_u64()
                        .map_or(10_000, |max| usize::try_from(max).unwrap())
        };
        for _ in 0..60 {
            let text = self.pool[self.random.below(self.pool.len())].clone();
            if fits(&text) && self.inputs.matches(shape["pattern"].as_str(), &text) {
                return Value::from(text);
            }
        }
        self.anything()
    }

    fn anything(&mut self) -> Value {
        match self.random.below(10) {
            0 => Value::Null,
            1 => Value::from(self.random.percent(50)),
            2 => json!(-7),
            3 => json!(1.5),
            4 => json!(u64::MAX),
            5 => json!([[["x"]], {}]),
            6 => json!({"a": {"b": [1]}}),
            7 => Value::from("x".repeat(self.random.below(6000))),
            8 => (0..100).fold(json!("deep"), |inside, _| json!([inside])),
            _ => Value::from(self.random.of_all(&NASTY)),
        }
    }
}
