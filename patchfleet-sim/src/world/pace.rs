//! Rate control, which Run Command and Automation share. The number at once grows 1, 2, 4 … up to a
//! limit, and nothing more is sent after error N + 1.
//!
//! AWS does not say how it rounds percentages. Here an error limit is rounded down, and a
//! concurrency is rounded down but is at least 1.

/// Who may be sent next, given what became of those before.
#[derive(Debug, Clone)]
pub struct Pacer {
    limit: u32,
    allowed_errors: u32,
    window: u32,
    done_in_window: u32,
    in_flight: u32,
    errors: u32,
}

impl Pacer {
    /// At most `limit` at once; no more are sent once there are more than `allowed_errors`.
    #[must_use]
    pub fn new(limit: u32, allowed_errors: u32) -> Self {
        Self {
            limit: limit.max(1),
            allowed_errors,
            window: 1,
            done_in_window: 0,
            in_flight: 0,
            errors: 0,
        }
    }

    /// Whether one more may be sent now.
    #[must_use]
    pub fn has_room(&self) -> bool {
        !self.is_exhausted() && self.in_flight < self.window
    }

    /// Takes a place if there is one.
    pub fn take(&mut self) -> bool {
        let free = self.has_room();
        if free {
            self.in_flight += 1;
        }
        free
    }

    /// Gives a place back. The window doubles when as many have ended as it is wide.
    pub fn done(&mut self, error: bool) {
        self.leave(error);
        self.answered();
    }

    /// Gives back the place of one that already counts as answered.
    pub fn leave(&mut self, error: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.errors += u32::from(error);
    }

    /// Counts one for the window, whether or not it has given its place back.
    pub fn answered(&mut self) {
        self.done_in_window += 1;
        if self.done_in_window >= self.window {
            self.done_in_window = 0;
            self.window = self.window.saturating_mul(2).min(self.limit);
        }
    }

    /// Whether there were more errors than allowed.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.errors > self.allowed_errors
    }

    /// How many errors there may be.
    #[must_use]
    pub fn allowed_errors(&self) -> u32 {
        self.allowed_errors
    }

    /// How many are on their way.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }
}

/// How many of `of` may run at once: AWS's text for a concurrency.
#[must_use]
pub fn concurrency(text: &str, of: u32) -> u32 {
    amount(text, of).unwrap_or(1).max(1)
}

/// How many of `of` may fail: AWS's text for an error limit.
#[must_use]
pub fn allowed_errors(text: &str, of: u32) -> u32 {
    amount(text, of).unwrap_or(0)
}

fn amount(text: &str, of: u32) -> Option<u32> {
    match text.strip_suffix('%') {
        Some(percent) => {
            let percent: u64 = percent.parse().ok()?;
            u32::try_from(u64::from(of) * percent / 100).ok()
        }
        None => text.parse().ok(),
    }
}

/// Whether `text` is a MaxConcurrency in AWS's grammar.
#[must_use]
pub fn is_concurrency(text: &str) -> bool {
    text.len() <= 7
        && match text.strip_suffix('%') {
            Some(percent) => is_count(percent) && (percent.len() <= 2 || percent == "100"),
            None => is_count(text),
        }
}

/// Whether `text` is a MaxErrors in AWS's grammar.
#[must_use]
pub fn is_errors(text: &str) -> bool {
    matches!(text, "0" | "0%") || is_concurrency(text)
}

fn is_count(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_grows_one_two_four_up_to_the_limit() {
        let mut pacer = Pacer::new(5, 0);
        let mut batches = vec![];
        for _ in 0..5 {
            let batch = std::iter::from_fn(|| pacer.take().then_some(())).count();
            batches.push(batch);
            (0..batch).for_each(|_| pacer.done(false));
        }
        assert_eq!(batches, [1, 2, 4, 5, 5]);
    }

    #[test]
    fn it_stops_at_the_error_after_the_last_allowed_one() {
        let mut pacer = Pacer::new(10, 1);
        assert!(pacer.take());
        pacer.done(true);
        assert!(pacer.take());
        pacer.done(true);
        assert!(pacer.is_exhausted());
        assert!(!pacer.take());
    }

    #[test]
    fn percentages_round_down_and_a_concurrency_is_at_least_one() {
        assert_eq!(concurrency("10%", 5), 1);
        assert_eq!(concurrency("50%", 5), 2);
        assert_eq!(allowed_errors("10%", 5), 0);
        assert_eq!(allowed_errors("10%", 50), 5);
        assert_eq!(allowed_errors("100%", 3), 3);
    }

    #[test]
    fn the_grammar_is_awss() {
        for right in ["1", "50", "9999999", "1%", "99%", "100%"] {
            assert!(is_concurrency(right), "{right}");
        }
        for wrong in [
            "", "0", "0%", "01", "05%", "101%", "12345678", "1.5", "x", "%", "-1",
        ] {
            assert!(!is_concurrency(wrong), "{wrong}");
        }
        assert!(is_errors("0") && is_errors("0%") && is_errors("7") && !is_errors("00"));
    }
}
