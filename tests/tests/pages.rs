//! What the Markdown pages of the workspace link to is there, and the request that they show is one.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets #[test] functions do so, and these are their helpers"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every page, without what is built.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                pages(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

/// The text without its blocks of code.
fn prose(text: &str) -> String {
    let parts = text.split("\n```").step_by(2);
    parts.collect::<Vec<_>>().join("\n")
}

/// What the page's links point to, as they are written. A link may be broken over two lines.
fn links(prose: &str) -> Vec<String> {
    let after = prose.split("](").skip(1);
    let targets = after.filter_map(|rest| rest.split_once(')'));
    targets
        .map(|(target, _)| target.trim().to_owned())
        .filter(|target| !target.contains(char::is_whitespace) && !target.contains('`'))
        .collect()
}

/// The anchors of the page's headings, as GitHub makes them.
fn anchors(prose: &str) -> BTreeSet<String> {
    let headings = prose.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            let kept = words
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn every_link_between_the_pages_leads_somewhere() {
    let mut all = vec![];
    pages(&root(), &mut all);
    assert!(all.contains(&root().join("README.md")));
    let (mut broken, mut checked) = (vec![], 0);
    for page in &all {
        let text = prose(&std::fs::read_to_string(page).unwrap());
        for link in links(&text) {
            if link.starts_with("http") {
                continue;
            }
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().unwrap().join(file),
            };
            if !target.exists() {
                broken.push(format!("{}: {link}", page.display()));
            } else if !anchor.is_empty() && target.is_file() {
                let there = anchors(&prose(&std::fs::read_to_string(&target).unwrap()));
                if !there.contains(anchor) {
                    broken.push(format!("{}: {link} (no such heading)", page.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(checked > 20, "only {checked} links were found");
}

/// The blocks of this language on a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let blocks = text.split("\n```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_requests_that_the_pages_show_are_requests_also_with_what_they_leave_out() {
    for (page, least) in [
        ("README.md", 8),
        ("docs/requests.md", 30),
        ("docs/from-the-posts.md", 10),
    ] {
        let shown = blocks(page, "toml").remove(0);
        patchfleet_tests::request(&shown).unwrap_or_else(|problems| panic!("{page}: {problems}"));
        assert!(shown.lines().count() > least, "{page}");
    }
    // Each line that is commented out works by itself, but for those that stand for a value of one's own.
    let whole = blocks("docs/requests.md", "toml").remove(0);
    let optional: Vec<&str> = whole
        .lines()
        .filter(|line| line.starts_with("# ") && line.contains(" = ") && !line.contains('…'))
        .collect();
    assert!(optional.len() > 5, "{optional:?}");
    for line in optional {
        let with = whole.replace(line, line.trim_start_matches("# "));
        patchfleet_tests::request(&with).unwrap_or_else(|problems| panic!("{line}: {problems}"));
    }
}

/// The function's tests run with the policy, and its folder has to be whole when it is copied. So it is a file there.
#[test]
fn the_policy_on_the_page_of_the_samples_function_is_the_file_that_is_tested() {
    let page = std::fs::read_to_string(root().join("docs/in-place-of-the-samples-function.md")).unwrap();
    let (_, block) = page.split_once("```json\n").unwrap();
    let (shown, _) = block.split_once("```").unwrap();
    let file = root().join("patchfleet-examples/lambda/in-place-of-the-sample.json");
    let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(shown).unwrap(), file);
}
