//! The shapes of values that are plain texts in a request: lists of patches, tags, the external id, and a runbook's
//! parameters.

use super::fields::{Collector, Field};
use super::node::{Node, quoted};
use super::{DeliveryTimeout, ExternalId, ExternalIdText};
use crate::presigned::{CONCEALED, NOT_KEPT};
use crate::problem::{MAX_VALUE_CHARS, Problem, ProblemCode};
use std::collections::{BTreeMap, BTreeSet};

/// AWS's limit for one value of an automation's parameter (SSM model,
/// `AutomationParameterValue`). Each entry of `Targets` travels as one such value.
pub(crate) const MAX_PARAMETER_CHARS: usize = 512;

/// AWS's limit for `InstallOverrideList` (SSM model).
const MAX_OVERRIDE_LIST_CHARS: usize = 256;

const OVERRIDE_SHAPE: &str = "https://… or s3://bucket/key";

/// A parameter of AWS-RunPatchBaseline that names a list. Its pattern is
/// `^https://.+$|^s3://([^/]+)/(.*?([^/]+))$`. The pattern allows control characters. They are refused here, because
/// nobody means one.
fn is_override(text: &str) -> bool {
    let s3 = |rest: &str| {
        rest.split_once('/')
            .is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty() && !key.ends_with('/'))
    };
    !text.contains(char::is_control)
        && match text.strip_prefix("https://") {
            Some(rest) => !rest.is_empty(),
            None => text.strip_prefix("s3://").is_some_and(s3),
        }
}

/// `install_override_list`.
pub(super) fn install_override_list(field: &Field<'_>, out: &mut Collector) -> Option<String> {
    override_list(field, MAX_OVERRIDE_LIST_CHARS, out)
}

/// `baseline_override`.
pub(super) fn baseline_override(field: &Field<'_>, out: &mut Collector) -> Option<String> {
    override_list(field, MAX_PARAMETER_CHARS, out)
}

fn override_list(field: &Field<'_>, max_chars: usize, out: &mut Collector) -> Option<String> {
    let concealed = matches!(field.node(), Node::Text(text) if text.starts_with(CONCEALED));
    let shape = if concealed { NOT_KEPT } else { OVERRIDE_SHAPE };
    field.checked_text(shape, max_chars, is_override, out)
}

/// `external_id`: a text, or a table that says where the text is kept.
pub(super) fn external_id(field: &Field<'_>, out: &mut Collector) -> Option<ExternalId> {
    const SHAPE: &str = "{ env = NAME }, { ssm = NAME } or { secret = NAME }";
    if !matches!(field.node(), Node::Table(_)) {
        let text = field.text_withheld(ExternalIdText::SHAPE, out)?;
        let id = ExternalIdText::new(text);
        if id.is_none() {
            out.add(field.problem_withheld(ProblemCode::InvalidValue, ExternalIdText::SHAPE));
        }
        return id.map(ExternalId::Text);
    }
    let mut fields = field.table(out);
    let before = out.len();
    let mut found = Vec::new();
    for (key, of) in [
        ("env", ExternalId::Env as fn(String) -> ExternalId),
        ("ssm", ExternalId::Ssm),
        ("secret", ExternalId::Secret),
    ] {
        if let Some(name) = fields.take(key) {
            found.extend(name.checked_text(NAME_SHAPE, 512, is_name, out).map(of));
        }
    }
    if let Some(withheld) = fields.take("withheld")
        && withheld.boolean(out) == Some(true)
    {
        found.push(ExternalId::Withheld);
    }
    fields.finish(out);
    if out.len() > before {
        return None;
    }
    if found.len() == 1 {
        return found.pop();
    }
    out.add(field.problem(ProblemCode::InvalidValue, format!("exactly one of {SHAPE}")));
    None
}

const NAME_SHAPE: &str = "a name of 1 to 512 characters, without spaces";

/// The name of an environment variable, or the name or ARN of a parameter or a secret. None of them may have spaces,
/// and a variable may have no equals sign. Everything else is left to whatever keeps the text.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '=')
}

/// `delivery_timeout`.
pub(super) fn delivery_timeout(field: &Field<'_>, out: &mut Collector) -> Option<DeliveryTimeout> {
    let text = field.text(DeliveryTimeout::SHAPE, out)?;
    let timeout = text.parse().ok();
    if timeout.is_none() {
        out.add(field.problem(ProblemCode::InvalidValue, DeliveryTimeout::SHAPE));
    }
    timeout
}

/// Whether a character may stand in the key of a tag that is a target. The SSM model has
/// `^[\p{L}\p{Z}\p{N}_.:/=\-@]*$` (`TargetKey`). For `\p{L}` this takes Unicode's *Alphabetic*, which has a few more
/// vowel signs.
fn may_be_in_a_target_key(c: char) -> bool {
    c.is_alphabetic()
        || c.is_numeric()
        || (c.is_whitespace() && !c.is_control())
        || matches!(c, '_' | '.' | ':' | '/' | '=' | '-' | '@')
}

/// Whether a character may stand in a tag's value. `TargetValue` has no pattern of its own, so a value
/// can be what the value of a tag can be (`TagValue`): as above, and `+`.
fn may_be_in_a_tag_value(c: char) -> bool {
    c == '+' || may_be_in_a_target_key(c)
}

/// `tags`: 1 to 5 keys (what the Systems Manager guide allows), each with one text or a list.
pub(super) fn tags(field: &Field<'_>, out: &mut Collector) -> Option<BTreeMap<String, Vec<String>>> {
    const MAX_KEYS: usize = 5;
    let entries = field.free_table(out)?;
    if !(1..=MAX_KEYS).contains(&entries.len()) {
        let expected = format!("1 to {MAX_KEYS} keys; a node must have every one of them");
        out.add(field.problem(ProblemCode::OutOfRange, expected));
    }
    let mut tags = BTreeMap::new();
    for (key, field) in entries {
        if !(1..=MAX_TAG_KEY_CHARS).contains(&key.chars().count()) || !key.chars().all(may_be_in_a_target_key)
        {
            let expected = "a tag key that can be a target: 1 to 128 of letters, digits, spaces, _ . : / = - @ \
                            (for a key with other characters, use a resource group)";
            let shown = quoted(key, MAX_VALUE_CHARS);
            out.add(Problem::new(
                ProblemCode::InvalidValue,
                field.path(),
                shown,
                expected,
            ));
        }
        if let Some(values) = tag_values(key, &field, out) {
            tags.insert(key.to_owned(), values);
        }
    }
    Some(tags)
}

fn tag_values(key: &str, field: &Field<'_>, out: &mut Collector) -> Option<Vec<String>> {
    const SHAPE: &str = "a tag value of 1 to 256 of letters, digits, spaces, _ . : / = + - @";
    let is_value = |text: &str| !text.is_empty() && text.chars().all(may_be_in_a_tag_value);
    let values = one_or_several(field, SHAPE, is_value, out)?;
    // Bytes, not characters: how AWS counts outside ASCII is not documented.
    let entry = serde_json::json!({ "Key": format!("tag:{key}"), "Values": values }).to_string();
    if entry.len() > MAX_PARAMETER_CHARS {
        let expected = format!(
            "fewer or shorter values: key and values travel as one parameter of at most \
             {MAX_PARAMETER_CHARS} characters, and these make {}",
            entry.len()
        );
        out.add(field.problem(ProblemCode::OutOfRange, expected));
    }
    Some(values)
}

/// The most characters of a tag's key, and of its value (models of Systems Manager and Organizations, `TagKey`, `TagValue`).
const MAX_TAG_KEY_CHARS: usize = 128;
const MAX_TAG_VALUE_CHARS: usize = 256;

/// The values of a tag: one text, or a list in which each stands once.
fn one_or_several(
    field: &Field<'_>,
    shape: &str,
    is_value: fn(&str) -> bool,
    out: &mut Collector,
) -> Option<Vec<String>> {
    if matches!(field.node(), Node::Text(_)) {
        let value = field.checked_text(shape, MAX_TAG_VALUE_CHARS, is_value, out)?;
        return Some(vec![value]);
    }
    let (mut seen, mut values) = (BTreeSet::new(), Vec::new());
    let items = field.list("a text or a list of texts", out)?;
    if items.is_empty() {
        out.add(field.problem(ProblemCode::OutOfRange, "at least one value"));
    }
    for item in items {
        let Some(value) = item.checked_text(shape, MAX_TAG_VALUE_CHARS, is_value, out) else {
            continue;
        };
        if seen.insert(value.clone()) {
            values.push(value);
        } else {
            out.add(item.problem(ProblemCode::Duplicate, "each value only once"));
        }
    }
    Some(values)
}

/// `account_tags`: tags of accounts in AWS Organizations, each key with one text or a list. A resource of AWS has up to 50
/// tags. By Organizations' model (`TagKey`, `TagValue`) they may have any character, and a value may be empty. Control
/// characters are refused here, because nobody means one.
pub(super) fn account_tags(field: &Field<'_>, out: &mut Collector) -> Option<BTreeMap<String, Vec<String>>> {
    const MAX_KEYS: usize = 50;
    const VALUE: &str = "a tag value of up to 256 characters, none of them a control character";
    let is_value = |text: &str| !text.contains(char::is_control);
    let entries = field.free_table(out)?;
    if !(1..=MAX_KEYS).contains(&entries.len()) {
        let expected = format!("1 to {MAX_KEYS} keys; an account must have every one of them");
        out.add(field.problem(ProblemCode::OutOfRange, expected));
    }
    let mut tags = BTreeMap::new();
    for (key, field) in entries {
        if !(1..=MAX_TAG_KEY_CHARS).contains(&key.chars().count()) || key.contains(char::is_control) {
            let expected = "a tag key of 1 to 128 characters, none of them a control character";
            let shown = quoted(key, MAX_VALUE_CHARS);
            out.add(Problem::new(
                ProblemCode::InvalidValue,
                field.path(),
                shown,
                expected,
            ));
        }
        if let Some(values) = one_or_several(&field, VALUE, is_value, out) {
            tags.insert(key.to_owned(), values);
        }
    }
    Some(tags)
}

/// The parameters of a runbook: AWS takes at most 200 keys of 1 to 50 characters, each with 0 to
/// 50 values of 1 to 512 (SSM model, `AutomationParameterMap`).
pub(super) fn parameters(field: &Field<'_>, out: &mut Collector) -> Option<BTreeMap<String, Vec<String>>> {
    const MAX_KEYS: usize = 200;
    const MAX_VALUES: usize = 50;
    let entries = field.free_table(out)?;
    if entries.len() > MAX_KEYS {
        out.add(field.problem(ProblemCode::OutOfRange, format!("at most {MAX_KEYS} parameters")));
    }
    let mut parameters = BTreeMap::new();
    for (key, field) in entries {
        if !(1..=50).contains(&key.chars().count()) {
            let expected = "a parameter name of 1 to 50 characters";
            let shown = quoted(key, MAX_VALUE_CHARS);
            out.add(Problem::new(
                ProblemCode::OutOfRange,
                field.path(),
                shown,
                expected,
            ));
        }
        let values = match field.node() {
            Node::List(items) => {
                if items.len() > MAX_VALUES {
                    out.add(field.problem(ProblemCode::OutOfRange, format!("at most {MAX_VALUES} values")));
                }
                let items = field.list("a list", out)?;
                items
                    .iter()
                    .filter_map(|item| parameter_value(item, out))
                    .collect()
            }
            _ => parameter_value(&field, out).into_iter().collect(),
        };
        parameters.insert(key.to_owned(), values);
    }
    Some(parameters)
}

/// A text, a number, `true` or `false`, as the text that the API takes for each.
fn parameter_value(field: &Field<'_>, out: &mut Collector) -> Option<String> {
    let text = match field.node() {
        Node::Text(text) => text.clone(),
        Node::Bool(_) | Node::Integer(_) => field.node().shown(MAX_VALUE_CHARS),
        Node::Float(number) if number.is_finite() => field.node().shown(MAX_VALUE_CHARS),
        _ => {
            let expected = "a text, a number, true or false, or a list of those";
            out.add(field.problem(ProblemCode::WrongType, expected));
            return None;
        }
    };
    if text.starts_with(CONCEALED) {
        out.add(field.problem(ProblemCode::InvalidValue, NOT_KEPT));
        return None;
    }
    if (1..=MAX_PARAMETER_CHARS).contains(&text.chars().count()) {
        return Some(text);
    }
    let expected = format!("1 to {MAX_PARAMETER_CHARS} characters (leave an empty parameter out)");
    out.add(field.problem(ProblemCode::OutOfRange, expected));
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex_lite::Regex;
    use std::sync::LazyLock;

    /// AWS-RunPatchBaseline's own pattern, less the empty text.
    static PATTERN: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("^https://.+$|^s3://([^/]+)/(.*?([^/]+))$").unwrap());

    proptest! {
        #[test]
        fn override_lists_have_awss_own_pattern(text in "(https?://|s3://|s3:/|)[ab/.]{0,6}|\\PC{0,12}") {
            prop_assert_eq!(is_override(&text), PATTERN.is_match(&text), "{:?}", text);
        }
    }

    #[test]
    fn a_line_break_is_in_no_override_list() {
        assert!(!is_override("https://x\ny"));
        assert!(!is_override("s3://bucket/a\nb"));
    }
}
