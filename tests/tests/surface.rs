//! What each library shows, by name. A name that is added here is kept for whoever uses it, so it is added on purpose.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn patchfleet_core_shows_what_programs_and_stores_of_ones_own_need_and_no_stage() {
    assert_shown("patchfleet-core", include_str!("surface/core.txt"));
}

#[test]
fn patchfleet_aws_shows_how_its_ports_are_made() {
    assert_shown("patchfleet-aws", include_str!("surface/aws.txt"));
}

#[test]
fn no_example_and_no_library_reaches_a_stage() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut open = ["patchfleet-aws", "patchfleet-sim", "patchfleet-examples"]
        .map(|name| root.join(name))
        .to_vec();
    let mut seen = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "rs" || extension == "toml")
        {
            seen += 1;
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                !text.contains("internals"),
                "{} uses the feature internals",
                path.display()
            );
        }
    }
    assert!(seen > 100, "only {seen} files were looked at");
}

#[test]
fn the_scan_sees_lists_and_items_and_passes_over_what_is_hidden_or_private() {
    let text = "#[doc(hidden)]\npub mod internals;\n/// pub fn in_a_comment()\npub use a::{B, c::D,\n    e::F as G};\n\
                pub(crate) use h::I;\n#[cfg(test)]\npub use j::K;\n#[must_use]\npub async fn l() {}\n    pub fn method() {}\n\
                #[cfg(feature = \"m\")]\npub use n::o;\npub struct P<T>(T);\nmod q;\npub mod r;\n";
    let (items, modules) = shown_in(text);
    assert_eq!(items, ["B", "D", "G", "l", "o", "P"]);
    assert_eq!(modules, ["r"]);
}

fn assert_shown(package: &str, expected: &str) {
    let src = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(package)
        .join("src");
    let mut modules = BTreeMap::new();
    walk(&src.join("lib.rs"), &src, "crate", &mut modules);
    let found: String = modules
        .iter()
        .map(|(module, items)| format!("{module}: {}\n", items.join(" ")))
        .collect();
    assert_eq!(found, expected, "what {package} shows has changed");
}

/// Adds the public names of a module, sorted, and those of the public modules in it.
fn walk(file: &Path, folder: &Path, name: &str, modules: &mut BTreeMap<String, Vec<String>>) {
    let (mut items, public) = shown_in(&fs::read_to_string(file).unwrap());
    items.sort();
    modules.insert(name.to_owned(), items);
    for module in public {
        let below: PathBuf = folder.join(&module);
        walk(
            &below.with_extension("rs"),
            &below,
            &format!("{name}::{module}"),
            modules,
        );
    }
}

/// The public names at the top of a file, and its public modules.
fn shown_in(text: &str) -> (Vec<String>, Vec<String>) {
    let (mut items, mut modules) = (vec![], vec![]);
    let mut hidden = false;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("#[") {
            hidden |= line == "#[doc(hidden)]" || line == "#[cfg(test)]";
            continue;
        }
        if line.starts_with("//") {
            continue;
        }
        let passed_over = std::mem::take(&mut hidden);
        let Some(item) = line.strip_prefix("pub ").filter(|_| !passed_over) else {
            continue;
        };
        let mut words = item
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .filter(|word| !word.is_empty());
        match words.find(|&word| word != "async").unwrap() {
            "mod" => modules.extend(words.next().map(str::to_owned)),
            "use" => {
                let mut list = item.to_owned();
                while !list.ends_with(';') {
                    list.push_str(lines.next().unwrap());
                }
                items.extend(list.split([',', '{', '}', ';']).filter_map(name_of));
            }
            _ => items.extend(words.next().map(str::to_owned)),
        }
    }
    (items, modules)
}

/// The name by which a part of a `use` is known; `None` of a path that only leads to others.
fn name_of(part: &str) -> Option<String> {
    let part = part.trim();
    if part.is_empty() || part.ends_with("::") {
        return None;
    }
    Some(part.rsplit([':', ' ']).next()?.to_owned())
}
