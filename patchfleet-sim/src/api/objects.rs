//! S3: objects in buckets, as far as a log in a bucket needs them.
//!
//! S3 has no model here: its requests are headers and paths rather than members. Faults, rates and permissions hold
//! for its calls as for all others, by IAM's names (`s3:PutObject`).

use super::{
    ApiError, Caller, Service,
    call::Cut,
    gate::{self, Fate},
};
use crate::{
    model::action,
    world::{RequestRecord, World, sum_of},
};
use patchfleet_core::id::Region;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// The header that says where a bucket is.
pub(crate) const BUCKET_REGION: &str = "x-amz-bucket-region";
/// How many keys a page of a listing holds at most.
const PAGE: usize = 1_000;

/// A call.
#[derive(Debug, Clone)]
pub(crate) enum ObjectCall {
    /// GetObject.
    Get {
        bucket: String,
        key: String,
        range: Option<(usize, usize)>,
    },
    /// HeadObject.
    Head { bucket: String, key: String },
    /// PutObject.
    Put {
        bucket: String,
        key: String,
        bytes: Vec<u8>,
        only: Option<Only>,
        /// The SHA-256 that is sent with it.
        sum: Option<String>,
    },
    /// DeleteObject.
    Delete { bucket: String, key: String },
    /// ListObjectsV2.
    List(Listing),
    /// HeadBucket.
    HeadBucket { bucket: String },
}

/// The condition of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Only {
    /// `If-None-Match: *`.
    IfNew,
    /// `If-Match` with this entity tag.
    IfTagged(String),
}

/// What a listing asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    pub(crate) bucket: String,
    pub(crate) prefix: String,
    pub(crate) delimiter: String,
    pub(crate) start_after: String,
    /// The page before ended with this key, or with this common prefix.
    pub(crate) token: Option<String>,
    pub(crate) max_keys: Option<usize>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) enum ObjectAnswer {
    /// An object, or a part of it. `of` is how many bytes the whole object has.
    Object {
        bytes: Arc<[u8]>,
        tag: String,
        /// The SHA-256 of the whole object, if it was sent with one.
        sum: Option<String>,
        part: Option<(usize, usize)>,
        of: usize,
    },
    /// It was written.
    Written { tag: String },
    /// Nothing more to say.
    Done,
    /// A page of keys.
    Page {
        keys: Vec<(String, String, usize, jiff::Timestamp)>,
        folders: Vec<String>,
        next: Option<String>,
    },
}

impl ObjectCall {
    /// Its name in S3's API.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Get { .. } => "GetObject",
            Self::Head { .. } => "HeadObject",
            Self::Put { .. } => "PutObject",
            Self::Delete { .. } => "DeleteObject",
            Self::List(_) => "ListObjectsV2",
            Self::HeadBucket { .. } => "HeadBucket",
        }
    }

    /// Its name in IAM (Service Authorization Reference, "Actions defined by Amazon S3").
    fn permission(&self) -> &'static str {
        match self {
            Self::Get { .. } | Self::Head { .. } => "GetObject",
            Self::Put { .. } => "PutObject",
            Self::Delete { .. } => "DeleteObject",
            Self::List(_) | Self::HeadBucket { .. } => "ListBucket",
        }
    }

    fn bucket(&self) -> &str {
        match self {
            Self::Get { bucket, .. }
            | Self::Head { bucket, .. }
            | Self::Put { bucket, .. }
            | Self::Delete { bucket, .. }
            | Self::HeadBucket { bucket } => bucket,
            Self::List(listing) => &listing.bucket,
        }
    }

    /// What is kept of it on record: everything but an object's bytes.
    pub(crate) fn input(&self) -> Value {
        match self {
            Self::Get {
                bucket,
                key,
                range: Some((first, last)),
            } => {
                json!({"Bucket": bucket, "Key": key, "Range": format!("bytes={first}-{last}")})
            }
            Self::Get {
                bucket,
                key,
                range: None,
            }
            | Self::Head { bucket, key }
            | Self::Delete { bucket, key } => {
                json!({"Bucket": bucket, "Key": key})
            }
            Self::Put {
                bucket,
                key,
                bytes,
                only,
                sum,
            } => {
                let mut input = Map::new();
                let mut have = |name: &str, value: Value| input.insert(name.to_owned(), value);
                have("Bucket", Value::from(bucket.as_str()));
                have("Key", Value::from(key.as_str()));
                have("ContentLength", Value::from(bytes.len()));
                match only {
                    Some(Only::IfNew) => have("IfNoneMatch", Value::from("*")),
                    Some(Only::IfTagged(tag)) => have("IfMatch", Value::from(tag.as_str())),
                    None => None,
                };
                if let Some(sum) = sum {
                    have("ChecksumSHA256", Value::from(sum.as_str()));
                }
                Value::Object(input)
            }
            Self::List(Listing {
                bucket,
                prefix,
                start_after,
                ..
            }) => {
                json!({"Bucket": bucket, "Prefix": prefix, "StartAfter": start_after})
            }
            Self::HeadBucket { bucket } => json!({"Bucket": bucket}),
        }
    }
}

/// Draws what faults do to a call.
pub(crate) fn object_fate(world: &mut World, caller: &Caller, call: &ObjectCall) -> Fate {
    gate::fate(world, caller, Service::S3, call.permission(), &call.input())
}

/// Makes a call, as `fate` allows. The caller of this function decides whether the answer arrives.
pub(crate) fn object_call(
    world: &mut World,
    caller: &Caller,
    call: ObjectCall,
    fate: &Fate,
) -> Result<ObjectAnswer, ApiError> {
    let (name, permission, input) = (call.name(), call.permission(), call.input());
    let result = if fate.cut == Some(Cut::Before) {
        Err(ApiError::lost())
    } else {
        gate::admit(world, caller, Service::S3, permission, &input, fate)
            .and_then(|()| run(world, caller, call))
    };
    let error = result.as_ref().err();
    let record = RequestRecord {
        principal_account: caller.origin.to_string(),
        principal: caller.arn(),
        account: caller.account.to_string(),
        region: caller.region.to_string(),
        service: Service::S3.name().to_owned(),
        operation: name.to_owned(),
        input,
        status: error.map_or(200, ApiError::status),
        error: error.map(|error| error.code().to_owned()),
        faults: fate.names.clone(),
        time: world.now(),
    };
    world.record(record, Some(&action(Service::S3, permission)));
    result
}

fn run(world: &mut World, caller: &Caller, call: ObjectCall) -> Result<ObjectAnswer, ApiError> {
    if !world.has_bucket(call.bucket()) {
        return Err(ApiError::new(
            404,
            "NoSuchBucket",
            "The specified bucket does not exist",
        ));
    }
    if let Some(region) = world.bucket_region(call.bucket())
        && *region != caller.region
    {
        return Err(elsewhere(region));
    }
    match call {
        ObjectCall::Get { bucket, key, range } => {
            let object = world
                .object(&bucket, &key)
                .cloned()
                .ok_or_else(|| missing(world, caller))?;
            let of = object.bytes.len();
            let Some((first, last)) = range else {
                return Ok(ObjectAnswer::Object {
                    bytes: object.bytes,
                    tag: object.tag,
                    sum: object.sum,
                    part: None,
                    of,
                });
            };
            let last = last.min(of.saturating_sub(1));
            let part = object.bytes.get(first..=last).filter(|_| first < of);
            let part = part.ok_or_else(|| {
                ApiError::new(416, "InvalidRange", "The requested range is not satisfiable")
            })?;
            Ok(ObjectAnswer::Object {
                bytes: part.into(),
                tag: object.tag,
                sum: None,
                part: Some((first, last)),
                of,
            })
        }
        ObjectCall::Head { bucket, key } => {
            let object = world
                .object(&bucket, &key)
                .ok_or_else(|| missing(world, caller))?;
            let of = object.bytes.len();
            Ok(ObjectAnswer::Object {
                bytes: [].into(),
                tag: object.tag.clone(),
                sum: object.sum.clone(),
                part: None,
                of,
            })
        }
        ObjectCall::Put {
            bucket,
            key,
            bytes,
            only,
            sum,
        } => {
            if sum.as_deref().is_some_and(|sum| sum != sum_of(&bytes)) {
                return Err(ApiError::new(
                    400,
                    "BadDigest",
                    "The SHA256 you specified did not match the calculated checksum.",
                ));
            }
            let there = world.object(&bucket, &key).map(|object| object.tag.clone());
            match (&only, &there) {
                (Some(Only::IfNew), Some(_)) => return Err(precondition_failed()),
                (Some(Only::IfTagged(_)), None) => return Err(missing(world, caller)),
                (Some(Only::IfTagged(tag)), Some(there)) if tag != there => return Err(precondition_failed()),
                _ => {}
            }
            world.put_object_with(&bucket, &key, bytes, sum);
            let tag = world
                .object(&bucket, &key)
                .map_or_else(String::new, |object| object.tag.clone());
            Ok(ObjectAnswer::Written { tag })
        }
        ObjectCall::Delete { bucket, key } => {
            world.delete_object(&bucket, &key);
            Ok(ObjectAnswer::Done)
        }
        ObjectCall::List(listing) => Ok(list(world, &listing)),
        ObjectCall::HeadBucket { .. } => Ok(ObjectAnswer::Done),
    }
}

/// A page of a listing. Keys that have the delimiter behind the prefix count as one folder.
fn list(world: &World, listing: &Listing) -> ObjectAnswer {
    let Listing {
        bucket,
        prefix,
        delimiter,
        start_after,
        token,
        max_keys,
    } = listing;
    let most = max_keys.unwrap_or(PAGE).min(PAGE);
    let after = token.as_deref().unwrap_or(start_after);
    let (mut keys, mut folders) = (vec![], Vec::<String>::new());
    let mut last = None;
    for (key, object) in world.listed_objects(bucket, prefix, after) {
        let folder = folder_of(key, prefix, delimiter);
        // A folder that the page before ended with is over.
        if folder.is_some() && (folder == token.as_deref() || folder == folders.last().map(String::as_str)) {
            continue;
        }
        if keys.len().saturating_add(folders.len()) == most {
            return ObjectAnswer::Page {
                keys,
                folders,
                next: last,
            };
        }
        last = Some(folder.unwrap_or(key).to_owned());
        match folder {
            Some(folder) => folders.push(folder.to_owned()),
            None => keys.push((
                key.to_owned(),
                object.tag.clone(),
                object.bytes.len(),
                object.written_at(),
            )),
        }
    }
    ObjectAnswer::Page {
        keys,
        folders,
        next: None,
    }
}

/// The key up to the first delimiter behind the prefix.
fn folder_of<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    let rest = key.strip_prefix(prefix).filter(|_| !delimiter.is_empty())?;
    let end = prefix
        .len()
        .checked_add(rest.find(delimiter)?)?
        .checked_add(delimiter.len())?;
    key.get(..end)
}

/// No such object. Whoever may not list the bucket is not told even that (API reference, GetObject).
fn missing(world: &World, caller: &Caller) -> ApiError {
    let may_list = caller.role().is_none_or(|role| {
        !world
            .organization()
            .denies(&caller.account, role, &action(Service::S3, "ListBucket"))
    });
    match may_list {
        true => ApiError::new(404, "NoSuchKey", "The specified key does not exist."),
        false => ApiError::new(403, "AccessDenied", "Access Denied"),
    }
}

/// The answer of an endpoint of S3 in whose Region the bucket is not (S3 User Guide, "Making requests"; HeadBucket for
/// the header).
fn elsewhere(region: &Region) -> ApiError {
    ApiError::new(
        301,
        "PermanentRedirect",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future \
         requests to this endpoint.",
    )
    .with(BUCKET_REGION, region.to_string())
}

/// The status of one of S3's errors (API reference, "Error responses").
pub(crate) fn status_of(code: &str) -> u16 {
    match code {
        "PermanentRedirect" => 301,
        "AccessDenied" | "InvalidObjectState" | "RequestTimeTooSkewed" | "SignatureDoesNotMatch" => 403,
        "NoSuchBucket" | "NoSuchKey" => 404,
        "ConditionalRequestConflict" | "OperationAborted" => 409,
        "PreconditionFailed" => 412,
        "InternalError" => 500,
        "ServiceUnavailable" | "SlowDown" => 503,
        _ => 400,
    }
}

fn precondition_failed() -> ApiError {
    ApiError::new(
        412,
        "PreconditionFailed",
        "At least one of the pre-conditions you specified did not hold",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_a_key_up_to_the_delimiter() {
        assert_eq!(folder_of("a/b/c", "a/", "/"), Some("a/b/"));
        assert_eq!(folder_of("a/b", "a/", "/"), None);
        assert_eq!(folder_of("a/b", "", "/"), Some("a/"));
        assert_eq!(folder_of("a/b", "", ""), None);
    }
}
