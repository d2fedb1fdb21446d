//! S3's protocol: paths and headers one way, headers and XML the other. Buckets are named in the path, as clients
//! do whose endpoint is an IP address.

use super::{
    body::Reply,
    form,
    request::Credential,
    respond::{caller_of, date},
    xml,
};
use crate::{
    api::{self, BUCKET_REGION, Caller, Cut, Fate, Listing, ObjectAnswer, ObjectCall, Only},
    error::{ApiError, not_simulated},
    service::Service,
    world::World,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};

/// The header of an object's SHA-256.
const SUM: &str = "x-amz-checksum-sha256";

/// A call that has come in.
pub(super) struct Arrived {
    call: Result<ObjectCall, ApiError>,
    caller: Result<Caller, ApiError>,
    fate: Fate,
    is_head: bool,
}

impl Arrived {
    /// How much longer than others it takes.
    pub(super) fn delay(&self) -> jiff::SignedDuration {
        self.fate.delay
    }
}

/// Whether a request is signed for S3.
pub(super) fn is_for_s3(headers: &HeaderMap) -> bool {
    Credential::of(headers).is_some_and(|credential| credential.service == Service::S3.name())
}

/// Takes a request in.
pub(super) fn arrive(
    world: &mut World,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Option<Vec<u8>>,
) -> Arrived {
    let call = read(method, uri, headers, body);
    let caller = caller_of(world, Service::S3, headers);
    let fate = match (&call, &caller) {
        (Ok(call), Ok(caller)) => api::object_fate(world, caller, call),
        _ => Fate::default(),
    };
    Arrived {
        call,
        caller,
        fate,
        is_head: method == Method::HEAD,
    }
}

/// Answers it; `None`: the connection is to break.
pub(super) fn answer(world: &mut World, arrived: Arrived) -> Option<Response<Reply>> {
    let Arrived {
        call,
        caller,
        fate,
        is_head,
    } = arrived;
    let place = caller.as_ref().map_or_else(
        |_| String::new(),
        |caller| format!("{}/{}", caller.account, caller.region),
    );
    let result = caller.and_then(|caller| api::object_call(world, &caller, call?, &fate));
    let number = world.count(&format!("request/{place}/s3")).to_string();
    let id = world.seed().uuid(&["request", &place, "s3", &number]);
    if matches!(fate.cut, Some(Cut::Before | Cut::After)) {
        return None;
    }
    let mut response = write(result, &id, is_head, fate.cut.is_some());
    if response.status().is_success() {
        date(world, &mut response);
    }
    Some(response)
}

/// The call that a request is.
fn read(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Option<Vec<u8>>,
) -> Result<ObjectCall, ApiError> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let path = uri.path().strip_prefix('/').unwrap_or_default();
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let (bucket, key) = (form::decode_path(bucket), form::decode_path(key));
    let query = form::fields(uri.query().unwrap_or_default().as_bytes());
    let field = |wanted: &str| {
        let found = query.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let unknown = || {
        ApiError::new(
            501,
            "NotImplemented",
            not_simulated(&format!("s3: {method} {uri}")),
        )
    };
    if bucket.is_empty() {
        return Err(unknown());
    }
    // A subresource such as `?acl` or `?uploads` is another operation.
    let is_plain = query.iter().all(|(name, _)| name == "x-id");
    match (method.as_str(), key.is_empty()) {
        ("GET", true) if field("list-type").as_deref() == Some("2") => Ok(ObjectCall::List(Listing {
            bucket,
            prefix: field("prefix").unwrap_or_default(),
            delimiter: field("delimiter").unwrap_or_default(),
            start_after: field("start-after").unwrap_or_default(),
            token: field("continuation-token"),
            max_keys: field("max-keys").and_then(|most| most.parse().ok()),
        })),
        ("HEAD", true) => Ok(ObjectCall::HeadBucket { bucket }),
        ("GET", false) if is_plain => Ok(ObjectCall::Get {
            bucket,
            key,
            range: text("range").and_then(range),
        }),
        ("HEAD", false) if is_plain => Ok(ObjectCall::Head { bucket, key }),
        ("DELETE", false) if is_plain => Ok(ObjectCall::Delete { bucket, key }),
        ("PUT", false) if is_plain && text("x-amz-copy-source").is_none() => {
            let body = body.ok_or_else(|| {
                ApiError::new(
                    400,
                    "EntityTooLarge",
                    "Your proposed upload exceeds the maximum allowed size",
                )
            })?;
            let is_chunked = text("x-amz-content-sha256").is_some_and(|sum| sum.starts_with("STREAMING-"));
            let bytes = if is_chunked {
                unchunk(&body).ok_or_else(incomplete)?
            } else {
                body
            };
            let only = match (text("if-none-match"), text("if-match")) {
                (Some("*"), None) => Some(Only::IfNew),
                (None, Some(tag)) => Some(Only::IfTagged(tag.to_owned())),
                (None, None) => None,
                _ => return Err(unknown()),
            };
            Ok(ObjectCall::Put {
                bucket,
                key,
                bytes,
                only,
                sum: text(SUM).map(str::to_owned),
            })
        }
        _ => Err(unknown()),
    }
}

/// `bytes=FIRST-LAST`. Any other range is not simulated, and the whole object is answered, as HTTP allows.
fn range(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// The bytes of a body in chunks (`aws-chunked`): `SIZE[;…]`, a line break, so many bytes, a line break, and so on.
fn unchunk(body: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (vec![], body);
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let (line, after) = (rest.get(..end)?, rest.get(end.checked_add(2)?..)?);
        let size = std::str::from_utf8(line).ok()?.split(';').next()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        if size == 0 {
            return Some(bytes);
        }
        bytes.extend_from_slice(after.get(..size)?);
        rest = after.get(size.checked_add(2)?..)?;
    }
}

fn incomplete() -> ApiError {
    ApiError::new(
        400,
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

fn write(result: Result<ObjectAnswer, ApiError>, id: &str, is_head: bool, breaks: bool) -> Response<Reply> {
    let mut headers: Vec<(header::HeaderName, String)> = vec![];
    if let Err(error) = &result {
        let region = error.members().iter().find(|(name, _)| *name == BUCKET_REGION);
        let region = region.and_then(|(_, region)| region.as_str());
        headers
            .extend(region.map(|region| (header::HeaderName::from_static(BUCKET_REGION), region.to_owned())));
    }
    let (status, kind, bytes) = match result {
        Ok(ObjectAnswer::Object {
            bytes,
            tag,
            sum,
            part,
            of,
        }) => {
            headers.push((header::ETAG, tag));
            headers.extend(sum.map(|sum| (header::HeaderName::from_static(SUM), sum)));
            if is_head {
                headers.push((header::CONTENT_LENGTH, of.to_string()));
            }
            let status = match part {
                Some((first, last)) => {
                    headers.push((header::CONTENT_RANGE, format!("bytes {first}-{last}/{of}")));
                    206
                }
                None => 200,
            };
            (status, "binary/octet-stream", bytes.to_vec())
        }
        Ok(ObjectAnswer::Written { tag }) => {
            headers.push((header::ETAG, tag));
            (200, "application/xml", vec![])
        }
        Ok(ObjectAnswer::Done) => (if is_head { 200 } else { 204 }, "application/xml", vec![]),
        Ok(ObjectAnswer::Page { keys, folders, next }) => (
            200,
            "application/xml",
            xml::object_page(&keys, &folders, next.as_deref()).into_bytes(),
        ),
        // The answer to HEAD has no body.
        Err(error) if is_head => (error.status(), "application/xml", vec![]),
        Err(error) => (
            error.status(),
            "application/xml",
            xml::object_error(&error, id).into_bytes(),
        ),
    };
    if !is_head {
        headers.push((header::CONTENT_LENGTH, bytes.len().to_string()));
    }
    let mut response = Response::new(match breaks {
        true => Reply::half(bytes),
        false => Reply::whole(bytes),
    });
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    headers.push((header::CONTENT_TYPE, kind.to_owned()));
    headers.push((header::HeaderName::from_static("x-amz-request-id"), id.to_owned()));
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_in_chunks_is_put_together() {
        assert_eq!(
            unchunk(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-amz-trailer:1\r\n\r\n").unwrap(),
            b"abcde"
        );
        assert_eq!(unchunk(b"5\r\nabc\r\n0\r\n\r\n"), None);
    }
}
