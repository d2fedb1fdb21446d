//! Commands of `patchfleet` that a text tells to type.

use std::path::Path;
use uuid::Uuid;

/// The commands that look for campaigns in a log.
const OF_A_LOG: [&str; 9] = [
    "resume",
    "abandon",
    "approve",
    "collect",
    "report",
    "explain",
    "override-list",
    "status",
    "stop",
];

/// `words` in which every command about a campaign names the folder of its log. Core does not know where the log is, so
/// its words have no folder. Without a `log` the words stay as they are. So does a command that names a folder already.
///
/// ```
/// use patchfleet_core::text::in_log;
/// let words = "it may run: `patchfleet resume 5b6c7d8e-0000-4000-8000-123456789012 --send-again 1` looks for it";
/// assert_eq!(
///     in_log(words, Some("/srv/my logs".as_ref())),
///     "it may run: `patchfleet resume 5b6c7d8e-0000-4000-8000-123456789012 --log '/srv/my logs' --send-again 1` looks \
///      for it"
/// );
/// ```
#[must_use]
pub fn in_log(words: &str, log: Option<&Path>) -> String {
    const BEGINS: &str = "`patchfleet ";
    let Some(log) = log else {
        return words.to_owned();
    };
    let mut pieces = words.split(BEGINS);
    let mut told = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        told.push_str(BEGINS);
        match piece.split_once('`') {
            Some((command, rest)) => {
                told.push_str(&with_log(command, log));
                told.push('`');
                told.push_str(rest);
            }
            None => told.push_str(piece),
        }
    }
    told
}

/// One command, without the program's name.
fn with_log(command: &str, log: &Path) -> String {
    let mut words = command.splitn(3, ' ');
    let verb = words.next().unwrap_or_default();
    let is_retry = verb == "run" && command.contains(" --retry");
    if !(OF_A_LOG.contains(&verb) || is_retry) || command.contains(" --log ") {
        return command.to_owned();
    }
    let log = format!("--log {}", shell_word(log));
    match (words.next(), words.next()) {
        (Some(campaign), rest) if Uuid::try_parse(campaign).is_ok() => {
            let rest = rest.map_or_else(String::new, |rest| format!(" {rest}"));
            format!("{verb} {campaign} {log}{rest}")
        }
        _ => format!("{command} {log}"),
    }
}

/// A path as one word of a POSIX shell: in quotes where it needs them, and never an option.
#[must_use]
fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    let path = if path.starts_with('-') {
        format!("./{path}")
    } else {
        path
    };
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+=:,@%".contains(letter);
    if !path.is_empty() && path.chars().all(is_plain) {
        return path;
    }
    format!("'{}'", path.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_about_a_campaign_names_the_log_once_and_no_other_command_does() {
        let id = "5b6c7d8e-0000-4000-8000-123456789012";
        let words = format!(
            "`patchfleet resume {id}` or `patchfleet abandon {id}`, `patchfleet resume --go-on`, \
             `patchfleet stop {id}`, `patchfleet run --retry {id}`, `patchfleet run`, `patchfleet runbook ensure` and an `id`"
        );
        let told = format!(
            "`patchfleet resume {id} --log logs` or `patchfleet abandon {id} --log logs`, \
             `patchfleet resume --go-on --log logs`, `patchfleet stop {id} --log logs`, `patchfleet run --retry {id} --log logs`, \
             `patchfleet run`, `patchfleet runbook ensure` and an `id`"
        );
        let log = Some(Path::new("logs"));
        assert_eq!(in_log(&words, log), told);
        assert_eq!(in_log(&told, log), told);
        assert_eq!(in_log(&words, None), words);
        assert_eq!(in_log("`patchfleet resume", log), "`patchfleet resume");
    }

    #[test]
    fn a_path_that_needs_no_quotes_has_none() {
        assert_eq!(
            shell_word(Path::new("/var/log/patch-fleet_1.d")),
            "/var/log/patch-fleet_1.d"
        );
    }

    #[test]
    #[cfg(unix)]
    #[expect(clippy::disallowed_methods, reason = "a real shell says what it reads")]
    fn a_shell_reads_the_path_that_was_meant() {
        for (path, read) in [
            ("/srv/my logs", "/srv/my logs"),
            ("/srv/it's $HOME `id` \"x\" \\", "/srv/it's $HOME `id` \"x\" \\"),
            ("~/logs;exit", "~/logs;exit"),
            ("*", "*"),
            ("", ""),
            ("-n", "./-n"),
        ] {
            let shell = std::process::Command::new("sh")
                .args(["-c", &format!("printf '<%s>' {}", shell_word(Path::new(path)))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), format!("<{read}>"));
        }
    }
}
