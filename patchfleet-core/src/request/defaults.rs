//! Every default of a request, each with its reason. Written here and nowhere else.

use super::{Access, Budget};
use crate::budget::RateControl;
use crate::id::{DocumentName, RoleName, SessionName};
use std::{fmt::Debug, str::FromStr};

/// patchfleet's own runbook, as `patchfleet runbook ensure` creates it.
pub(crate) const OWN_DOCUMENT: &str = "Patchfleet-RunPatchBaseline";

/// AWS's own default for `ExecutionRoleName`: the role that its set-up templates create in each
/// target account. The census reads with the same one, since it is there already.
const EXECUTION_ROLE: &str = "AWS-SystemsManager-AutomationExecutionRole";

/// The role that AWS's set-up templates create in the central account. A request that names no
/// `assume_role` means this role there.
pub const ADMINISTRATION_ROLE: &str = "AWS-SystemsManager-AutomationAdministrationRole";

/// The session's name. CloudTrail of every account shows it.
const SESSION_NAME: &str = "patchfleet";

/// How many nodes of a location are patched at once, and how many may fail, as in both posts. AWS's own default of
/// 50 at once would take a small location down as a whole.
const NODES_RATE: &str = "10%";

/// How many locations are patched at once: AWS's own default for `TargetLocationMaxConcurrency`.
const LOCATIONS_CONCURRENCY: &str = "1";

/// How many locations may fail: AWS's own default for `TargetLocationMaxErrors`.
const LOCATIONS_ERRORS: &str = "0";

/// Parses a constant of this file.
#[expect(
    clippy::expect_used,
    reason = "the texts are constants of this file, and a test reads them all"
)]
fn constant<T: FromStr<Err: Debug>>(text: &'static str) -> T {
    text.parse().expect("a constant of this file")
}

pub(super) fn document() -> DocumentName {
    constant(OWN_DOCUMENT)
}

pub(crate) fn execution_role() -> RoleName {
    constant(EXECUTION_ROLE)
}

pub(super) fn administration_role() -> RoleName {
    constant(ADMINISTRATION_ROLE)
}

pub(super) fn session_name() -> SessionName {
    constant(SESSION_NAME)
}

impl Default for Access {
    fn default() -> Self {
        Self {
            discovery_role: execution_role(),
            send_role: None,
            external_id: None,
            session_name: session_name(),
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            nodes: RateControl {
                max_concurrency: constant(NODES_RATE),
                max_errors: constant(NODES_RATE),
            },
            locations: RateControl {
                max_concurrency: constant(LOCATIONS_CONCURRENCY),
                max_errors: constant(LOCATIONS_ERRORS),
            },
            fleet: None,
            labels: vec![],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_valid_value() {
        assert_eq!(document().as_str(), OWN_DOCUMENT);
        assert_eq!(administration_role().as_str(), ADMINISTRATION_ROLE);
        assert_eq!(Access::default().discovery_role.as_str(), EXECUTION_ROLE);
        assert_eq!(Access::default().session_name.as_str(), SESSION_NAME);
        let Budget {
            nodes,
            locations,
            fleet,
            labels,
        } = Budget::default();
        assert_eq!(
            (nodes.max_concurrency.percent(), nodes.max_errors.percent()),
            (Some(10), Some(10))
        );
        assert_eq!(locations.max_concurrency.to_string(), "1");
        assert_eq!(locations.max_errors.to_string(), "0");
        assert_eq!(fleet, None);
        assert_eq!(labels, []);
    }
}
