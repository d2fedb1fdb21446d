//! One call. It knows what is asked, where, and with whose credentials, how it is made, and how its answer is read.

use super::classify;
use super::error::CallError;
use super::limits::Limits;
use super::operation::Operation;
use super::place::Place;
use super::reading::{Unreadable, next_page};
use super::renew::{Signer, renewing};
use super::turn::{Again, Pace};
use super::watch::Watch;
use aws_config::retry::RetryConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use aws_types::SdkConfig;
use jiff::Timestamp;
use patchfleet_core::id::Region;
use patchfleet_core::port::{Clock, Page, PortError, PortErrorKind, PortResult};
use std::error::Error;
use std::sync::Arc;

/// Makes every call, and has what all of them share.
pub(crate) struct Sender {
    pace: Pace,
    central: Region,
    /// How often a call is made at most, if its credentials expire or if it changes something. The SDK makes a call that
    /// fails as often.
    tries: u32,
}

impl Sender {
    /// Makes calls at the rates of `limits`, which are kept on `clock`.
    pub(crate) fn new(config: &SdkConfig, central: Region, clock: Arc<dyn Clock>, limits: Limits) -> Self {
        Self {
            pace: Pace::new(clock, limits),
            central,
            tries: config.retry_config().map_or_else(
                || RetryConfig::standard().max_attempts(),
                RetryConfig::max_attempts,
            ),
        }
    }

    /// The central Region.
    pub(crate) fn central(&self) -> &Region {
        &self.central
    }

    /// The clock on which rates are kept.
    pub(crate) fn clock(&self) -> &dyn Clock {
        self.pace.clock()
    }

    /// Begins a call. Nothing is sent yet.
    pub(crate) fn call(
        self: &Arc<Self>,
        operation: Operation,
        place: impl Into<Place>,
        signer: Arc<dyn Signer>,
    ) -> Call {
        let place = place.into();
        Call {
            what: format!("{operation} in {place}"),
            is_central: *place.region() == self.central,
            sender: self.clone(),
            operation,
            place,
            signer,
            watch: Watch::default(),
        }
    }
}

/// The error of a call that reached nobody, with what to look at.
fn not_reached(asked: &str, region: &Region) -> String {
    let host = asked.rsplit_once("://").map_or(asked, |(_, host)| host);
    let host = host.split(':').next().unwrap_or(host);
    let is_aws = AWS_HOSTS.iter().any(|domain| host.ends_with(domain));
    let look = if is_aws {
        format!("see that {region} is a Region and that this machine can reach it")
    } else {
        "see that it is right: AWS_ENDPOINT_URL, or the profile's endpoint_url, sets it".to_owned()
    };
    format!("{asked} could not be reached ({look})")
}

/// How the hosts of AWS's own endpoints end, in the commercial, China and GovCloud partitions.
const AWS_HOSTS: [&str; 4] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".api.aws",
    ".api.amazonwebservices.com.cn",
];

/// One call of AWS.
pub(crate) struct Call {
    sender: Arc<Sender>,
    operation: Operation,
    place: Place,
    signer: Arc<dyn Signer>,
    /// The call, as errors name it.
    what: String,
    is_central: bool,
    watch: Watch,
}

/// Sends a request of the SDK as this call, and gives AWS's answer or a [`CallError`]. It is a macro
/// because the SDK's requests have no trait in common.
macro_rules! send {
    ($call:expr, $request:expr) => {
        $call.send(|watch| $request.clone().customize().interceptor(watch).send())
    };
}
pub(crate) use send;

/// As [`send!`], for a call without a client token: where its answer is lost the SDK does not make it again.
macro_rules! send_once {
    ($call:expr, $request:expr) => {
        $call.send(|watch| {
            let once =
                aws_sdk_ssm::config::Builder::new().retry_config(aws_config::retry::RetryConfig::disabled());
            let request = $request.clone().customize().interceptor(watch);
            request.config_override(once).send()
        })
    };
}
pub(crate) use send_once;

impl Call {
    /// The Region that it goes to.
    pub(crate) fn region(&self) -> &Region {
        self.place.region()
    }

    /// The same call, signed with these credentials instead of the caller's own.
    pub(crate) fn signed_by(self, credentials: SharedCredentialsProvider) -> Self {
        Self {
            watch: Watch::signed_by(credentials),
            ..self
        }
    }

    /// The same call, which is not sent after this instant: that is asked last, once it has its turn and its credentials.
    pub(crate) fn not_after(self, at: Timestamp) -> Self {
        let clock = self.sender.pace.shared_clock();
        Self {
            watch: self.watch.not_after(at, clock),
            ..self
        }
    }

    /// The same call, by another name in errors.
    pub(crate) fn named(self, what: String) -> Self {
        Self { what, ..self }
    }

    /// The same call, to a Region that is known to be enabled, as the central one is.
    pub(crate) fn in_enabled_region(self) -> Self {
        Self {
            is_central: true,
            ..self
        }
    }

    /// Makes the call in its turn. It is made again more slowly while AWS throttles it, and with new
    /// credentials if its own have expired. [`send!`] calls this, and puts the watch in.
    pub(crate) async fn send<T, E, F>(&self, send: impl Fn(Watch) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let Self { operation, place, .. } = self;
        // A change is not repeated for minutes. Whoever drives the campaign decides about it anew. A throttled start
        // is answered at once: it has had no effect, and whoever asked may not live to hear of it later.
        let (changes, tries) = (operation.changes(), self.sender.tries);
        let again = match operation {
            Operation::StartAutomationExecution | Operation::SendCommand => Again::Times(1),
            _ if changes => Again::Times(tries),
            // Nothing follows from the names of patches, and a location is not told of until they are read.
            Operation::DescribeInstancePatches => Again::Times(1),
            _ => Again::WhileAwsAnswers,
        };
        let send = &send;
        renewing(&*self.signer, tries, move || {
            self.sender
                .pace
                .paced(*operation, place, again, move || async move {
                    tracing::debug!(%operation, %place, "calling AWS");
                    send(self.watch.clone()).await.map_err(|error| {
                        let what = match self.watch.asked().filter(|_| classify::found_nobody(&error)) {
                            Some(asked) => {
                                format!("{} failed: {}", self.what, not_reached(&asked, place.region()))
                            }
                            None => format!("{} failed", self.what),
                        };
                        let failure = classify::failure(what, self.is_central, error);
                        tracing::debug!(%operation, %place, kind = %failure.kind(), "AWS did not do it");
                        match changes {
                            true if !self.watch.was_transmitted() => failure.never_sent(),
                            true if self.watch.may_have_taken_effect() => failure.maybe_sent(),
                            _ => failure,
                        }
                    })
                })
        })
        .await
    }

    /// When AWS gave the last answer, by AWS's own clock. `None` if the answer has no date.
    pub(crate) fn answered_at(&self) -> Option<Timestamp> {
        self.watch.answered_at()
    }

    /// A part of the request, or the error of a request that cannot be made.
    pub(crate) fn built<T>(&self, part: Result<T, BuildError>) -> PortResult<T> {
        part.map_err(|error| {
            let what = format!("{} has no valid request", self.what);
            PortError::new(PortErrorKind::Invalid, what).with_source(error)
        })
    }

    /// What was read in the answer, or the error of an answer that cannot be read. AWS answered, so a
    /// call that changes something may have taken effect.
    pub(crate) fn read<T>(&self, reading: Result<T, impl Into<Unreadable>>) -> PortResult<T> {
        reading.map_err(|cause| {
            let what = format!("{} gave an answer that cannot be read", self.what);
            let error = PortError::new(PortErrorKind::Other, what).with_source(cause);
            if self.operation.changes() {
                error.maybe_sent()
            } else {
                error
            }
        })
    }

    /// A page of a listing: its items as they were read, and the token of the next page.
    pub(crate) fn page<T, E: Into<Unreadable>>(
        &self,
        items: impl IntoIterator<Item = Result<T, E>>,
        next: Option<&str>,
    ) -> PortResult<Page<T>> {
        Ok(Page {
            items: self.read(items.into_iter().collect())?,
            next: next_page(next),
        })
    }
}
