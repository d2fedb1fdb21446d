//! Pages of a listing, and the walk to their end.

use super::{PortError, PortErrorKind, PortResult};
use std::collections::BTreeSet;

/// Where the next page begins. Core gives it back as it came.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageToken(String);

impl PageToken {
    /// Wraps a listing's own token.
    #[must_use]
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }

    /// The token's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One page of a listing. A page may be short, or empty, and still have a next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What stands on the page.
    pub items: Vec<T>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<PageToken>,
}

impl<T> Page<T> {
    /// The only page of a listing.
    #[must_use]
    pub fn last(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// A walk over a listing's pages. A listing that gives the same token twice would never end, so the walk fails there.
///
/// ```
/// # use patchfleet_core::port::{Page, PageToken, Walk};
/// let mut pages = vec![
///     Page { items: vec![1], next: Some(PageToken::new("a")) },
///     Page { items: vec![], next: Some(PageToken::new("b")) },
///     Page::last(vec![2]),
/// ]
/// .into_iter();
/// let (mut walk, mut all) = (Walk::new("ListNumbers"), vec![]);
/// while let Some(_token) = walk.next() {
///     let page: Page<i32> = pages.next().unwrap(); // a real walk asks the port, with the token
///     all.extend(page.items);
///     walk.advance(page.next)?;
/// }
/// assert_eq!(all, [1, 2]);
/// # Ok::<(), patchfleet_core::port::PortError>(())
/// ```
#[derive(Debug)]
pub struct Walk {
    what: &'static str,
    next: Option<Option<PageToken>>,
    seen: BTreeSet<PageToken>,
}

impl Walk {
    /// A walk that has not begun. `what` names the listing in errors.
    #[must_use]
    pub fn new(what: &'static str) -> Self {
        Self {
            what,
            next: Some(None),
            seen: BTreeSet::new(),
        }
    }

    /// The token to ask for the next page with, or `None` at the end. The token of the first page is `None`.
    #[expect(
        clippy::should_implement_trait,
        reason = "a walk goes on only after `advance`"
    )]
    pub fn next(&mut self) -> Option<Option<PageToken>> {
        self.next.take()
    }

    /// Whether the last page was read.
    pub(crate) fn is_over(&self) -> bool {
        self.next.is_none()
    }

    /// Goes on to the page after the one that was read.
    ///
    /// # Errors
    ///
    /// [`PortErrorKind::Other`] if the listing gave this token before.
    pub fn advance(&mut self, next: Option<PageToken>) -> PortResult<()> {
        if let Some(token) = next {
            if !self.seen.insert(token.clone()) {
                let what = self.what;
                return Err(PortError::new(
                    PortErrorKind::Other,
                    format!("{what} gave the same page token twice, so its pages have no end"),
                ));
            }
            self.next = Some(Some(token));
        }
        Ok(())
    }
}
