//! How much may be looked at for one answer.

/// Occurrences that are followed for one answer, of all events of all its calendars together: some
/// hundred events that recur daily, over the two years that are looked at.
const MOST: i64 = 100_000;

/// What is left to be looked at.
#[derive(Debug)]
pub(super) struct Budget {
    left: i64,
}

impl Budget {
    /// That of one answer.
    pub(super) fn new() -> Self {
        Self { left: MOST }
    }

    /// Takes so many occurrences from it.
    ///
    /// # Errors
    ///
    /// There are not so many left.
    pub(super) fn take(&mut self, occurrences: i64) -> Result<(), String> {
        self.left = self.left.saturating_sub(occurrences);
        if self.left < 0 {
            return Err(format!(
                "the events of these calendars have more than {MOST} occurrences to follow"
            ));
        }
        Ok(())
    }
}
