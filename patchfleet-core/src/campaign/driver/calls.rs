//! Making calls, each with all that it needs, so that the campaign goes on while it has no answer.

use super::call_off::{CallOff, find_in_time};
use super::stop_below::StoppedBelow;
use super::trouble::{of_unit, tried};
use super::{Drive, Driver};
use crate::campaign::collect::{Collected, Found, Job};
use crate::campaign::decide::{Call, forgotten_from};
use crate::campaign::facts::Basis;
use crate::campaign::memory::{LocationTask, UnitTask};
use crate::campaign::notice::Tried;
use crate::campaign::observe::{self, Below, Observed};
use crate::campaign::polls::{SENT_WITHIN, later};
use crate::campaign::start;
use crate::campaign::state::{Intent, StartState, State};
use crate::campaign::strays::{Place, Stray};
use crate::id::{ExecutionId, Location, NodeId, UnitId, WriterId};
use crate::port::{
    AlarmView, BoxFuture, CalendarsView, PortError, PortErrorKind, PortResult, Sent, StartRequest, StopType,
    hearing,
};
use crate::runbook::{Changed, NotCompared};
use crate::slip::{Slip, slips};
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

/// What came of a call.
pub(super) enum Answer {
    Calendars(PortResult<CalendarsView>),
    Alarm(Timestamp, PortResult<Option<AlarmView>>),
    Compared(UnitId, Result<Option<Changed>, NotCompared>),
    /// The unit, which attempt, when it was looked for before if it had to be, and what came of it.
    Sent(UnitId, u32, Timestamp, PortResult<ExecutionId>),
    /// The unit, which attempt, and why it was not sent: it could not be seen whether it had been before.
    Unseen(UnitId, u32, PortError),
    /// The unit, which attempt, and when it was looked for before if it had to be. It was not sent: its time was over,
    /// or nothing more was to begin by then.
    NotSent(UnitId, u32, Timestamp),
    /// The unit, which attempt, when it was looked for before if it had to be, and AWS's words: the command that
    /// patchfleet sent itself was refused whole, as these of its nodes are away.
    RefusedWhole(UnitId, u32, Timestamp, Vec<NodeId>, String),
    /// The unit, which attempt, when it was looked for, and what was found.
    Looked(UnitId, u32, Timestamp, PortResult<Option<ExecutionId>>),
    /// The unit, which attempt comes next, when it was looked for, and what that had begun before.
    Sought(UnitId, u32, Timestamp, PortResult<Option<ExecutionId>>),
    /// Where it was looked for all that the log does not know, when, and what was found.
    Swept(Place, Timestamp, PortResult<Vec<Stray>>),
    Observed(UnitId, PortResult<Observed>),
    Stopped(UnitId, StopType, PortResult<()>),
    /// The unit, which attempt, where, and what came of stopping what runs there.
    StoppedBelow(UnitId, u32, Location, StoppedBelow),
    /// With the execution that was looked at.
    Seen(UnitId, Location, ExecutionId, Below),
    /// With who is selected there, if that is known though the results are not.
    Collected(UnitId, Location, Basis, PortResult<Collected>, Option<Found>),
    /// The location cannot be read, and neither can the unit's own execution: it is the caller's
    /// credentials that do not work.
    LockedOut(UnitId, Location, PortError),
}

impl Answer {
    /// Whether AWS was asked for something that runs, and answered. That it throttles a look before a start is an answer,
    /// and so it is with the start itself: AWS puts it off.
    pub(super) fn is_of_aws(&self) -> bool {
        if let Self::Sought(.., Err(error)) | Self::Swept(.., Err(error)) | Self::Unseen(.., error) = self {
            return error.kind() == PortErrorKind::Throttled;
        }
        matches!(
            self,
            Self::Sent(.., Ok(_))
                | Self::Looked(.., Ok(_))
                | Self::Sought(.., Ok(_))
                | Self::Swept(.., Ok(_))
                | Self::Observed(_, Ok(_))
                | Self::Collected(.., Ok(_), _)
        )
    }
}

impl Answer {
    /// Whether AWS has answered that it does not let anybody look at what runs.
    pub(super) fn is_refused_look(&self) -> bool {
        let Self::Observed(_, Err(error)) = self else {
            return false;
        };
        use PortErrorKind as Kind;
        matches!(
            error.kind(),
            Kind::Denied | Kind::RoleNotAssumable | Kind::RegionNotEnabled | Kind::Throttled
        )
    }
}

/// The calls that have no answer yet, and the answers that nobody has taken yet.
#[derive(Default)]
pub(super) struct Calls<'d> {
    // Never locked. A mutex may be shared between threads although what is in it may not, and a drive is.
    under_way: Mutex<FuturesUnordered<BoxFuture<'d, Answer>>>,
    answers: VecDeque<Answer>,
    /// The starts that are looked for or being sent, each with whether it is not to be sent any more.
    called_off: Vec<(UnitId, Arc<CallOff>)>,
}

/// For how many turns of the runtime an answer is waited for before anybody overtakes it.
const TURNS: u32 = 64;

impl<'d> Calls<'d> {
    fn under_way(&mut self) -> &mut FuturesUnordered<BoxFuture<'d, Answer>> {
        self.under_way.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&mut self, call: BoxFuture<'d, Answer>) {
        self.under_way().push(call);
    }

    /// What a start asks right before it is sent, and the look before it: whether it was called off meanwhile.
    pub(super) fn may_be_called_off(&mut self, unit: UnitId) -> Arc<CallOff> {
        let off = Arc::<CallOff>::default();
        self.called_off.push((unit, Arc::clone(&off)));
        off
    }

    /// Calls off the starts that may not be sent any more. Those that were sent by now run.
    pub(super) fn call_off(&mut self, may_not_start: impl Fn(UnitId) -> bool) {
        self.forget_answered();
        for (unit, off) in &self.called_off {
            if may_not_start(*unit) {
                off.call_off();
            }
        }
    }

    /// Calls off every start that has not been sent, and waits for no look before one. What was sent is waited for.
    pub(super) fn run_out_of_time(&mut self) {
        self.forget_answered();
        self.called_off.iter().for_each(|(_, off)| off.run_out_of_time());
    }

    fn forget_answered(&mut self) {
        // What has its answer asks no more.
        self.called_off.retain(|(_, asked)| Arc::strong_count(asked) > 1);
    }

    /// Whether every answer has been taken.
    pub(super) fn are_done(&mut self) -> bool {
        self.answers.is_empty() && self.under_way().is_empty()
    }

    /// Waits until there is an answer to take, or no call is left.
    pub(super) async fn wait(&mut self) {
        if self.answers.is_empty() {
            let answer = self.under_way().next().await;
            self.answers.extend(answer);
        }
    }

    /// Waits for an answer, but only for some turns of the runtime, which take next to no time. On a clock that does
    /// not wait, sleeping takes none at all, and who sleeps would overtake every answer.
    pub(super) async fn wait_some_turns(&mut self) {
        for _ in 0..TURNS {
            let mut gave_way = false;
            let turn = poll_fn(|context| {
                context.waker().wake_by_ref();
                match std::mem::replace(&mut gave_way, true) {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                }
            });
            if let Either::Left(_) = select(pin!(self.wait()), turn).await {
                return;
            }
        }
    }

    /// Waits until every call has its answer.
    pub(super) async fn wait_for_all(&mut self) {
        while let Some(answer) = self.under_way().next().await {
            self.answers.push_back(answer);
        }
    }

    /// Takes every answer that has come.
    pub(super) fn take(&mut self) -> VecDeque<Answer> {
        while let Some(Some(answer)) = self.under_way().next().now_or_never() {
            self.answers.push_back(answer);
        }
        std::mem::take(&mut self.answers)
    }

    /// Does something while the calls go on.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            if self.under_way().is_empty() {
                return work.await;
            }
            match select(work.as_mut(), self.under_way().next()).await {
                Either::Left((done, _)) => return done,
                Either::Right((answer, _)) => self.answers.extend(answer),
            }
        }
    }
}

impl<'d> Drive<'d> {
    /// Makes a call. Nothing is called if the state has nothing to call for.
    pub(super) fn make(&mut self, call: Call) {
        let (mut what, subject) = tried(&call);
        if let Call::Start { unit, .. } = &call
            && self.is_looked_for(*unit)
        {
            // The start comes after the look.
            what = Tried::LookBefore;
            self.tried.open.insert((Tried::Start, subject.clone()));
        }
        let (task, made) = match call {
            Call::Calendars => (Task::Calendars, self.ask_calendars()),
            Call::Alarm => (Task::Alarm, self.ask_alarm()),
            Call::Compare(unit) => {
                let now = self.now();
                self.memory.unit(unit).comparing_since.get_or_insert(now);
                (Task::Unit(UnitTask::Start(unit)), self.compare(unit))
            }
            Call::Start { unit, attempt } => (Task::Unit(UnitTask::Start(unit)), self.start(unit, attempt)),
            Call::Find(unit) => (Task::Unit(UnitTask::Start(unit)), self.find(unit)),
            Call::Seek(unit) => (Task::Unit(UnitTask::Start(unit)), self.look_before(unit)),
            Call::Sweep(place) => {
                let made = self.sweep(&place);
                (Task::Sweep(place), made)
            }
            Call::Stop(unit, kind) => (Task::Unit(UnitTask::Stop(unit)), self.stop(unit, kind)),
            Call::Observe(unit) => (Task::Unit(UnitTask::Observe(unit)), self.observe(unit)),
            Call::Look(unit, location) => {
                let made = self.look_below(unit, &location);
                (Task::Location(LocationTask::Look(unit, location)), made)
            }
            Call::StopBelow(unit, location) => {
                let made = self.stop_below(unit, &location);
                (Task::StopBelow((unit, location)), made)
            }
            Call::Collect(unit, location) => {
                let made = self.collect(unit, &location);
                (Task::Location(LocationTask::Collect(unit, location)), made)
            }
        };
        let driver = self.driver;
        let made = made.map(|made| -> BoxFuture<'d, Answer> {
            driver.notices.asked(what, &subject, self.now());
            self.tried.open.insert((what, subject.clone()));
            Box::pin(async move {
                let hearer = driver.notices.hearer(what, &subject, 0);
                let answer = hearing(made, hearer).await;
                driver.notices.answered(what, &subject);
                answer
            })
        });
        match (task, made) {
            (Task::Calendars, made) => {
                self.memory.calendars.is_asked = made.is_some();
                made.into_iter().for_each(|made| self.calls.push(made));
            }
            (Task::Alarm, made) => {
                self.memory.alarm.is_asked = made.is_some();
                made.into_iter().for_each(|made| self.calls.push(made));
            }
            (Task::Sweep(place), made) => {
                self.memory.sweeps.entry(place).or_default().is_under_way = made.is_some();
                made.into_iter().for_each(|made| self.calls.push(made));
            }
            (Task::Unit(task), Some(made)) => {
                self.memory.unit_tasks.begin(task);
                self.calls.push(made);
            }
            (Task::Location(task), Some(made)) => {
                self.memory.location_tasks.begin(task);
                self.calls.push(made);
            }
            (Task::StopBelow(place), Some(made)) => {
                self.memory.stops_below.begin(place);
                self.calls.push(made);
            }
            (Task::StopBelow(place), None) => self.memory.stops_below.clear(&place),
            (Task::Unit(task), None) => self.memory.unit_tasks.clear(&task),
            (Task::Location(task), None) => self.memory.location_tasks.clear(&task),
        }
    }

    fn start(&mut self, unit: UnitId, attempt: u32) -> Option<BoxFuture<'d, Answer>> {
        let driver = self.driver;
        let StartState::Intended(intent) = &self.state.units().get(&unit)?.start else {
            return None;
        };
        let until = sent_until(intent, driver.writer)?;
        // The look before it is sent may take long, and a start that is sent again has its own rule of the cutoff and of freezes.
        let sends_until = self.state.sends_until(self.now()).filter(|_| !intent.sent_before);
        let until = sends_until.map_or(until, |begins| until.min(begins));
        // What change calendars and the alarm have said holds for a while only.
        let holds = self.memory.holds_until(&self.state);
        let until = holds.map_or(until, |holds| until.min(holds));
        let off = self.calls.may_be_called_off(unit);
        let token = self.state.client_token(unit, attempt);
        let request = intent.request.clone();
        let asked = self.memory.of_unit(unit);
        let seen_at = asked.and_then(|asked| asked.seen_just_now(self.now()));
        let looks = self.is_looked_for(unit);
        let automation = driver.dispatcher(&self.state, unit);
        let if_refused = self.refused_whole(unit, &request);
        let asked_at = seen_at.unwrap_or_else(|| self.now());
        let subject = of_unit(unit);
        Some(Box::pin(async move {
            if looks {
                match find_in_time(driver, &*automation, &request.document_name, token, unit, &off).await {
                    Ok(None) => {}
                    Ok(Some(execution)) => return Answer::Sent(unit, attempt, asked_at, Ok(execution)),
                    Err(error) => return Answer::Unseen(unit, attempt, error),
                }
            }
            // Nothing is waited for between this and the call.
            let is_late = driver.clock.now() > until && !slips(Slip::SendsLate);
            if is_late || off.is_called_off() {
                return Answer::NotSent(unit, attempt, asked_at);
            }
            let notices = &driver.notices;
            if looks {
                let now = driver.clock.now();
                notices.works(Tried::LookBefore, &subject, now);
                notices.asked(Tried::Start, &subject, now);
            }
            let start = automation.start(&request, token, until);
            let sent = hearing(start, notices.hearer(Tried::Start, &subject, 0)).await;
            notices.answered(Tried::Start, &subject);
            match (sent, if_refused) {
                (Err(error), Some(refused)) if error.sent() == Sent::No => {
                    refused.answer(driver, unit, attempt, asked_at, error).await
                }
                (sent, _) => Answer::Sent(unit, attempt, asked_at, sent),
            }
        }))
    }

    /// What is needed if AWS refuses the command of this unit whole. `None` if Automation sends it.
    fn refused_whole(&self, unit: UnitId, request: &StartRequest) -> Option<IfRefused> {
        let (location, _) = request.to_send()?;
        Some(IfRefused {
            state: self.state.excerpt(unit, &location),
            location,
            now: self.now(),
        })
    }

    /// Whether a unit is looked for right before its start is sent.
    fn is_looked_for(&self, unit: UnitId) -> bool {
        let asked = self.memory.of_unit(unit);
        let is_seen = asked.is_some_and(|asked| asked.seen_just_now(self.now()).is_some());
        self.memory.may_be_begun(&self.state, unit) && !is_seen
    }

    fn find(&self, unit: UnitId) -> Option<BoxFuture<'d, Answer>> {
        let driver = self.driver;
        let intent = self.state.units().get(&unit)?.intent()?;
        let attempt = intent.attempt;
        let token = self.state.client_token(unit, attempt);
        let document = intent.request.document_name.clone();
        let asked_at = self.now();
        let automation = driver.dispatcher(&self.state, unit);
        Some(Box::pin(async move {
            let found = start::find(&*automation, &document, token).await;
            Answer::Looked(unit, attempt, asked_at, found)
        }))
    }

    fn stop(&self, unit: UnitId, kind: StopType) -> Option<BoxFuture<'d, Answer>> {
        let execution = observe::execution_of(self.state.units().get(&unit)?)?.clone();
        let automation = self.driver.dispatcher(&self.state, unit);
        Some(Box::pin(async move {
            Answer::Stopped(unit, kind, automation.stop(&execution, kind).await)
        }))
    }

    fn observe(&self, unit: UnitId) -> Option<BoxFuture<'d, Answer>> {
        let execution = observe::execution_of(self.state.units().get(&unit)?)?.clone();
        let automation = self.driver.dispatcher(&self.state, unit);
        Some(Box::pin(async move {
            let observed = observe::observe(&*automation, &execution).await;
            Answer::Observed(unit, observed)
        }))
    }

    fn look_below(&self, unit: UnitId, location: &Location) -> Option<BoxFuture<'d, Answer>> {
        let driver = self.driver;
        let state = self.state.units().get(&unit)?;
        let execution = observe::execution_of(state)?.clone();
        let at = state.locations.get(location)?;
        let child = at.child.clone().filter(|_| self.state.is_to_be_looked_at(at))?;
        let known = at.commands.keys().cloned().collect();
        let location = location.clone();
        let one_command = self.state.runs_own_runbook();
        let automation = driver.dispatcher(&self.state, unit);
        Some(Box::pin(async move {
            let ports = driver.results(&*automation);
            let seen = observe::below(ports, location.clone(), child, known, one_command).await;
            Answer::Seen(unit, location, execution, seen)
        }))
    }
}

/// What is needed to find out which nodes are away, if a command is refused whole that patchfleet sends itself.
struct IfRefused {
    state: State,
    location: Location,
    now: Timestamp,
}

impl IfRefused {
    /// The answer to a command that was certainly not sent, for this reason.
    async fn answer(
        self,
        driver: &Driver,
        unit: UnitId,
        attempt: u32,
        asked_at: Timestamp,
        error: PortError,
    ) -> Answer {
        let job = Job {
            ports: driver.results(&*driver.automation),
            state: &self.state,
            unit,
            location: &self.location,
            parent: None,
            now: self.now,
        };
        let words = error.reason();
        match job.refused_whole(&words).await {
            Ok(Some(away)) => Answer::RefusedWhole(unit, attempt, asked_at, away, words),
            Ok(None) => Answer::Sent(unit, attempt, asked_at, Err(error)),
            // Who is away is not known for now, and nothing was sent.
            Err(unread) => {
                let kind = if unread.kind().is_transient() {
                    unread.kind()
                } else {
                    PortErrorKind::Unavailable
                };
                let error = PortError::new(kind, "which of its nodes are away cannot be seen")
                    .with_words(words)
                    .with_source(unread);
                Answer::Sent(unit, attempt, asked_at, Err(error))
            }
        }
    }
}

/// Until when this writer may send the start that it has just intended; `None`: it has not. AWS has to remember the
/// client token of what was sent first, too.
fn sent_until(intent: &Intent, writer: WriterId) -> Option<Timestamp> {
    let own = intent.in_doubt.iter().rfind(|sending| sending.writer == writer)?;
    let until = later(own.at, SENT_WITHIN);
    let forgotten = intent.in_doubt.first().and_then(forgotten_from);
    Some(forgotten.map_or(until, |from| until.min(from)))
}

/// What a call is made for.
enum Task {
    Calendars,
    Alarm,
    Unit(UnitTask),
    Location(LocationTask),
    StopBelow((UnitId, Location)),
    Sweep(Place),
}
