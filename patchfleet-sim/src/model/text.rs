//! Members that come as text: the fields of a form, and the query of a URL.

use super::{ServiceModel, Shape, Type};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Parts of a field's name that are told apart.
const MAX_DEPTH: usize = 32;

/// The structure that fields such as `Tags.member.1.Key=…` mean. Fields that the shape does not
/// have are passed over.
pub(super) fn structure(model: &ServiceModel, shape: Option<&Shape>, fields: &[(String, String)]) -> Value {
    let mut tree = Tree::default();
    for (name, value) in fields {
        tree.add(name, value);
    }
    members(model, shape, &tree)
}

/// Fields by the parts of their names.
#[derive(Debug, Default)]
struct Tree<'a> {
    /// Of the field that has just this name, the first of them.
    value: Option<&'a str>,
    below: BTreeMap<&'a str, Tree<'a>>,
}

impl<'a> Tree<'a> {
    fn add(&mut self, name: &'a str, value: &'a str) {
        let mut node = self;
        // No member is deeper than this by far; a tree is taken apart as deep as it is.
        for part in name.splitn(MAX_DEPTH, '.') {
            node = node.below.entry(part).or_default();
        }
        node.value.get_or_insert(value);
    }
}

fn members(model: &ServiceModel, shape: Option<&Shape>, tree: &Tree<'_>) -> Value {
    let mut entries = Map::new();
    for (name, member) in shape.into_iter().flat_map(|shape| &shape.members) {
        let below = tree.below.get(name.as_str());
        if let Some(value) = below.and_then(|below| value(model, model.shapes.get(&member.shape), below)) {
            entries.insert(name.clone(), value);
        }
    }
    Value::Object(entries)
}

fn value(model: &ServiceModel, shape: Option<&Shape>, tree: &Tree<'_>) -> Option<Value> {
    match shape.map(|shape| shape.r#type) {
        Some(Type::Structure) => (!tree.below.is_empty()).then(|| members(model, shape, tree)),
        Some(Type::List) => list(model, shape?, tree),
        _ => tree.value.map(|value| scalar(shape, value)),
    }
}

/// `Name.member.1`, `Name.member.2` and so on; `Name=` alone is an empty list.
fn list(model: &ServiceModel, shape: &Shape, tree: &Tree<'_>) -> Option<Value> {
    let item_shape = shape.member.as_ref().and_then(|name| model.shapes.get(name));
    let entries = tree.below.get("member");
    // As many as there are: the first number that is not there is the end.
    let items = (1_usize..).map_while(|index| {
        let entry = entries?.below.get(index.to_string().as_str())?;
        value(model, item_shape, entry)
    });
    let items: Vec<Value> = items.collect();
    (!items.is_empty() || tree.value == Some("")).then(|| Value::from(items))
}

/// A number or truth value where the shape wants one and the text is one; else the text, which
/// then is of the wrong type.
pub(super) fn scalar(shape: Option<&Shape>, text: &str) -> Value {
    let typed = match shape.map(|shape| shape.r#type) {
        Some(Type::Integer | Type::Long) => text.parse::<i64>().ok().map(Value::from),
        Some(Type::Boolean) => text.parse::<bool>().ok().map(Value::from),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::from(text))
}

#[cfg(test)]
mod tests {
    use crate::{model::ServiceModel, service::Service};
    use serde_json::json;

    #[test]
    fn fields_of_a_form_become_members_lists_and_numbers() {
        let fields = [
            ("RoleArn", "r"),
            ("DurationSeconds", "900"),
            ("Tags.member.1.Key", "k"),
            ("Tags.member.1.Value", "v"),
            ("Tags.member.2.Key", "l"),
            ("TransitiveTagKeys", ""),
            ("Unheard", "of"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(
            ServiceModel::of(Service::Sts).of_form("AssumeRole", &fields),
            json!({
                "RoleArn": "r",
                "DurationSeconds": 900,
                "Tags": [{"Key": "k", "Value": "v"}, {"Key": "l"}],
                "TransitiveTagKeys": [],
            })
        );
    }

    #[test]
    fn lists_end_at_the_first_gap_and_many_entries_are_read_once() {
        let of = |fields: &[(String, String)]| ServiceModel::of(Service::Sts).of_form("AssumeRole", fields);
        let tag = |n: usize| (format!("Tags.member.{n}.Key"), n.to_string());
        let fields: Vec<_> = (1..=100_000).rev().map(tag).collect();
        let input = of(&fields);
        let tags = input["Tags"].as_array().unwrap();
        assert_eq!(tags.len(), 100_000);
        assert_eq!(tags[41], json!({"Key": "42"}));
        assert_eq!(of(&[tag(1), tag(3)]), json!({"Tags": [{"Key": "1"}]}));
        assert_eq!(of(&[tag(2)]), json!({}));
        // The first of two that are named alike counts.
        let twice =
            [("RoleArn", "a"), ("RoleArn", "b")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(of(&twice), json!({"RoleArn": "a"}));
        let deep = [(format!("Tags{}", ".member".repeat(100_000)), String::new())];
        assert_eq!(of(&deep), json!({}));
    }
}
