//! Pages with opaque tokens. A token fits the listing that gave it and no other.
//!
//! In a world with `short_pages` pages are shorter than was asked for, and some are empty with more
//! to come, as AWS's listings may be at any time.

use super::Caller;
use crate::{seed::Seed, world::World};
use std::fmt;

/// Which end of a listing stays where it is while entries are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grows {
    /// New entries come last.
    AtTheEnd,
    /// New entries come first, so that a token counts what is left.
    AtTheFront,
}

/// A flag in a token's place. The page that gave the token was empty, so the next one is not.
const AFTER_EMPTY: u64 = 1 << 63;

/// The name of a listing in the caller's account and Region. `asked` is what selects its entries.
pub(crate) fn listing_here(name: &str, caller: &Caller, asked: impl fmt::Display) -> String {
    format!("{name}/{}/{}/{asked}", caller.account, caller.region)
}

/// The page of `items` that `token` asks for, with the token of the next. `listing` names the
/// listing with all that selects its entries. `None`: the token is not of this listing.
pub(crate) fn page<T>(
    world: &World,
    listing: &str,
    grows: Grows,
    items: Vec<T>,
    max: usize,
    token: Option<&str>,
) -> Option<(Vec<T>, Option<String>)> {
    cut(Short::of(world, true), listing, grows, items, max, token)
}

/// Like [`page`], for a listing whose model does not allow an empty list. Its short pages have at least
/// one entry.
pub(crate) fn page_of_some<T>(
    world: &World,
    listing: &str,
    grows: Grows,
    items: Vec<T>,
    max: usize,
    token: Option<&str>,
) -> Option<(Vec<T>, Option<String>)> {
    cut(Short::of(world, false), listing, grows, items, max, token)
}

/// How pages are shortened.
#[derive(Debug, Clone, Copy)]
struct Short {
    seed: Seed,
    /// Whether some are empty.
    empty: bool,
}

impl Short {
    /// How this world shortens pages, if it does.
    fn of(world: &World, empty: bool) -> Option<Self> {
        let seed = world.seed();
        world.rules().short_pages.then_some(Self { seed, empty })
    }
}

fn cut<T>(
    short: Option<Short>,
    listing: &str,
    grows: Grows,
    items: Vec<T>,
    max: usize,
    token: Option<&str>,
) -> Option<(Vec<T>, Option<String>)> {
    let mask = Seed(0).number(&[listing]);
    let length = items.len();
    let given = token
        .map(|token| decode(token, mask))
        .map_or(Some(0), |place| place)?;
    let (place, after_empty) = (given & !AFTER_EMPTY, given & AFTER_EMPTY != 0);
    let offset = match (token, grows) {
        (None, _) => 0,
        (Some(_), Grows::AtTheEnd) => usize::try_from(place).ok()?,
        (Some(_), Grows::AtTheFront) => length.saturating_sub(usize::try_from(place).ok()?),
    };
    let size = match short {
        Some(Short { seed, empty }) if offset < length => {
            shortened(seed, listing, place, max, after_empty || !empty)
        }
        _ => max,
    };
    let page: Vec<T> = items.into_iter().skip(offset).take(size).collect();
    let end = offset.saturating_add(page.len());
    let next = (end < length).then(|| {
        let place = match grows {
            Grows::AtTheEnd => end,
            Grows::AtTheFront => length - end,
        };
        let flag = if page.is_empty() { AFTER_EMPTY } else { 0 };
        encode(u64::try_from(place).unwrap_or(0) | flag, mask)
    });
    Some((page, next))
}

/// One page in four is empty, but never two in a row. The others have any length up to `max`.
fn shortened(seed: Seed, listing: &str, place: u64, max: usize, not_empty: bool) -> usize {
    let place = place.to_string();
    if !not_empty && seed.unit(&["empty page", listing, &place]) < 0.25 {
        return 0;
    }
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    usize::try_from(seed.between(1, max, &["page", listing, &place])).unwrap_or(1)
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

    const SHORT: Short = Short {
        seed: Seed(1),
        empty: true,
    };

    #[test]
    fn pages_cover_a_listing_once_and_a_token_fits_only_its_own() {
        let (mut seen, mut token) = (vec![], None);
        loop {
            let (items, next) =
                cut(None, "a", Grows::AtTheEnd, (0..7).collect(), 3, token.as_deref()).unwrap();
            seen.extend(items);
            match next {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, (0..7).collect::<Vec<_>>());
        assert!(cut(None, "b", Grows::AtTheEnd, vec![0; 7], 3, token.as_deref()).is_none());
        assert!(cut(None, "a", Grows::AtTheEnd, vec![0; 7], 3, Some("nonsense")).is_none());
    }

    #[test]
    fn entries_that_come_first_do_not_move_the_pages_behind_them() {
        let (first, next) = cut(None, "a", Grows::AtTheFront, vec![3, 2, 1], 2, None).unwrap();
        let (second, end) = cut(
            None,
            "a",
            Grows::AtTheFront,
            vec![5, 4, 3, 2, 1],
            2,
            next.as_deref(),
        )
        .unwrap();
        assert_eq!((first, second, end), (vec![3, 2], vec![1], None));
    }

    #[test]
    fn short_pages_cover_a_listing_once_too_and_some_are_empty() {
        for grows in [Grows::AtTheEnd, Grows::AtTheFront] {
            let (mut seen, mut lengths, mut token) = (vec![], vec![], None);
            loop {
                let items = (0..200).collect();
                let (items, next) = cut(Some(SHORT), "a", grows, items, 9, token.as_deref()).unwrap();
                lengths.push(items.len());
                seen.extend(items);
                match next {
                    Some(next) => token = Some(next),
                    None => break,
                }
            }
            assert_eq!(seen, (0..200).collect::<Vec<_>>());
            assert!(lengths.contains(&0) && lengths.iter().all(|length| *length <= 9));
            assert!(lengths.windows(2).all(|pair| pair != [0, 0]));
            assert!(lengths.len() > 200 / 9 + 1);
        }
        assert_eq!(
            cut(Some(SHORT), "a", Grows::AtTheEnd, Vec::<u8>::new(), 9, None).unwrap(),
            (vec![], None)
        );
    }
}
