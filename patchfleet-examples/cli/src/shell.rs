//! Words of a command that a message tells to run.

use std::path::Path;

/// A path as one word of a POSIX shell: in quotes where it needs them, and never an option.
pub(crate) fn word(path: &Path) -> String {
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
    fn a_path_that_needs_no_quotes_has_none() {
        assert_eq!(
            word(Path::new("/var/log/patch-fleet_1.d")),
            "/var/log/patch-fleet_1.d"
        );
    }

    #[test]
    #[cfg(unix)]
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
                .args(["-c", &format!("printf '<%s>' {}", word(Path::new(path)))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(shell.stdout).unwrap(), format!("<{read}>"));
        }
    }
}
