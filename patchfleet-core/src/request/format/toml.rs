//! Requests in TOML: their values, and where each stands.

use super::Format;
use super::depth::may_be_too_deep;
use crate::problem::{Place, Problem};
use crate::request::fields::joined;
use crate::request::node::{MAX_DEPTH, Node, TooDeep, quoted};
use crate::request::places::Wanted;
use toml::de::{DeTable, DeValue};

/// Reads a text into a tree of values.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    if may_be_too_deep(text) {
        return Err(Format::Toml.too_deep(TooDeep));
    }
    // Not through serde, which takes far more stack for each level of a text that is nested on purpose.
    let table = DeTable::parse(text).map_err(|e| {
        let at = e
            .span()
            .map(|span| Place::after(text.get(..span.start).unwrap_or(text)));
        let key = e.span().and_then(|span| text.get(span));
        match key {
            // The parser does not say which.
            Some(key) if e.message() == "duplicate key" => {
                let key = quoted(key.trim_matches(['"', '\'']), 40);
                Format::Toml.error(at, &format!("duplicate key {key}"))
            }
            _ => Format::Toml.error(at, e.message()),
        }
    })?;
    node(&DeValue::Table(table.into_inner()), 0).map_err(|e| Format::Toml.too_deep(e))
}

/// The tree of a TOML value that stands at this depth.
fn node(value: &DeValue<'_>, depth: usize) -> Result<Node, TooDeep> {
    if depth > MAX_DEPTH {
        return Err(TooDeep);
    }
    Ok(match value {
        DeValue::String(text) => Node::Text(text.to_string()),
        // A number beyond 128 bits is out of range in any case, so a float will do for it.
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(integer) => Node::Integer(integer),
            Err(_) => Node::Float(number.as_str().parse().unwrap_or(f64::INFINITY)),
        },
        DeValue::Float(number) => Node::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        DeValue::Boolean(value) => Node::Bool(*value),
        DeValue::Datetime(value) => Node::Datetime(value.to_string()),
        DeValue::Array(items) => Node::List(
            items
                .iter()
                .map(|item| node(item.get_ref(), depth + 1))
                .collect::<Result<_, _>>()?,
        ),
        DeValue::Table(entries) => Node::Table(
            entries
                .iter()
                .map(|(key, value)| Ok((key.get_ref().to_string(), node(value.get_ref(), depth + 1)?)))
                .collect::<Result<_, _>>()?,
        ),
    })
}

/// Notes where the fields of a text stand.
pub(in crate::request) fn places(text: &str, wanted: &mut Wanted) {
    if let Ok(table) = DeTable::parse(text) {
        // Where each line begins, so that a place is found without reading the text up to it.
        let lines: Vec<usize> = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        let place = |offset: usize| {
            let line = lines.partition_point(|start| *start <= offset);
            let start = *lines.get(line.checked_sub(1)?)?;
            let column = text.get(start..offset)?.chars().count() + 1;
            Some(Place {
                line: u64::try_from(line).ok()?,
                column: u64::try_from(column).ok()?,
            })
        };
        toml_table("", table.get_ref(), &place, wanted);
    }
}

fn toml_table(path: &str, table: &DeTable<'_>, place: &dyn Fn(usize) -> Option<Place>, wanted: &mut Wanted) {
    for (key, value) in table {
        let path = joined(path, key.get_ref());
        wanted.note(&path, || place(key.span().start));
        toml_value(&path, value.get_ref(), place, wanted);
    }
}

fn toml_value(path: &str, value: &DeValue<'_>, place: &dyn Fn(usize) -> Option<Place>, wanted: &mut Wanted) {
    match value {
        DeValue::Table(table) => toml_table(path, table, place, wanted),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                wanted.note(&path, || place(item.span().start));
                toml_value(&path, item.get_ref(), place, wanted);
            }
        }
        _ => {}
    }
}
