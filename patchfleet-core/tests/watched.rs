//! Ports that are watched pass every call on, and so does whatever else of this workspace wraps ports. A method of a port that has an answer of its own by default is easily forgotten: then
//! each campaign would have that answer, whatever the port says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "clippy lets #[test] functions do so, and these are their helpers; a test may read files"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// It reads the default version of a document, by [`read`], which is passed on.
const IS_ANOTHER: [&str; 1] = ["document"];

/// What wraps ports: its file, its name, and what is not asked of it. Of sharing no campaign asks anything.
const WRAPPERS: [(&str, &str, &[&str]); 3] = [
    ("front/watched.rs", "Watched", &[]),
    (
        "../../benches/src/meter.rs",
        "Metered",
        &["in_region", "shares", "share"],
    ),
    (
        "../../oracle/src/run/faults/ports.rs",
        "Faulty",
        &["shares", "share"],
    ),
];

fn src() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// What stands between the brace that opens after `from` and the one that closes it.
fn block(text: &str, from: usize) -> &str {
    let opens = from + text[from..].find('{').unwrap();
    let mut depth = 0;
    for (at, letter) in text[opens..].char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[opens..opens + at];
        }
    }
    panic!("a brace is not closed");
}

/// The methods that stand in a trait or in what implements it.
fn methods(block: &str) -> BTreeSet<String> {
    // Of what a macro passes on there are only name and arguments, a method a line.
    let macros = block
        .lines()
        .filter(|line| !line.contains('!'))
        .filter_map(|line| {
            let line = line.strip_prefix("        ")?;
            let is_name = line.starts_with(|letter: char| letter.is_ascii_lowercase());
            let (name, _) = line.split_once('(')?;
            (is_name
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '_'))
            .then_some(name)
        });
    let lines = block.lines().filter_map(|line| line.strip_prefix("    fn "));
    let named = lines.map(|line| line.split(['(', '<']).next().unwrap());
    named.chain(macros).map(str::to_owned).collect()
}

/// The methods of each trait, or of what implements it, by the word before its name.
fn all(text: &str, word: &str, then: &str) -> BTreeMap<String, BTreeSet<String>> {
    let starts = text.match_indices(word).filter(|&(at, _)| {
        let line = text[at + 1..].lines().next().unwrap();
        line.contains(then)
    });
    let of = starts.map(|(at, _)| {
        let name = text[at + word.len()..].split([':', ' ']).next().unwrap();
        (name.to_owned(), methods(block(text, at)))
    });
    of.collect()
}

#[test]
fn every_method_of_a_port_is_passed_on_by_whatever_wraps_ports() {
    let mut ports = BTreeMap::new();
    for file in fs::read_dir(src().join("port")).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            ports.extend(all(&fs::read_to_string(path).unwrap(), "\npub trait ", ""));
        }
    }
    for (file, wrapper, leaves_out) in WRAPPERS {
        let text = fs::read_to_string(src().join(file)).unwrap();
        let passed_on = all(&text, "\nimpl ", &format!(" for {wrapper}"));
        assert!(passed_on.len() >= 5, "{file}: {passed_on:?}");
        for (port, passed_on) in passed_on.iter().filter(|(port, _)| ports.contains_key(*port)) {
            let forgotten: Vec<&String> = ports[port]
                .difference(passed_on)
                .filter(|method| {
                    !IS_ANOTHER.contains(&method.as_str()) && !leaves_out.contains(&method.as_str())
                })
                .collect();
            assert!(
                forgotten.is_empty(),
                "{file}, {port}: {forgotten:?} is not passed on"
            );
        }
    }
}
