//! What a unit or the root leaves out while its child units do not count.
//!
//! `include_child_ous` is false unless a request says otherwise, as in AWS's own API. Whoever forgets it
//! patches the accounts directly below a unit and no others, so a plan says what lies deeper.

use crate::fleet;
use crate::id::{OrgParent, TargetAccount};
use crate::port::Directory;
use crate::request::Targets;
use crate::text::{by_number, counted};

/// The warning about the units directly below `parent`, which the request leaves out. `None` if there is no such
/// unit, or if the request names or excludes each of them. It takes one call for each 20 of these units. Their
/// accounts are not counted.
pub(super) async fn left_out(
    directory: &dyn Directory,
    targets: &Targets,
    parent: &OrgParent,
) -> Option<String> {
    let units = fleet::all("ListOrganizationalUnitsForParent", |token| {
        directory.child_units(parent, token)
    });
    let units = match units.await {
        Ok(units) => units,
        Err(error) => {
            return Some(format!(
                "{parent}: units below it would be left out, as targets.include_child_ous is false; whether there are any could not be found out: {}",
                error.reason()
            ));
        }
    };
    let is_told_of = |unit: &OrgParent| {
        let mut others = targets.accounts.iter().chain(&targets.exclude_accounts);
        others.any(|target| matches!(target, TargetAccount::Parent(other) if other == unit))
    };
    let left_out = units.into_iter().map(OrgParent::Ou);
    match left_out.filter(|unit| !is_told_of(unit)).count() {
        0 => None,
        n => Some(format!(
            "{parent}: {} below it {} left out with all {} accounts; targets.include_child_ous = true would include them",
            counted(n, "unit"),
            by_number(n, "is", "are"),
            by_number(n, "its", "their"),
        )),
    }
}
