//! A small world to try things on, and short ways to call it.

use patchfleet_sim::{
    ApiError, Caller, Service, call,
    world::{Command, Execution, Status, Step, World},
};
use serde_json::{Value, json};

pub(crate) const CENTRAL: &str = "111111111111";
pub(crate) const ADMIN_ROLE: &str =
    "arn:aws:iam::111111111111:role/AWS-SystemsManager-AutomationAdministrationRole";

/// A world of two accounts. The second has the group `Web` in us-east-1, with these `nodes`.
pub(crate) fn world(nodes: &str) -> String {
    format!(
        r#"
        management_account = "111111111111"
        accounts = [{{ id = "111111111111", name = "Main" }}, {{ id = "222222222222", name = "Web" }}]
        documents = [{{ name = "Runbook", builtin = "patchfleet" }}]
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        [[groups]]
        name = "Web"
        accounts = ["222222222222"]
        regions = ["us-east-1"]
        nodes = [{nodes}]
        "#
    )
}

/// A world of one account that has the group `Web` in us-east-1, with these `nodes`. `more` stands at its top.
pub(crate) fn alone(more: &str, nodes: &str) -> String {
    format!(
        r#"
        management_account = "{CENTRAL}"
        accounts = [{{ id = "{CENTRAL}", name = "Main" }}]
        patch = {{ minutes = 4.0, reboot_minutes = 1.0 }}
        {more}
        [[groups]]
        name = "Web"
        accounts = ["{CENTRAL}"]
        regions = ["us-east-1"]
        nodes = [{nodes}]
        "#
    )
}

pub(crate) struct Fleet {
    pub(crate) world: World,
    pub(crate) caller: Caller,
}

impl Fleet {
    pub(crate) fn of(toml: &str) -> Self {
        let world = World::parse(toml).unwrap();
        let caller = Caller::administrator(&world, "us-east-1".parse().unwrap());
        Self { world, caller }
    }

    pub(crate) fn with_nodes(nodes: &str) -> Self {
        Self::of(&world(nodes))
    }

    pub(crate) fn ssm(&mut self, operation: &str, input: Value) -> Result<Value, ApiError> {
        call(&mut self.world, &self.caller, Service::Ssm, operation, input)
    }

    /// A caller in another account, as the execution role.
    pub(crate) fn within(&mut self, account: &str, region: &str) -> Caller {
        let arn = format!("arn:aws:iam::{account}:role/AWS-SystemsManager-AutomationExecutionRole");
        let input = json!({"RoleArn": arn, "RoleSessionName": "test"});
        let assumed = call(&mut self.world, &self.caller, Service::Sts, "AssumeRole", input).unwrap();
        let key = assumed["Credentials"]["AccessKeyId"].as_str().unwrap();
        Caller::of_key(&self.world, key, region.parse().unwrap())
    }

    /// Starts an Install over `accounts` × `regions`, with changes to the input; gives its id.
    pub(crate) fn start(
        &mut self,
        accounts: &[&str],
        regions: &[&str],
        change: impl FnOnce(&mut Value),
    ) -> String {
        let mut input = start_input(accounts, regions);
        change(&mut input);
        let started = self.ssm("StartAutomationExecution", input).unwrap();
        started["AutomationExecutionId"].as_str().unwrap().to_owned()
    }

    /// Runs an Install in the small world's only location to its end; gives the one command.
    pub(crate) fn install(&mut self, parameters: &[(&str, &str)]) -> &Command {
        self.start(&["222222222222"], &["us-east-1"], |input| {
            for (name, value) in parameters {
                input["Parameters"][name] = json!([value]);
            }
        });
        self.world.run_until_idle();
        self.world.commands().next().unwrap()
    }

    /// Makes a runbook of the caller's account and Region.
    pub(crate) fn document(&mut self, name: &str, content: &Value) {
        let input = json!({"Name": name, "DocumentType": "Automation", "Content": content.to_string()});
        self.ssm("CreateDocument", input).unwrap();
    }

    /// Starts an execution as `input` says; gives its id.
    pub(crate) fn run(&mut self, input: Value) -> String {
        let started = self.ssm("StartAutomationExecution", input).unwrap();
        started["AutomationExecutionId"].as_str().unwrap().to_owned()
    }

    /// What GetAutomationExecution shows.
    pub(crate) fn shown(&mut self, id: &str) -> Value {
        let shown = self
            .ssm("GetAutomationExecution", json!({"AutomationExecutionId": id}))
            .unwrap();
        shown["AutomationExecution"].clone()
    }

    /// An execution's status.
    pub(crate) fn status(&self, id: &str) -> &'static str {
        self.execution(id).status().as_str()
    }

    /// The statuses of an execution's steps, by name.
    pub(crate) fn steps(&self, id: &str) -> Vec<(&str, &'static str)> {
        let steps = self.execution(id).steps().iter();
        steps.map(|step| (step.name(), step.status().as_str())).collect()
    }

    pub(crate) fn execution(&self, id: &str) -> &Execution {
        self.world.execution(id).unwrap()
    }

    pub(crate) fn step_statuses(&self, id: &str) -> Vec<Status> {
        self.execution(id).steps().iter().map(Step::status).collect()
    }
}

pub(crate) fn start_input(accounts: &[&str], regions: &[&str]) -> Value {
    json!({
        "DocumentName": "Runbook",
        "Parameters": {
            "AutomationAssumeRole": [ADMIN_ROLE],
            "Operation": ["Install"],
            "Targets": [r#"{"Key":"resource-groups:Name","Values":["Web"]}"#],
            "MaxConcurrency": ["100%"],
            "MaxErrors": ["100%"],
        },
        "TargetLocations": [{"Accounts": accounts, "Regions": regions}],
    })
}

/// How the invocations ended, sorted.
pub(crate) fn details(command: &Command) -> Vec<&'static str> {
    let mut details: Vec<_> = command
        .invocations()
        .iter()
        .map(|one| one.state().status().1)
        .collect();
    details.sort_unstable();
    details
}

/// The small world's second account, entered once.
pub(crate) struct There {
    pub(crate) fleet: Fleet,
    pub(crate) caller: Caller,
}

impl There {
    pub(crate) fn of(toml: &str) -> Self {
        let mut fleet = Fleet::of(toml);
        let caller = fleet.within("222222222222", "us-east-1");
        Self { fleet, caller }
    }

    pub(crate) fn with_nodes(nodes: &str) -> Self {
        Self::of(&world(nodes))
    }

    /// The same in a world that lists the invocations of a command at once.
    pub(crate) fn listing_at_once(nodes: &str) -> Self {
        let at_once = "consistency = { invocation_list_seconds = 0 }";
        Self::of(&format!("{at_once}\n{}", world(nodes)))
    }

    pub(crate) fn ssm(&mut self, operation: &str, input: Value) -> Value {
        self.call(operation, input)
            .unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// What an operation answers, or its error.
    pub(crate) fn call(&mut self, operation: &str, input: Value) -> Result<Value, ApiError> {
        call(
            &mut self.fleet.world,
            &self.caller,
            Service::Ssm,
            operation,
            input,
        )
    }

    /// The code of an error.
    pub(crate) fn refusal(&mut self, operation: &str, input: Value) -> String {
        match self.call(operation, input) {
            Ok(output) => panic!("{operation}: {output}"),
            Err(error) => error.code().to_owned(),
        }
    }

    /// Sends a command to the group, with changes to the input; gives its id.
    pub(crate) fn send(&mut self, change: impl FnOnce(&mut Value)) -> String {
        let mut input = json!({
            "DocumentName": "AWS-RunPatchBaseline",
            "Parameters": {"Operation": ["Install"]},
            "Targets": [{"Key": "resource-groups:Name", "Values": ["Web"]}],
            "MaxConcurrency": "100%",
            "MaxErrors": "100%",
        });
        change(&mut input);
        let sent = self.ssm("SendCommand", input);
        sent["Command"]["CommandId"].as_str().unwrap().to_owned()
    }

    /// Sends a command as [`There::send`] does and lets it end; gives it as ListCommands shows it.
    pub(crate) fn run(&mut self, change: impl FnOnce(&mut Value)) -> Value {
        let id = self.send(change);
        self.fleet.world.run_until_idle();
        self.command(&id)
    }

    pub(crate) fn command(&mut self, id: &str) -> Value {
        self.ssm("ListCommands", json!({"CommandId": id}))["Commands"][0].clone()
    }

    /// `StatusDetails` of every invocation, sorted.
    pub(crate) fn ends(&mut self, id: &str) -> Vec<String> {
        let shown = self.ssm("ListCommandInvocations", json!({"CommandId": id}));
        let one = |one: &Value| one["StatusDetails"].as_str().unwrap().to_owned();
        let mut ends: Vec<String> = shown["CommandInvocations"]
            .as_array()
            .unwrap()
            .iter()
            .map(one)
            .collect();
        ends.sort_unstable();
        ends
    }

    /// The ids of the account's nodes, as the world has them.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.fleet
            .world
            .nodes()
            .map(|node| node.id().to_string())
            .collect()
    }

    pub(crate) fn patch_states(&mut self) -> Vec<Value> {
        let ids = self.ids();
        let states = self.ssm("DescribeInstancePatchStates", json!({"InstanceIds": ids}));
        states["InstancePatchStates"].as_array().unwrap().clone()
    }
}
