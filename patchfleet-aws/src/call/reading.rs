//! What the answers of several operations have in common: times, page tokens, counts.

use aws_smithy_types::DateTime;
use jiff::Timestamp;
use patchfleet_core::port::PageToken;
use std::error::Error;

/// Why an answer cannot be read.
pub(crate) type Unreadable = Box<dyn Error + Send + Sync>;

/// A time of AWS's clock, rounded to the millisecond. AWS sends fractions of a second, and the SDK reads them as a float,
/// so .748 arrives as .747999.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    let millis = time.as_nanos().checked_add(500_000)?.div_euclid(1_000_000);
    Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()
}

/// Where the next page begins. An empty token counts as none.
pub(super) fn next_page(token: Option<&str>) -> Option<PageToken> {
    token.filter(|token| !token.is_empty()).map(PageToken::new)
}

/// A page's token as the SDK takes it.
pub(crate) fn token(page: Option<PageToken>) -> Option<String> {
    page.map(|token| token.as_str().to_owned())
}

/// A count, which AWS sends as a signed number.
pub(crate) fn count(number: i32) -> u32 {
    u32::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_that_aws_sent_to_the_millisecond() {
        let sent = DateTime::from_fractional_secs(1_583_737_233, 0.747_999_9);
        assert_eq!(timestamp(&sent).unwrap().as_millisecond(), 1_583_737_233_748);
        let before_1970 = DateTime::from_millis(-1);
        assert_eq!(timestamp(&before_1970).unwrap().as_millisecond(), -1);
        assert_eq!(timestamp(&DateTime::from_secs(i64::MAX)), None);
    }

    #[test]
    fn an_empty_page_token_ends_a_listing() {
        assert_eq!(next_page(Some("")), None);
        assert_eq!(next_page(None), None);
        assert_eq!(next_page(Some("a")), Some(PageToken::new("a")));
    }
}
