//! The modules of this crate form layers: each imports only from those that stand before it here.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "clippy lets #[test] functions do so, and these are their helpers; a test may read files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A module may use any that stands before it.
const LAYERS: [&str; 19] = [
    "slip",
    "text",
    "hash",
    "id",
    "presigned",
    "problem",
    "budget",
    "request",
    "port",
    "fleet",
    "outcome",
    "census",
    "refusal",
    "expand",
    "pack",
    "runbook",
    "plan",
    "campaign",
    "report",
];

/// What nothing else in the crate may use.
const TOP: [&str; 2] = ["front", "internals"];

#[test]
fn no_module_imports_from_a_layer_above_it() {
    let mut faults = vec![];
    for (module, files) in modules() {
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (line, used) in used_by(&text) {
                if height(&used) > height(&module) {
                    let file = file.display();
                    faults.push(format!(
                        "{file}:{line}: {module} uses {used}, which stands above it"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_module_of_the_crate_has_its_layer() {
    let mut known: Vec<_> = LAYERS.iter().chain(&TOP).map(|&name| name.to_owned()).collect();
    known.sort();
    let found: Vec<_> = modules().into_keys().collect();
    assert_eq!(found, known);
}

#[test]
fn an_import_is_found_wherever_it_stands() {
    let text = "//! [`Plan`](crate::plan::Plan)\nuse crate::id::NodeId;\nfn f() { crate::plan::make() }\n";
    let found = used_by(text);
    assert_eq!(found, [(2, "id".to_owned()), (3, "plan".to_owned())]);
}

fn height(module: &str) -> usize {
    let place = LAYERS.iter().position(|&name| name == module);
    place.unwrap_or(LAYERS.len())
}

/// Each top module with its files, but for tests.
fn modules() -> BTreeMap<String, Vec<PathBuf>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::<String, Vec<PathBuf>>::new();
    let mut open = vec![src.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
            if stem == "tests" {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let below = path.strip_prefix(&src).unwrap();
            let top = below
                .iter()
                .next()
                .unwrap()
                .to_str()
                .unwrap()
                .trim_end_matches(".rs");
            if top != "lib" && path.extension().is_some_and(|extension| extension == "rs") {
                modules.entry(top.to_owned()).or_default().push(path);
            }
        }
    }
    modules
}

/// The top modules that a text uses, with the number of the line. Comments use nothing.
fn used_by(text: &str) -> Vec<(usize, String)> {
    let mut used = vec![];
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        for (at, path) in code.match_indices("crate::") {
            let rest = &code[at + path.len()..];
            let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '_');
            used.push((number, rest[..end.unwrap_or(rest.len())].to_owned()));
        }
    }
    used
}
