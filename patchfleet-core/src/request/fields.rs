//! Reading the fields of a tree of values. Every field knows its path. What is wrong is collected, and reading goes
//! on.

use super::node::{NOT_SHOWN, Node, names_external_id, quoted};
use crate::budget::ParseRateError;
use crate::id::ParseIdError;
use crate::problem::{MAX_SHOWN, MAX_VALUE_CHARS, Problem, ProblemCode, Problems};
use std::collections::BTreeMap;
use std::str::FromStr;

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Collector(Vec<Problem>);

impl Collector {
    pub(super) fn add(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// How many problems there are so far.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Notes that a field is missing.
    pub(super) fn missing(&mut self, path: &str, expected: impl Into<String>) {
        self.add(Problem::new(ProblemCode::Missing, path, "", expected));
    }

    /// Notes that a required identifier is missing.
    pub(super) fn missing_id<T: FromStr<Err = ParseIdError>>(&mut self, path: &str) {
        self.missing(path, shape_of::<T>());
    }

    /// `value` if there was no problem, and otherwise all problems.
    pub(super) fn result<T>(self, what: &str, value: Option<T>) -> Result<T, Problems> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            _ => Err(Problems::new(what, self.0)),
        }
    }
}

/// What an identifier of this type looks like, taken from the error about an empty text. No identifier is empty.
fn shape_of<T: FromStr<Err = ParseIdError>>() -> &'static str {
    "".parse::<T>().err().map_or("a text", |e| e.expected())
}

/// The entries of one table.
pub(super) struct Fields<'a> {
    path: String,
    entries: Option<&'a BTreeMap<String, Node>>,
    known: Vec<&'static str>,
    /// Keys that stand elsewhere and not here. Whoever took them says so.
    refused: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The input as a whole.
    pub(super) fn of_root(node: &'a Node, out: &mut Collector) -> Self {
        Field {
            path: String::new(),
            node,
        }
        .table(out)
    }

    /// A table that is not there.
    fn absent(path: String) -> Self {
        Self {
            path,
            entries: None,
            known: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// The table's own path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The path of the field `key`.
    pub(super) fn path_of(&self, key: &str) -> String {
        joined(&self.path, key)
    }

    /// The field `key`, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let node = self.entries?.get(key)?;
        Some(Field {
            path: self.path_of(key),
            node,
        })
    }

    /// The field `key`, which has no place here. It is not among the fields that there are.
    pub(super) fn take_refused(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.refused.push(key);
        let node = self.entries?.get(key)?;
        Some(Field {
            path: self.path_of(key),
            node,
        })
    }

    /// The field `key`; an empty text counts as absent.
    pub(super) fn take_filled(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.take(key)
            .filter(|field| !matches!(field.node, Node::Text(text) if text.is_empty()))
    }

    /// The table `key`, or an empty one.
    pub(super) fn take_table(&mut self, key: &'static str, out: &mut Collector) -> Self {
        match self.take(key) {
            Some(field) => field.table(out),
            None => Self::absent(self.path_of(key)),
        }
    }

    /// Whether a key that is none of `known` was most likely meant to be one of `these`. At most [`MAX_SHOWN`] keys are
    /// looked at.
    pub(super) fn has_misspelt(&self, these: &[&str], known: &[&'static str]) -> bool {
        let keys = self.entries.into_iter().flatten().map(|(key, _)| key.as_str());
        let mut unknown = keys.filter(|key| !known.contains(key)).take(MAX_SHOWN);
        unknown.any(|key| nearest(key, known).is_some_and(|near| these.contains(&near)))
    }

    /// Whether there is a key that was not taken.
    pub(super) fn has_unknown(&self) -> bool {
        let mut keys = self.entries.into_iter().flatten().map(|(key, _)| key.as_str());
        keys.any(|key| !self.known.contains(&key))
    }

    /// Notes a problem for each key that was not taken.
    pub(super) fn finish(self, out: &mut Collector) {
        for (key, node) in self.entries.into_iter().flatten() {
            if !self.known.contains(&key.as_str()) && !self.refused.contains(&key.as_str()) {
                // More than that is shown to nobody, and the search for a similar key takes long.
                let near = if out.len() < MAX_SHOWN {
                    nearest(key, &self.known)
                } else {
                    None
                };
                let expected = match near {
                    Some(near) => format!("no such field; did you mean {near}?"),
                    None => format!("no such field; there are {}", self.known.join(", ")),
                };
                let path = joined(&self.path, key);
                // The key is misspelt, or the table has one key too many.
                let value = match names_external_id(&path) {
                    true => withheld(node),
                    false => node.shown(MAX_VALUE_CHARS),
                };
                out.add(Problem::new(ProblemCode::UnknownKey, path, value, expected));
            }
        }
    }
}

/// `path.key`, the key in quotes if it is not a plain one.
pub(super) fn joined(path: &str, key: &str) -> String {
    let plain = !key.is_empty()
        && key
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let key = if plain && key.len() <= MAX_VALUE_CHARS {
        key.to_owned()
    } else {
        quoted(key, MAX_VALUE_CHARS)
    };
    if path.is_empty() {
        key
    } else {
        format!("{path}.{key}")
    }
}

/// What is shown in place of a secret value.
fn withheld(node: &Node) -> String {
    match node {
        Node::Text(text) => format!("(not shown, length {})", text.chars().count()),
        _ => NOT_SHOWN.to_owned(),
    }
}

/// One value, and where it stands.
pub(super) struct Field<'a> {
    path: String,
    node: &'a Node,
}

impl<'a> Field<'a> {
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    /// A problem with this value.
    pub(super) fn problem(&self, code: ProblemCode, expected: impl Into<String>) -> Problem {
        Problem::new(
            code,
            self.path.clone(),
            self.node.shown(MAX_VALUE_CHARS),
            expected,
        )
    }

    /// A problem with a secret value. Its length is shown in its place.
    pub(super) fn problem_withheld(&self, code: ProblemCode, expected: impl Into<String>) -> Problem {
        Problem::new(code, self.path.clone(), withheld(self.node), expected)
    }

    /// A secret text.
    pub(super) fn text_withheld(&self, expected: &str, out: &mut Collector) -> Option<&'a str> {
        if let Node::Text(text) = self.node {
            return Some(text);
        }
        out.add(self.problem_withheld(ProblemCode::WrongType, self.quoted_if_a_number(expected)));
        None
    }

    /// A text.
    pub(super) fn text(&self, expected: &str, out: &mut Collector) -> Option<&'a str> {
        if let Node::Text(text) = self.node {
            return Some(text);
        }
        out.add(self.problem(ProblemCode::WrongType, self.quoted_if_a_number(expected)));
        None
    }

    /// What would be right. Of a number that should be a text it also says how to quote it.
    fn quoted_if_a_number(&self, expected: &str) -> String {
        if let Node::Integer(number @ 0..=999_999_999_999) = self.node
            && expected.starts_with("12 digits")
        {
            return format!("{expected}: write \"{number:012}\", since a number loses its leading zeros");
        }
        let number = matches!(self.node, Node::Integer(_) | Node::Float(_));
        if number && !expected.contains("in quotes") {
            format!("{expected}, in quotes")
        } else {
            expected.to_owned()
        }
    }

    /// A text that `check` accepts.
    pub(super) fn checked_text(
        &self,
        expected: &str,
        max_chars: usize,
        check: fn(&str) -> bool,
        out: &mut Collector,
    ) -> Option<String> {
        let text = self.text(expected, out)?;
        if text.chars().count() > max_chars {
            out.add(self.problem(ProblemCode::OutOfRange, format!("at most {max_chars} characters")));
            return None;
        }
        if !check(text) {
            out.add(self.problem(ProblemCode::InvalidValue, expected));
            return None;
        }
        Some(text.to_owned())
    }

    /// An identifier.
    pub(super) fn id<T: FromStr<Err = ParseIdError>>(&self, out: &mut Collector) -> Option<T> {
        match self.text(shape_of::<T>(), out)?.parse() {
            Ok(id) => Some(id),
            Err(e) => {
                out.add(self.problem(ProblemCode::InvalidValue, e.expected()));
                None
            }
        }
    }

    /// A count or a percentage, as a text or an integer.
    pub(super) fn rate<T: FromStr<Err = ParseRateError>>(&self, out: &mut Collector) -> Option<T> {
        let (text, code) = match self.node {
            Node::Text(text) => (text.clone(), ProblemCode::InvalidValue),
            Node::Integer(count) => (count.to_string(), ProblemCode::OutOfRange),
            _ => (String::new(), ProblemCode::WrongType),
        };
        match text.parse() {
            Ok(rate) => Some(rate),
            Err(e) => {
                out.add(self.problem(code, e.expected()));
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self, out: &mut Collector) -> Option<bool> {
        if let Node::Bool(value) = self.node {
            return Some(*value);
        }
        out.add(self.problem(ProblemCode::WrongType, "true or false"));
        None
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)], out: &mut Collector) -> Option<T> {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        let expected = words.join(" or ");
        let text = self.text(&expected, out)?;
        let found = choices.iter().find(|(word, _)| *word == text);
        if found.is_none() {
            out.add(self.problem(ProblemCode::InvalidValue, expected));
        }
        found.map(|(_, value)| *value)
    }

    /// The items of a list.
    pub(super) fn list(&self, expected: &str, out: &mut Collector) -> Option<Vec<Field<'a>>> {
        let Node::List(items) = self.node else {
            out.add(self.problem(ProblemCode::WrongType, self.quoted_if_a_number(expected)));
            return None;
        };
        let fields = items.iter().enumerate().map(|(index, node)| Field {
            path: format!("{}[{index}]", self.path),
            node,
        });
        Some(fields.collect())
    }

    /// The identifiers of a list, each once, in the list's order.
    pub(super) fn ids<T>(&self, expected: &str, out: &mut Collector) -> Option<Vec<T>>
    where
        T: FromStr<Err = ParseIdError> + Ord + Clone,
    {
        self.ids_where(expected, |_| None, out)
    }

    /// As [`Field::ids`], without those that `refuse` refuses.
    pub(super) fn ids_where<T>(
        &self,
        expected: &str,
        refuse: fn(&T) -> Option<&'static str>,
        out: &mut Collector,
    ) -> Option<Vec<T>>
    where
        T: FromStr<Err = ParseIdError> + Ord + Clone,
    {
        let mut first: BTreeMap<T, String> = BTreeMap::new();
        let mut ids = Vec::new();
        for field in self.list(expected, out)? {
            let Some(id) = field.id::<T>(out) else { continue };
            if let Some(why) = refuse(&id) {
                out.add(field.problem(ProblemCode::InvalidValue, why));
            } else if let Some(before) = first.get(&id) {
                let expected = format!("each only once; {before} is the same");
                out.add(field.problem(ProblemCode::Duplicate, expected));
            } else {
                first.insert(id.clone(), field.path);
                ids.push(id);
            }
        }
        Some(ids)
    }

    /// The entries of a table.
    pub(super) fn table(&self, out: &mut Collector) -> Fields<'a> {
        let mut fields = Fields::absent(self.path.clone());
        match self.node {
            Node::Table(entries) => fields.entries = Some(entries),
            _ => out.add(self.problem(ProblemCode::WrongType, "a table")),
        }
        fields
    }

    /// The entries of a table whose keys are free, with the fields.
    pub(super) fn free_table(&self, out: &mut Collector) -> Option<Vec<(&'a str, Field<'a>)>> {
        let entries = self.table(out).entries?;
        let fields = entries.iter().map(|(key, node)| {
            let path = joined(&self.path, key);
            (key.as_str(), Field { path, node })
        });
        Some(fields.collect())
    }
}

/// The known key that `key` was most likely meant to be.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    const MAX_LEN: usize = 64;
    if key.len() > MAX_LEN {
        return None;
    }
    let plain = |text: &str| text.to_ascii_lowercase().replace(['-', '_', ' '], "");
    let wanted = plain(key);
    known
        .iter()
        .map(|known| (distance(&wanted, &plain(known)), *known))
        .filter(|(distance, known)| *distance <= known.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// How many characters to insert, delete or replace to make one of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for ((above, diagonal), to) in row.iter().skip(1).zip(&row).zip(&b) {
            let left = next.last().copied().unwrap_or_default();
            let replaced = diagonal + usize::from(from != *to);
            next.push(replaced.min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_told_its_nearest_neighbour() {
        let known = ["resource_group", "regions", "accounts", "tags"];
        assert_eq!(nearest("region", &known), Some("regions"));
        assert_eq!(nearest("ResourceGroup", &known), Some("resource_group"));
        assert_eq!(nearest("acounts", &known), Some("accounts"));
        assert_eq!(nearest("tag", &known), Some("tags"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), &known), None);
    }

    #[test]
    fn distances_count_single_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
