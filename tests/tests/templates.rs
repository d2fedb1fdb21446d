//! Each folder of patchfleet-examples is a template to copy: nothing in its Cargo.toml is inherited from the workspace.
//! What it says for itself is what the workspace says, so there is one version of everything here.
//! `tests/templates/run` copies each of them out of the workspace, builds it, and runs its tests.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn manifest(folder: &Path) -> Table {
    let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    text.parse().unwrap()
}

/// The folders of patchfleet-examples that are packages, each with its manifest.
fn templates() -> Vec<(String, Table)> {
    let folders = std::fs::read_dir(root().join("patchfleet-examples")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = folders
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .map(|folder| {
            let name = folder.file_name().unwrap().to_string_lossy().into_owned();
            (name, manifest(&folder))
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// Whether `workspace` is a key of it, at any depth.
fn inherits(value: &Value) -> bool {
    match value {
        Value::Table(table) => table.contains_key("workspace") || table.values().any(inherits),
        Value::Array(items) => items.iter().any(inherits),
        _ => false,
    }
}

/// A dependency as a table, however it is written.
fn spelled_out(dependency: &Value) -> Table {
    match dependency {
        Value::Table(table) => table.clone(),
        version => Table::from_iter([("version".to_owned(), version.clone())]),
    }
}

fn features(dependency: &Table) -> BTreeSet<String> {
    let listed = dependency.get("features").and_then(Value::as_array);
    let listed = listed.into_iter().flatten();
    listed
        .map(|feature| feature.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn nothing_of_a_template_is_inherited_from_the_workspace() {
    let names: Vec<String> = templates().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["cli", "cron", "lambda"]);
    for (name, manifest) in templates() {
        assert!(!inherits(&Value::Table(manifest)), "{name} inherits something");
    }
}

#[test]
fn a_template_says_of_its_package_and_lints_what_the_workspace_says() {
    let workspace = manifest(&root()).remove("workspace").unwrap();
    for (name, manifest) in templates() {
        let package = manifest.get("package").unwrap();
        for (key, value) in workspace.get("package").unwrap().as_table().unwrap() {
            assert_eq!(package.get(key), Some(value), "{name}: package.{key}");
        }
        assert_eq!(manifest.get("lints"), workspace.get("lints"), "{name}: lints");
    }
}

#[test]
fn a_template_depends_on_the_versions_of_the_workspace() {
    let workspace = manifest(&root()).remove("workspace").unwrap();
    let known = workspace.get("dependencies").unwrap().as_table().unwrap().clone();
    let mut checked = 0;
    for (template, manifest) in templates() {
        for kind in ["dependencies", "dev-dependencies"] {
            for (name, dependency) in manifest.get(kind).unwrap().as_table().unwrap() {
                let place = format!("{template}: {kind}.{name}");
                let (own, here) = (spelled_out(dependency), known.get(name));
                let here =
                    spelled_out(here.unwrap_or_else(|| panic!("{place}: not in the workspace's table")));
                assert_eq!(own.get("version"), here.get("version"), "{place}: version");
                // A template takes of patchfleet's own crates what it needs.
                if here.get("path").is_none() {
                    let key = "default-features";
                    assert_eq!(own.get(key), here.get(key), "{place}: {key}");
                }
                // By the workspace's path, from two folders below.
                let path = here
                    .get("path")
                    .map(|path| format!("../../{}", path.as_str().unwrap()));
                assert_eq!(
                    own.get("path").and_then(Value::as_str),
                    path.as_deref(),
                    "{place}: path"
                );
                assert!(features(&own).is_superset(&features(&here)), "{place}: features");
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "only {checked} dependencies were found");
}

#[test]
fn the_profile_that_the_functions_page_gives_to_copies_is_the_workspaces() {
    let page = std::fs::read_to_string(root().join("patchfleet-examples/lambda/README.md")).unwrap();
    let blocks = page.split("```toml\n").skip(1);
    let texts = blocks.map(|rest| rest.split("```").next().unwrap().replace("\n   ", "\n"));
    let given: Vec<Table> = texts
        .filter(|text| text.contains("[profile.deploy]"))
        .map(|text| text.trim().parse().unwrap())
        .collect();
    let profile = |table: &Table| table.get("profile").unwrap().get("deploy").unwrap().clone();
    let [given] = given.as_slice() else {
        panic!("{given:?}");
    };
    assert_eq!(profile(given), profile(&manifest(&root())));
}
