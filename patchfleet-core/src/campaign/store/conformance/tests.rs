//! The stores that are here keep every promise, and the kit finds those that do not.

use super::*;
use crate::campaign::tests::world::finish;
use crate::campaign::{MemoryLog, MemoryRows};
use std::sync::Arc;

mod bucket;

/// The laws that could not be checked, of a store that keeps the others.
#[track_caller]
fn holds(fresh: &(dyn Fn() -> Box<dyn Place> + Sync)) -> Unchecked {
    finish(check_all(fresh)).unwrap_or_else(|findings| panic!("{findings}"))
}

struct Memory {
    log: Arc<MemoryLog>,
    rows: Arc<MemoryRows>,
}

impl Place for Memory {
    fn open(&self) -> BoxFuture<'_, PortResult<Store>> {
        let store = Store::new(self.log.clone(), self.rows.clone());
        std::future::ready(Ok(store)).boxed()
    }

    fn damage(&self, damage: &Damage) -> bool {
        match damage {
            Damage::CutShort { log, left } => self.log.cut(log, usize::try_from(*left).unwrap()),
            _ => return false,
        }
        true
    }
}

#[test]
fn a_store_in_memory_keeps_every_promise() {
    let unchecked = holds(&|| {
        Box::new(Memory {
            log: Arc::default(),
            rows: Arc::default(),
        })
    });
    // It keeps values and no bytes, and no answer of it is lost.
    assert_eq!(
        unchecked,
        [Law::LostAnswers, Law::DamageIsTold, Law::DamagedRowsAreTold]
    );
}

#[test]
fn a_finding_names_the_law_and_what_was_done() {
    let broken = Broken {
        law: Law::OneWinner,
        found: "appending another record 0 gave Yes".to_owned(),
    };
    let findings = Findings { broken: vec![broken] };
    assert_eq!(
        findings.to_string(),
        "OneWinner (of two writers of one number the first wins, and the other is told so) does not hold: appending \
         another record 0 gave Yes"
    );
}

#[test]
fn every_law_is_in_the_list_once() {
    let mut laws = Law::ALL.to_vec();
    laws.sort();
    laws.dedup();
    assert_eq!(laws, Law::ALL);
}

#[cfg(feature = "file-log")]
mod folder;
