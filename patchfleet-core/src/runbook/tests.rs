//! The runbook's parts, together.

mod start;

use super::is_own;

#[test]
fn a_runbook_is_patchfleets_own_by_its_name_alone() {
    assert!(is_own(&"Patchfleet-RunPatchBaseline".parse().unwrap()));
    assert!(!is_own(&"Our-PatchRunbook".parse().unwrap()));
}
