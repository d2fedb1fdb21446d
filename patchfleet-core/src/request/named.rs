//! Lists of tables that each have a name of their own: `[[waves]]` and `[[freezes]]`.

use super::fields::{Collector, Field, Fields};
use super::node::Node;
use crate::id::ParseIdError;
use crate::problem::{Problem, ProblemCode};
use std::collections::BTreeMap;
use std::str::FromStr;

/// How many tables such a list may have.
const MAX_TABLES: usize = 50;

/// Names that were read, each with its path.
pub(super) type Names<N> = BTreeMap<N, String>;

/// Reads the list `key`, in which each table is read by `read_one`. Gives what has no problem of its own, each with its index.
pub(super) fn list<N, T>(
    key: &'static str,
    table_shape: &str,
    root: &mut Fields<'_>,
    out: &mut Collector,
    read_one: impl Fn(Fields<'_>, &mut Names<N>, &mut Collector) -> Option<T>,
) -> Vec<(usize, T)> {
    let Some(field) = root.take(key) else {
        return Vec::new();
    };
    let shape = format!("a list of {key}, each a table that TOML begins with [[{key}]]");
    let Some(items) = field.list(&shape, out) else {
        return Vec::new();
    };
    if items.len() > MAX_TABLES {
        out.add(Problem::new(
            ProblemCode::OutOfRange,
            field.path(),
            "",
            format!("at most {MAX_TABLES} {key}; here are {}", items.len()),
        ));
    }
    let mut names = BTreeMap::new();
    let read = items.iter().enumerate().filter_map(|(index, item)| {
        let before = out.len();
        let one = table(item, table_shape, out).and_then(|fields| read_one(fields, &mut names, out));
        one.filter(|_| out.len() == before).map(|one| (index, one))
    });
    read.collect()
}

fn table<'a>(item: &Field<'a>, shape: &str, out: &mut Collector) -> Option<Fields<'a>> {
    if !matches!(item.node(), Node::Table(_)) {
        out.add(item.problem(ProblemCode::WrongType, shape));
        return None;
    }
    Some(item.table(out))
}

/// Reads `name`, which none of the tables before has. `against` says what would be right instead of a name that nobody may have.
pub(super) fn name<N: FromStr<Err = ParseIdError> + Ord + Clone>(
    fields: &mut Fields<'_>,
    names: &mut Names<N>,
    out: &mut Collector,
    against: impl Fn(&N) -> Option<&'static str>,
) -> Option<N> {
    let Some(field) = fields.take("name") else {
        out.missing_id::<N>(&fields.path_of("name"));
        return None;
    };
    let name: N = field.id(out)?;
    if let Some(expected) = against(&name) {
        out.add(field.problem(ProblemCode::Conflict, expected));
        return None;
    }
    if let Some(before) = names.get(&name) {
        let expected = format!("each only once; {before} is the same");
        out.add(field.problem(ProblemCode::Duplicate, expected));
        return None;
    }
    names.insert(name.clone(), field.path().to_owned());
    Some(name)
}
