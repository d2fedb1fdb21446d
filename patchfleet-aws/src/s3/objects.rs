//! The objects of a store: the five calls of S3 that it takes, and what their errors mean.

use super::uri::S3Uri;
use crate::call::{Watch, failure};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryPartition, TokenBucket};
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::SdkConfig;
use patchfleet_core::port::{PortError, PortErrorKind, PortResult};
use std::error::Error;
use std::sync::Arc;

/// How often an object is read whose bytes break off each time.
const BODIES: u32 = 5;

/// Objects below a prefix. Clones share the client.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    client: Client,
    uri: Arc<S3Uri>,
    region: Arc<str>,
}

/// An object that was read, and its entity tag.
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    pub(super) tag: Option<String>,
}

/// What a listing shows.
pub(super) struct Listed<T> {
    pub(super) found: Vec<T>,
    /// Whether there is no further page.
    pub(super) is_all: bool,
}

/// What a write is bound to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Only<'a> {
    /// There is no such object.
    IfNew,
    /// The object has this entity tag.
    IfTagged(&'a str),
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub(super) enum Written {
    /// It is there. Its entity tag, if S3 told it.
    Yes(Option<String>),
    /// The condition does not hold, and nothing was written.
    Not,
}

impl Objects {
    pub(super) fn new(config: &SdkConfig, uri: &S3Uri) -> Self {
        Self {
            client: client(config),
            uri: Arc::new(uri.clone()),
            region: config.region().map_or("", AsRef::as_ref).into(),
        }
    }

    /// The whole name of an object, for people.
    pub(super) fn shown(&self, name: &str) -> String {
        format!("s3://{}/{}", self.uri.bucket(), self.key(name))
    }

    fn key(&self, name: &str) -> String {
        match self.uri.prefix() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }

    /// Reads an object.
    pub(super) async fn get(&self, name: &str) -> PortResult<Option<Object>> {
        self.get_part(name, None).await
    }

    /// Reads the first so many bytes of an object, or all if it has fewer.
    pub(super) async fn get_beginning(&self, name: &str, bytes: usize) -> PortResult<Option<Vec<u8>>> {
        let range = format!("bytes=0-{}", bytes.saturating_sub(1));
        match self.get_part(name, Some(range)).await {
            // An object without a byte has no such range.
            Err(error) if error.kind() == PortErrorKind::Invalid => {
                Ok(self.get(name).await?.map(|object| object.bytes))
            }
            part => Ok(part?.map(|object| object.bytes)),
        }
    }

    async fn get_part(&self, name: &str, range: Option<String>) -> PortResult<Option<Object>> {
        let mut tries = 0;
        loop {
            tries += 1;
            let request = self
                .client
                .get_object()
                .bucket(self.uri.bucket())
                .key(self.key(name));
            let answer = match request.set_range(range.clone()).send().await {
                Ok(answer) => answer,
                Err(error) if code(&error) == Some("NoSuchKey") => return Ok(None),
                Err(error) => return Err(self.failed("GetObject", name, error)),
            };
            let tag = answer.e_tag;
            // The SDK gives the bytes as they come, so it makes no call again whose bytes break off.
            let broke_off = match answer.body.collect().await {
                Ok(bytes) => {
                    let bytes = bytes.to_vec();
                    return Ok(Some(Object { bytes, tag }));
                }
                Err(error) => error,
            };
            if tries == BODIES {
                let message = format!("GetObject of {} broke off", self.shown(name));
                return Err(PortError::new(PortErrorKind::Unavailable, message).with_source(broke_off));
            }
        }
    }

    /// The entity tag of an object; `None` if there is no such object.
    pub(super) async fn tag(&self, name: &str) -> PortResult<Option<String>> {
        let request = self
            .client
            .head_object()
            .bucket(self.uri.bucket())
            .key(self.key(name));
        match request.send().await {
            Ok(answer) => Ok(Some(answer.e_tag.unwrap_or_default())),
            // The answer to HEAD has no body, so no code either. That of a bucket which is not there is the same.
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(HeadObjectError::is_not_found) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.failed("HeadObject", name, error)),
        }
    }

    /// Writes an object on a condition. S3 compares what arrives with the SHA-256 that is sent with it, keeps that, and
    /// the SDK compares what is read with it. A checksum is what a bucket with Object Lock asks for as well.
    pub(super) async fn put(&self, name: &str, bytes: Vec<u8>, only: Only<'_>) -> PortResult<Written> {
        let watch = Watch::default();
        let request = self
            .client
            .put_object()
            .bucket(self.uri.bucket())
            .key(self.key(name))
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .body(ByteStream::from(bytes));
        let request = match only {
            Only::IfNew => request.if_none_match("*"),
            Only::IfTagged(tag) => request.if_match(tag),
        };
        let error = match request.customize().interceptor(watch.clone()).send().await {
            Ok(answer) => return Ok(Written::Yes(answer.e_tag)),
            Err(error) => error,
        };
        match (code(&error), only) {
            (Some("PreconditionFailed"), _) => Ok(Written::Not),
            // What was to be written over is gone.
            (Some("NoSuchKey"), Only::IfTagged(_)) => Ok(Written::Not),
            _ => {
                let failed = self.failed("PutObject", name, error);
                Err(match watch.may_have_taken_effect() {
                    true => failed.maybe_sent(),
                    false => failed,
                })
            }
        }
    }

    /// What `wanted` makes of the names that begin so, in the order of the names: of those after `after`, and of whole
    /// pages until there are `enough` or the names are at their end.
    pub(super) async fn list<T>(
        &self,
        begin: &str,
        after: Option<&str>,
        enough: usize,
        wanted: impl Fn(&str) -> Option<T>,
    ) -> PortResult<Listed<T>> {
        let mut found = vec![];
        let mut next: Option<String> = None;
        loop {
            let request = self
                .client
                .list_objects_v2()
                .bucket(self.uri.bucket())
                .prefix(self.key(begin))
                .set_start_after(after.map(|after| self.key(after)))
                .set_continuation_token(next.take());
            let page = request
                .send()
                .await
                .map_err(|error| self.failed("ListObjectsV2", begin, error))?;
            let keys = page
                .contents
                .unwrap_or_default()
                .into_iter()
                .filter_map(|object| object.key);
            found.extend(keys.filter_map(|key| wanted(self.name(&key)?)));
            next = page.next_continuation_token;
            if next.is_none() || found.len() >= enough {
                return Ok(Listed {
                    found,
                    is_all: next.is_none(),
                });
            }
        }
    }

    /// The folders below this one, without their slashes: what stands between `begin` and the next slash.
    pub(super) async fn folders(&self, begin: &str) -> PortResult<Vec<String>> {
        let mut folders = vec![];
        let mut next: Option<String> = None;
        loop {
            let request = self
                .client
                .list_objects_v2()
                .bucket(self.uri.bucket())
                .prefix(self.key(begin))
                .delimiter("/")
                .set_continuation_token(next.take());
            let page = request
                .send()
                .await
                .map_err(|error| self.failed("ListObjectsV2", begin, error))?;
            let keys = page
                .common_prefixes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|one| one.prefix);
            let below = keys.filter_map(|key| {
                let name = self.name(&key)?.strip_prefix(begin)?;
                Some(name.strip_suffix('/')?.to_owned())
            });
            folders.extend(below);
            next = page.next_continuation_token;
            if next.is_none() {
                return Ok(folders);
            }
        }
    }

    /// An object's name below the prefix.
    fn name<'a>(&self, key: &'a str) -> Option<&'a str> {
        match self.uri.prefix() {
            "" => Some(key),
            prefix => key.strip_prefix(prefix)?.strip_prefix('/'),
        }
    }

    /// What a failed call means. A bucket that is not there, or in another Region, will not be there in half a
    /// minute either.
    fn failed<E>(&self, operation: &str, name: &str, error: SdkError<E, HttpResponse>) -> PortError
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let bucket = self.uri.bucket();
        let answer = error.raw_response();
        let status = answer.map_or(0, |answer| answer.status().as_u16());
        // S3 says so with many answers, and always where the Region is the reason.
        let region = answer.and_then(|answer| answer.headers().get("x-amz-bucket-region"));
        let region = region
            .filter(|region| **region != *self.region)
            .map(str::to_owned);
        let wrong = match (code(&error), status, region) {
            (Some("NoSuchBucket"), ..) => {
                let what = format!("there is no bucket {bucket}");
                Some((PortErrorKind::Invalid, what))
            }
            (_, _, Some(region)) => {
                let what = format!(
                    "the bucket {bucket} is in {region}, and the caller's Region is {}: a log has to be in the caller's \
                     Region",
                    self.region
                );
                Some((PortErrorKind::Invalid, what))
            }
            (
                Some(
                    "PermanentRedirect"
                    | "AuthorizationHeaderMalformed"
                    | "IllegalLocationConstraintException",
                ),
                ..,
            )
            | (_, 301 | 307, _) => {
                let what = format!(
                    "the bucket {bucket} is not in {}, the caller's Region, where a log has to be",
                    self.region
                );
                Some((PortErrorKind::Invalid, what))
            }
            (Some("ConditionalRequestConflict" | "OperationAborted"), ..) | (_, 409, _) => {
                let what = format!("{} was being written by others each time", self.shown(name));
                Some((PortErrorKind::Unavailable, what))
            }
            _ => None,
        };
        let failed = PortError::from(failure(
            format!("{operation} of {} failed", self.shown(name)),
            true,
            error,
        ));
        match wrong {
            Some((kind, what)) => PortError::new(kind, what).with_source(failed),
            None if failed.kind() == PortErrorKind::Denied => self.denied(failed),
            None => failed,
        }
    }

    /// What a denied call means. Its answer may have no words, and that of an object which is not there says "denied" to
    /// whoever may not list the bucket (S3 API reference, GetObject).
    fn denied(&self, failed: PortError) -> PortError {
        let bucket = self.uri.bucket();
        let below = self.key("*");
        let what = format!(
            "the caller needs s3:GetObject and s3:PutObject on {bucket}/{below}, and s3:ListBucket on {bucket}"
        );
        PortError::new(PortErrorKind::Denied, what).with_source(failed)
    }
}

fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    error.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// The client. Every failure is tried again as often as the configuration says, whatever else failed before.
fn client(config: &SdkConfig) -> Client {
    let unlimited = RetryPartition::custom("patchfleet").token_bucket(TokenBucket::unlimited());
    let config = aws_sdk_s3::config::Builder::from(config)
        .retry_classifier(AnotherWrite)
        .retry_partition(unlimited.build());
    Client::from_conf(config.build())
}

/// A write on a condition is put off while another one of the same object is under way, and is to be made again (S3 User
/// Guide, "How to prevent object overwrites with conditional writes"). The SDK does not know that by itself.
#[derive(Debug)]
struct AnotherWrite;

impl ClassifyRetry for AnotherWrite {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(answer) if answer.status().as_u16() == 409 => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "PatchfleetAnotherWrite"
    }
}
