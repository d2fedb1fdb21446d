//! Progress on standard error: bars on a terminal, plain lines elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use patchfleet_aws::SystemClock;
use patchfleet_core::campaign::{
    Event, Notice, Notices, Observer, Record, SoFar, State, Store, WaveStanding,
};
use patchfleet_core::port::{Clock, Ports};
use patchfleet_core::text::{by_number, counted, in_log, one_line};
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use told::Told;

mod told;

/// How often calls that have had no answer for long are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches a campaign as the terminal allows.
/// `log` is the folder that warnings name in the commands that they tell to type.
pub(crate) fn watch(clock: Arc<dyn Clock>, log: Option<PathBuf>) -> (Observer, Notices) {
    let named = log.clone();
    let told = Told::new(log);
    if std::io::stderr().is_terminal() {
        let bars = Arc::new(Bars::new(told));
        let shown = Arc::clone(&bars);
        (
            Arc::new(move |record, state| shown.show(record, state)),
            Notices::new(Arc::new(move |notice| {
                bars.say(&in_log(&notice_line(&*clock, notice), named.as_deref()));
            })),
        )
    } else {
        (
            Arc::new(move |record, state| print_lines(record, state, &told)),
            notices_in(clock, named),
        )
    }
}

/// Tells, in lines, what a person wants to hear at once.
pub(crate) fn notices(clock: Arc<dyn Clock>) -> Notices {
    notices_in(clock, None)
}

/// The same, with the log in the commands that they name.
fn notices_in(clock: Arc<dyn Clock>, log: Option<PathBuf>) -> Notices {
    Notices::new(Arc::new(move |notice| {
        let line = in_log(&notice_line(&*clock, notice), log.as_deref());
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(std::io::stderr(), "{line}");
    }))
}

/// The ports, of which somebody at the terminal hears what has had no answer for long. A simulated organisation always
/// answers, and ten of its seconds are over in no time.
pub(crate) fn watched_ports(ports: &Ports, simulated: bool) -> Ports {
    if simulated {
        return ports.clone();
    }
    let notices = notices(ports.clock.clone());
    look(notices.clone(), ports.clock.clone());
    patchfleet_core::watched(ports, &notices)
}

/// The store, of which somebody at the terminal hears what has had no answer for long.
pub(crate) fn watched(store: &Store) -> Store {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let notices = notices(clock.clone());
    look(notices.clone(), clock.clone());
    store.watched(&clock, &notices)
}

/// Looks once a second whether something has had no answer for long, as long as the process lives.
pub(crate) fn look(notices: Notices, clock: Arc<dyn Clock>) {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            notices.look(clock.now());
        }
    });
}

fn notice_line(clock: &dyn Clock, notice: &Notice) -> String {
    format!("{:.0} {}", clock.now(), one_line(&notice.to_string()))
}

struct Bars {
    locations: ProgressBar,
    nodes: ProgressBar,
    // Draws the two together, under what a person is told at once.
    both: MultiProgress,
    /// Whether they are drawn: not before something is known, as the plan and the question about it come first.
    are_drawn: AtomicBool,
    told: Told,
}

impl Bars {
    fn new(told: Told) -> Self {
        let both = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let bar = |label| {
            let bar = both.add(ProgressBar::new(0));
            // A template that does not parse would leave indicatif's own.
            let template = "{prefix:<10} {bar:40.cyan/dim} {pos:>5}/{len:<5} {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(label);
            bar
        };
        Self {
            locations: bar("locations"),
            nodes: bar("nodes"),
            both,
            are_drawn: AtomicBool::new(false),
            told,
        }
    }

    /// Says something at once, above the bars.
    fn say(&self, line: &str) {
        // Nobody is left to tell if standard error is closed.
        let _ = match self.are_drawn.load(Ordering::Relaxed) {
            true => self.both.println(line),
            false => writeln!(std::io::stderr(), "{line}"),
        };
    }

    fn show(&self, record: &Record, state: &State) {
        if !self.are_drawn.swap(true, Ordering::Relaxed) {
            self.both.set_draw_target(ProgressDrawTarget::stderr());
        }
        for warning in self.told.news(record, state) {
            self.say(&one_line(&warning));
        }
        let (seen, label) = seen(state);
        self.locations.set_prefix(label);
        self.locations.set_length(seen.locations);
        self.locations.set_position(seen.settled);
        let wave = state.wave_standing(state.last_at());
        let mut message = format!("{} running; {}", seen.running, locations_failed(state));
        if let Some(wave) = &wave {
            message.push_str(&format!("; {}", wave.in_short()));
        }
        self.locations.set_message(message);
        self.nodes.set_length(seen.nodes);
        self.nodes.set_position(seen.through);
        let mut message = elapsed(state);
        if let Some(fleet) = state.fleet(state.last_at()) {
            message.push_str(&format!("; {fleet}"));
        }
        if let Some(bounds) = wave.and_then(|wave| own_bounds(&wave)) {
            message.push_str(&format!("; {bounds}"));
        }
        for label in state.labels(state.last_at()) {
            message.push_str(&format!("; {label}"));
        }
        if let Some(row) = state.failures_in_a_row() {
            message.push_str(&format!("; {row}"));
        }
        self.nodes.set_message(message);
        if state.finished().is_some() {
            self.locations.finish();
            self.nodes.finish();
        }
    }
}

/// How far it is, and what the first bar counts. With each record there is no time to count the locations that several starts
/// share, so their starts are counted there.
fn seen(state: &State) -> (SoFar, &'static str) {
    let (plan, seen) = (state.plan(), state.so_far());
    if usize::try_from(seen.locations).is_ok_and(|all| all <= plan.locations.len()) {
        return (seen, "locations");
    }
    match (plan.units.iter().any(|unit| unit.nodes.is_some()), plan.dispatch) {
        (false, _) => (state.locations_so_far(), "locations"),
        (true, None) => (seen, "starts"),
        (true, Some(_)) => (seen, "commands"),
    }
}

/// The bounds that a wave has of its own. In a soak they bound nothing yet.
fn own_bounds(wave: &WaveStanding) -> Option<String> {
    let bounds = wave.bounds_in_short().filter(|_| wave.soak.is_none())?;
    Some(format!("wave {}: {bounds}", wave.number))
}

/// How much of the budget of failed locations is used and left.
fn locations_failed(state: &State) -> String {
    format!("locations failed {}", state.location_budget_standing())
}

/// How much of the bounds on the fleet, of the budget of failed locations, and of the bounds of the wave that is under way is used
/// and left.
fn budgets(state: &State) -> String {
    let fleet = state.fleet(state.last_at()).map(|fleet| fleet.in_short());
    let wave = state.wave_standing(state.last_at());
    let own = wave.and_then(|wave| own_bounds(&wave));
    let bounds: Vec<String> = fleet
        .into_iter()
        .chain([locations_failed(state)])
        .chain(own)
        .collect();
    bounds.join("; ")
}

/// The campaign's own time since its plan. Against a simulator it is virtual.
fn elapsed(state: &State) -> String {
    let so_far = state.last_at().duration_since(state.planned_at());
    let so_far = so_far.max(SignedDuration::ZERO);
    format!("{:#}", SignedDuration::from_secs(so_far.as_secs()))
}

fn print_lines(record: &Record, state: &State, told: &Told) {
    let mut stderr = std::io::stderr().lock();
    // A location that settles says itself how many of its nodes are through.
    let is_settled = |location| {
        let mut events = record.events.iter();
        events.any(
            |event| matches!(event, Event::LocationSettled { location: settled, .. } if settled == location),
        )
    };
    if let Some(wave) = told.wave_that_begins(record, state) {
        let _ = writeln!(stderr, "{:.0} {}", record.at, one_line(&wave.to_string()));
    }
    let mut lines = vec![];
    for event in &record.events {
        if matches!(event, Event::CommandObserved { location, .. } if is_settled(location)) {
            continue;
        }
        if told.is_no_news(event) {
            continue;
        }
        lines.extend(line(record.at, event, own_word(state)));
    }
    // What a record changes in the budgets is told with the last that it says.
    if let Some(last) = lines.last_mut() {
        let budgets = budgets(state);
        if told.is_new_of_budgets(&budgets) {
            last.push_str(&format!("; {budgets}"));
        }
    }
    for line in lines {
        // Nobody is left to tell if standard error is closed.
        let _ = writeln!(stderr, "{}", one_line(&line));
    }
    for warning in told.news(record, state) {
        let _ = writeln!(stderr, "{:.0} {}", record.at, one_line(&warning));
    }
}

/// What a unit is at AWS, in a word.
fn own_word(state: &State) -> &'static str {
    match state.plan().dispatch {
        Some(_) => "command",
        None => "execution",
    }
}

/// One line for what a reader of a log file wants to know; `None` for the rest.
fn line(at: Timestamp, event: &Event, own: &str) -> Option<String> {
    let what = match event {
        Event::StartIntended { unit, attempt, .. } => format!("unit {unit}: starting (attempt {attempt})"),
        Event::Started { unit, execution } => format!("unit {unit}: started as {execution}"),
        Event::StartRefused { unit, detail, .. } => format!("unit {unit}: start refused: {detail}"),
        Event::StartWithdrawn { unit, detail } => {
            format!("unit {unit}: start withdrawn, as nothing may begin now; it had been put off: {detail}")
        }
        Event::CalendarsSaid { said } => said.to_string(),
        Event::AlarmSaid { said } => said.to_string(),
        Event::CancelledElsewhere { unit, location } => match location {
            Some(location) => format!("{location}: cancelled by somebody else: nothing more is begun"),
            None => format!("unit {unit}: cancelled by somebody else: nothing more is begun"),
        },
        Event::StoppedForAlarm { unit, alarm } => {
            format!("unit {unit}: Systems Manager stopped it, as {alarm}: nothing more is begun")
        }
        Event::GoneOn { by, begin, found } => {
            let rest: usize = begin
                .iter()
                .map(|added| added.request.target_location().locations().count())
                .sum();
            let rest = match rest {
                0 => String::new(),
                n => format!(
                    "; {} that a cancelled {own} did not reach {} {} of {} own",
                    counted(n, "location"),
                    by_number(n, "has", "have"),
                    by_number(begin.len(), "a start", "starts"),
                    by_number(n, "its", "their"),
                ),
            };
            let found: String = found
                .iter()
                .map(|one| format!("; {} had been begun as {}, and is read", one.location, one.child))
                .collect();
            format!("going on, says {by}{rest}{found}")
        }
        Event::Divided { unit, keeps } => format!(
            "unit {unit}: divided, as the bounds on the fleet have room for {} of its nodes",
            keeps.len()
        ),
        Event::StopIntended { unit, .. } => {
            format!("unit {unit}: stopping its {own}")
        }
        Event::StopInVain { unit, .. } => {
            format!("unit {unit}: goes on although AWS took the stop: cancelling")
        }
        Event::LeftOut { units } => {
            let units: Vec<String> = units.iter().map(|unit| format!("unit {unit}")).collect();
            format!("not begun any more: {}", units.join(", "))
        }
        Event::Abandoned { by } => format!("closed, says {by}: AWS no longer knows what it had begun"),
        Event::SendAgain { unit, by } => format!("unit {unit}: its start is sent again, says {by}"),
        Event::LocationObserved { location, status, .. } => format!("{location}: {}", status.as_str()),
        Event::CommandObserved { location, counts, .. } => {
            format!(
                "{location}: {} of {} through",
                counts.completed,
                counted(counts.targets, "node")
            )
        }
        Event::LocationSettled {
            location,
            outcome,
            nodes,
            detail,
            ..
        } => {
            let tally: Vec<String> = nodes
                .iter()
                .map(|(outcome, n)| format!("{n} {}", outcome.as_str()))
                .collect();
            let tally = if tally.is_empty() {
                "no nodes".to_owned()
            } else {
                tally.join(", ")
            };
            let detail = if detail.is_empty() {
                String::new()
            } else {
                format!(" ({detail})")
            };
            format!("{location}: {}: {tally}{detail}", outcome.as_str())
        }
        Event::UnitEnded { unit, status } => format!("unit {unit}: ended: {}", status.as_str()),
        _ => return None,
    };
    Some(format!("{at:.0} {what}"))
}

#[cfg(all(test, feature = "sim"))]
mod tests;
