//! Java's patterns: those of the model, which a whole value has to match, and those of documents.

use fancy_regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How often a match may go back to try another way.
const MAX_BACKTRACKS: usize = 100_000;

/// So many patterns of documents are kept compiled.
const KEPT: usize = 256;

/// The patterns of documents, compiled. Compiling takes longer than all else that is done with a document, and worlds of one
/// process have the same documents.
static COMPILED: Mutex<BTreeMap<String, Arc<Compiled>>> = Mutex::new(BTreeMap::new());

/// A pattern compiled, or why it is none.
type Compiled = Result<Regex, String>;

/// A pattern of the model, compiled when it is first needed.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub(super) struct Pattern {
    text: String,
    regex: OnceLock<Option<Regex>>,
}

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self {
            text,
            regex: OnceLock::new(),
        }
    }
}

impl Pattern {
    /// As the model has it.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether `value` matches. A pattern that cannot be used, or a value that takes too long,
    /// passes: what is right must not be refused.
    pub(super) fn matches(&self, value: &str) -> bool {
        self.regex()
            .is_none_or(|regex| regex.is_match(value).unwrap_or(true))
    }

    /// Whether it can be used.
    #[cfg(test)]
    pub(super) fn works(&self) -> bool {
        self.regex().is_some()
    }

    fn regex(&self) -> Option<&Regex> {
        let compile = || compile(&format!("^(?:{})\\z", self.text)).ok();
        self.regex.get_or_init(compile).as_ref()
    }
}

/// A document's pattern, compiled once for all executions of the document. It is looked for anywhere in a
/// value.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub(crate) struct SearchPattern {
    text: String,
    regex: OnceLock<Arc<Compiled>>,
}

impl From<String> for SearchPattern {
    fn from(text: String) -> Self {
        Self {
            text,
            regex: OnceLock::new(),
        }
    }
}

impl SearchPattern {
    /// As the document has it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The pattern compiled, or why it is none. A value for which it would have to go back too often is an
    /// error of the match.
    pub(crate) fn regex(&self) -> Result<&Regex, &str> {
        let compiled = self.regex.get_or_init(|| compiled(&self.text));
        compiled.as_ref().as_ref().map_err(String::as_str)
    }
}

fn compiled(pattern: &str) -> Arc<Compiled> {
    let kept = || COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(compiled) = kept().get(pattern) {
        return compiled.clone();
    }
    // Without the lock: it may take long.
    let compiled = Arc::new(compile(pattern));
    let mut kept = kept();
    if kept.len() >= KEPT {
        kept.clear();
    }
    kept.insert(pattern.to_owned(), compiled.clone());
    compiled
}

fn compile(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(&of_java(pattern))
        .backtrack_limit(MAX_BACKTRACKS)
        .build()
        .map_err(|error| error.to_string())
}

/// In Java `\w` and `\d` are ASCII, and a character has the form `\uFFFF`. Beyond the first plane
/// AWS writes `\u10000`, which Java does not read as it is meant.
fn of_java(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut in_class = false;
    while let Some(next) = rest.chars().next() {
        let escape = |letter: char| rest.strip_prefix('\\').and_then(|tail| tail.strip_prefix(letter));
        if let Some(tail) = escape('w') {
            out.push_str(if in_class { "a-zA-Z0-9_" } else { "[a-zA-Z0-9_]" });
            rest = tail;
        } else if let Some(tail) = escape('d') {
            out.push_str(if in_class { "0-9" } else { "[0-9]" });
            rest = tail;
        } else if let Some(tail) = escape('u') {
            let wide = ["10000", "10FFFF"]
                .into_iter()
                .find(|digits| tail.starts_with(digits));
            let digits = wide.or_else(|| tail.get(..4)).unwrap_or_default();
            out.push_str(&format!("\\x{{{digits}}}"));
            rest = tail.get(digits.len()..).unwrap_or_default();
        } else if next == '\\' {
            let end = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
            out.push_str(rest.get(..end).unwrap_or_default());
            rest = rest.get(end..).unwrap_or_default();
        } else {
            match next {
                '[' => in_class = true,
                ']' => in_class = false,
                _ => {}
            }
            out.push(next);
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, value: &str) -> bool {
        let pattern = Pattern::from(pattern.to_owned());
        assert!(pattern.works(), "{}", pattern.text());
        pattern.matches(value)
    }

    #[test]
    fn a_pattern_means_the_whole_value_also_without_anchors() {
        assert!(matches("[\\w+=,.@-]*", "a_b@c"));
        assert!(!matches("[\\w+=,.@-]*", "a b"));
        assert!(!matches("[\\w+=,.@-]*", "ä"));
        assert!(!matches("\\d{12}", "1234567890123"));
        assert!(!matches("\\d{12}", "123456789012\n"));
    }

    #[test]
    fn javas_own_forms_are_understood() {
        assert!(matches("^(?!\\s*$).+", "x"));
        assert!(!matches("^(?!\\s*$).+", "  "));
        assert!(matches("[\\u0009\\u0020-\\uD7FF\\u10000-\\u10FFFF]+", "a😀"));
        assert!(!matches("[\\u0009\\u0020-\\uD7FF]+", "\u{0}"));
        assert!(matches("(?i)all|[0-9]{12}", "ALL"));
    }
}
