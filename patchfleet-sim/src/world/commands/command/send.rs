//! SendCommand: every reason why there is no command, and the command.

use super::{Command, CommandDocument, CommandOrder, Invocations, combine};
use crate::{
    spec::DocumentKind,
    world::{Node, Pacer, Status, Target, World, after, time::Event},
};
use jiff::SignedDuration;
use patchfleet_core::id::Location;
use serde_json::Value;
use std::collections::BTreeSet;

/// The most that a document may have, with its parameters filled in: 64 KB.
const MAX_DOCUMENT: usize = 65_536;

/// When a command goes to its nodes, after its request (recorded: a node's agent had begun with it after
/// 0.2 seconds).
const BEGINS_AFTER: SignedDuration = SignedDuration::from_millis(100);

/// What there is instead of a document that no node runs.
const KNOWN: &str =
    "the simulator knows AWS-RunPatchBaseline, AWS-RunShellScript and AWS-RunPowerShellScript";

/// Why there is no command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct CommandRefusal {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl CommandRefusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

type Checked = Result<(), CommandRefusal>;

fn refuse(code: &'static str, message: impl Into<String>) -> Checked {
    Err(CommandRefusal::new(code, message))
}

impl CommandOrder {
    /// The document, which has to take the parameters.
    fn check_document(&self, world: &World) -> Result<CommandDocument, CommandRefusal> {
        let Some(document) = CommandDocument::named(&self.document, world.rules.run_command.patch_baseline)
        else {
            return Err(CommandRefusal::new("InvalidDocument", self.not_run(world)));
        };
        if let Some(version) = self.options.document_version.as_deref()
            && !CommandDocument::has_version(version)
        {
            return Err(CommandRefusal::new(
                "InvalidDocumentVersion",
                format!("Document {} has no version {version}.", document.name()),
            ));
        }
        document.check(&self.parameters)?;
        let size: usize = self.parameters.values().flatten().map(String::len).sum();
        if size > MAX_DOCUMENT {
            return Err(CommandRefusal::new(
                "MaxDocumentSizeExceeded",
                format!("With its parameters, the document has more than {MAX_DOCUMENT} bytes."),
            ));
        }
        Ok(document)
    }

    /// Why no node runs the document: there is none, or none that the simulator runs.
    fn not_run(&self, world: &World) -> String {
        let name = &self.document;
        let found = world.find_document(&self.location, name);
        match found.map(|found| found.document.kind) {
            None => format!("Document with name {name} does not exist ({KNOWN})."),
            Some(DocumentKind::Command) => {
                format!("The simulator does not run Command documents of one's own, as {name} is ({KNOWN}).")
            }
            Some(_) => format!("Document with name {name} is not a Command document."),
        }
    }

    /// The nodes that are named one by one: each once, each there, each of the right kind.
    fn check_nodes(&self, world: &World, document: CommandDocument) -> Checked {
        let also_targets = world.rules.run_command.check_targeted_ids;
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.instance_ids.iter().find(|id| !seen.insert(*id)) {
            return refuse("DuplicateInstanceId", format!("{twice} is named more than once."));
        }
        let targeted = self
            .targets
            .iter()
            .filter(|target| also_targets && target.key == "InstanceIds");
        let ids: Vec<&String> = self
            .instance_ids
            .iter()
            .chain(targeted.flat_map(|target| &target.values))
            .collect();
        let named = |id: &String| {
            let node = world.node(&id.parse().ok()?);
            node.filter(|node| *node.location == self.location)
        };
        // A running node whose agent is silent is registered: it is waited for.
        if !ids.iter().all(|id| named(id).is_some_and(Node::is_managed)) {
            return refuse("InvalidInstanceId", "Instances not in a valid state for account");
        }
        let wrong = |id: &&&String| named(id).is_some_and(|node| !document.runs_on(node.platform));
        match ids.iter().find(wrong) {
            Some(id) => refuse(
                "UnsupportedPlatformType",
                format!("{} does not support the platform of {id}.", document.name()),
            ),
            None => Ok(()),
        }
    }
}

/// `arn:partition:service::or:region:account:rest`, cut.
fn arn(text: &str) -> Option<[&str; 6]> {
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next();
    Some([next()?, next()?, next()?, next()?, next()?, next()?])
}

impl World {
    /// Sends a command; gives its id.
    ///
    /// # Errors
    ///
    /// Why there is no command.
    pub(crate) fn send_command(&mut self, order: CommandOrder) -> Result<String, CommandRefusal> {
        let document = order.check_document(self)?;
        self.check_order(&order, document)?;
        let series = match &order.step {
            Some((execution, step)) => format!("command/{execution}/{step}"),
            None => format!("command/{}", order.location),
        };
        let nth = self.count(&series).to_string();
        let id = self.seed.uuid(&[&series, &nth]);
        let number = match &order.step {
            Some(_) => 0,
            None => self.count(&format!("commands/{}", order.location)),
        };
        // Nodes that are named need not be looked for.
        let invocations = match order.instance_ids.as_slice() {
            [] => Invocations::default(),
            named => Invocations::of(self.resolve(&order.location, &order.targets, named)),
        };
        let command = Command {
            id: id.clone(),
            number,
            document,
            requested: self.now(),
            status: Status::Pending,
            details: "Pending",
            invocations,
            pacer: Pacer::new(1, 0),
            ended: None,
            expiry: None,
            order,
        };
        let expires = self.expiry(&command);
        self.commands.insert(command);
        let expiry = self.schedule(expires, Event::CommandExpires { command: id.clone() });
        if let Some(command) = self.commands.get_mut(&id) {
            command.expiry = Some(expiry);
        }
        let begins = after(self.now(), BEGINS_AFTER);
        self.at(begins, Event::CommandBegins { command: id.clone() });
        Ok(id)
    }

    /// What SendCommand's model has no rule for: calls and steps have been held to that.
    fn check_order(&self, order: &CommandOrder, document: CommandDocument) -> Checked {
        if order.targets.is_empty() && order.instance_ids.is_empty() {
            return refuse(
                "ValidationException",
                "Neither InstanceIds nor Targets name a node.",
            );
        }
        if !order.targets.is_empty() && !order.instance_ids.is_empty() {
            return refuse(
                "ValidationException",
                "Either InstanceIds or Targets name the nodes, not both.",
            );
        }
        if let Some(problem) = combine::problem(&order.targets) {
            return refuse("ValidationException", problem);
        }
        if let Some(problem) = order.targets.iter().find_map(Target::problem) {
            return refuse("ValidationException", problem);
        }
        order.check_nodes(self, document)?;
        if let Some(bucket) = order.options.output_bucket.as_deref()
            && let Some(buckets) = &self.rules.buckets
            && !buckets.contains(bucket)
        {
            return refuse("InvalidOutputFolder", format!("There is no S3 bucket {bucket}."));
        }
        if let Some(role) = order
            .options
            .service_role
            .as_deref()
            .filter(|role| !role.is_empty())
        {
            self.check_service_role(&order.location, role)?;
        }
        check_notification(&order.location, order.options.notification.as_ref())
    }

    /// The role for notifications: one of the account's own that Systems Manager may assume.
    fn check_service_role(&self, location: &Location, role: &str) -> Checked {
        let name = match arn(role) {
            Some(["arn", _, "iam", "", account, role]) if account == location.account.as_str() => role
                .strip_prefix("role/")
                .map(|path| path.rsplit_once('/').map_or(path, |(_, name)| name)),
            _ => None,
        };
        let known = name.is_some_and(|name| self.org.assume(&location.account, name, None).is_ok());
        if known {
            return Ok(());
        }
        refuse(
            "InvalidRole",
            format!("{role} is not a role that Systems Manager may assume."),
        )
    }
}

/// The topic of a notification has to be one that there can be here.
fn check_notification(location: &Location, given: Option<&Value>) -> Checked {
    let topic = given.and_then(|given| given.get("NotificationArn")?.as_str());
    match topic {
        None | Some("") => Ok(()),
        Some(topic) => match arn(topic) {
            Some(["arn", _, "sns", region, account, name])
                if region == location.region.as_str() && account.len() == 12 && !name.is_empty() =>
            {
                Ok(())
            }
            _ => refuse(
                "InvalidNotificationConfig",
                format!("{topic} is not the ARN of an SNS topic in {}.", location.region),
            ),
        },
    }
}
