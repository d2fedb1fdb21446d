//! How executions begin and end, whoever starts them.

use crate::spec::DocumentKind;
use crate::world::{
    DocumentOwner, Execution, FoundDocument, Pacer, Shape, StartOrder, StartRefusal, Status, Step, World,
    after, allowed_errors,
    automation::execution::TargetUnit,
    concurrency,
    documents::{runbook::Runbook, template},
    time::Event,
};
use jiff::SignedDuration;
use patchfleet_core::id::Location;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Days for which AWS keeps an execution after its end.
const HISTORY_DAYS: i64 = 30;

/// An execution that has been checked and may begin.
#[derive(Debug, Clone)]
pub(crate) struct Checked {
    pub(in crate::world) order: StartOrder,
    pub(in crate::world) version: String,
    pub(in crate::world) runbook: Arc<Runbook>,
    pub(in crate::world) home: Location,
    pub(in crate::world) arguments: Arc<BTreeMap<String, Value>>,
}

/// What made an execution, if not a call.
#[derive(Debug, Default)]
pub(in crate::world) struct Origin {
    /// The parent and its step.
    pub(in crate::world) parent: Option<(String, usize)>,
    /// The parent's target.
    pub(in crate::world) target: Option<TargetUnit>,
    pub(in crate::world) level: u32,
}

impl World {
    /// Starts an execution and gives its id.
    ///
    /// # Errors
    ///
    /// [`StartRefusal`], and then nothing has happened.
    pub(crate) fn start_execution(&mut self, order: StartOrder) -> Result<String, StartRefusal> {
        let name = order.token.clone().unwrap_or_else(|| "-".to_owned());
        let checked = self.check_start(order, None)?;
        self.add_execution(checked, Origin::default(), &name)
    }

    /// Finds the document, and checks everything that can be checked before anything happens.
    /// `home` is where the runbook that asks for this one was found.
    pub(in crate::world) fn check_start(
        &self,
        mut order: StartOrder,
        home: Option<&Location>,
    ) -> Result<Checked, StartRefusal> {
        let (home, found) = self
            .find_runbook(&order.location, home, &order.document)
            .ok_or(StartRefusal::NoDocument)?;
        let (version, content) = found
            .version(order.version.as_deref(), None)
            .ok_or(StartRefusal::NoVersion)?;
        let runbook = content.runbook.clone().ok_or(StartRefusal::NoDocument)?;
        order.document = found.name;
        let mut open = BTreeSet::new();
        for rate in order.rates() {
            rate.check(&runbook)?;
            open.extend(rate.parameters());
        }
        let arguments = runbook
            .arguments(&order.parameters, &open)
            .map_err(StartRefusal::Parameters)?;
        if let Some(role) = self.assumed_role(&order.location, &runbook, &arguments)? {
            order.role = Some(role);
        }
        if order.targets.is_empty()
            && let Some(rate) = &order.rate
        {
            self.check_group(&order.location, rate)?;
        }
        Ok(Checked {
            version: version.to_string(),
            order,
            runbook,
            home,
            arguments: Arc::new(arguments),
        })
    }

    /// The document that `named` means to an execution in `at`, and where it was found. It is looked up
    /// as for any call from there, and then beside the runbook that asks.
    fn find_runbook(
        &self,
        at: &Location,
        home: Option<&Location>,
        named: &str,
    ) -> Option<(Location, FoundDocument<'_>)> {
        let is_runbook = |found: &FoundDocument<'_>| found.document.kind == DocumentKind::Automation;
        if let Some(found) = self.find_document(at, named).filter(is_runbook) {
            let owner = match &found.owner {
                DocumentOwner::Account(owner) => owner.clone(),
                DocumentOwner::Amazon => at.account.clone(),
            };
            return Some((Location::new(owner, at.region.clone()), found));
        }
        let home = home?;
        let found = self.document_of(home, &at.account, named).filter(is_runbook)?;
        Some((home.clone(), found))
    }

    /// The name of the role that the runbook assumes, if it names one.
    fn assumed_role(
        &self,
        location: &Location,
        runbook: &Runbook,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Option<String>, StartRefusal> {
        let Some(template) = &runbook.assume_role else {
            return Ok(None);
        };
        let arn = template::fill(&Value::from(template.as_str()), &|name| {
            arguments.get(name).cloned()
        })
        .map_err(StartRefusal::Parameters)?;
        let arn = crate::world::documents::parameters::plain(&arn);
        if arn.is_empty() {
            return Ok(None);
        }
        let prefix = format!(
            "arn:{}:iam::{}:role/",
            location.region.partition(),
            location.account
        );
        let role = arn.strip_prefix(&prefix).map(role_name);
        role.filter(|name| self.org.assume(&location.account, name, None).is_ok())
            .map(|name| Some(name.to_owned()))
            .ok_or_else(|| {
                StartRefusal::Parameters("The defined assume role is unable to be assumed.".to_owned())
            })
    }

    /// Adds an execution that has been checked. Its id follows from its place and `name`.
    pub(in crate::world) fn add_execution(
        &mut self,
        checked: Checked,
        origin: Origin,
        name: &str,
    ) -> Result<String, StartRefusal> {
        let Checked {
            order,
            version,
            runbook,
            home,
            arguments,
        } = checked;
        let place = order.location.to_string();
        let pacers: Vec<Pacer> = order
            .targets
            .iter()
            .map(|entry| pacer(&entry.max_concurrency, &entry.max_errors, entry.locations.len()))
            .collect();
        let mut execution = Execution {
            id: String::new(),
            number: 0,
            version,
            runbook,
            home,
            arguments,
            status: Status::Pending,
            failure: None,
            started: self.now(),
            ended: None,
            steps: vec![],
            pacers,
            unbegun: vec![],
            parent: origin.parent,
            target: origin.target.map(|target| target.name),
            level: origin.level,
            outputs: BTreeMap::new(),
            completing: false,
            cleaning: false,
            triggered: None,
            has_slot: false,
            next: Some(0),
            order,
        };
        let shape = execution.shape();
        self.join_line(&execution.order.location, shape)?;
        let nth = self.count(&format!("execution/{place}/{name}")).to_string();
        let id = self.seed.uuid(&["execution", &place, name, &nth]);
        if execution.parent.is_none() {
            execution.number = self.count(&format!("executions/{place}"));
        }
        let mut end = 0;
        for entry in execution.order.targets.iter() {
            let begin = end;
            end += entry.locations.len();
            execution.unbegun.push(begin..end);
        }
        execution.steps = match shape {
            Shape::CrossAccount => self.location_steps(&id, &execution.order),
            // Its targets are looked for when it begins.
            Shape::RateControl => vec![],
            Shape::Document => self.document_steps(&id, &execution.runbook),
        };
        execution.id.clone_from(&id);
        self.executions.insert(execution);
        self.after_seconds(
            1,
            Event::ExecutionArrives {
                execution: id.clone(),
            },
        );
        self.watch_alarm(&id);
        Ok(id)
    }

    fn document_steps(&self, id: &str, runbook: &Runbook) -> Vec<Step> {
        let step = |rule: &crate::world::documents::runbook::StepRule| {
            Step::new(
                self.seed.uuid(&["step", id, &rule.name]),
                rule.name.clone(),
                &rule.action,
            )
        };
        runbook.main_steps.iter().map(step).collect()
    }

    /// An execution that has its place begins its work.
    pub(in crate::world) fn begin_execution(&mut self, id: &str) {
        let Some(execution) = self.executions.get_mut(id) else {
            return;
        };
        execution.status = Status::InProgress;
        match execution.shape() {
            Shape::CrossAccount => self.pump_units(id),
            Shape::RateControl => self.begin_targets(id),
            Shape::Document if execution.is_interactive() => execution.status = Status::Waiting,
            Shape::Document => self.begin_step(id, 0),
        }
    }

    /// Ends an execution and tells its parent.
    pub(in crate::world) fn end_execution(&mut self, id: &str, status: Status, failure: Option<String>) {
        let now = self.now();
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
        let mut left = template::MAX_FILLED;
        let names: BTreeSet<&String> = execution.runbook.outputs.iter().collect();
        let outputs = names
            .into_iter()
            .map(|name| (name.clone(), template::within(&mut left, &execution.output(name))))
            .collect();
        execution.outputs = outputs;
        let parent = execution.parent.clone();
        self.executions.ended(id);
        self.leave_line(id);
        if let Some((parent, step)) = parent {
            self.after_seconds(
                2,
                Event::ChildEnded {
                    execution: parent,
                    step,
                    child: id.to_owned(),
                },
            );
        }
    }

    /// Whether AWS still keeps the execution. Nothing is thrown away: tests look at it later.
    pub(crate) fn is_kept(&self, execution: &Execution) -> bool {
        let days = SignedDuration::from_hours(24 * HISTORY_DAYS);
        execution
            .ended
            .is_none_or(|ended| self.now() < after(ended, days))
    }

    /// Whether calls that read know the execution already.
    pub(crate) fn is_visible(&self, execution: &Execution) -> bool {
        self.is_older(execution, self.rules.consistency.executions_seconds)
    }

    /// Whether it is found by its tags already.
    pub(crate) fn is_found_by_tags(&self, execution: &Execution) -> bool {
        self.is_older(execution, self.rules.consistency.tags_seconds)
    }

    fn is_older(&self, execution: &Execution, seconds: u32) -> bool {
        after(execution.started, SignedDuration::from_secs(i64::from(seconds))) <= self.now()
    }
}

impl StartOrder {
    /// The targets of the execution itself, or of its children.
    pub(in crate::world) fn rates(&self) -> impl Iterator<Item = &crate::world::RateControl> {
        let own = self.rate.as_ref().filter(|_| self.targets.is_empty());
        own.into_iter()
            .chain(self.targets.iter().filter_map(|entry| entry.rate.as_ref()))
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
}

/// A pacer over `of` units, by AWS's texts.
pub(in crate::world) fn pacer(max_concurrency: &str, max_errors: &str, of: usize) -> Pacer {
    let of = u32::try_from(of).unwrap_or(u32::MAX);
    Pacer::new(concurrency(max_concurrency, of), allowed_errors(max_errors, of))
}

/// A role's name without its path.
pub(in crate::world) fn role_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}
