//! How deep a TOML text nests, found out before it is parsed.
//!
//! The parser allows 80 brackets within each other, and 80 parts of one dotted key. With a dotted key in every inline
//! table that makes 6,400 levels. To free such a tree takes more stack than a thread may have, and the parser frees it
//! where the text has a mistake.

/// The deepest nesting that is parsed. A request needs 4.
const MAX_DEPTH: usize = 128;

/// Whether `text` may nest deeper than is parsed. It knows strings, comments, brackets and dots. A broken string or
/// comment ends where the parser's lexer ends it, so nothing can hide behind one. In every other doubt the text counts
/// as deep.
pub(super) fn may_be_too_deep(text: &str) -> bool {
    // How many levels each open bracket makes: one, and one for each dot before it.
    let mut open: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut dots = 0;
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        rest = match next {
            '"' | '\'' => after_string(rest, next),
            '#' => rest
                .find(['\r', '\n'])
                .and_then(|end| rest.get(end..))
                .unwrap_or_default(),
            _ => {
                match next {
                    '[' | '{' => {
                        open.push(1 + dots);
                        depth += 1 + dots;
                        dots = 0;
                    }
                    ']' | '}' => {
                        let levels = open.pop().unwrap_or_default();
                        depth -= levels;
                        dots = levels.saturating_sub(1);
                    }
                    '.' => dots += 1,
                    ',' => dots = 0,
                    '\n' if open.is_empty() => dots = 0,
                    _ => {}
                }
                if depth + dots > MAX_DEPTH {
                    return true;
                }
                rest.get(next.len_utf8()..).unwrap_or_default()
            }
        };
    }
    false
}

/// What follows the string that `text` begins with. A string of one line ends with its line.
fn after_string(text: &str, quote: char) -> &str {
    let triple: String = [quote; 3].iter().collect();
    let long = text.starts_with(&triple);
    let body = text.get(if long { 3 } else { 1 }..).unwrap_or_default();
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        let here = body.get(at..).unwrap_or_default();
        if escaped && c != '\n' {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if long && here.starts_with(&triple) {
            // Up to two quotes before the closing three belong to the text.
            let after = here.get(3..).unwrap_or_default();
            let after = after.strip_prefix(quote).unwrap_or(after);
            return after.strip_prefix(quote).unwrap_or(after);
        } else if !long && (c == quote || c == '\n') {
            return here.get(1..).unwrap_or_default();
        } else {
            escaped = false;
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_dots_count_together() {
        assert!(!may_be_too_deep(&format!(
            "a = {}{}",
            "[".repeat(128),
            "]".repeat(128)
        )));
        assert!(may_be_too_deep(&format!(
            "a = {}{}",
            "[".repeat(129),
            "]".repeat(129)
        )));
        let dotted = "{a.a.a.a = ".repeat(32);
        assert!(!may_be_too_deep(&format!("a = {dotted}1")));
        assert!(may_be_too_deep(&format!("a = {dotted}{{a.a = 1")));
        assert!(may_be_too_deep(&format!("a{}", ".a".repeat(129))));
    }

    #[test]
    fn what_stands_beside_is_not_what_stands_within() {
        assert!(!may_be_too_deep(&"[a.b.c]\nd.e = 1.5\n".repeat(200)));
        assert!(!may_be_too_deep(&format!(
            "a = [{}]",
            "1.5, [{b.c = 1}],\n".repeat(200)
        )));
    }

    #[test]
    fn strings_and_comments_nest_nothing() {
        let many = "[{.".repeat(200);
        for text in [
            format!("a = \"{many}\""),
            format!("a = '{many}'"),
            format!("a = \"\\\"{many}\" # {many}\nb = 1"),
            format!("a = \"\"\"\n{many}\"\n\\\"\"\"\\\"{many}\"\"\""),
            format!("a = '''\n{many}'\n''{many}'''"),
        ] {
            assert!(!may_be_too_deep(&text), "{text}");
            assert!(may_be_too_deep(&format!("{text}\nb = {many}")), "{text}");
        }
        for hidden in [
            "'''x''''",
            "'''x'''''",
            "\"\"\"x\"\"\"\"",
            "\"\"\"\\\"\"\"\"\"\"",
            "1 # \r",
        ] {
            assert!(may_be_too_deep(&format!("a = {hidden}{many}")), "{hidden}");
        }
        assert!(may_be_too_deep(&format!("a = \"open\nb = {many}")));
        assert!(may_be_too_deep(&format!("a = \"open\\\nb = {many}")));
    }
}
