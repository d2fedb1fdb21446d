//! Reads a world file, and finds everything in it that does not read, not only the first.
//!
//! serde stops at the first value that it cannot take. So that value is taken out of the parsed file
//! and the rest is tried again, until it reads or nothing is left to take out.

use super::{Problem, WorldError, WorldSpec, source};
use serde::Deserialize;
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue, Deserializer},
};

/// Problems after which nobody reads on.
const ENOUGH: usize = 100;

/// An entry that was taken out: the span of the table that had it, and its key.
type Taken = (Range<usize>, String);

pub(super) fn read(text: &str) -> Result<WorldSpec, WorldError> {
    let (mut table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let problems = errors.iter().map(|error| Problem {
            position: error.span().map(|span| source::position(text, span.start)),
            path: String::new(),
            message: error.message().to_owned(),
        });
        return Err(syntax(problems.collect()));
    }
    let whole = table.clone();
    let (mut problems, mut taken) = (vec![], Vec::<Taken>::new());
    loop {
        let error = match WorldSpec::deserialize(Deserializer::from(table.clone())) {
            Ok(spec) if problems.is_empty() => return Ok(spec),
            Ok(_) => break,
            Err(error) => error,
        };
        let span = error.span().unwrap_or_else(|| whole.span());
        let span = narrow(table.get_ref(), span, error.message());
        // What is missing because it was taken out has been named already.
        let follows = taken.iter().any(|(parent, key)| {
            *parent == span && error.message().contains(&format!("missing field `{key}`"))
        });
        if !follows {
            problems.push(Problem {
                position: Some(source::position(text, span.start)),
                path: source::path_of(whole.get_ref(), &span).unwrap_or_default(),
                message: error.message().to_owned(),
            });
        }
        let around = table.span();
        match take_out(table.get_mut(), &around, &span) {
            Some(entry) if problems.len() < ENOUGH => taken.push(entry),
            _ => break,
        }
    }
    Err(syntax(problems))
}

fn syntax(mut problems: Vec<Problem>) -> WorldError {
    problems.sort_by_key(|problem| problem.position);
    WorldError::Syntax(problems)
}

/// A text that is refused for what it says is reported at the list that it stands in; the message
/// quotes it.
fn narrow(table: &DeTable<'_>, span: Range<usize>, message: &str) -> Range<usize> {
    let list = source::value_at(table, &span).and_then(DeValue::as_array);
    let quoted = |item: &&Spanned<DeValue<'_>>| {
        item.get_ref()
            .as_str()
            .is_some_and(|text| message.contains(&format!("{text:?}")))
    };
    let item = list.and_then(|items| items.iter().find(quoted));
    item.map_or(span, Spanned::span)
}

/// Takes the entry out whose key or value has `span`.
fn take_out<'i>(table: &mut DeTable<'i>, around: &Range<usize>, span: &Range<usize>) -> Option<Taken> {
    let wanted = table
        .iter()
        .find(|(key, value)| key.span() == *span || value.span() == *span)
        .map(|(key, _)| key.clone());
    if let Some(key) = wanted {
        table.remove(&key);
        return Some((around.clone(), key.into_inner().into_owned()));
    }
    table.iter_mut().find_map(|(_, value)| take_from(value, span))
}

fn take_from<'i>(value: &mut Spanned<DeValue<'i>>, span: &Range<usize>) -> Option<Taken> {
    let around = value.span();
    match value.get_mut() {
        DeValue::Table(table) => take_out(table, &around, span),
        DeValue::Array(items) => {
            if !items.iter().any(|item| item.span() == *span) {
                return items.iter_mut().find_map(|item| take_from(item, span));
            }
            let mut kept = DeArray::new();
            for item in std::mem::replace(items, DeArray::new()) {
                if item.span() != *span {
                    kept.push(item);
                }
            }
            *items = kept;
            // An element has no key, and nothing misses it.
            Some((around, String::new()))
        }
        _ => None,
    }
}
