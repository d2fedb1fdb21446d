//! Whether a campaign can begin under the cutoff that a person gives with the schedule.

use jiff::SignedDuration;
use patchfleet_core::plan::{shortest_cutoff, sufficient_cutoff};
use patchfleet_core::request::PatchRequest;

/// What a cutoff leaves room for.
#[derive(Debug)]
pub(crate) enum Room {
    /// A campaign, whatever version AWS-RunPatchBaseline has.
    Enough,
    /// A campaign under some versions of it. Under that of 2026 it has none.
    Little(String),
    /// No campaign.
    No(String),
}

/// What a cutoff leaves room for. It counts from the slot's own time, and the campaign begins `delayed` after that.
pub(crate) fn room(after: SignedDuration, request: &PatchRequest, delayed: SignedDuration) -> Room {
    let bounds = shortest_cutoff(request).zip(sufficient_cutoff(request));
    let Some((shortest, sufficient)) = bounds else {
        return Room::No(format!(
            "a cutoff is kept under patchfleet's own runbook alone, and the request names {}: leave it out",
            request.automation.document
        ));
    };
    let delay = match delayed.is_zero() {
        true => String::new(),
        false => format!(", and --jitter delays each slot by {delayed:#}"),
    };
    let right = format!(
        "Right is more than {:#}, and the time that planning takes",
        sufficient.saturating_add(delayed)
    );
    if after < shortest.saturating_add(delayed) {
        return Room::No(format!(
            "no campaign could begin under it: {shortest:#} pass at least until every command has expired{delay}. {right}"
        ));
    }
    if after > sufficient.saturating_add(delayed) {
        return Room::Enough;
    }
    Room::Little(format!(
        "with AWS-RunPatchBaseline as AWS published it in 2026, {sufficient:#} pass until every command has expired{delay}, \
         and every campaign is refused. {right}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchfleet_core::request::Format;

    #[test]
    fn a_cutoff_has_room_for_no_campaign_for_one_under_some_versions_or_for_any() {
        let request = |document: &str| {
            let text = format!(
                r#"{{"name": "web", "targets": {{"resource_group": "Web", "accounts": ["111122223333"],
                    "regions": ["us-east-1"]}}, "automation": {{{document}}}}}"#
            );
            PatchRequest::parse(text.as_bytes(), Format::Json).unwrap()
        };
        let ours = request("");
        let of = |minutes, delay| {
            let (after, delay) = (
                SignedDuration::from_mins(minutes),
                SignedDuration::from_mins(delay),
            );
            room(after, &ours, delay)
        };
        assert!(
            matches!(of(3 * 60, 0), Room::No(words) if words.contains("Right is more than 6h 6m 30s, and"))
        );
        assert!(matches!(of(4 * 60, 0), Room::Little(words) if words.contains("every campaign is refused")));
        assert!(matches!(of(6 * 60 + 6, 0), Room::Little(_)));
        assert!(matches!(of(6 * 60 + 7, 0), Room::Enough));
        // A slot that is delayed by 30 minutes leaves that much less.
        assert!(
            matches!(of(6 * 60 + 7, 30), Room::Little(words) if words.contains("Right is more than 6h 36m 30s, and"))
        );
        assert!(
            matches!(of(3 * 60 + 30, 30), Room::No(words) if words.contains("--jitter delays each slot by 30m"))
        );
        let own = request(r#""document": "Our-Runbook""#);
        let words = room(SignedDuration::from_hours(9), &own, SignedDuration::ZERO);
        assert!(matches!(words, Room::No(words) if words.contains("the request names Our-Runbook")));
    }
}
