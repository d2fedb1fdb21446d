//! The modules inside `campaign` form layers as well: each imports only from those that stand before it here.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "clippy lets #[test] functions do so, and these are their helpers; a test may read files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A module may use any that stands before it.
const LAYERS: [&str; 28] = [
    "event",
    "store",
    "clocks",
    "notice",
    "ledger",
    "rule",
    "state",
    "admission",
    "polls",
    "patience",
    "journal",
    "commands",
    "timers",
    "strays",
    "memory",
    "hidden",
    "start",
    "dispatch",
    "summary",
    "classify",
    "collect",
    "observe",
    "facts",
    "decide",
    "driver",
    "claims",
    "listing",
    "fire",
];

#[test]
fn no_module_of_the_campaign_imports_from_a_layer_above_it() {
    let exports = exports(&fs::read_to_string(src().join("campaign.rs")).unwrap());
    let mut faults = vec![];
    for file in files(&src().join("campaign")) {
        let path = file.strip_prefix(src().join("campaign")).unwrap();
        let module = module_of(path);
        let is_top = path.components().count() == 1;
        for used in used_by(&fs::read_to_string(&file).unwrap(), is_top, &exports) {
            if height(&used) > height(&module) {
                let file = file.display();
                faults.push(format!("{file}: {module} uses {used}, which stands above it"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_module_of_the_campaign_has_its_layer() {
    let found: BTreeSet<String> = files(&src().join("campaign"))
        .iter()
        .map(|file| module_of(file.strip_prefix(src().join("campaign")).unwrap()))
        .collect();
    assert_eq!(found, LAYERS.map(str::to_owned).into());
}

#[test]
fn what_only_plants_a_bug_for_a_test_is_in_no_layer_and_what_follows_it_is() {
    let exports = exports("pub use state::State;\n");
    let text = "#[cfg(any(test, feature = \"internals\"))]\nfn f() {\n    crate::campaign::driver::f();\n}\nuse crate::campaign::State;\n";
    assert_eq!(used_by(text, false, &exports), ["state".to_owned()].into());
}

#[test]
fn an_import_is_found_in_a_list_by_the_name_of_a_type_and_beside_comments() {
    let exports = exports("mod state;\npub use state::{State,\n    UnitState};\npub use event::Event;\n");
    let text = "use super::{\n    Event, // State\n    driver::Driver,\n};\nfn f(_: &crate::campaign::UnitState) {}\n";
    let used = used_by(text, true, &exports);
    assert_eq!(used, ["driver", "event", "state"].map(str::to_owned).into());
    let used = used_by(text, false, &exports);
    assert_eq!(used, ["state".to_owned()].into(), "super is another module there");
}

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn height(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|&name| name == module)
        .unwrap_or(LAYERS.len())
}

fn module_of(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The files of a folder and those below it, but for tests.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.file_stem().unwrap().to_str().unwrap() {
            "tests" => {}
            _ if path.is_dir() => files.extend(self::files(&path)),
            _ => files.push(path),
        }
    }
    files
}

/// The module that each exported name comes from.
fn exports(text: &str) -> BTreeMap<String, String> {
    let text = without_comments(text);
    let mut exports = BTreeMap::new();
    for (at, start) in text.match_indices("use ") {
        let statement = &text[at + start.len()..];
        let statement = &statement[..statement.find(';').unwrap()];
        if let Some((module, names)) = statement.split_once("::") {
            exports.extend(words(names).map(|name| (name, module.trim().to_owned())));
        }
    }
    exports
}

/// A text without the functions that plant bugs for tests.
fn without_planted(text: &str) -> String {
    let mut parts = text.split("#[cfg(any(test, feature = \"internals\"))]\n");
    let before = parts.next().unwrap().to_owned();
    parts.fold(before, |before, part| {
        let is_function = part.lines().next().unwrap().contains("fn ");
        before
            + if is_function {
                part.split_once("\n}\n").unwrap().1
            } else {
                part
            }
    })
}

/// The modules of the campaign that a text uses, by their own names or by the names of what they export.
fn used_by(text: &str, is_top: bool, exports: &BTreeMap<String, String>) -> BTreeSet<String> {
    let text = without_planted(text.split("#[cfg(test)]").next().unwrap());
    let text = without_comments(&text);
    let prefixes: &[&str] = if is_top {
        &["crate::campaign::", "super::"]
    } else {
        &["crate::campaign::"]
    };
    let mut used = BTreeSet::new();
    for prefix in prefixes {
        for (at, found) in text.match_indices(prefix) {
            let rest = &text[at + found.len()..];
            let names = match rest.strip_prefix('{') {
                Some(list) => &list[..list.find('}').unwrap()],
                None => &rest[..rest.find(|c: char| !is_of_a_name(c)).unwrap_or(rest.len())],
            };
            for item in names.split(',') {
                let Some(name) = words(item).next() else {
                    continue;
                };
                let module = exports.get(&name).unwrap_or(&name);
                if LAYERS.contains(&module.as_str()) {
                    used.insert(module.clone());
                }
            }
        }
    }
    used
}

fn without_comments(text: &str) -> String {
    let code = text.lines().map(|line| line.split("//").next().unwrap());
    code.collect::<Vec<_>>().join("\n")
}

fn is_of_a_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !is_of_a_name(c));
    words.filter(|word| !word.is_empty()).map(str::to_owned)
}
