//! Colour for what core renders as plain text. `anstream` takes it out again where nobody would
//! see it: in pipes, and under NO_COLOR.

use anstyle::{AnsiColor, Style};
use std::fmt::Write as _;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const CAREFUL: Style = AnsiColor::Yellow.on_default();
const HEADING: Style = Style::new().bold();

/// Colours outcomes and reasons, and sets headings in bold. The text itself stays as it is.
pub(crate) fn paint(text: &str) -> String {
    let mut painted = String::with_capacity(text.len() * 2);
    for line in text.split_inclusive('\n') {
        let is_heading = line.starts_with(|c: char| c.is_ascii_alphabetic());
        for word in line.split_inclusive(' ') {
            let bare = word.trim_end();
            let style = style_of(bare.trim_matches([',', ':', '.'])).or(is_heading.then_some(HEADING));
            match style.filter(|_| !bare.is_empty()) {
                Some(style) => {
                    // Writing to a String cannot fail.
                    let _ = write!(
                        painted,
                        "{style}{bare}{style:#}{}",
                        word.strip_prefix(bare).unwrap_or("")
                    );
                }
                None => painted.push_str(word),
            }
        }
    }
    painted
}

fn style_of(word: &str) -> Option<Style> {
    Some(match word {
        "succeeded" | "done" | "nothing_to_do" => GOOD,
        "partial" | "skipped" | "unreached" | "not_run" | "unmanaged" | "pending_reboot" | "gone"
        | "emptied" | "vanished" | "unknown" | "running_at_expiry" | "group_missing" | "not_started"
        | "cancelled" => CAREFUL,
        "halted"
        | "refused"
        | "failed"
        | "lost"
        | "missing"
        | "nodes_failed"
        | "command_failed"
        | "role_not_assumable"
        | "failed_before_command"
        | "timed_out"
        | "start_refused"
        | "unresolved"
        | "results_unreadable" => BAD,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn painting_changes_nothing_but_colour() {
        let text = "Report  of all\n  111122223333  us-east-1  lost  (a, b): why\n\n  done: 3\n";
        let painted = paint(text);
        assert_eq!(anstream::adapter::strip_str(&painted).to_string(), text);
        assert!(painted.len() > text.len());
    }
}
