//! Automation executions: how they begin, what is known of them, and how they end.

use super::{
    Pacer, Status, World, allowed_errors, concurrency, event::Event, parameters::WireParameters,
    runbook::Runbook,
};
use jiff::Timestamp;
use patchfleet_core::id::Location;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// What StartAutomationExecution is asked for, once its target locations have been expanded.
#[derive(Debug, Clone)]
pub struct StartOrder {
    /// Where it is started.
    pub location: Location,
    /// The ARN of who starts it.
    pub executed_by: String,
    /// The document's name.
    pub document: String,
    /// Its version: `$DEFAULT`, `$LATEST` or a number.
    pub version: Option<String>,
    /// Its parameters.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Its target locations, entry by entry. None: it runs where it is started.
    pub targets: Vec<LocationTargets>,
    /// Its tags.
    pub tags: Vec<(String, String)>,
    /// Its client token, in lower case.
    pub token: Option<String>,
    /// `Auto` or `Interactive`.
    pub mode: String,
}

/// One entry of `TargetLocations`.
#[derive(Debug, Clone)]
pub struct LocationTargets {
    /// Every location it means.
    pub locations: Vec<Location>,
    /// The role to assume there.
    pub role: String,
    /// How many at once.
    pub max_concurrency: String,
    /// How many may fail.
    pub max_errors: String,
    /// The entry as it was given.
    pub given: Value,
}

/// Why an execution was not started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartRefusal {
    /// There is no such document.
    NoDocument,
    /// The document has no such version.
    NoVersion,
    /// The parameters, or the role to assume, are not right.
    Parameters(String),
}

/// An execution.
#[derive(Debug)]
pub struct Execution {
    pub(crate) id: String,
    /// Its place among those of its location, from 1.
    pub(crate) number: u64,
    pub(crate) order: StartOrder,
    pub(crate) version: String,
    pub(crate) runbook: Arc<Runbook>,
    pub(crate) arguments: BTreeMap<String, Value>,
    pub(crate) status: Status,
    pub(crate) failure: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) steps: Vec<Step>,
    /// One for each entry of its target locations.
    pub(crate) pacers: Vec<Pacer>,
    /// The parent and its step.
    pub(crate) parent: Option<(String, usize)>,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    /// Whether it was told to end after the steps that run.
    pub(crate) completing: bool,
}

/// A step of an execution.
#[derive(Debug)]
pub struct Step {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) action: String,
    pub(crate) status: Status,
    pub(crate) failure: Option<String>,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) outputs: BTreeMap<String, Vec<String>>,
    pub(crate) timeout_seconds: Option<i64>,
    /// How often it began; a timeout of an earlier run means nothing.
    pub(crate) runs: u32,
    /// The location that it is for, and the entry of the target locations that says so.
    pub(crate) location: Option<(Location, usize)>,
    pub(crate) child: Option<String>,
    pub(crate) command: Option<String>,
}

impl Step {
    pub(crate) fn new(id: String, name: String, action: &str) -> Self {
        Self {
            id,
            name,
            action: action.to_owned(),
            status: Status::Pending,
            failure: None,
            started: None,
            ended: None,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            timeout_seconds: None,
            runs: 0,
            location: None,
            child: None,
            command: None,
        }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// The location that it is for.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        self.location.as_ref().map(|(location, _)| location)
    }

    /// The execution that it started.
    #[must_use]
    pub fn child(&self) -> Option<&str> {
        self.child.as_deref()
    }

    /// The command that it sent.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// When it began.
    #[must_use]
    pub fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// When it ended.
    #[must_use]
    pub fn ended(&self) -> Option<Timestamp> {
        self.ended
    }
}

impl Execution {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it runs.
    #[must_use]
    pub fn location(&self) -> &Location {
        &self.order.location
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Its steps, in order.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Why it failed.
    #[must_use]
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// The execution that started it.
    #[must_use]
    pub fn parent(&self) -> Option<&str> {
        self.parent.as_ref().map(|(id, _)| id.as_str())
    }

    /// Whether it runs in other locations.
    #[must_use]
    pub fn is_cross_account(&self) -> bool {
        !self.order.targets.is_empty()
    }
}

impl World {
    /// Starts an execution and gives its id.
    ///
    /// # Errors
    ///
    /// [`StartRefusal`], and then nothing has happened.
    pub(crate) fn start_execution(&mut self, order: StartOrder) -> Result<String, StartRefusal> {
        let document = self
            .places
            .get(&order.location)
            .and_then(|place| place.documents.get(&order.document))
            .ok_or(StartRefusal::NoDocument)?;
        let (version, content) = document
            .version(order.version.as_deref())
            .ok_or(StartRefusal::NoVersion)?;
        let runbook = content.runbook.clone().ok_or(StartRefusal::NoDocument)?;
        let version = version.to_string();
        let arguments = runbook
            .arguments(&order.parameters)
            .map_err(StartRefusal::Parameters)?;
        self.check_assume_role(&order.location, &runbook, &arguments)?;
        let name = order.token.clone().unwrap_or_else(|| "-".to_owned());
        Ok(self.add_execution(order, version, runbook, arguments, None, &name))
    }

    fn check_assume_role(
        &self,
        location: &Location,
        runbook: &Runbook,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<(), StartRefusal> {
        let Some(template) = &runbook.assume_role else {
            return Ok(());
        };
        let arn = super::template::fill(&Value::from(template.as_str()), &|name| {
            arguments.get(name).cloned()
        })
        .map_err(StartRefusal::Parameters)?;
        let arn = super::parameters::plain(&arn);
        if arn.is_empty() {
            return Ok(());
        }
        let prefix = format!(
            "arn:{}:iam::{}:role/",
            location.region.partition(),
            location.account
        );
        let assumable = arn.strip_prefix(&prefix).is_some_and(|path| {
            let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
            self.org.assume(&location.account, name, None).is_ok()
        });
        if assumable {
            return Ok(());
        }
        Err(StartRefusal::Parameters(
            "The defined assume role is unable to be assumed.".to_owned(),
        ))
    }

    /// Adds an execution that has been checked. `name` makes its id, with all that is above it.
    pub(super) fn add_execution(
        &mut self,
        order: StartOrder,
        version: String,
        runbook: Arc<Runbook>,
        arguments: BTreeMap<String, Value>,
        parent: Option<(String, usize)>,
        name: &str,
    ) -> String {
        let place = order.location.to_string();
        let nth = self.count(&format!("execution/{place}/{name}")).to_string();
        let id = self.seed.uuid(&["execution", &place, name, &nth]);
        let number = self.count(&format!("executions/{place}"));
        let pacers = order.targets.iter().map(pacer).collect();
        let steps = if order.targets.is_empty() {
            self.local_steps(&id, &runbook)
        } else {
            self.location_steps(&id, &order)
        };
        let execution = Execution {
            id: id.clone(),
            number,
            version,
            runbook,
            arguments,
            status: Status::Pending,
            failure: None,
            started: self.now,
            ended: None,
            steps,
            pacers,
            parent,
            outputs: BTreeMap::new(),
            completing: false,
            order,
        };
        self.executions.insert(id.clone(), execution);
        self.after_seconds(
            1,
            Event::ExecutionBegins {
                execution: id.clone(),
            },
        );
        id
    }

    fn local_steps(&self, id: &str, runbook: &Runbook) -> Vec<Step> {
        let step = |rule: &super::runbook::StepRule| {
            Step::new(
                self.seed.uuid(&["step", id, &rule.name]),
                rule.name.clone(),
                &rule.action,
            )
        };
        runbook.main_steps.iter().map(step).collect()
    }

    pub(super) fn begin_execution(&mut self, id: &str) {
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| one.status == Status::Pending)
        else {
            return;
        };
        execution.status = Status::InProgress;
        if execution.is_cross_account() {
            self.pump_locations(id);
        } else {
            self.begin_step(id, 0);
        }
    }

    /// Ends an execution and tells its parent.
    pub(super) fn end_execution(&mut self, id: &str, status: Status, failure: Option<String>) {
        let now = self.now;
        let Some(execution) = self
            .executions
            .get_mut(id)
            .filter(|one| !one.status.is_terminal())
        else {
            return;
        };
        execution.status = status;
        execution.failure = failure;
        execution.ended = Some(now);
        let outputs = execution
            .runbook
            .outputs
            .iter()
            .map(|name| (name.clone(), execution.output(name)))
            .collect();
        execution.outputs = outputs;
        if let Some((parent, step)) = execution.parent.clone() {
            self.after_seconds(
                2,
                Event::ChildEnded {
                    execution: parent,
                    step,
                },
            );
        }
    }
}

impl Execution {
    /// The value of a document output, `step.Key`.
    fn output(&self, name: &str) -> Vec<String> {
        let (step, key) = name.split_once('.').unwrap_or((name, "Output"));
        self.steps
            .iter()
            .find(|one| one.name == step && one.status == Status::Success)
            .and_then(|one| one.outputs.get(key).cloned())
            .unwrap_or_else(|| {
                vec!["No output available yet because the step is not successfully executed".to_owned()]
            })
    }

    /// The parameters as they are shown: what was given, and the defaults of the rest.
    pub(crate) fn shown_parameters(&self) -> WireParameters {
        let texts = |value: &Value| match value {
            Value::Array(items) => items.iter().map(super::parameters::plain).collect(),
            other => vec![super::parameters::plain(other)],
        };
        self.arguments
            .iter()
            .map(|(name, value)| (name.clone(), texts(value)))
            .collect()
    }
}

fn pacer(entry: &LocationTargets) -> Pacer {
    let of = u32::try_from(entry.locations.len()).unwrap_or(u32::MAX);
    Pacer::new(
        concurrency(&entry.max_concurrency, of),
        allowed_errors(&entry.max_errors, of),
    )
}
