//! What AWS's own service models say of requests: which operations there are, where their members
//! stand in a request, what a value has to be, and which errors there are.
//!
//! The files in `model/` are reduced from the models that AWS publishes with botocore (Apache-2.0);
//! `tests/conformance/reduce_model.py` writes them.

mod action;
mod check;
mod pattern;
mod text;

pub(crate) use action::{action, action_matches, is_action_pattern};
pub(crate) use check::{Kind, Violation};
pub(crate) use pattern::SearchPattern;

use crate::service::Service;
use pattern::Pattern;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::LazyLock};

/// The models of all services that are simulated.
static MODELS: LazyLock<[ServiceModel; 7]> = LazyLock::new(|| {
    [
        read(include_str!("../model/ssm.json")),
        read(include_str!("../model/resource-groups.json")),
        read(include_str!("../model/resourcegroupstaggingapi.json")),
        read(include_str!("../model/sts.json")),
        read(include_str!("../model/organizations.json")),
        read(include_str!("../model/account.json")),
        read(include_str!("../model/cloudwatch.json")),
    ]
});

/// What is known of the requests of a service without a model.
static UNMODELLED: LazyLock<ServiceModel> = LazyLock::new(ServiceModel::default);

/// A file of this package that cannot be read leaves a service without operations; a test reads
/// all of them.
fn read(text: &str) -> ServiceModel {
    serde_json::from_str(text).unwrap_or_default()
}

/// The model of one service.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceModel {
    operations: BTreeMap<String, OperationModel>,
    errors: BTreeMap<String, ErrorModel>,
    shapes: BTreeMap<String, Shape>,
    /// The routes of the operations that are not simulated, for services that have one path for each.
    #[serde(default)]
    others: BTreeMap<String, OtherModel>,
}

/// An operation that is not simulated.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OtherModel {
    method: String,
    path: String,
}

/// An operation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OperationModel {
    method: String,
    path: String,
    /// `None`: it takes nothing.
    input: Option<String>,
    /// The errors that it says it has, by shape.
    errors: Vec<String>,
}

/// An error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorModel {
    /// Its name on the wire.
    pub(crate) code: String,
    /// Its HTTP status.
    pub(crate) status: u16,
    /// What its message is called; `None`: it has none.
    pub(crate) message: Option<String>,
}

/// What a value has to be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    r#type: Type,
    #[serde(default)]
    required: Vec<String>,
    #[serde(default)]
    members: BTreeMap<String, Member>,
    /// Of a list.
    member: Option<String>,
    /// Of a map.
    key: Option<String>,
    /// Of a map.
    value: Option<String>,
    #[serde(default)]
    r#enum: Vec<String>,
    pattern: Option<Pattern>,
    min: Option<i64>,
    max: Option<i64>,
}

/// A member of a structure.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Member {
    shape: String,
    /// Where it stands, if not in the body.
    location: Option<Place>,
    /// Its name there.
    location_name: Option<String>,
}

/// Where a member stands outside of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Place {
    Querystring,
}

/// A shape's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Boolean,
}

impl ServiceModel {
    /// The model of a service.
    pub(crate) fn of(service: Service) -> &'static Self {
        let [
            ssm,
            resource_groups,
            tagging,
            sts,
            organizations,
            account,
            cloudwatch,
        ] = &*MODELS;
        match service {
            Service::Ssm => ssm,
            Service::ResourceGroups => resource_groups,
            Service::Tagging => tagging,
            Service::Sts => sts,
            Service::Organizations => organizations,
            Service::Account => account,
            Service::CloudWatch => cloudwatch,
            Service::S3 => &UNMODELLED,
        }
    }

    /// The operation at a path, for services that have one path for each.
    pub(crate) fn at(&self, method: &str, path: &str) -> Option<&str> {
        let found = self.operations.iter().find(|(_, operation)| {
            operation.method == method && operation.path.strip_suffix("?").unwrap_or(&operation.path) == path
        });
        found.map(|(name, _)| name.as_str())
    }

    /// The operation at a path that the service has and the simulator has not.
    pub(crate) fn other_at(&self, method: &str, path: &str) -> Option<&str> {
        let found = self
            .others
            .iter()
            .find(|(_, other)| other.method == method && is_at(&other.path, path));
        found.map(|(name, _)| name.as_str())
    }

    /// An error that the service has, by its code or its shape's name.
    pub(crate) fn error(&self, code: &str) -> Option<&ErrorModel> {
        self.errors
            .get(code)
            .or_else(|| self.errors.values().find(|error| error.code == code))
    }

    /// The errors that an operation says it has.
    pub(crate) fn errors_of(&self, operation: &str) -> impl Iterator<Item = &ErrorModel> {
        let shapes = self.operations.get(operation).map(|operation| &operation.errors);
        shapes
            .into_iter()
            .flatten()
            .filter_map(|shape| self.errors.get(shape))
    }

    /// The names of its operations.
    #[cfg(test)]
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    fn input(&self, operation: &str) -> Option<&Shape> {
        self.shapes.get(self.operations.get(operation)?.input.as_ref()?)
    }

    /// Everything that is wrong with `input`.
    pub(crate) fn check(&self, operation: &str, input: &Value) -> Vec<Violation> {
        self.input(operation)
            .map_or_else(Vec::new, |shape| check::check(self, shape, input))
    }

    /// The input that a form's fields mean (the query protocol).
    pub(crate) fn of_form(&self, operation: &str, fields: &[(String, String)]) -> Value {
        text::structure(self, self.input(operation), fields)
    }

    /// Adds to `input` the members that stand in the query of the URL.
    pub(crate) fn add_query(&self, operation: &str, fields: &[(String, String)], input: &mut Value) {
        let (Some(shape), Some(input)) = (self.input(operation), input.as_object_mut()) else {
            return;
        };
        for (name, member) in &shape.members {
            if member.location != Some(Place::Querystring) {
                continue;
            }
            let key = member.location_name.as_deref().unwrap_or(name);
            if let Some((_, value)) = fields.iter().find(|(field, _)| field == key) {
                input.insert(name.clone(), text::scalar(self.shapes.get(&member.shape), value));
            }
        }
    }
}

/// AWS leaves out what is not there.
pub(crate) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(entries) => entries
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

/// Whether a path is that of a route, in which a part in braces stands for any.
fn is_at(route: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let fits = route.split('/').all(|wanted| {
        parts
            .next()
            .is_some_and(|part| wanted == part || (wanted.starts_with('{') && !part.is_empty()))
    });
    fits && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_shape_that_is_named_is_there_and_every_pattern_can_be_used() {
        for service in Service::ALL {
            let model = ServiceModel::of(service);
            assert!(!model.operations.is_empty(), "{service:?}");
            let inputs = model.operations.values().filter_map(|one| one.input.as_ref());
            let below = model.shapes.values().flat_map(|shape| {
                let members = shape.members.values().map(|member| &member.shape);
                members.chain(&shape.member).chain(&shape.key).chain(&shape.value)
            });
            for name in inputs.chain(below) {
                assert!(model.shapes.contains_key(name), "{service:?} {name}");
            }
            for (name, shape) in &model.shapes {
                let works = shape.pattern.as_ref().is_none_or(Pattern::works);
                assert!(works, "{service:?} {name} {:?}", shape.pattern);
                assert_eq!(shape.r#type == Type::List, shape.member.is_some(), "{name}");
                assert_eq!(
                    shape.r#type == Type::Map,
                    shape.key.is_some() && shape.value.is_some(),
                    "{name}"
                );
            }
            for operation in model.operations.values() {
                for error in &operation.errors {
                    assert!(model.errors.contains_key(error), "{service:?} {error}");
                }
            }
        }
    }

    #[test]
    fn members_in_the_url_become_members_of_the_input() {
        let model = ServiceModel::of(Service::ResourceGroups);
        let mut input = json!({"Filters": []});
        let fields = [("maxResults", "7"), ("nextToken", "t"), ("other", "x")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        model.add_query("ListGroups", &fields, &mut input);
        assert_eq!(input, json!({"Filters": [], "MaxResults": 7, "NextToken": "t"}));
    }

    #[test]
    fn an_operation_is_found_by_its_path_and_an_error_by_its_code() {
        let model = ServiceModel::of(Service::ResourceGroups);
        assert_eq!(
            model.at("POST", "/list-group-resources"),
            Some("ListGroupResources")
        );
        assert_eq!(model.at("GET", "/list-group-resources"), None);
        assert_eq!(
            model.error("NotFoundException").map(|error| error.status),
            Some(404)
        );
        assert!(
            ServiceModel::of(Service::Ssm)
                .errors_of("GetAutomationExecution")
                .any(|error| error.code == "AutomationExecutionNotFoundException")
        );
        assert_eq!(
            ServiceModel::of(Service::Sts)
                .error("RegionDisabledException")
                .map(|error| error.status),
            Some(403)
        );
    }
}
