//! The function: which settings it has, and how it serves a delivery.

mod fired;
mod followed;
mod handover;
mod second_attempt;
mod stopped;
mod troubles;

pub(crate) use handover::{NoStateMachine, StateMachine};

use crate::answer::{Answer, Planned};
use crate::cutoff;
use crate::delivered::Event;
use crate::event::{Asked, Form, problems};
use crate::failure::{Failure, FailureKind};
use crate::operation::{Delivered, Operation};
use crate::settings::Settings;
use aws_config::SdkConfig;
use followed::Logged;
use jiff::{SignedDuration, Timestamp};
use patchfleet_aws::{Aws, SystemClock, external_id_from_env};
use patchfleet_core::campaign::{Notices, Store};
use patchfleet_core::id::CampaignId;
use patchfleet_core::plan::{Attendance, Gaps, Plan, PlanError, Planning};
use patchfleet_core::port::{BoxFuture, Clock, Ports};
use patchfleet_core::problem::{Problem, ProblemCode};
use patchfleet_core::request::Access;
use patchfleet_core::text::one_line;
use patchfleet_core::{CampaignError, plan_event, watched};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tracing::Instrument as _;
use troubles::Troubles;

/// How many bytes of logs a function keeps that is called again. That is the log of a campaign of some thousand locations.
const KEPT: usize = 16 * 1024 * 1024;

/// The function. From one delivery to the next it keeps what it has read of logs, and nothing else. Each delivery reads what
/// is new.
#[derive(Clone)]
pub struct Function {
    config: SdkConfig,
    settings: Settings,
    clock: Arc<dyn Clock>,
    store: Arc<OnceLock<Store>>,
}

/// What is known of a delivery, beside what was delivered.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// When the function was called.
    at: Timestamp,
    /// When its time is over, less what it needs to answer.
    deadline: Option<Timestamp>,
}

impl Function {
    /// A function with this configuration of the SDK, and these settings.
    #[must_use]
    pub fn new(config: SdkConfig, settings: Settings) -> Self {
        Self {
            config,
            settings,
            clock: Arc::new(SystemClock::new()),
            store: Arc::default(),
        }
    }

    /// Sets the clock by which it waits: the system's, unless a simulator runs on another one.
    #[must_use]
    pub fn on_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Serves one delivery: an event, or an operation. `invocation_id` is Lambda's own id for it. It stays the same when
    /// Lambda tries again. Nothing is begun at `deadline` or after it: when the function's time is over, less what it
    /// needs to answer.
    ///
    /// # Errors
    ///
    /// [`FailureKind`] says what can be done. Serving the same delivery again is safe in each case.
    pub async fn handle(
        &self,
        event: Event,
        invocation_id: &str,
        deadline: Option<Timestamp>,
    ) -> Result<Answer, Failure> {
        let delivered = Delivered::read(event.value()?, invocation_id, &self.settings)?;
        let call = Call {
            at: self.clock.now(),
            deadline,
        };
        let campaign = delivered.campaign();
        let span = match campaign {
            Some(campaign) => tracing::info_span!("event", %campaign),
            None => tracing::info_span!("event"),
        };
        // In a box, since the futures of all operations are nested deeper than the compiler follows.
        let serve: BoxFuture<'_, _> = Box::pin(self.serve(delivered, call));
        let answer = serve.instrument(span).await;
        answer.map_err(|failure| match campaign {
            Some(campaign) => failure.of(campaign),
            None => failure,
        })
    }

    async fn serve(&self, delivered: Delivered, call: Call) -> Result<Answer, Failure> {
        let operation = match delivered {
            Delivered::Event(asked) => {
                return match self.logged()? {
                    None => Ok(Answer::Fired(boxed(|| self.fire(&asked, call)).await?)),
                    Some(logged) => boxed(|| logged.begin_and_hand_over(&asked, call)).await,
                };
            }
            Delivered::Operation(Operation::Plan(asked)) => {
                return Ok(Answer::Planned(boxed(|| self.plan(&asked, call)).await?));
            }
            Delivered::Operation(Operation::Ignore(reason)) => return Ok(ignored(reason)),
            Delivered::Operation(operation) => operation,
        };
        // Where there is none, the operation was refused when it was read.
        let Some(logged) = self.logged()? else {
            return Err(Failure::said(
                FailureKind::InvalidRequest,
                "PATCHFLEET_LOG is not set",
            ));
        };
        match operation {
            Operation::Plan(asked) => Ok(Answer::Planned(boxed(|| self.plan(&asked, call)).await?)),
            Operation::Start(asked) => boxed(|| logged.start(&asked, call)).await,
            Operation::Advance { campaign, turn } => boxed(|| logged.advance(campaign, turn, call)).await,
            Operation::Stop {
                campaign,
                mode,
                said_at,
            } => boxed(|| logged.stop(campaign, mode, said_at, call)).await,
            Operation::Ignore(reason) => Ok(ignored(reason)),
            Operation::Collect(campaign) => boxed(|| logged.collect(campaign, call)).await,
            Operation::Report(campaign) => {
                Ok(Answer::Reported(boxed(|| logged.report(campaign, call)).await?))
            }
        }
    }

    /// The function with its log, if it has one.
    fn logged(&self) -> Result<Option<Logged<'_>>, Failure> {
        let Some(log) = &self.settings.log else {
            return Ok(None);
        };
        let store = match self.store.get() {
            Some(store) => store.clone(),
            None => {
                let store = Aws::builder(&self.config).store(log);
                let store = store.map_err(|error| Failure::of_port(&error))?;
                self.store.get_or_init(|| store.keeping(KEPT)).clone()
            }
        };
        Ok(Some(Logged {
            function: self,
            log,
            store,
        }))
    }

    /// Plans an event as the event alone would be planned, and begins nothing.
    async fn plan(&self, asked: &Asked, call: Call) -> Result<Planned, Failure> {
        let troubles = Troubles::default();
        let notices = heard_by(&troubles);
        let ports = watched(&self.ports(&asked.request.access)?, &notices);
        let is_fired = self.settings.log.is_none();
        let plan = async {
            self.require_own_role(asked, &ports).await?;
            if is_fired {
                let planned = plan_event(&ports, &asked.request, &self.planning_to_fire(asked, call)).await;
                return planned.map_err(|error| Failure::of_fired(&error));
            }
            let planning = self.planning(asked, call);
            if let Some(logged) = self.logged()?.filter(|_| planning.carry_over) {
                // What the last campaign has left stands in the log.
                let campaigns = logged.campaigns(&asked.request.access, &notices)?;
                let planned = campaigns
                    .plan_of(asked.campaign(), &asked.request, &planning)
                    .await;
                let planned = planned.map_err(|error| Failure::of_campaign(&error, logged.log))?;
                return Ok(planned.plan().clone());
            }
            match Plan::make(&ports, &asked.request, &planning).await {
                Ok(plan) => Ok(plan),
                Err(error @ PlanError::Refused(_)) => Err(Failure::new(FailureKind::Refused, &error)),
                Err(PlanError::Port(error)) => Err(Failure::of_fired(&CampaignError::Asking(error))),
            }
        };
        match self.in_time(&notices, call, plan).await {
            Some(Ok(plan)) => Ok(Planned::of(&plan)),
            Some(Err(failure)) => Err(failure.with_the_way_out(asked.form)),
            None => Err(out_of_time("before the plan was made", &troubles)),
        }
    }

    /// Sees that the administration role, if the event names one, is of the function's own account. No account may pass a
    /// role of another one (IAM User Guide, "Grant a user permissions to pass a role to an AWS service").
    async fn require_own_role(&self, asked: &Asked, ports: &Ports) -> Result<(), Failure> {
        let Some(role) = &asked.request.automation.assume_role else {
            return Ok(());
        };
        let caller = ports.directory.caller().await;
        let caller = caller.map_err(|error| Failure::of_fired(&CampaignError::Asking(error)))?;
        let own = caller.account.as_str();
        if role.as_str().split(':').nth(4) == Some(own) {
            return Ok(());
        }
        let value = match asked.form {
            Form::Sample => role.as_str().split(':').nth(4).unwrap_or_default(),
            _ => role.as_str(),
        };
        let expected = format!(
            "a role of the account of the function, {own}: no other can be passed to Systems Manager"
        );
        let path = asked.form.administration_role();
        let problem = Problem::new(ProblemCode::InvalidValue, path, format!("{value:?}"), expected);
        Err(problems(vec![problem]).into())
    }

    /// How an event is planned that nobody follows.
    fn planning_to_fire(&self, asked: &Asked, call: Call) -> Planning {
        let mut planning = self.planning(asked, call);
        if asked.form == Form::Sample {
            // Nobody begins what has to wait, so the sample's rectangle is kept.
            planning.gaps = Gaps::Fill;
        }
        planning
    }

    /// How an event is planned that somebody follows.
    fn planning(&self, asked: &Asked, call: Call) -> Planning {
        let after = asked.cutoff.or(self.settings.cutoff);
        let mut planning = Planning {
            cutoff: after.map(|after| cutoff::at(after, call.at)),
            carry_over: asked.carry_over.unwrap_or(self.settings.carry_over),
            second_attempt: asked.second_attempt.unwrap_or(self.settings.second_attempt),
            ..Planning::default()
        };
        if asked.form == Form::Sample {
            // The sample starts one rectangle without a look at it. In its place nothing is refused that it would have
            // begun.
            planning.attendance = Attendance::Attended;
        }
        planning
    }

    /// The ports on which a request is planned and followed.
    fn ports(&self, access: &Access) -> Result<Ports, Failure> {
        let access = external_id_from_env(access.clone()).map_err(|error| Failure::of_port(&error))?;
        Aws::builder(&self.config)
            .access(access)
            .limits(self.settings.limits.clone())
            .clock(self.clock.clone())
            .ports()
            .map_err(|error| Failure::of_port(&error))
    }

    /// Waits until the function's time is over.
    async fn is_over(&self, call: Call) {
        match call.deadline {
            Some(deadline) => self.clock.sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    }

    /// What the work gives, or `None` if the function's time is over before. What was tried in vain meanwhile is logged.
    async fn in_time<T>(&self, notices: &Notices, call: Call, work: impl Future<Output = T>) -> Option<T> {
        if call.deadline.is_some_and(|deadline| self.clock.now() >= deadline) {
            return None;
        }
        tokio::select! {
            // First the work: on a clock that does not wait, sleeping takes no time.
            biased;
            done = work => Some(done),
            () = self.is_over(call) => None,
            never = look(notices, &*self.clock) => match never {},
        }
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Delivered {
    /// The campaign that it is of, if that is known before anybody is asked.
    fn campaign(&self) -> Option<CampaignId> {
        match self {
            Self::Event(asked) | Self::Operation(Operation::Plan(asked) | Operation::Start(asked)) => {
                Some(asked.campaign())
            }
            Self::Operation(
                Operation::Advance { campaign, .. }
                | Operation::Collect(campaign)
                | Operation::Report(campaign),
            ) => Some(*campaign),
            Self::Operation(Operation::Stop { campaign, .. }) => *campaign,
            Self::Operation(Operation::Ignore(_)) => None,
        }
    }
}

/// The answer to what asks for nothing.
fn ignored(reason: String) -> Answer {
    tracing::info!("ignored: {reason}");
    Answer::Nothing {
        status: "ignored",
        reason,
    }
}

/// A failure for want of time. A longer time would not help where something does not work.
fn out_of_time(when: &str, troubles: &Troubles) -> Failure {
    let why = match troubles.words() {
        Some(words) => format!("This did not work: {words}"),
        None => "If it comes no further, give it a longer timeout".to_owned(),
    };
    let words = format!(
        "the time that the function has was over {when}. Call it again: what is written down is gone on with. {why}"
    );
    Failure::said(FailureKind::Failed, &words)
}

/// Logs what a person wants to hear at once.
fn notices() -> Notices {
    heard_by(&Troubles::default())
}

/// [`notices`], which these troubles take in as well.
fn heard_by(troubles: &Troubles) -> Notices {
    let troubles = troubles.clone();
    Notices::new(Arc::new(move |notice| {
        troubles.hear(notice);
        tracing::warn!("{}", one_line(&notice.to_string()));
    }))
}

/// Looks once a second whether something has had no answer for long.
async fn look(notices: &Notices, clock: &dyn Clock) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        notices.look(clock.now());
    }
}

/// A part of the time until a deadline, and no more than `most`.
fn margin(left: SignedDuration, most: SignedDuration) -> SignedDuration {
    (left / 4).clamp(SignedDuration::ZERO, most)
}

/// A future in a box. The one that waits for it has no room for it on its own stack: there it would have that of every operation at once, which in
/// a debug build is more than a thread has.
fn boxed<F: Future>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}
