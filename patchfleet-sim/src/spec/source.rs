//! The text that a spec was read from, so that what is found wrong later can be shown with its line
//! and column.

use super::{Position, Problem};
use std::{ops::Range, sync::Arc};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// The world file's text, or nothing for a spec that was made in another way.
#[derive(Debug, Clone, Default)]
pub struct Source {
    text: Option<Arc<str>>,
}

impl Source {
    pub(super) fn of(text: &str) -> Self {
        Self {
            text: Some(text.into()),
        }
    }

    /// `problems` with their positions, in the order of the file.
    pub(crate) fn place(&self, mut problems: Vec<Problem>) -> Vec<Problem> {
        let Some(text) = self.text.as_deref() else {
            return problems;
        };
        let Ok(table) = DeTable::parse(text) else {
            return problems;
        };
        for problem in &mut problems {
            problem.position = Some(position(text, find(table.get_ref(), &problem.path)));
        }
        problems.sort_by_key(|problem| problem.position);
        problems
    }
}

/// The line and column of the byte at `offset`.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.rsplit_once('\n').map_or(before, |(_, line)| line);
    Position {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
    }
}

/// Where the key at `path` begins. What the file does not have is looked for in what is around it.
fn find(root: &DeTable<'_>, path: &str) -> usize {
    let mut at = 0;
    let mut table = Some(root);
    for part in path.split('.').filter(|part| !part.is_empty()) {
        let (name, indexes) = part.split_once('[').unwrap_or((part, ""));
        let Some((key, value)) = table.and_then(|table| {
            let mut entries = table.iter();
            entries.find(|(key, _)| key.get_ref().as_ref() == name)
        }) else {
            break;
        };
        at = key.span().start;
        let mut value = value;
        for index in indexes.split(['[', ']']).filter(|index| !index.is_empty()) {
            let items = value.get_ref().as_array();
            let Some(item) = items.and_then(|items| items.get(index.parse::<usize>().ok()?)) else {
                break;
            };
            value = item;
            at = item.span().start;
        }
        table = value.get_ref().as_table();
    }
    at
}

/// The path of the key or value that has `span`.
pub(super) fn path_of(table: &DeTable<'_>, span: &Range<usize>) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref();
        if key.span() == *span {
            return Some(name.to_string());
        }
        path_in(value, span).map(|rest| format!("{name}{rest}"))
    })
}

fn path_in(value: &Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<String> {
    if value.span() == *span {
        return Some(String::new());
    }
    match value.get_ref() {
        DeValue::Table(table) => path_of(table, span).map(|rest| format!(".{rest}")),
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(index, item)| path_in(item, span).map(|rest| format!("[{index}]{rest}"))),
        _ => None,
    }
}

/// The value that has `span`.
pub(super) fn value_at<'a, 'i>(table: &'a DeTable<'i>, span: &Range<usize>) -> Option<&'a DeValue<'i>> {
    table.values().find_map(|value| in_value(value, span))
}

fn in_value<'a, 'i>(value: &'a Spanned<DeValue<'i>>, span: &Range<usize>) -> Option<&'a DeValue<'i>> {
    if value.span() == *span {
        return Some(value.get_ref());
    }
    match value.get_ref() {
        DeValue::Table(table) => value_at(table, span),
        DeValue::Array(items) => items.iter().find_map(|item| in_value(item, span)),
        _ => None,
    }
}
