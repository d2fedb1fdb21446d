//! The rounding policy: what a percentage of so many is. Written here and nowhere else.
//!
//! AWS does not say how Automation and Run Command round a fractional percentage. One example of its
//! documentation has 20% of 20 as 5. Where patchfleet turns a percentage into a number itself, it takes
//! the reading that touches fewer nodes.
//!
//! * **errors: down.** 10% of 15 allows 1 error, not 2; 10% of 9 allows none.
//! * **concurrency: down, but at least 1**, since nothing can be done none at a time.
//! * **a count is never more than what it is a count of**: 50 at once among 8 is 8 at once.
//!
//! Where a percentage is sent on as text, AWS rounds it, perhaps in another way. A figure that must hold
//! under either reading, such as a worst case, is rounded up.

/// `percent` of `of`, rounded down: the policy.
pub(super) fn percent_down(percent: u8, of: u32) -> u32 {
    clamped(u64::from(of) * u64::from(percent) / 100, of)
}

/// `percent` of `of`, rounded up: the most that AWS may make of it.
pub(super) fn percent_up(percent: u8, of: u32) -> u32 {
    clamped((u64::from(of) * u64::from(percent)).div_ceil(100), of)
}

/// Percentages are at most 100, so the result fits; the clamp says so to the compiler.
fn clamped(amount: u64, of: u32) -> u32 {
    u32::try_from(amount).map_or(of, |amount| amount.min(of))
}
