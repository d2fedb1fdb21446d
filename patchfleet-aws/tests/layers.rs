//! The modules of this crate form layers, and no folder has a circle in it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. A folder may use those that stand before it.
const LAYERS: [&str; 6] = ["iam", "call", "s3", "credentials", "ports", "settings"];

#[test]
fn no_module_imports_from_a_layer_above_it() {
    let height = |module: &Vec<String>| LAYERS.iter().position(|&layer| layer == module[0]);
    let mut faults = vec![];
    for (module, uses) in modules() {
        for used in uses {
            if height(&used) > height(&module) {
                faults.push(format!("{} uses {}", module.join("::"), used.join("::")));
            }
        }
    }
    assert!(faults.is_empty(), "these stand above: {}", faults.join(", "));
}

#[test]
fn every_module_belongs_to_a_layer() {
    let found: BTreeSet<String> = modules().into_keys().map(|module| module[0].clone()).collect();
    assert_eq!(found, LAYERS.map(str::to_owned).into());
}

#[test]
fn no_folder_has_a_circle_of_modules() {
    let modules = modules();
    let folders: BTreeSet<&[String]> = modules.keys().map(|module| &module[..module.len() - 1]).collect();
    for folder in folders {
        // Which child of the folder uses which.
        let mut uses = BTreeMap::<&str, BTreeSet<&str>>::new();
        let child = |module: &'_ [String]| module.strip_prefix(folder).and_then(<[String]>::first).cloned();
        let edges: Vec<_> = modules
            .iter()
            .flat_map(|(module, used)| used.iter().map(move |used| (child(module), child(used))))
            .collect();
        for edge in &edges {
            if let (Some(user), Some(used)) = edge
                && user != used
            {
                uses.entry(user).or_default().insert(used);
            }
        }
        // Those that use nothing that is left are taken away, until none is left.
        while !uses.is_empty() {
            let left: BTreeSet<&str> = uses.keys().copied().collect();
            let before = uses.len();
            uses.retain(|_, used| !used.is_disjoint(&left));
            assert_ne!(uses.len(), before, "a circle in {folder:?}: {uses:?}");
        }
    }
}

#[test]
fn an_import_is_found_wherever_it_stands() {
    let text = "//! [`Limits`](crate::call::Limits)\nuse super::{PAGE, outputs};\nfn f() { crate::ports::clock::now() }\n";
    let here = ["ports", "automation", "child"].map(str::to_owned);
    let found: Vec<_> = used_by(&here, text).iter().map(|path| path.join("::")).collect();
    assert_eq!(
        found,
        [
            "ports::automation::PAGE",
            "ports::automation::outputs",
            "ports::clock"
        ]
    );
}

/// Every module but for tests, with the modules that it uses.
fn modules() -> BTreeMap<Vec<String>, Vec<Vec<String>>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::<Vec<String>, PathBuf>::new();
    let mut open = vec![src.clone()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let module: Vec<String> = path
                .strip_prefix(&src)
                .unwrap()
                .with_extension("")
                .iter()
                .map(|part| part.to_str().unwrap().to_owned())
                .collect();
            let is_test = |name: &String| ["tests", "testing", "real_answers"].contains(&name.as_str());
            if module == ["lib"] || module.iter().any(is_test) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
            } else {
                files.insert(module, path);
            }
        }
    }
    let read = |(module, path): (&Vec<String>, &PathBuf)| {
        let mut used = used_by(module, &fs::read_to_string(path).unwrap());
        // What is no module is an item of its parent.
        for path in &mut used {
            if !files.contains_key(path) {
                path.pop();
            }
        }
        used.retain(|path| files.contains_key(path));
        (module.clone(), used)
    };
    files.iter().map(read).collect()
}

/// What a text of this module uses: the path as far as it may name modules. Comments use nothing.
fn used_by(module: &[String], text: &str) -> Vec<Vec<String>> {
    let parent = &module[..module.len() - 1];
    let mut used = vec![];
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        for (root, base) in [("crate::", &[][..]), ("super::", parent)] {
            for (at, _) in code.match_indices(root) {
                let rest = &code[at + root.len()..];
                let group = rest.strip_prefix('{').and_then(|rest| rest.split('}').next());
                for name in group.unwrap_or(rest).split(", ") {
                    let mut path = base.to_vec();
                    // One name below `super`, two below `crate`: deeper ones are private.
                    let depth = if base.is_empty() { 2 } else { 1 };
                    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                    let names = name
                        .split("::")
                        .map(|name| name.split(|c| !is_name(c)).next().unwrap_or_default());
                    path.extend(
                        names
                            .take_while(|name| !name.is_empty())
                            .take(depth)
                            .map(str::to_owned),
                    );
                    used.push(path);
                    if group.is_none() {
                        break;
                    }
                }
            }
        }
    }
    used
}
