//! The same world, seed and calls give the same bytes, in whatever order calls to different accounts
//! come.

use crate::{
    fleet::{CENTRAL, Fleet},
    socket::{Connection, credential, sts},
};
use patchfleet_sim::{Caller, ClockMode, Service, Sim, SimOptions, call, world::World};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ACCOUNTS: [&str; 3] = ["222222222222", "333333333333", "444444444444"];

const WORLD: &str = r#"
management_account = "111111111111"
accounts = [
    { id = "111111111111", name = "Main" },
    { id = "222222222222", name = "Two" },
    { id = "333333333333", name = "Three" },
    { id = "444444444444", name = "Four" },
]
patch = { minutes = 4.0, failing_share = 0.3 }

[[groups]]
name = "Web"
accounts = ["222222222222", "333333333333", "444444444444"]
regions = ["us-east-1", "eu-west-1"]
nodes = [{ count = 7 }, { count = 2, kind = "hybrid" }]

[[faults]]
effect = "throttle"
share = 0.2
"#;

const DOCUMENT: &str = "schemaVersion: '0.3'\nmainSteps:\n- name: patch\n  action: aws:runCommand\n  inputs:\n    DocumentName: AWS-RunPatchBaseline\n    Targets: [{Key: 'resource-groups:Name', Values: [Web]}]\n    Parameters: {Operation: [Install]}\n    MaxConcurrency: '3'\n    MaxErrors: '100%'\n";

async fn sim() -> Sim {
    let options = SimOptions {
        clock: ClockMode::Scaled(0.0),
        ..SimOptions::default()
    };
    Sim::start(World::parse(WORLD).unwrap(), options).await.unwrap()
}

/// What one account's user asks for, in order. Some of it repeats words of earlier answers.
struct Script {
    key: String,
    token: String,
    connection: Connection,
    execution: Value,
    command: Value,
    answers: Vec<String>,
}

impl Script {
    async fn of(sim: &Sim, account: &str) -> Self {
        let form = format!(
            "Action=AssumeRole&Version=2011-06-15&RoleSessionName=me&RoleArn=arn:aws:iam::{account}:role/AWS-SystemsManager-AutomationExecutionRole"
        );
        // A fault of this world throttles some calls: as any client, it asks again.
        let reply = loop {
            let reply = sts(sim, &form).await;
            if reply.status == 200 {
                break reply;
            }
        };
        Self {
            key: crate::socket::between(&reply.body, "<AccessKeyId>", "<").to_owned(),
            token: crate::socket::between(&reply.body, "<SessionToken>", "<").to_owned(),
            connection: Connection::to(sim),
            execution: Value::Null,
            command: Value::Null,
            answers: vec![],
        }
    }

    /// Makes its `nth` call until it is not throttled.
    async fn step(&mut self, nth: usize) {
        let region = if nth.is_multiple_of(2) {
            "us-east-1"
        } else {
            "eu-west-1"
        };
        let (operation, input) = match nth / 2 {
            0 => (
                "CreateDocument",
                json!({"Name": "Patch", "DocumentType": "Automation", "DocumentFormat": "YAML", "Content": DOCUMENT}),
            ),
            1 => ("StartAutomationExecution", json!({"DocumentName": "Patch"})),
            2 => ("DescribeInstanceInformation", json!({"MaxResults": 5})),
            3 => ("DescribeAutomationExecutions", json!({})),
            4 => (
                "GetAutomationExecution",
                json!({"AutomationExecutionId": self.execution}),
            ),
            5 => ("ListCommands", json!({})),
            6 => ("ListCommandInvocations", json!({"Details": true})),
            _ => ("ListCommands", json!({"CommandId": self.command})),
        };
        loop {
            let body = input.to_string();
            let request = format!(
                "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AmazonSSM.{operation}\r\nAuthorization: {}\r\nX-Amz-Security-Token: {}\r\nContent-Length: {}\r\n\r\n{body}",
                credential(&self.key, "ssm").replace("us-east-1", region),
                self.token,
                body.len()
            );
            let reply = self.connection.exchange(request.as_bytes()).await;
            let head: String = reply
                .head
                .lines()
                .filter(|line| !line.starts_with("date: "))
                .collect();
            self.answers.push(format!("{operation} {head} {}", reply.body));
            let answer = reply.json();
            if let Some(id) = answer.get("AutomationExecutionId") {
                self.execution = id.clone();
            }
            if let Some(id) = answer.pointer("/Commands/0/CommandId") {
                self.command = id.clone();
            }
            if !reply.body.contains("ThrottlingException") {
                return;
            }
        }
    }
}

/// Steps of a script; time moves on after the first six.
const STEPS: usize = 16;

/// Lets the accounts take turns as `order` says, and gives what each was answered.
async fn answers(order: impl Fn(usize) -> Vec<usize>) -> BTreeMap<&'static str, Vec<String>> {
    let sim = sim().await;
    let mut scripts = vec![];
    for index in order(0) {
        scripts.push((index, Script::of(&sim, ACCOUNTS[index]).await));
    }
    scripts.sort_by_key(|(index, _)| *index);
    for half in [0..6, 6..STEPS] {
        let from = half.start;
        let mut done = [from; 3];
        let turns = (half.end - from) * 3;
        let mut left = order(turns);
        while let Some(index) = left.pop() {
            if done[index] < half.end {
                scripts[index].1.step(done[index]).await;
                done[index] += 1;
            }
        }
        assert_eq!(done, [half.end; 3], "everybody had all turns");
        sim.clock().advance(jiff::SignedDuration::from_mins(9));
    }
    scripts
        .into_iter()
        .map(|(index, script)| (ACCOUNTS[index], script.answers))
        .collect()
}

#[tokio::test]
async fn the_order_of_calls_to_different_accounts_changes_no_byte() {
    // One after another, the other way round, and turn by turn.
    let one_by_one = answers(|turns| {
        (0..3)
            .rev()
            .flat_map(|index| vec![index; turns / 3 + 1])
            .collect()
    })
    .await;
    let backwards = answers(|turns| (0..3).flat_map(|index| vec![index; turns / 3 + 1]).collect()).await;
    let in_turns = answers(|turns| (0..turns + 3).map(|turn| turn % 3).collect()).await;
    let struck = one_by_one
        .values()
        .flatten()
        .filter(|answer| answer.contains("ThrottlingException"));
    assert!(struck.count() > 5, "the faults struck");
    for other in [backwards, in_turns] {
        for (account, expected) in &one_by_one {
            for (expected, answer) in expected.iter().zip(&other[account]) {
                assert_eq!(expected, answer, "{account}");
            }
            assert_eq!(expected.len(), other[account].len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn calls_at_the_same_time_change_no_byte() {
    let alone = answers(|turns| {
        (0..3)
            .rev()
            .flat_map(|index| vec![index; turns / 3 + 1])
            .collect()
    })
    .await;
    let sim = sim().await;
    let mut scripts = vec![];
    for account in ACCOUNTS {
        scripts.push(Script::of(&sim, account).await);
    }
    for half in [0..6, 6..STEPS] {
        let run = scripts.into_iter().map(|mut script| {
            let half = half.clone();
            tokio::spawn(async move {
                for nth in half {
                    script.step(nth).await;
                }
                script
            })
        });
        scripts = futures_util::future::try_join_all(run).await.unwrap();
        sim.clock().advance(jiff::SignedDuration::from_mins(9));
    }
    for (account, script) in ACCOUNTS.iter().zip(scripts) {
        assert_eq!(alone[account], script.answers, "{account}");
    }
}

/// The account into which the two others start their runbooks.
const TARGET: &str = "444444444444";

/// Two accounts start a runbook of `steps` in a third at one instant, in the order given. If the steps have
/// something to do when they are stopped, both stop theirs at one instant. Gives what all three are told afterwards, and
/// the ground truth.
fn two_into_one(seed: u64, quotas: &str, steps: &Value, order: [&str; 2]) -> Vec<(String, Value)> {
    let mut fleet = Fleet::of(&format!(
        r#"
        seed = {seed}
        management_account = "{CENTRAL}"
        quotas = {{ {quotas} }}
        patch = {{ minutes = 0.2, reboot_minutes = 0.2 }}
        accounts = [
            {{ id = "{CENTRAL}", name = "Main" }},
            {{ id = "222222222222", name = "Two" }},
            {{ id = "333333333333", name = "Three" }},
            {{ id = "{TARGET}", name = "Four" }},
        ]
        [[groups]]
        name = "Web"
        accounts = ["{TARGET}"]
        regions = ["us-east-1"]
        nodes = [{{ count = 2 }}]
        "#
    ));
    let mut callers: Vec<(&str, Caller)> = vec![];
    for account in ACCOUNTS {
        callers.push((account, fleet.within(account, "us-east-1")));
    }
    let administrator = fleet.caller.clone();
    let caller = |account: &str| {
        let found = callers.iter().find(|(one, _)| *one == account);
        found.unwrap().1.clone()
    };
    fleet.caller = caller(TARGET);
    let nap = json!([{"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT10M"}}]);
    fleet.document("Nap", &json!({"schemaVersion": "0.3", "mainSteps": nap}));
    let mut started = vec![];
    for account in order {
        fleet.caller = caller(account);
        let parameters =
            json!({"Id": {"type": "String", "default": ""}, "Snapshot": {"type": "String", "default": ""}});
        let content = json!({"schemaVersion": "0.3", "parameters": parameters, "mainSteps": steps});
        fleet.document("Runbook", &content);
        let digits = account.repeat(3);
        let snapshot = format!(
            "{}-{}-{}-{}-{}",
            &digits[..8],
            &digits[..4],
            &digits[..4],
            &digits[..4],
            &digits[..12]
        );
        let id = fleet.run(json!({
            "DocumentName": "Runbook",
            "Parameters": {"Snapshot": [snapshot]},
            "TargetLocations": [{"Accounts": [TARGET], "Regions": ["us-east-1"]}],
        }));
        started.push((account, id));
    }
    if steps[0].get("onCancel").is_some() {
        fleet.world.advance_by(jiff::SignedDuration::from_mins(1));
        for (account, id) in started {
            fleet.caller = caller(account);
            fleet
                .ssm("StopAutomationExecution", json!({"AutomationExecutionId": id}))
                .unwrap();
        }
    }
    fleet.caller = administrator;
    fleet.world.run_until_idle();
    let mut answers = vec![];
    let mut ids = vec![];
    for (account, caller) in &callers {
        for operation in [
            "DescribeAutomationExecutions",
            "ListCommands",
            "ListCommandInvocations",
        ] {
            let answer = call(&mut fleet.world, caller, Service::Ssm, operation, json!({})).unwrap();
            let executions = answer["AutomationExecutionMetadataList"].as_array();
            for one in executions.into_iter().flatten() {
                ids.push((caller, one["AutomationExecutionId"].clone()));
            }
            answers.push((format!("{account} {operation}"), answer));
        }
    }
    for (caller, id) in ids {
        let input = json!({"AutomationExecutionId": id});
        let answer = call(
            &mut fleet.world,
            caller,
            Service::Ssm,
            "GetAutomationExecution",
            input,
        );
        answers.push((format!("execution {id}"), answer.unwrap()));
    }
    let nodes: Vec<String> = fleet.world.nodes().map(|node| node.id().to_string()).collect();
    let states = call(
        &mut fleet.world,
        &caller(TARGET),
        Service::Ssm,
        "DescribeInstancePatchStates",
        json!({"InstanceIds": nodes}),
    );
    answers.push(("patch states".to_owned(), states.unwrap()));
    answers.push(("state".to_owned(), fleet.world.state()));
    answers
}

/// Holds the two orders of calls against each other, seed by seed. Gives the ground truths.
fn both_orders(quotas: &str, steps: &Value) -> Vec<Value> {
    let mut states = vec![];
    for seed in 0..16 {
        let one = two_into_one(seed, quotas, steps, ["222222222222", "333333333333"]);
        let other = two_into_one(seed, quotas, steps, ["333333333333", "222222222222"]);
        for ((name, expected), (_, answer)) in one.iter().zip(&other) {
            assert_eq!(expected, answer, "seed {seed}: {name}");
        }
        assert_eq!(one.len(), other.len());
        states.extend(one.into_iter().map(|(_, answer)| answer).next_back());
    }
    states
}

/// How many executions of a ground truth ended with this status.
fn ended(state: &Value, status: &str) -> usize {
    let executions = state["executions"].as_array().unwrap().iter();
    executions.filter(|one| one["status"] == status).count()
}

#[test]
fn which_accounts_child_is_refused_does_not_depend_on_which_account_called_first() {
    let nap = json!([{"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT10M"}}]);
    for state in both_orders("running_automations = 1, queued_automations = 0", &nap) {
        assert_eq!(ended(&state, "Failed"), 1, "one parent found no place");
        assert_eq!(ended(&state, "Success"), 2);
    }
}

#[test]
fn which_accounts_child_waits_does_not_depend_on_which_account_called_first() {
    let nap = json!([{"name": "nap", "action": "aws:sleep", "inputs": {"Duration": "PT10M"}}]);
    for state in both_orders("running_automations = 1, queued_automations = 1", &nap) {
        assert_eq!(ended(&state, "Success"), 4);
    }
}

/// Starts the runbook that sleeps.
fn nested() -> Value {
    json!({"name": "nested", "action": "aws:executeAutomation", "inputs": {"DocumentName": "Nap"}})
}

/// Patches the target account's nodes.
fn patch() -> Value {
    json!({
        "name": "patch", "action": "aws:runCommand",
        "inputs": {
            "DocumentName": "AWS-RunPatchBaseline",
            "Targets": [{"Key": "resource-groups:Name", "Values": ["Web"]}],
            "Parameters": {"Operation": ["Install"], "SnapshotId": ["{{ Snapshot }}"]},
            "MaxConcurrency": "100%", "MaxErrors": "100%",
        },
    })
}

/// Sleeps; what follows it begins when the execution is stopped.
fn before(step: Value) -> Value {
    let leads = format!("step:{}", step["name"].as_str().unwrap());
    let sleep =
        json!({"name": "sleep", "action": "aws:sleep", "onCancel": leads, "inputs": {"Duration": "PT1H"}});
    json!([sleep, step])
}

#[test]
fn which_runbook_starts_another_does_not_depend_on_which_account_called_first() {
    let quotas = "running_automations = 3, queued_automations = 0";
    for state in both_orders(quotas, &json!([nested()])) {
        assert_eq!(ended(&state, "Failed"), 2, "one child, and so its parent");
        assert_eq!(ended(&state, "Success"), 3);
    }
    for state in both_orders(quotas, &before(nested())) {
        let executions = state["executions"].as_array().unwrap();
        assert_eq!(executions.len(), 5, "two parents, their children, and one nap");
        assert_eq!(ended(&state, "Cancelled"), 5);
    }
}

#[test]
fn commands_of_steps_are_the_same_whichever_account_called_first() {
    for steps in [json!([patch()]), before(patch())] {
        for state in both_orders("", &steps) {
            assert_eq!(state["commands"].as_array().unwrap().len(), 2);
            assert!(state["nodes"][0]["reported"]["snapshot"].is_string());
        }
    }
}
