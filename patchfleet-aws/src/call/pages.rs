//! Walks over the pages of a listing.

use super::operation::Operation;
use patchfleet_core::port::{Page, PageToken, PortError, Walk};

/// Everything on all pages of a listing. `page` asks for the page that a token names.
pub(crate) async fn all_pages<T, E, F>(
    operation: Operation,
    page: impl Fn(Option<PageToken>) -> F,
) -> Result<Vec<T>, E>
where
    F: Future<Output = Result<Page<T>, E>>,
    E: From<PortError>,
{
    let (mut walk, mut all) = (Walk::new(operation.as_str()), vec![]);
    while let Some(token) = walk.next() {
        let page = page(token).await?;
        all.extend(page.items);
        walk.advance(page.next)?;
    }
    Ok(all)
}

/// The first item of a listing, which may stand behind empty pages. No page after it is asked for.
pub(crate) async fn first_of_pages<T, E, F>(
    operation: Operation,
    page: impl Fn(Option<PageToken>) -> F,
) -> Result<Option<T>, E>
where
    F: Future<Output = Result<Page<T>, E>>,
    E: From<PortError>,
{
    let mut walk = Walk::new(operation.as_str());
    while let Some(token) = walk.next() {
        let page = page(token).await?;
        if let Some(first) = page.items.into_iter().next() {
            return Ok(Some(first));
        }
        walk.advance(page.next)?;
    }
    Ok(None)
}
