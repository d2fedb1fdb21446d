//! A draft of a request. Each field was read by itself, and a field that is wrong was left out. Here are the rules
//! between fields, and the step from draft to request.

use super::defaults::{self, OWN_DOCUMENT};
use super::fields::{Collector, Field};
use super::in_wave;
use super::waves::{self, Bounds};
use super::{
    Access, AutomationSettings, Breaker, Budget, DeliveryTimeout, Dispatch, ForecastBasis, Freeze, Operation,
    Output, Patch, PatchRequest, Policy, RebootOption, Regions, RunbookPin, Running, Selector, Targets, Wave,
};
use crate::budget::RateControl;
use crate::id::{DocumentName, Partition, Region, RequestName, RoleArn, RoleName, TargetAccount};
use crate::presigned::concealed;
use crate::problem::{Problem, ProblemCode, Problems};
use std::collections::BTreeMap;

pub(super) const OPERATIONS: [(&str, Operation); 2] =
    [("Scan", Operation::Scan), ("Install", Operation::Install)];

pub(super) const REBOOT_OPTIONS: [(&str, RebootOption); 2] = [
    ("RebootIfNeeded", RebootOption::RebootIfNeeded),
    ("NoReboot", RebootOption::NoReboot),
];

/// The names of the fields that have rules with each other, in the input that the draft was read from.
pub(super) struct Names {
    pub(super) operation: &'static str,
    pub(super) install_override_list: &'static str,
    pub(super) baseline_override: &'static str,
    pub(super) regions: &'static str,
    pub(super) assume_role: &'static str,
    pub(super) parameters: &'static str,
}

/// The fields of a request. A required field is `None` if it was missing or wrong. The problems say so already.
pub(super) struct Draft {
    pub(super) name: Option<RequestName>,
    pub(super) operation: Option<Operation>,
    pub(super) reboot_option: RebootOption,
    pub(super) delivery_timeout: Option<DeliveryTimeout>,
    pub(super) install_override_list: Option<String>,
    pub(super) baseline_override: Option<String>,
    pub(super) selector: Option<Selector>,
    pub(super) accounts: Vec<TargetAccount>,
    pub(super) exclude_accounts: Vec<TargetAccount>,
    pub(super) include_child_ous: bool,
    pub(super) regions: Option<Regions>,
    pub(super) exclude_regions: Vec<Region>,
    pub(super) policy: Policy,
    pub(super) access: Access,
    pub(super) budget: Budget,
    /// Those without a problem of their own, each with its index.
    pub(super) waves: Vec<(usize, Wave)>,
    /// Likewise.
    pub(super) freezes: Vec<(usize, Freeze)>,
    pub(super) breaker: Breaker,
    pub(super) change_calendars: Vec<DocumentName>,
    pub(super) forecast: ForecastBasis,
    pub(super) output: Output,
    pub(super) dispatch: Dispatch,
    pub(super) document: Option<DocumentName>,
    pub(super) assume_role: Option<RoleArn>,
    pub(super) execution_role: RoleName,
    pub(super) pin: RunbookPin,
    pub(super) parameters: BTreeMap<String, Vec<String>>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            name: None,
            operation: Some(Operation::default()),
            reboot_option: RebootOption::default(),
            delivery_timeout: None,
            install_override_list: None,
            baseline_override: None,
            selector: None,
            accounts: Vec::new(),
            exclude_accounts: Vec::new(),
            include_child_ous: false,
            regions: None,
            exclude_regions: Vec::new(),
            policy: Policy::default(),
            access: Access::default(),
            budget: Budget::default(),
            waves: Vec::new(),
            freezes: Vec::new(),
            breaker: Breaker::default(),
            change_calendars: Vec::new(),
            forecast: ForecastBasis::default(),
            output: Output::default(),
            dispatch: Dispatch::default(),
            document: Some(defaults::document()),
            assume_role: None,
            execution_role: defaults::execution_role(),
            pin: RunbookPin::default(),
            parameters: BTreeMap::new(),
        }
    }
}

impl Draft {
    /// The request, if no field and no rule between fields has a problem.
    pub(super) fn finish(
        self,
        what: &str,
        names: &Names,
        mut out: Collector,
    ) -> Result<PatchRequest, Problems> {
        self.check_overrides(names, &mut out);
        self.check_partitions(names, &mut out);
        self.check_parameters(names, &mut out);
        self.check_dispatch(&mut out);
        self.check_output(&mut out);
        self.check_waves(&mut out);
        self.check_fleet(&mut out);
        self.check_freezes(&mut out);
        out.result(what, self.complete())
    }

    fn check_overrides(&self, names: &Names, out: &mut Collector) {
        let Some(list) = &self.install_override_list else {
            return;
        };
        if self.operation == Some(Operation::Scan) {
            let expected = format!(
                "a Scan ignores it: set {} to \"Install\", or leave this out",
                names.operation
            );
            let list = format!("{:?}", concealed(list));
            out.add(Problem::new(
                ProblemCode::Conflict,
                names.install_override_list,
                list,
                expected,
            ));
        }
        if let Some(baseline) = &self.baseline_override {
            let expected = format!("excludes {}: leave one of them out", names.install_override_list);
            let baseline = format!("{:?}", concealed(baseline));
            out.add(Problem::new(
                ProblemCode::Conflict,
                names.baseline_override,
                baseline,
                expected,
            ));
        }
    }

    /// Checks that all Regions and roles are of one partition, since nothing crosses from one to another.
    fn check_partitions(&self, names: &Names, out: &mut Collector) {
        let Some(Regions::List(regions)) = &self.regions else {
            return;
        };
        let mut examples: BTreeMap<Partition, String> = BTreeMap::new();
        for region in regions {
            examples
                .entry(region.partition())
                .or_insert_with(|| format!("{} ({region})", region.partition()));
        }
        let partitions: Vec<_> = examples.into_values().collect();
        if partitions.len() > 1 {
            let expected = format!(
                "Regions of one partition only; make one request for each of {}",
                partitions.join(", ")
            );
            out.add(Problem::new(ProblemCode::Conflict, names.regions, "", expected));
        } else if let (Some(role), Some(region)) = (&self.assume_role, regions.first())
            && !role.is_in_partition_of(region)
        {
            let expected = format!(
                "a role of partition {}, which {region} of {} is in",
                region.partition(),
                names.regions
            );
            let role = format!("\"{role}\"");
            out.add(Problem::new(
                ProblemCode::Conflict,
                names.assume_role,
                role,
                expected,
            ));
        }
    }

    fn check_parameters(&self, names: &Names, out: &mut Collector) {
        if self.document.as_ref().is_some_and(|d| d.as_str() == OWN_DOCUMENT) && !self.parameters.is_empty() {
            let keys: Vec<_> = self.parameters.keys().map(String::as_str).collect();
            let expected = format!(
                "only a runbook of your own takes parameters; patchfleet fills in those of {OWN_DOCUMENT}"
            );
            out.add(Problem::new(
                ProblemCode::Conflict,
                names.parameters,
                keys.join(", "),
                expected,
            ));
        }
        // The operation decides whether a run asks first, and what its goal is. A runbook that installs under a
        // request to scan would install without a question.
        for text in self.parameters.get("Operation").into_iter().flatten() {
            let told = OPERATIONS
                .iter()
                .find(|(word, _)| text.eq_ignore_ascii_case(word));
            let Some((_, operation)) = told else { continue };
            if self.operation.is_some_and(|asked| asked != *operation) {
                let path = format!("{}.Operation", names.parameters);
                let expected = format!("the same operation as {}", names.operation);
                out.add(Problem::new(
                    ProblemCode::Conflict,
                    path,
                    format!("{text:?}"),
                    expected,
                ));
            }
        }
    }

    /// Checks that nothing is said of a runbook or of its roles where none is started. Only a request as people write it
    /// names a dispatch.
    fn check_dispatch(&self, out: &mut Collector) {
        if self.dispatch == Dispatch::Automation {
            if let Some(role) = &self.access.send_role {
                let expected = "nothing with dispatch = \"automation\", where Automation sends the commands with \
                                automation.execution_role";
                let value = format!("\"{role}\"");
                out.add(Problem::new(
                    ProblemCode::Conflict,
                    "access.send_role",
                    value,
                    expected,
                ));
            }
            return;
        }
        if self.breaker.hand_alarm_to_aws {
            let expected = "false with dispatch = \"run-command\": commands are sent in the accounts and Regions of the nodes, where \
                            Systems Manager would look for an alarm of its own";
            out.add(Problem::new(
                ProblemCode::Conflict,
                "breaker.hand_alarm_to_aws",
                "true",
                expected,
            ));
        }
        let mut refuse = |key: &str, value: String, instead: &str| {
            let expected = format!(
                "nothing with dispatch = \"run-command\", where patchfleet sends the command itself: {instead}"
            );
            let path = format!("automation.{key}");
            out.add(Problem::new(ProblemCode::Conflict, path, value, expected));
        };
        let no_runbook = "no runbook is started";
        if let Some(document) = self.document.as_ref().filter(|d| d.as_str() != OWN_DOCUMENT) {
            refuse("document", format!("\"{document}\""), no_runbook);
        }
        if let Some(role) = &self.assume_role {
            refuse(
                "assume_role",
                format!("\"{role}\""),
                "no automation assumes a role",
            );
        }
        if self.execution_role != defaults::execution_role() {
            let role = format!("\"{}\"", self.execution_role);
            refuse(
                "execution_role",
                role,
                "access.send_role sends it, or else access.discovery_role",
            );
        }
        if self.pin != RunbookPin::default() {
            refuse("pin", "\"version\"".to_owned(), no_runbook);
        }
        if !self.parameters.is_empty() && self.document.as_ref().is_some_and(|d| d.as_str() != OWN_DOCUMENT) {
            let keys: Vec<_> = self.parameters.keys().map(String::as_str).collect();
            refuse("parameters", keys.join(", "), no_runbook);
        }
    }

    /// Checks that a runbook of one's own is not asked to put its output anywhere. Nothing could tell it to.
    fn check_output(&self, out: &mut Collector) {
        let own = self.document.as_ref().is_none_or(|d| d.as_str() == OWN_DOCUMENT);
        if own || self.output.is_none() {
            return;
        }
        let expected = format!(
            "only {OWN_DOCUMENT} can be told where its output goes; a runbook of your own says so in its steps, by \
             OutputS3BucketName and CloudWatchOutputConfig, and may take both from automation.parameters"
        );
        out.add(Problem::new(ProblemCode::Conflict, "output", "", expected));
    }

    /// Checks that each wave can have a location. Only a request as people write it has waves.
    fn check_waves(&self, out: &mut Collector) {
        let bounds = Bounds {
            accounts: &self.accounts,
            exclude_accounts: &self.exclude_accounts,
            regions: self.regions.as_ref(),
            exclude_regions: &self.exclude_regions,
        };
        waves::check(&self.waves, &bounds, out);
        let document = self.document.as_ref();
        let whole = in_wave::Whole {
            operation: self.operation,
            budget: &self.budget,
            rather: document
                .is_some_and(|document| document.as_str() != OWN_DOCUMENT)
                .then_some(OWN_DOCUMENT),
        };
        in_wave::check(&self.waves, &whole, out);
    }

    /// Checks that a runbook of one's own is not asked to keep a bound on the nodes of several locations. It is told neither how
    /// many nodes to patch at once nor which.
    fn check_fleet(&self, out: &mut Collector) {
        if self.document.as_ref().is_none_or(|d| d.as_str() == OWN_DOCUMENT) {
            return;
        }
        if self.budget.fleet.is_some() {
            let expected = format!(
                "only {OWN_DOCUMENT} is told how many nodes to patch at once; a runbook of your own decides that by itself, so \
                 a bound on the nodes of the whole fleet cannot be kept"
            );
            out.add(Problem::new(ProblemCode::Conflict, "budget.fleet", "", expected));
        }
        if !self.budget.labels.is_empty() {
            let expected = format!(
                "only {OWN_DOCUMENT} is told which nodes to patch; a runbook of your own finds them by itself, so a bound on \
                 the nodes of each value of a label cannot be kept"
            );
            out.add(Problem::new(ProblemCode::Conflict, "budget.labels", "", expected));
        }
    }

    /// Checks that a runbook of one's own is not asked to be through before a freeze. It is not told for how long its commands
    /// live.
    fn check_freezes(&self, out: &mut Collector) {
        if self.document.as_ref().is_none_or(|d| d.as_str() == OWN_DOCUMENT) {
            return;
        }
        for (index, freeze) in &self.freezes {
            if freeze.running == Running::Expire {
                let expected = format!(
                    "\"finish\" with a runbook of your own: only {OWN_DOCUMENT} is told for how long its commands live, so \
                     no other is known to be through when a freeze begins"
                );
                let path = format!("freezes[{index}].running");
                out.add(Problem::new(ProblemCode::Conflict, path, "\"expire\"", expected));
            }
        }
    }

    fn complete(self) -> Option<PatchRequest> {
        Some(PatchRequest {
            name: self.name?,
            patch: Patch {
                operation: self.operation?,
                reboot_option: self.reboot_option,
                delivery_timeout: self.delivery_timeout,
                install_override_list: self.install_override_list,
                baseline_override: self.baseline_override,
            },
            targets: Targets {
                selector: self.selector?,
                accounts: self.accounts,
                exclude_accounts: self.exclude_accounts,
                include_child_ous: self.include_child_ous,
                regions: self.regions?,
                exclude_regions: self.exclude_regions,
            },
            policy: self.policy,
            access: self.access,
            budget: self.budget,
            waves: self.waves.into_iter().map(|(_, wave)| wave).collect(),
            freezes: self.freezes.into_iter().map(|(_, freeze)| freeze).collect(),
            breaker: self.breaker,
            change_calendars: self.change_calendars,
            forecast: self.forecast,
            output: self.output,
            automation: AutomationSettings {
                dispatch: self.dispatch,
                document: self.document?,
                assume_role: self.assume_role,
                execution_role: self.execution_role,
                pin: self.pin,
                parameters: self.parameters,
            },
        })
    }
}

/// Reads the two fields of a rate control over their defaults.
pub(super) fn rate_control(
    rate: &mut RateControl,
    max_concurrency: Option<Field<'_>>,
    max_errors: Option<Field<'_>>,
    out: &mut Collector,
) {
    if let Some(value) = max_concurrency.and_then(|field| field.rate(out)) {
        rate.max_concurrency = value;
    }
    if let Some(value) = max_errors.and_then(|field| field.rate(out)) {
        rate.max_errors = value;
    }
}
