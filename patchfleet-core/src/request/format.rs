//! The languages in which a request may be written, and what is wrong with a text as such.

use super::node::{Node, TooDeep};
use super::toml_depth::may_be_too_deep;
use crate::problem::{Place, Problem, ProblemCode};
use std::{borrow::Cow, collections::BTreeMap, path::Path};
use toml::de::{DeTable, DeValue};

/// The longest text that is read, in bytes: 1 MiB. A request of 40,000 node ids has room.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;

/// The most values that the aliases of a YAML text may stand for, all together.
const MAX_ALIAS_EVENTS: usize = 50_000;

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

    /// The language that a text without a name is most likely written in: JSON if it begins with a
    /// brace; else by the first line that says something, in which YAML has a colon and TOML an
    /// equals sign or a table's name.
    ///
    /// ```
    /// use patchfleet_core::request::Format;
    ///
    /// assert_eq!(Format::of_content(b"{\"name\": \"weekly\"}"), Format::Json);
    /// assert_eq!(Format::of_content(b"# weekly\nname: weekly\n"), Format::Yaml);
    /// assert_eq!(Format::of_content(b"name = \"a: b\"\n"), Format::Toml);
    /// ```
    #[must_use]
    pub fn of_content(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let first = text
            .lines()
            .map(str::trim)
            .find(|line| !line.is_empty() && !line.starts_with('#'))
            .unwrap_or_default();
        match (first.starts_with('{'), first.find(':'), first.find('=')) {
            (true, _, _) => Self::Json,
            _ if first.starts_with('[') => Self::Toml,
            _ if first.starts_with("---") || first.starts_with('%') => Self::Yaml,
            (_, Some(colon), Some(equals)) if colon < equals => Self::Yaml,
            (_, Some(_), None) => Self::Yaml,
            _ => Self::Toml,
        }
    }

    /// Reads `text` into a tree of values.
    pub(super) fn read(self, text: &[u8], max_bytes: usize) -> Result<Node, Problem> {
        self.parse(Self::text(text, max_bytes)?)
    }

    /// The text that the bytes are, without a byte order mark.
    pub(super) fn text(text: &[u8], max_bytes: usize) -> Result<&str, Problem> {
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
            let at = Place::after(&String::from_utf8_lossy(good));
            syntax(format!("the text is not UTF-8: wrong byte at {at}"))
        })?;
        // Editors on Windows put a byte order mark first; no language has a use for it.
        Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
    }

    /// Reads a text into a tree of values.
    pub(super) fn parse(self, text: &str) -> Result<Node, Problem> {
        match self {
            Self::Toml => read_toml(text),
            Self::Json => read_json(text),
            Self::Yaml => read_yaml(text),
        }
    }

    /// The other language in which this text is a request, or something that has a request's fields. As `node`
    /// it was read in this one, if it could be.
    pub(super) fn rather(self, text: &str, node: Option<&Node>) -> Option<Self> {
        if node.is_some_and(has_field) {
            return None;
        }
        // JSON is YAML as well.
        let mut others = [Self::Json, Self::Toml, Self::Yaml].into_iter();
        others.find(|other| *other != self && other.parse(text).is_ok_and(|node| has_field(&node)))
    }

    /// How YAML is read.
    pub(super) fn yaml_options() -> serde_saphyr::Options {
        serde_saphyr::options! {
            duplicate_keys: serde_saphyr::DuplicateKeyPolicy::Error,
            merge_keys: serde_saphyr::MergeKeyPolicy::Error,
            // `yes` and `012345678901` mean what they say.
            strict_booleans: true,
            leading_zero_numbers_as_strings: true,
            underscored_numbers_as_strings: true,
            reject_unsupported_tags: true,
            non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
            with_snippet: false,
            // An alias costs as much as what it stands for, so few characters can ask for a lot of
            // work. A request has room for one list of 40,000 node ids under an alias.
            alias_limits: serde_saphyr::alias_limits! {
                max_total_replayed_events: MAX_ALIAS_EVENTS,
                max_replay_stack_depth: 16,
                max_alias_expansions_per_anchor: usize::MAX,
            },
            budget: serde_saphyr::budget! {
                max_recorded_anchor_events: 2 * MAX_ALIAS_EVENTS,
            },
        }
    }

    fn error(self, at: Option<Place>, message: &str) -> Problem {
        // Parsers' messages may have several lines, and repeat what the text says.
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = self.as_str();
        syntax(match at {
            Some(at) => format!("the text is not valid {name} at {at}: {message}"),
            None => format!("the text is not valid {name}: {message}"),
        })
    }

    fn too_deep(self, _: TooDeep) -> Problem {
        self.error(None, TOO_DEEP)
    }
}

/// Whether it has a field of a request.
fn has_field(node: &Node) -> bool {
    const FIELDS: [&str; 7] = [
        "name",
        "patch",
        "targets",
        "policy",
        "access",
        "budget",
        "automation",
    ];
    matches!(node, Node::Table(entries) if FIELDS.iter().any(|field| entries.contains_key(*field)))
}

const TOO_DEEP: &str = "lists or tables nest too deep";

fn syntax(expected: String) -> Problem {
    Problem::new(ProblemCode::Syntax, "", "", expected)
}

fn read_toml(text: &str) -> Result<Node, Problem> {
    if may_be_too_deep(text) {
        return Err(Format::Toml.too_deep(TooDeep));
    }
    // Not through serde: each level of an input nested on purpose would cost it far more stack.
    let table = DeTable::parse(text).map_err(|e| {
        let at = e
            .span()
            .map(|span| Place::after(text.get(..span.start).unwrap_or(text)));
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
            Place::after(before)
        });
        Format::Json.error(at, message.strip_suffix(&place).unwrap_or(&message))
    })
}

fn read_yaml(text: &str) -> Result<Node, Problem> {
    match serde_saphyr::from_str_with_options(text, Format::yaml_options()) {
        // An empty text is an empty table in TOML; so it is in YAML.
        Ok(Node::Null) => Ok(Node::Table(BTreeMap::new())),
        Ok(node) => Ok(node),
        Err(e) => {
            let at = e.location().map(|at| Place {
                line: at.line(),
                column: at.column(),
            });
            Err(Format::Yaml.error(at, &yaml_words(e.without_snippet())))
        }
    }
}

/// What is wrong with a YAML text. What a request may not use or exceed is told in its own words, with
/// what to write instead; the reader's words tell of limits that nobody has set in a request.
fn yaml_words(error: &serde_saphyr::Error) -> Cow<'_, str> {
    use serde_saphyr::{MessageFormatter as _, UserMessageFormatter};
    own_yaml_words(error).unwrap_or_else(|| match UserMessageFormatter.format_message(error) {
        theirs if theirs.contains("recursion limit exceeded") => Cow::Borrowed(TOO_DEEP),
        theirs => theirs,
    })
}

fn own_yaml_words(error: &serde_saphyr::Error) -> Option<Cow<'static, str>> {
    use serde_saphyr::Error as E;
    Some(match error {
        E::AliasError { error, .. } => return own_yaml_words(error),
        E::AliasReplayCounterOverflow { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. } => Cow::Owned(format!(
            "its aliases (*name) stand for more than {MAX_ALIAS_EVENTS} values together, or for each other too many \
             times over. Write the values out instead"
        )),
        E::UnknownAnchor { .. } => {
            Cow::Borrowed("an alias (*name) stands for nothing, since no value before it is marked &name")
        }
        E::RecursiveReferencesRequireWeakTypes { .. } => {
            Cow::Borrowed("an alias (*name) stands for a value that it is itself a part of")
        }
        E::MergeKeyNotAllowed { .. } => {
            Cow::Borrowed("a request has no merge keys (<<). Write the values out instead")
        }
        E::Budget { .. } => Cow::Borrowed(
            "it has more values, or lists and tables that nest deeper, than a request has room for",
        ),
        _ => return None,
    })
}
