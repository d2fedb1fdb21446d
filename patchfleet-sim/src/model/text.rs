//! Members that come as text: the fields of a form, and the query of a URL.

use super::{ServiceModel, Shape, Type};
use serde_json::{Map, Value};

/// The structure that fields such as `Tags.member.1.Key=…` mean. Fields that the shape does not
/// have are passed over.
pub(super) fn structure(model: &ServiceModel, shape: Option<&Shape>, fields: &[(String, String)]) -> Value {
    let mut entries = Map::new();
    for (name, member) in shape.into_iter().flat_map(|shape| &shape.members) {
        if let Some(value) = value(model, model.shapes.get(&member.shape), name, fields) {
            entries.insert(name.clone(), value);
        }
    }
    Value::Object(entries)
}

fn value(
    model: &ServiceModel,
    shape: Option<&Shape>,
    name: &str,
    fields: &[(String, String)],
) -> Option<Value> {
    match shape.map(|shape| shape.r#type) {
        Some(Type::Structure) => {
            let inner = under(name, fields);
            (!inner.is_empty()).then(|| structure(model, shape, &inner))
        }
        Some(Type::List) => list(model, shape?, name, fields),
        _ => {
            let field = fields.iter().find(|(field, _)| field == name);
            field.map(|(_, value)| scalar(shape, value))
        }
    }
}

/// `Name.member.1`, `Name.member.2` and so on; `Name=` alone is an empty list.
fn list(model: &ServiceModel, shape: &Shape, name: &str, fields: &[(String, String)]) -> Option<Value> {
    let item_shape = shape.member.as_ref().and_then(|name| model.shapes.get(name));
    let inner = under(&format!("{name}.member"), fields);
    let items = (1..=fields.len()).map_while(|index| value(model, item_shape, &index.to_string(), &inner));
    let items: Vec<Value> = items.collect();
    let empty = fields
        .iter()
        .any(|(field, value)| field == name && value.is_empty());
    (!items.is_empty() || empty).then(|| Value::from(items))
}

/// The fields below `name`, without it.
fn under(name: &str, fields: &[(String, String)]) -> Vec<(String, String)> {
    let below = |(field, value): &(String, String)| {
        let field = field.strip_prefix(name)?.strip_prefix('.')?;
        Some((field.to_owned(), value.clone()))
    };
    fields.iter().filter_map(below).collect()
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
    use crate::{api::Service, model::ServiceModel};
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
}
