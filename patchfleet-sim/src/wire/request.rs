//! Which service and operation a request means, and who sends it.

use super::{MAX_BODY, cbor, form};
use crate::{error::ApiError, model::ServiceModel, service::Service};
use http::{HeaderMap, Method, Uri, header};
use serde_json::Value;

/// Characters that are kept of a body that could not be read.
const SHOWN: usize = 1000;

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) protocol: Protocol,
    /// `None`: nothing that is simulated.
    pub(super) service: Option<Service>,
    pub(super) operation: String,
    pub(super) input: Result<Value, Box<Unread>>,
}

/// A body that could not be read.
#[derive(Debug)]
pub(super) struct Unread {
    /// How it begins, for the record.
    pub(super) shown: Value,
    /// What is answered.
    pub(super) error: ApiError,
}

/// How requests and answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Operation in X-Amz-Target, JSON both ways.
    Json,
    /// Operation in the path, JSON both ways.
    Rest,
    /// A form one way, XML the other.
    Query,
    /// Operation in the path, CBOR both ways (Smithy's rpcv2Cbor).
    Cbor,
}

/// Who signed a request, and for which Region.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Credential<'a> {
    pub(super) key: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Route {
    /// `body` is `None` if it was too large.
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap, body: Option<&[u8]>) -> Self {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let post = method == Method::POST;
        if post && text("smithy-protocol") == "rpc-v2-cbor" {
            return Self::of_cbor(uri.path(), body);
        }
        let target = text("x-amz-target");
        if let Some((prefix, operation)) = target.split_once('.').filter(|_| post) {
            let service = match prefix {
                "AmazonSSM" => Some(Service::Ssm),
                "AWSOrganizationsV20161128" => Some(Service::Organizations),
                "ResourceGroupsTaggingAPI_20170126" => Some(Service::Tagging),
                "GraniteServiceVersion20100801" => Some(Service::CloudWatch),
                _ => None,
            };
            return Self {
                protocol: Protocol::Json,
                service,
                operation: service.map_or(target, |_| operation).to_owned(),
                input: json(body),
            };
        }
        if post && text(header::CONTENT_TYPE.as_str()).starts_with("application/x-www-form-urlencoded") {
            let fields = form::fields(body.unwrap_or_default());
            let field = |wanted: &str| {
                let found = fields.iter().find(|(name, _)| name == wanted);
                found.map(|(_, value)| value.clone())
            };
            // Other services speak this protocol too, each with its own version.
            let version = field("Version");
            let is_sts = version.as_ref().is_none_or(|version| version == "2011-06-15");
            let mut operation = field("Action").unwrap_or_default();
            if let Some(version) = version.filter(|_| !is_sts) {
                operation = format!("{operation} of version {version}");
            }
            let model = ServiceModel::of(Service::Sts);
            return Self {
                protocol: Protocol::Query,
                service: is_sts.then_some(Service::Sts),
                input: body
                    .map(|_| model.of_form(&operation, &fields))
                    .ok_or_else(body_too_large),
                operation,
            };
        }
        let known = [Service::ResourceGroups, Service::Account]
            .into_iter()
            .find_map(|service| {
                Some((
                    service,
                    ServiceModel::of(service).at(method.as_str(), uri.path())?,
                ))
            });
        let Some((service, operation)) = known else {
            let asked = format!("{method} {}", uri.path());
            let others = [Service::ResourceGroups, Service::Account]
                .into_iter()
                .find_map(|service| {
                    Some((
                        service,
                        ServiceModel::of(service).other_at(method.as_str(), uri.path())?,
                    ))
                });
            if let Some((service, operation)) = others {
                return Self {
                    protocol: Protocol::Rest,
                    service: Some(service),
                    operation: operation.to_owned(),
                    input: json(body),
                };
            }
            // Resource Groups alone has an error for a path that is right and a method that is not.
            let posts = ServiceModel::of(Service::ResourceGroups).at("POST", uri.path());
            let (service, input) = match posts {
                Some(_) => (Some(Service::ResourceGroups), Err(not_allowed(&asked))),
                None => (None, json(body)),
            };
            return Self {
                protocol: Protocol::Rest,
                service,
                operation: asked,
                input,
            };
        };
        let input = json(body).map(|mut input| {
            let query = form::fields(uri.query().unwrap_or_default().as_bytes());
            ServiceModel::of(service).add_query(operation, &query, &mut input);
            input
        });
        Self {
            protocol: Protocol::Rest,
            service: Some(service),
            operation: operation.to_owned(),
            input,
        }
    }
}

impl Route {
    /// `POST /service/NAME/operation/NAME`. CloudWatch alone is asked so.
    fn of_cbor(path: &str, body: Option<&[u8]>) -> Self {
        let operation = path.strip_prefix("/service/GraniteServiceVersion20100801/operation/");
        let input = match body {
            None => Err(body_too_large()),
            // An input without members may be left out.
            Some([]) => Ok(Value::Object(serde_json::Map::new())),
            Some(body) => cbor::read(body).map_err(|error| {
                Box::new(Unread {
                    shown: Value::Null,
                    error: ApiError::client("SerializationException", error.to_string()),
                })
            }),
        };
        Self {
            protocol: Protocol::Cbor,
            service: operation.map(|_| Service::CloudWatch),
            operation: operation.unwrap_or(path).to_owned(),
            input,
        }
    }
}

fn not_allowed(asked: &str) -> Box<Unread> {
    Box::new(Unread {
        shown: Value::Null,
        error: ApiError::new(
            405,
            "MethodNotAllowedException",
            format!("{asked} is not allowed: the operations of Resource Groups are POST requests."),
        ),
    })
}

fn json(body: Option<&[u8]>) -> Result<Value, Box<Unread>> {
    let body = body.ok_or_else(body_too_large)?;
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_slice::<Value>(body).map_err(|error| {
        let text = String::from_utf8_lossy(body);
        Box::new(Unread {
            shown: Value::from(text.chars().take(SHOWN).collect::<String>()),
            error: ApiError::client("SerializationException", error.to_string()),
        })
    })
}

/// A request of which `what` has more than `max` bytes.
pub(super) fn too_large(status: u16, what: &str, max: usize) -> Box<Unread> {
    Box::new(Unread {
        shown: Value::Null,
        error: ApiError::new(
            status,
            "RequestEntityTooLargeException",
            format!("The {what} of a request have at most {max} bytes."),
        ),
    })
}

fn body_too_large() -> Box<Unread> {
    too_large(413, "contents", MAX_BODY)
}

impl<'a> Credential<'a> {
    /// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`. The signature itself
    /// is not checked.
    pub(super) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (_, scope) = text.split_once("Credential=")?;
        let scope = scope.split([',', ' ']).next()?;
        let mut parts = scope.split('/');
        let key = parts.next()?;
        let region = parts.nth(1)?;
        let service = parts.next().unwrap_or_default();
        Some(Self { key, region, service })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authorization_header_names_key_and_region() {
        let mut headers = HeaderMap::new();
        assert_eq!(Credential::of(&headers), None);
        let text = "AWS4-HMAC-SHA256 Credential=AKID/20260301/eu-west-1/ssm/aws4_request, SignedHeaders=host, Signature=0";
        headers.insert(header::AUTHORIZATION, text.parse().unwrap());
        assert_eq!(
            Credential::of(&headers),
            Some(Credential {
                key: "AKID",
                region: "eu-west-1",
                service: "ssm"
            })
        );
    }
}
