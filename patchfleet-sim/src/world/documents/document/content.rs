//! What a document's content has to be, by its type, and what Systems Manager tells of it.

use super::{super::calendar, tree::Tree};
use crate::{spec::DocumentKind, world::documents::runbook::Runbook};
use std::collections::BTreeSet;

/// Systems Manager's `DocumentFormat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DocumentFormat {
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Anything else: an iCalendar.
    Text,
}

impl DocumentFormat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "JSON",
            Self::Yaml => "YAML",
            Self::Text => "TEXT",
        }
    }

    /// The format that has this name; JSON is what is meant without one.
    pub(crate) fn named(name: Option<&str>) -> Self {
        match name {
            Some("YAML") => Self::Yaml,
            Some("TEXT") => Self::Text,
            _ => Self::Json,
        }
    }
}

/// Why a content is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DocumentRefusal {
    /// It cannot be read, or does not fit the type.
    #[error("{0}")]
    Content(String),
    /// Its schema version is none of the type's.
    #[error("{0}")]
    Schema(String),
}

/// What a content tells of itself.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// An iCalendar has none.
    pub(crate) schema_version: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) parameters: Vec<ParameterAbout>,
    /// Systems Manager's PlatformTypes.
    pub(crate) platforms: Vec<&'static str>,
}

/// A parameter as DescribeDocument tells of it.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ParameterAbout {
    name: String,
    r#type: &'static str,
    description: Option<String>,
    default_value: Option<String>,
}

const PLATFORMS: [&str; 3] = ["Windows", "Linux", "MacOS"];

impl About {
    pub(super) fn read(
        content: &str,
        kind: DocumentKind,
        format: DocumentFormat,
    ) -> Result<(Self, Option<Runbook>), DocumentRefusal> {
        if kind == DocumentKind::ChangeCalendar {
            if format != DocumentFormat::Text {
                let message = "A ChangeCalendar document has the format TEXT.";
                return Err(DocumentRefusal::Content(message.to_owned()));
            }
            calendar::check(content).map_err(DocumentRefusal::Content)?;
            let about = Self {
                schema_version: None,
                description: None,
                parameters: vec![],
                platforms: vec![],
            };
            return Ok((about, None));
        }
        if format == DocumentFormat::Text {
            let message = format!("A document of type {} has the format JSON or YAML.", kind.name());
            return Err(DocumentRefusal::Content(message));
        }
        let tree = Tree::read(content, format).map_err(DocumentRefusal::Content)?;
        let version = tree.get("schemaVersion").and_then(Tree::text);
        let version =
            version.ok_or_else(|| DocumentRefusal::Content("the content has no schemaVersion".to_owned()))?;
        let allowed: &[&str] = match kind {
            DocumentKind::Automation => &["0.3"],
            DocumentKind::Command => &["1.2", "2.0", "2.2"],
            DocumentKind::Policy => &["2.0"],
            DocumentKind::Session => &["1.0"],
            DocumentKind::ChangeCalendar => &[],
        };
        if !allowed.contains(&version.as_str()) {
            return Err(DocumentRefusal::Schema(format!(
                "{} documents have the schemaVersion {}, not {version}.",
                kind.name(),
                allowed.join(" or ")
            )));
        }
        let runbook = if kind == DocumentKind::Automation {
            Some(Runbook::parse(content, format.name()).map_err(DocumentRefusal::Content)?)
        } else {
            None
        };
        check_body(&tree, kind, &version)?;
        let about = Self {
            schema_version: Some(version),
            description: tree.get("description").and_then(Tree::text),
            parameters: tree
                .get("parameters")
                .map(Tree::entries)
                .unwrap_or_default()
                .iter()
                .map(parameter)
                .collect(),
            platforms: if kind == DocumentKind::Command {
                platforms(&tree)
            } else {
                PLATFORMS.to_vec()
            },
        };
        Ok((about, runbook))
    }
}

/// The one part that each type cannot be without.
fn check_body(tree: &Tree, kind: DocumentKind, version: &str) -> Result<(), DocumentRefusal> {
    let (key, present) = match (kind, version) {
        (DocumentKind::Command, "1.2") => ("runtimeConfig", map_at(tree, "runtimeConfig")),
        (DocumentKind::Command, _) => ("mainSteps", tree.get("mainSteps").is_some_and(is_steps)),
        (DocumentKind::Policy, _) => ("inputs or mainSteps", {
            map_at(tree, "inputs") || tree.get("mainSteps").is_some_and(is_steps)
        }),
        (DocumentKind::Session, _) => (
            "sessionType",
            tree.get("sessionType").and_then(Tree::text).is_some(),
        ),
        _ => return Ok(()),
    };
    if present {
        return Ok(());
    }
    Err(DocumentRefusal::Content(format!(
        "A {} document of schemaVersion {version} has {key}.",
        kind.name()
    )))
}

fn map_at(tree: &Tree, key: &str) -> bool {
    tree.get(key).is_some_and(|value| !value.entries().is_empty())
}

fn is_steps(value: &Tree) -> bool {
    let text = |step: &Tree, key| step.get(key).and_then(Tree::text).is_some();
    !value.items().is_empty()
        && value
            .items()
            .iter()
            .all(|step| text(step, "action") && text(step, "name"))
}

/// The model has two types for the parameters of all documents.
fn parameter((name, rule): &(String, Tree)) -> ParameterAbout {
    let kind = rule.get("type").and_then(Tree::text).unwrap_or_default();
    let is_list = kind == "StringList" || kind == "MapList" || kind.starts_with("List<");
    ParameterAbout {
        name: name.clone(),
        r#type: if is_list { "StringList" } else { "String" },
        description: rule.get("description").and_then(Tree::text),
        default_value: rule
            .get("default")
            .and_then(|value| value.text().or_else(|| serde_json::to_string(value).ok())),
    }
}

/// The platforms on which a step of a Command document runs: those of its precondition, or those of
/// its plugin.
fn platforms(tree: &Tree) -> Vec<&'static str> {
    let steps = tree.get("mainSteps").map(Tree::items).unwrap_or_default();
    let of_steps = steps.iter().map(|step| {
        let conditions = step.get("precondition").and_then(|one| one.get("StringEquals"));
        let named: Vec<String> = conditions
            .map(Tree::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Tree::text)
            .collect();
        let of_condition = PLATFORMS
            .iter()
            .find(|platform| named.iter().any(|one| one == *platform));
        match of_condition {
            Some(platform) => vec![*platform],
            None => of_plugin(&step.get("action").and_then(Tree::text).unwrap_or_default()),
        }
    });
    let plugins = tree.get("runtimeConfig").map(Tree::entries).unwrap_or_default();
    let of_plugins = plugins.iter().map(|(plugin, _)| of_plugin(plugin));
    let found: BTreeSet<&str> = of_steps.chain(of_plugins).flatten().collect();
    PLATFORMS
        .into_iter()
        .filter(|platform| found.contains(platform))
        .collect()
}

fn of_plugin(plugin: &str) -> Vec<&'static str> {
    match plugin {
        "aws:runShellScript" => vec!["Linux", "MacOS"],
        _ => PLATFORMS.to_vec(),
    }
}
