//! Whatever happens to an event.

use super::*;

/// One thing that happens to an event.
#[derive(Debug, Clone)]
enum Step {
    /// It is delivered, and killed after so many polls, if that many are needed.
    Deliver(usize),
    /// It is delivered twice, and the two take turns, each with so many polls. Then both are killed. The turns are short:
    /// of a process that stands still for minutes right before a call, nobody knows whether AWS remembers its token.
    Twice(Vec<(usize, usize)>),
    /// A location gets nodes, or loses them.
    Change(usize),
    /// The commands of what is planned next live for so long, as more or fewer nodes answer.
    Figures(u32),
    /// So many seconds pass.
    Wait(i64),
    /// So many calls from now one has no effect, or its answer is lost.
    Fault(u32, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let turns = proptest::collection::vec((0..7_usize, 0..7_usize), 1..30);
    let step = prop_oneof![
        3 => (1..250_usize).prop_map(Step::Deliver),
        3 => turns.prop_map(Step::Twice),
        3 => (0..16_usize).prop_map(Step::Change),
        1 => (1..4_u32).prop_map(Step::Figures),
        2 => (0..600_i64).prop_map(Step::Wait),
        2 => (1..40_u32, any::<bool>()).prop_map(|(calls, lost)| Step::Fault(calls, lost)),
    ];
    proptest::collection::vec(step, 1..14)
}

/// What becomes of an event, and the plan of each of its deliveries.
struct Story<'a> {
    world: &'a World,
    populated: BTreeSet<Location>,
    timeout: u32,
    /// How much time passes with each poll, in milliseconds.
    tick: i64,
    plans: Vec<Plan>,
    /// What the deliveries said wrongly.
    wrong: Vec<String>,
}

impl Story<'_> {
    fn planned(&mut self) -> Plan {
        let plan = plan_of(self.world, &self.populated, self.timeout);
        self.plans.push(plan.clone());
        plan
    }

    /// A delivery says that another plan began something, and lists what runs, only as it is.
    fn hear(&mut self, plan: &Plan, ended: Option<Result<Fired, FireError>>) {
        let Some(Err(FireError::Unfinished(unfinished))) = ended else {
            return;
        };
        let runs: BTreeSet<&ExecutionId> = unfinished.begun.iter().map(|unit| &unit.execution).collect();
        if runs.len() < unfinished.begun.len() {
            self.wrong.push(format!("listed twice: {unfinished:?}"));
        }
        let digest = crate::campaign::fire::digest_for_tests(plan).to_string();
        let is_own = |execution: &Execution| execution.request.tags.iter().any(|tag| tag.value == digest);
        if matches!(unfinished.reason, UnfinishedReason::OtherPlan { .. })
            && self.world.executions().iter().all(is_own)
        {
            self.wrong
                .push(format!("no other plan began anything: {unfinished:?}"));
        }
    }

    fn tick(&self) {
        self.world.clock.advance(SignedDuration::from_millis(self.tick));
    }

    fn tell(&mut self, step: &Step) {
        let world = self.world;
        let ports = world.fire_ports();
        let (campaign, retry) = (world.campaign(), longest_retry());
        match step {
            Step::Deliver(polls) => {
                let plan = self.planned();
                let mut firing = ByHand::new(ports.fire(campaign, &plan, retry, None));
                for _ in 0..*polls {
                    self.tick();
                    if firing.poll() {
                        break;
                    }
                }
                let ended = firing.1.take();
                drop(firing);
                self.hear(&plan, ended);
            }
            Step::Twice(turns) => {
                let one_plan = self.planned();
                // The world changes between the two censuses as well.
                self.change(turns.len() % 16);
                let other_plan = self.planned();
                let mut one = ByHand::new(ports.fire(campaign, &one_plan, retry, None));
                let mut other = ByHand::new(ports.fire(campaign, &other_plan, retry, None));
                for (first, second) in turns {
                    for turn in 0..first + second {
                        self.tick();
                        let _ = if turn < *first { one.poll() } else { other.poll() };
                    }
                }
                let ended = (one.1.take(), other.1.take());
                drop((one, other));
                self.hear(&one_plan, ended.0);
                self.hear(&other_plan, ended.1);
            }
            Step::Change(index) => self.change(*index),
            Step::Figures(hours) => self.timeout = hours * 3600,
            Step::Wait(seconds) => world.clock.advance(SignedDuration::from_secs(*seconds)),
            Step::Fault(calls, lost) => {
                let at = *world.chaos.calls.lock().unwrap() + calls;
                let fault = if *lost { Fault::After } else { Fault::Before };
                *world.chaos.fault.lock().unwrap() = Some((at, fault));
            }
        }
    }

    fn change(&mut self, index: usize) {
        let location = everywhere(self.world).swap_remove(index);
        if !self.populated.remove(&location) {
            self.populated.insert(location);
        }
    }

    /// The locations of the plan by which the first execution was started: the one whose tag it carries.
    fn of_the_first(&self) -> BTreeSet<Location> {
        let first = self.world.executions().remove(0);
        let says = |plan: &&Plan| {
            let digest = crate::campaign::fire::digest_for_tests(plan).to_string();
            first.request.tags.iter().any(|tag| tag.value == digest)
        };
        let plan = self.plans.iter().find(says).expect("some plan started it");
        plan.locations.iter().map(PlannedLocation::location).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn whatever_happens_to_an_event_no_location_starts_twice_and_none_is_forgotten(
        steps in steps(),
        empty in proptest::collection::btree_set(0..16_usize, 0..6),
        hidden in proptest::array::uniform3(0..120_i64),
        tick in 0..4_000_i64,
        tags_count in prop::bool::weighted(0.7),
    ) {
        let world = world();
        // Each key of an execution is listed in its own time.
        let [event, plan, last] = hidden.map(SignedDuration::from_secs);
        *world.aws.hidden.lock().unwrap() = event.min(plan).min(last);
        let keys = [("patchfleet:event:", event), ("patchfleet:plan:", plan), ("patchfleet:last:", last)];
        *world.aws.hidden_by.lock().unwrap() = keys.into();
        if !tags_count {
            *world.aws.one_token.lock().unwrap() = OneToken::MismatchButForTags;
        }
        let populated = without(&world, &empty.into_iter().collect::<Vec<_>>());
        let mut story = Story { world: &world, populated, timeout: 3600, tick, plans: vec![], wrong: vec![] };
        for step in &steps {
            story.tell(step);
        }
        // The last delivery is left alone, when AWS lists everything.
        *world.chaos.fault.lock().unwrap() = None;
        world.clock.advance(SignedDuration::from_mins(3));
        let last = story.planned();
        let ended = deliver(&world, &last);

        let started = starts(&world);
        prop_assert!(started.values().all(|&n| n == 1), "{started:?} after {steps:?}");
        // If AWS took no notice of tags, two plans that begin alike may have become one.
        if tags_count {
            prop_assert!(story.wrong.is_empty(), "{:?} after {steps:?}", story.wrong);
            let of_the_first = story.of_the_first();
            let mut told: BTreeSet<Location> = started.keys().cloned().collect();
            match &ended {
                Ok(Fired::Started(_) | Fired::AlreadyStarted(_)) => {}
                Err(FireError::Unfinished(unfinished)) => {
                    let is_other = matches!(unfinished.reason, UnfinishedReason::OtherPlan { .. });
                    prop_assert!(is_other, "{:?}", unfinished);
                    told.extend(unfinished.not_begun.iter().cloned());
                    told.extend(unfinished.skipped.iter().map(Skip::location));
                    let wrongly = unfinished.not_begun.iter().find(|at| started.contains_key(at));
                    prop_assert!(wrongly.is_none(), "{wrongly:?} runs, and is told not to");
                }
                other => prop_assert!(false, "{other:?} after {steps:?}"),
            }
            let forgotten: Vec<&Location> = of_the_first.difference(&told).collect();
            prop_assert!(forgotten.is_empty(), "{forgotten:?} after {steps:?}: {ended:?}");
        }
    }
}
