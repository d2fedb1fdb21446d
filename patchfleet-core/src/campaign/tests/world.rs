//! The world of a test: the small AWS, a log and rows that may fail, and a plan.

pub(crate) use super::aws::*;
pub(crate) use super::by_hand::*;
use crate::budget::{RateControl, Seconds};
use crate::campaign::fire::FirePorts;
use crate::campaign::{Appended, CampaignLog, LogKey, NodeRows};
use crate::campaign::{Driver, Event, MemoryLog, MemoryRows, Notices, Record, State};
use crate::census::NodeCounts;
use crate::id::{CampaignId, Location, NodeId, NodeSet, RequestName, UnitId, WriterId};
use crate::outcome::NodeRow;
use crate::plan::{Followed, Plan, PlannedLocation, Unit};
use crate::port::*;
use crate::request::*;
use crate::runbook;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// A [`MemoryLog`] whose calls fail when the chaos says so.
struct FlakyLog(Arc<MemoryLog>, Arc<Chaos>);

impl CampaignLog for FlakyLog {
    fn append(&self, key: &LogKey, record: &Record) -> BoxFuture<'_, PortResult<Appended>> {
        let (key, record) = (key.clone(), record.clone());
        self.1.call(move || finish(self.0.append(&key, &record)))
    }

    fn read(&self, key: &LogKey, from: u64) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let key = key.clone();
        self.1.call(move || finish(self.0.read(&key, from)))
    }

    fn keys(&self) -> BoxFuture<'_, PortResult<Vec<LogKey>>> {
        self.1.call(|| finish(self.0.keys()))
    }

    fn request_name(&self, campaign: CampaignId) -> BoxFuture<'_, PortResult<Option<RequestName>>> {
        self.1.call(move || finish(self.0.request_name(campaign)))
    }

    fn last(&self, key: &LogKey) -> BoxFuture<'_, PortResult<Option<Record>>> {
        let key = key.clone();
        self.1.call(move || finish(self.0.last(&key)))
    }
}

/// [`MemoryRows`] likewise.
struct FlakyRows(Arc<MemoryRows>, Arc<Chaos>);

impl NodeRows for FlakyRows {
    fn put(
        &self,
        campaign: CampaignId,
        location: &Location,
        attempt: u32,
        rows: Vec<NodeRow>,
    ) -> BoxFuture<'_, PortResult<()>> {
        let location = location.clone();
        self.1
            .call(move || finish(self.0.put(campaign, &location, attempt, rows)))
    }

    fn rows(&self, campaign: CampaignId, location: &Location) -> BoxFuture<'_, PortResult<Vec<NodeRow>>> {
        let location = location.clone();
        self.1.call(move || finish(self.0.rows(campaign, &location)))
    }
}

/// The whole world of a test.
pub(crate) struct World {
    pub(crate) aws: Arc<FakeAws>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) chaos: Arc<Chaos>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) rows: Arc<MemoryRows>,
    pub(crate) plan: Plan,
}

impl World {
    /// A world with these units, each one account with these Regions, `at_once` locations at once
    /// and `errors` allowed.
    pub(crate) fn new(units: &[&[(&str, Script)]], at_once: u32, errors: u32) -> Self {
        let clock = Arc::new(FakeClock(Mutex::new("2026-03-01T22:00:00Z".parse().unwrap())));
        let chaos = Arc::new(Chaos::default());
        let mut scripts = BTreeMap::new();
        let mut requests = vec![];
        for (index, unit) in units.iter().enumerate() {
            let account = match index as u64 {
                few @ 0..9 => 111_111_111_111 * (few + 1),
                many => 100_000_000_000 + many,
            };
            let account = account.to_string();
            for (region, script) in *unit {
                let location = Location::new(account.parse().unwrap(), region.parse().unwrap());
                scripts.insert(location, script.clone());
            }
            requests.push(start_request(
                &account,
                unit.iter().map(|(region, _)| *region),
                at_once,
                errors,
            ));
        }
        let before = |script: &Script| match script {
            Script::Nodes(nodes) => nodes.iter().filter(|node| !node.joined).cloned().collect(),
            // Planned by a policy that keeps what is empty.
            Script::Emptied => vec![],
            _ => vec![Node::well(1), Node::well(2)],
        };
        let ids = |script: &Script| {
            let nodes: Vec<Node> = before(script);
            NodeSet::of(nodes.iter().filter(|node| node.selected).map(|node| &node.id))
        };
        let counted = |script: &Script| {
            let nodes = before(script);
            let online = nodes.iter().filter(|node| !node.status.is_empty()).count();
            let all = nodes.iter().filter(|node| node.selected).count();
            let count = |n: usize| u32::try_from(n).unwrap();
            NodeCounts {
                ec2: count(all),
                hybrid: 0,
                online: count(online.min(all)),
                offline: 0,
                unmanaged: count(all - online.min(all)),
            }
        };
        let locations = scripts
            .iter()
            .map(|(location, script)| PlannedLocation {
                account: location.account.clone(),
                region: location.region.clone(),
                wave: 1,
                nodes: Some(counted(script)),
                nodes_digest: None,
                node_ids: Some(ids(script)),
                kept: None,
                left_out: vec![],
                offline: vec![],
            })
            .collect();
        let aws = Arc::new(FakeAws {
            chaos: Arc::clone(&chaos),
            clock: Arc::clone(&clock),
            scripts: Mutex::new(scripts),
            executions: Mutex::default(),
            refusals: Mutex::default(),
            starts: Mutex::default(),
            sends: Mutex::default(),
            locked_out: Mutex::default(),
            throttled: Mutex::default(),
            look_up_fails: Mutex::default(),
            finds_fail: Mutex::default(),
            sends_wait: Mutex::default(),
            listing_denied: Mutex::default(),
            gone: Mutex::default(),
            finds_slow: Mutex::default(),
            members_denied: Mutex::default(),
            runbook: Mutex::new(Some(RUNBOOK.to_owned())),
            runbook_reads: Mutex::default(),
            calendars_closed: Mutex::default(),
            calendars_fail: Mutex::default(),
            calendars_asked: Mutex::default(),
            alarm_goes_off: Mutex::default(),
            alarm_fails: Mutex::default(),
            alarm_asked: Mutex::default(),
            stopped: Mutex::default(),
            runs_below: Mutex::default(),
            says_cancelling: Mutex::default(),
            turns_up: Mutex::default(),
            hooks: Mutex::default(),
            cancelled_in: Mutex::default(),
            staggered: Mutex::default(),
            slow: Mutex::default(),
            looks: Mutex::default(),
            looks_denied: Mutex::default(),
            stops: Mutex::default(),
            takes_stops: Mutex::default(),
            stops_below: Mutex::default(),
            takes_stops_below: Mutex::default(),
            names_fail: Mutex::default(),
            names_asked: Mutex::default(),
            installed: Mutex::default(),
            names_take: Mutex::default(),
            states_hang: Mutex::default(),
            reports_anew: Mutex::default(),
            counts_late: Mutex::default(),
            still_listed: Mutex::default(),
            copies: Mutex::default(),
            reads: Mutex::default(),
            copies_mend_after: Mutex::default(),
            runs_on: Mutex::default(),
            waits: Mutex::default(),
            expires_late: Mutex::default(),
            lists_late: Mutex::default(),
            command_document: Mutex::new(Some("AWS-RunPatchBaseline")),
            unnamed: Mutex::default(),
            hidden: Mutex::new(SignedDuration::from_secs(5)),
            hidden_by: Mutex::default(),
            forgets: Mutex::default(),
            one_token: Mutex::default(),
            remembers: SignedDuration::from_mins(6),
        });
        Self {
            aws,
            clock,
            chaos,
            log: Arc::default(),
            rows: Arc::default(),
            plan: plan(locations, requests, at_once, errors),
        }
    }

    /// Gives each unit one place among the locations at once, so that units run side by side.
    pub(crate) fn one_place_each(&mut self) {
        for unit in &mut self.plan.units {
            let [target] = &mut unit.start.target_locations;
            target.target_location_max_concurrency = 1;
        }
    }

    /// Has the plan keep a cutoff. Its commands live for up to seven hours: one for delivery, six for the steps.
    pub(crate) fn cut_off(&mut self, cutoff: Timestamp) {
        self.plan.lifetime = serde_json::from_value(serde_json::json!({
            "steps": {"least": 21_600, "most": 21_600}, "node": 10_800, "cutoff": cutoff,
        }))
        .unwrap();
        for unit in &mut self.plan.units {
            let timeout = vec!["3600".to_owned()];
            unit.start.parameters.insert("TimeoutSeconds".to_owned(), timeout);
        }
    }

    /// Has patchfleet send the commands itself, each for so many nodes of its location at most.
    pub(crate) fn send_commands(&mut self, nodes_each: usize) {
        self.plan.request.automation.dispatch = Dispatch::RunCommand;
        let scripts = self.aws.scripts.lock().unwrap().clone();
        self.plan.units.clear();
        for (location, script) in scripts {
            let nodes: Vec<NodeId> = match script {
                Script::Nodes(nodes) => nodes
                    .into_iter()
                    .filter(|node| !node.joined)
                    .map(|node| node.id)
                    .collect(),
                _ => vec![Node::well(1).id, Node::well(2).id],
            };
            for nodes in nodes.chunks(nodes_each) {
                let timeout = Seconds::new(3_600);
                let command = runbook::command(&self.plan.request, nodes.to_vec(), timeout, None);
                let start = StartRequest::of_command(location.clone(), command);
                let id = UnitId::from_index(u32::try_from(self.plan.units.len()).unwrap());
                let rates = self.plan.request.budget.nodes;
                self.plan
                    .units
                    .push(Unit::new(id, 1, Some(nodes.to_vec()), rates, start));
            }
        }
    }

    /// Has each command live for seven hours: one for its delivery, and six for its steps.
    pub(crate) fn commands_live(&mut self) {
        self.plan.lifetime = serde_json::from_value(serde_json::json!({
            "steps": {"least": 21_600, "most": 21_600}, "node": 10_800,
        }))
        .unwrap();
    }

    /// Takes the only unit out of the plan: what others are made from.
    pub(crate) fn template(&mut self) -> StartRequest {
        self.plan.units.remove(0).start
    }

    /// Makes the starts again from the request, after that was changed.
    pub(crate) fn agree(&mut self) {
        let plan = &mut self.plan;
        for unit in &mut plan.units {
            let of_own = runbook::is_own(&plan.request.automation.document);
            let timeout = unit.start.parameters.remove(runbook::TIMEOUT_PARAMETER);
            unit.node_rates = plan.request.budget.nodes;
            unit.start.document_name = plan.request.automation.document.clone();
            unit.start.parameters =
                runbook::parameters(&plan.request, &plan.central, unit.nodes.as_deref()).unwrap();
            if let Some(timeout) = timeout.filter(|_| of_own) {
                let name = runbook::TIMEOUT_PARAMETER.to_owned();
                unit.start.parameters.insert(name, timeout);
            }
        }
    }

    /// Adds a unit with this start, which names these nodes.
    pub(crate) fn add_naming(&mut self, start: StartRequest, nodes: &[NodeId]) {
        add_unit(&mut self.plan, start, Some(nodes.to_vec()));
    }

    pub(crate) fn driver(&self, writer: u128) -> Driver {
        Driver {
            automation: self.aws.clone(),
            commands: self.aws.clone(),
            patch_states: self.aws.clone(),
            inventory: self.aws.clone(),
            documents: self.aws.clone(),
            alarms: self.aws.clone(),
            log: Arc::new(FlakyLog(Arc::clone(&self.log), Arc::clone(&self.chaos))),
            rows: Arc::new(FlakyRows(Arc::clone(&self.rows), Arc::clone(&self.chaos))),
            clock: self.clock.clone(),
            writer: WriterId::from_uuid(Uuid::from_u128(writer)),
            observer: None,
            notices: Notices::default(),
        }
    }

    /// What firing needs of this world.
    pub(crate) fn fire_ports(&self) -> FirePorts<'_> {
        FirePorts {
            automation: self.aws.as_ref(),
            documents: self.aws.as_ref(),
            alarms: self.aws.as_ref(),
            clock: self.clock.as_ref(),
            resolution: Resolution::SameAsAws,
        }
    }

    pub(crate) fn campaign(&self) -> CampaignId {
        "b68a00a2-c50e-5dcd-9ed4-7a687f743a1c".parse().unwrap()
    }

    /// Another campaign of the same request.
    pub(crate) fn campaign_of(&self, event: &str) -> CampaignId {
        CampaignId::from_uuid(Uuid::new_v5(&Uuid::nil(), event.as_bytes()))
    }

    /// Begins and runs the campaign, undisturbed.
    pub(crate) fn run(&self) -> State {
        let driver = self.driver(1);
        finish(async {
            driver.begin(self.campaign(), &self.plan).await.unwrap();
            driver.run(self.campaign()).await.unwrap()
        })
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.records()
            .into_iter()
            .flat_map(|record| record.events)
            .collect()
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        finish(self.log.read(&LogKey::Campaign(self.campaign()), 0)).unwrap()
    }

    pub(crate) fn executions(&self) -> Vec<Execution> {
        self.aws.executions.lock().unwrap().clone()
    }
}

fn start_request<'a>(
    account: &str,
    regions: impl Iterator<Item = &'a str>,
    at_once: u32,
    errors: u32,
) -> StartRequest {
    StartRequest {
        document_name: "Patchfleet-RunPatchBaseline".parse().unwrap(),
        document_version: None,
        parameters: BTreeMap::from([("Operation".to_owned(), vec!["Install".to_owned()])]),
        target_locations: [TargetLocation {
            accounts: vec![account.parse().unwrap()],
            regions: regions.map(|region| region.parse().unwrap()).collect(),
            target_location_max_concurrency: at_once,
            target_location_max_errors: errors,
            execution_role_name: "AWS-SystemsManager-AutomationExecutionRole".parse().unwrap(),
        }],
        tags: vec![],
        alarm: None,
        command: None,
    }
}

fn add_unit(plan: &mut Plan, mut start: StartRequest, nodes: Option<Vec<NodeId>>) {
    start.parameters = runbook::parameters(&plan.request, &plan.central, nodes.as_deref()).unwrap();
    let (at_once, errors) = (plan.location_budget(), plan.location_errors());
    let [target] = &mut start.target_locations;
    target.target_location_max_concurrency = target.target_location_max_concurrency.min(at_once);
    target.target_location_max_errors = target.target_location_max_errors.min(errors);
    let id = UnitId::from_index(u32::try_from(plan.units.len()).unwrap());
    let rates = plan.request.budget.nodes;
    plan.units.push(Unit::new(id, 1, nodes, rates, start));
}

fn plan(locations: Vec<PlannedLocation>, requests: Vec<StartRequest>, at_once: u32, errors: u32) -> Plan {
    let mut plan = Plan {
        format: crate::plan::FORMAT,
        request: PatchRequest {
            name: "weekly-linux".parse().unwrap(),
            patch: Patch {
                operation: Operation::Install,
                reboot_option: RebootOption::RebootIfNeeded,
                delivery_timeout: None,
                install_override_list: None,
                baseline_override: None,
            },
            targets: Targets {
                selector: Selector::ResourceGroup("WebServers".parse().unwrap()),
                accounts: vec![],
                exclude_accounts: vec![],
                include_child_ous: true,
                regions: Regions::AllEnabled,
                exclude_regions: vec![],
            },
            policy: Policy::default(),
            access: Access {
                discovery_role: "AWS-SystemsManager-AutomationExecutionRole".parse().unwrap(),
send_role: None,
                external_id: None,
                session_name: "patchfleet".parse().unwrap(),
            },
            budget: Budget {
                nodes: RateControl {
                    max_concurrency: "10%".parse().unwrap(),
                    max_errors: "10%".parse().unwrap(),
                },
                locations: RateControl {
                    max_concurrency: at_once.to_string().parse().unwrap(),
                    max_errors: errors.to_string().parse().unwrap(),
                },
                fleet: None,
                labels: vec![],
            },
            waves: vec![],
            freezes: vec![],
            breaker: Breaker::default(),
            change_calendars: vec![],
            forecast: ForecastBasis::default(),
            output: crate::request::Output::default(),
            automation: AutomationSettings {
                dispatch: Dispatch::Automation,
                document: "Patchfleet-RunPatchBaseline".parse().unwrap(),
                assume_role: None,
                execution_role: "AWS-SystemsManager-AutomationExecutionRole".parse().unwrap(),
                pin: RunbookPin::Default,
                parameters: BTreeMap::new(),
            },
        },
        central: Caller {
            account: "999999999999".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
            arn: "arn:aws:iam::999999999999:role/ops".to_owned(),
        },
        followed: Followed::ByDriver,
        candidates: u32::try_from(locations.len()).unwrap(),
        locations,
        skipped: vec![],
        warnings: vec![],
        units: vec![],
        runbook: None,
        fleet: None,
        wave_budgets: vec![],
        labels: vec![],
        forecast: None,
        dispatch: None,
        automation: None,
        worst_case: serde_json::from_str(
            r#"{"starts":1,"locations_at_once":1,"locations_failing":0,"nodes_at_once":null,"node_errors":null,
                "nodes_damaged":null,"slowest_location_seconds":null}"#,
        )
        .unwrap(),
        lifetime: None,
        retries: None,
        second_attempt: false,
    };
    for request in requests {
        add_unit(&mut plan, request, None);
    }
    plan
}
