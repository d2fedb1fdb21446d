//! The languages in which a request may be written, and what is wrong with a text as such.

use super::node::{Node, TooDeep};
use super::toml_depth::may_be_too_deep;
use crate::problem::{Problem, ProblemCode};
use std::{collections::BTreeMap, path::Path};
use toml::de::{DeTable, DeValue};

/// The longest text that is read, in bytes: 1 MiB. A request of 40,000 node ids has room.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;

/// The language of a request's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// TOML 1.0.
    Toml,
    /// JSON. No comments.
    Json,
    /// YAML 1.2, one document, without merge keys and tags of one's own.
    Yaml,
}

impl Format {
    /// The language's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Toml => "TOML",
            Self::Json => "JSON",
            Self::Yaml => "YAML",
        }
    }

    /// The language that a file's name ends in: `.toml`, `.json`, `.yaml` or `.yml`.
    ///
    /// # Errors
    ///
    /// A [`Problem`] if it ends in none of them.
    ///
    /// ```
    /// use patchfleet_core::request::Format;
    ///
    /// assert_eq!(Format::of_path("requests/weekly.toml")?, Format::Toml);
    /// assert_eq!(Format::of_path("weekly.YML")?, Format::Yaml);
    /// assert!(Format::of_path("weekly").is_err());
    /// # Ok::<(), patchfleet_core::problem::Problem>(())
    /// ```
    pub fn of_path(path: impl AsRef<Path>) -> Result<Self, Problem> {
        let path = path.as_ref();
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        match extension.as_deref() {
            Some("toml") => Ok(Self::Toml),
            Some("json") => Ok(Self::Json),
            Some("yaml" | "yml") => Ok(Self::Yaml),
            _ => Err(Problem::new(
                ProblemCode::InvalidValue,
                "",
                path.to_string_lossy(),
                "a file name that ends in .toml, .json, .yaml or .yml",
            )),
        }
    }

    /// Reads `text` into a tree of values.
    pub(super) fn read(self, text: &[u8], max_bytes: usize) -> Result<Node, Problem> {
        if text.len() > max_bytes {
            return Err(Problem::new(
                ProblemCode::TooLarge,
                "",
                format!("{} bytes", text.len()),
                format!("at most {max_bytes} bytes"),
            ));
        }
        let text = std::str::from_utf8(text).map_err(|e| {
            let good = text.get(..e.valid_up_to()).unwrap_or_default();
            let at = Position::after(&String::from_utf8_lossy(good));
            syntax(format!("the text is not UTF-8: wrong byte at {at}"))
        })?;
        // Editors on Windows put a byte order mark first; no language has a use for it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match self {
            Self::Toml => read_toml(text),
            Self::Json => read_json(text),
            Self::Yaml => read_yaml(text),
        }
    }

    fn error(self, at: Option<Position>, message: &str) -> Problem {
        // Parsers' messages may have several lines, and repeat what the text says.
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = self.as_str();
        syntax(match at {
            Some(at) => format!("the text is not valid {name} at {at}: {message}"),
            None => format!("the text is not valid {name}: {message}"),
        })
    }

    fn too_deep(self, _: TooDeep) -> Problem {
        self.error(None, "lists or tables nest too deep")
    }
}

fn syntax(expected: String) -> Problem {
    Problem::new(ProblemCode::Syntax, "", "", expected)
}

/// A place in a text, from line 1 and column 1.
struct Position {
    line: u64,
    column: u64,
}

impl Position {
    /// The place of the character that follows `before`.
    fn after(before: &str) -> Self {
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self {
            line: u64::try_from(line).unwrap_or(u64::MAX),
            column: u64::try_from(column).unwrap_or(u64::MAX),
        }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

fn read_toml(text: &str) -> Result<Node, Problem> {
    if may_be_too_deep(text) {
        return Err(Format::Toml.too_deep(TooDeep));
    }
    // Not through serde: each level of an input nested on purpose would cost it far more stack.
    let table = DeTable::parse(text).map_err(|e| {
        let at = e
            .span()
            .map(|span| Position::after(text.get(..span.start).unwrap_or(text)));
        Format::Toml.error(at, e.message())
    })?;
    Node::from_toml(&DeValue::Table(table.into_inner())).map_err(|e| Format::Toml.too_deep(e))
}

fn read_json(text: &str) -> Result<Node, Problem> {
    serde_json::from_str(text).map_err(|e| {
        let message = e.to_string();
        let place = format!(" at line {} column {}", e.line(), e.column());
        let at = (e.line() > 0).then(|| {
            // serde_json counts the bytes read of the line, so it can stand at 0.
            let line_start = text
                .split_inclusive('\n')
                .take(e.line() - 1)
                .map(str::len)
                .sum::<usize>();
            let before = text
                .get(..line_start + e.column().saturating_sub(1))
                .unwrap_or(text);
            Position::after(before)
        });
        Format::Json.error(at, message.strip_suffix(&place).unwrap_or(&message))
    })
}

fn read_yaml(text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! {
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
        merge_keys: serde_saphyr::MergeKeyPolicy::Error,
        // `yes` and `012345678901` mean what they say.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        with_snippet: false,
    };
    match serde_saphyr::from_str_with_options(text, options) {
        // An empty text is an empty table in TOML; so it is in YAML.
        Ok(Node::Null) => Ok(Node::Table(BTreeMap::new())),
        Ok(node) => Ok(node),
        Err(e) => {
            use serde_saphyr::MessageFormatter as _;
            let at = e.location().map(|at| Position {
                line: at.line(),
                column: at.column(),
            });
            let message = serde_saphyr::UserMessageFormatter.format_message(e.without_snippet());
            Err(Format::Yaml.error(at, &message))
        }
    }
}
