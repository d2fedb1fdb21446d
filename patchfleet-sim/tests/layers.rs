//! The modules of this crate form layers: each imports only from those that stand before it here.

#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A module may use any that stands before it.
const LAYERS: [&str; 12] = [
    "seed", "service", "model", "error", "builtin", "spec", "world", "clock", "api", "ports", "wire", "sim",
];

#[test]
fn no_module_imports_from_a_layer_above_it() {
    let height = |module: &str| LAYERS.iter().position(|&layer| layer == module);
    let mut faults = vec![];
    for (module, files) in modules() {
        for file in files {
            for used in used_by(&fs::read_to_string(&file).unwrap()) {
                // What is no module is an item of the crate's root, which stands above all of them.
                if height(&used).is_none_or(|used| Some(used) > height(&module)) {
                    faults.push(format!("{}: {module} uses {used}", file.display()));
                }
            }
        }
    }
    assert!(faults.is_empty(), "these stand above:\n{}", faults.join("\n"));
}

#[test]
fn every_module_of_the_crate_has_its_layer() {
    let mut known: Vec<String> = LAYERS.map(str::to_owned).into();
    known.sort();
    let found: Vec<String> = modules().into_keys().collect();
    assert_eq!(found, known);
}

#[test]
fn an_import_is_found_wherever_it_stands() {
    let text = "//! [`World`](crate::world::World)\nuse crate::seed::Seed;\nuse crate::{\n    model::{ServiceModel, action},\n    \
                spec::Change,\n};\nfn f() { crate::api::call() }\n#[cfg(test)]\nmod tests {\n    use crate::sim::Sim;\n}\n";
    assert_eq!(used_by(text), ["seed", "model", "spec", "api"]);
}

/// Each top module with its files, but for tests.
fn modules() -> BTreeMap<String, Vec<PathBuf>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::<String, Vec<PathBuf>>::new();
    let mut open = vec![src.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let below = path.strip_prefix(&src).unwrap().with_extension("");
            let top = below.iter().next().unwrap().to_str().unwrap().to_owned();
            let is_test = below.file_name().is_some_and(|name| name == "tests");
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            if is_rust && !is_test && !["lib", "main"].contains(&top.as_str()) {
                modules.entry(top).or_default().push(path);
            }
        }
    }
    modules
}

/// The names that stand right below the crate's root in what a text uses. Comments and tests use nothing.
fn used_by(text: &str) -> Vec<String> {
    let code: Vec<&str> = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .take_while(|line| *line != "mod tests {")
        .collect();
    let code = code.join("\n");
    let mut used = vec![];
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        if !rest.starts_with('{') {
            used.extend(name(rest));
            continue;
        }
        // A group: the names that begin its entries, not those of groups in them.
        let (mut depth, mut begins) = (0, true);
        for (place, letter) in rest.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => begins = depth == 1,
                letter if !letter.is_whitespace() && depth == 1 && begins => {
                    used.extend(name(&rest[place..]));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    used
}

/// The name with which a path begins.
fn name(path: &str) -> Option<String> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = path.find(|letter| !is_name(letter)).unwrap_or(path.len());
    Some(path[..end].to_owned()).filter(|name| !name.is_empty())
}
