//! Pages with opaque tokens. A token fits the listing that gave it and no other.

use crate::seed::Seed;

/// Which end of a listing stays where it is while entries are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grows {
    /// New entries come last.
    AtTheEnd,
    /// New entries come first, so that a token counts what is left.
    AtTheFront,
}

/// The page of `items` that `token` asks for, with the token of the next. `listing` names the
/// listing with all that selects its entries. `None`: the token is not of this listing.
pub(crate) fn page<T>(
    listing: &str,
    grows: Grows,
    items: Vec<T>,
    max: usize,
    token: Option<&str>,
) -> Option<(Vec<T>, Option<String>)> {
    let mask = Seed(0).number(&[listing]);
    let length = items.len();
    let offset = match token {
        None => 0,
        Some(token) => {
            let place = usize::try_from(decode(token, mask)?).ok()?;
            match grows {
                Grows::AtTheEnd => place,
                Grows::AtTheFront => length.saturating_sub(place),
            }
        }
    };
    let page: Vec<T> = items.into_iter().skip(offset).take(max).collect();
    let end = offset.saturating_add(page.len());
    let next = (end < length).then(|| {
        encode(
            u64::try_from(if grows == Grows::AtTheEnd {
                end
            } else {
                length - end
            })
            .unwrap_or(0),
            mask,
        )
    });
    Some((page, next))
}

fn encode(place: u64, mask: u64) -> String {
    format!(
        "AAEA{:016x}{:016x}",
        place ^ mask,
        Seed(place).number(&["token", &mask.to_string()])
    )
}

fn decode(token: &str, mask: u64) -> Option<u64> {
    let place = u64::from_str_radix(token.strip_prefix("AAEA")?.get(..16)?, 16).ok()? ^ mask;
    (encode(place, mask) == token).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_listing_once_and_a_token_fits_only_its_own() {
        let (mut seen, mut token) = (vec![], None);
        loop {
            let (items, next) = page("a", Grows::AtTheEnd, (0..7).collect(), 3, token.as_deref()).unwrap();
            seen.extend(items);
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, (0..7).collect::<Vec<_>>());
        assert!(page("b", Grows::AtTheEnd, vec![0; 7], 3, token.as_deref()).is_none());
        assert!(page("a", Grows::AtTheEnd, vec![0; 7], 3, Some("nonsense")).is_none());
    }

    #[test]
    fn entries_that_come_first_do_not_move_the_pages_behind_them() {
        let (first, next) = page("a", Grows::AtTheFront, vec![3, 2, 1], 2, None).unwrap();
        let (second, end) = page("a", Grows::AtTheFront, vec![5, 4, 3, 2, 1], 2, next.as_deref()).unwrap();
        assert_eq!((first, second, end), (vec![3, 2], vec![1], None));
    }
}
