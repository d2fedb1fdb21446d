//! The languages in which a request may be written, and what is wrong with a text as such.

use super::node::Node;
use super::places::Wanted;
use crate::problem::{Place, Problem, ProblemCode};
use std::path::Path;

#[cfg(feature = "toml")]
mod depth;
mod json;
#[cfg(feature = "toml")]
mod toml;
#[cfg(feature = "yaml")]
mod yaml;

/// The longest text that is read, in bytes: 1 MiB. A request of 40,000 node ids has room.
pub const MAX_REQUEST_BYTES: usize = 1 << 20;

/// The language of a request's text. JSON is always read; TOML and YAML are features of this crate
/// (`toml`, `yaml`), so that a function that is sent JSON need not carry their parsers.
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

    /// Whether this build reads it: whether the feature of its name is on.
    #[must_use]
    pub const fn is_built_in(self) -> bool {
        match self {
            Self::Json => true,
            Self::Toml => cfg!(feature = "toml"),
            Self::Yaml => cfg!(feature = "yaml"),
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

    /// The language that a text without a name is most likely written in. A text that begins with a brace is JSON. In
    /// any other text the first line that is not blank and no comment decides: YAML has a colon there, TOML an equals
    /// sign or a table's name.
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
            Self::Json => json::read(text),
            #[cfg(feature = "toml")]
            Self::Toml => toml::read(text),
            #[cfg(feature = "yaml")]
            Self::Yaml => yaml::read(text),
            #[cfg(not(all(feature = "toml", feature = "yaml")))]
            _ => Err(self.not_built_in()),
        }
    }

    /// Notes where the fields of a text stand. The text was read in this language before.
    pub(super) fn note_places(self, text: &str, wanted: &mut Wanted) {
        match self {
            Self::Json => json::places(text, wanted),
            #[cfg(feature = "toml")]
            Self::Toml => toml::places(text, wanted),
            #[cfg(feature = "yaml")]
            Self::Yaml => yaml::places(text, wanted),
            #[cfg(not(all(feature = "toml", feature = "yaml")))]
            _ => {}
        }
    }

    #[cfg(not(all(feature = "toml", feature = "yaml")))]
    fn not_built_in(self) -> Problem {
        let all = [Self::Json, Self::Toml, Self::Yaml].into_iter();
        let read: Vec<_> = all.filter(|one| one.is_built_in()).map(Self::as_str).collect();
        let (name, read) = (self.as_str(), read.join(" and "));
        let feature = name.to_ascii_lowercase();
        Problem::new(
            ProblemCode::Unsupported,
            "",
            "",
            format!(
                "this program was built without {name}. It reads requests in {read}; with the feature \
                 `{feature}` of patchfleet-core it reads {name} too"
            ),
        )
    }

    /// The other language in which this text is a request, or has fields of one. `node` is the text as it reads in
    /// this language, if it does.
    pub(super) fn rather(self, text: &str, node: Option<&Node>) -> Option<Self> {
        if node.is_some_and(has_field) {
            return None;
        }
        // JSON with a mistake in it, such as a comma too many, may be YAML. Nobody meant that.
        let is_like_json = Self::of_content(text.as_bytes()) == Self::Json;
        if self == Self::Json && is_like_json {
            return None;
        }
        // JSON is YAML as well.
        let mut others = [Self::Json, Self::Toml, Self::Yaml].into_iter();
        let found =
            others.find(|other| *other != self && other.parse(text).is_ok_and(|node| has_field(&node)))?;
        Some(if is_like_json && self == Self::Toml {
            Self::Json
        } else {
            found
        })
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

    #[cfg(feature = "toml")]
    fn too_deep(self, _: super::node::TooDeep) -> Problem {
        self.error(None, TOO_DEEP)
    }
}

/// Whether it has a field of a request.
fn has_field(node: &Node) -> bool {
    const FIELDS: [&str; 9] = [
        "name",
        "patch",
        "targets",
        "policy",
        "access",
        "budget",
        "breaker",
        "output",
        "automation",
    ];
    matches!(node, Node::Table(entries) if FIELDS.iter().any(|field| entries.contains_key(*field)))
}

#[cfg(any(feature = "toml", feature = "yaml"))]
const TOO_DEEP: &str = "lists or tables nest too deep";

fn syntax(expected: String) -> Problem {
    Problem::new(ProblemCode::Syntax, "", "", expected)
}
