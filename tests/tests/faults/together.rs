//! Everything at once: any mixture of faults, from any seed.

use crate::{
    a_share,
    course::{Course, Front, Stage},
    effects,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What goes wrong: a share of all calls for each effect, in thousandths.
fn mixture(most: u32) -> impl Strategy<Value = Vec<Value>> {
    let count = effects().len();
    proptest::collection::vec(0..=most, count).prop_map(|shares| {
        let all = effects().into_iter().zip(shares);
        all.filter(|(_, share)| *share > 0)
            .map(|(effect, share)| json!({"effect": effect, "share": f64::from(share) / 1000.0}))
            .collect()
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_mixture_of_faults_changes_the_time_and_nothing_else(
        seed in 0..u64::from(u32::MAX),
        faults in mixture(60),
        by_tags in any::<bool>(),
    ) {
        prop_assume!(!faults.is_empty());
        let course = if by_tags { Course::tags() } else { Course::group() }.seeded(seed);
        runtime().block_on(async {
            let undisturbed = course.undisturbed(Front::Http).await;
            a_share(&course, &undisturbed, &faults).await;
        });
    }

    // Less of it: no SDK makes a call again, and a location takes several calls in a row to read.
    #[test]
    fn in_memory_any_mixture_of_faults_during_the_campaign_changes_the_time_and_nothing_else(
        seed in 0..u64::from(u32::MAX),
        faults in mixture(10),
        lost in any::<bool>(),
    ) {
        let course = if lost { Course::with_lost_nodes() } else { Course::group() }.seeded(seed);
        runtime().block_on(async {
            let undisturbed = course.undisturbed(Front::Memory).await;
            let stage = Stage::of(Front::Memory, &course).await;
            let plan = stage.plan().await.unwrap();
            faults.iter().for_each(|fault| stage.add(fault));
            let account = stage.run(&plan).await;
            assert_eq!(account.report, undisturbed.account.report, "{faults:?}");
            let account = account.with_unread_names_of(&undisturbed.account);
            assert_eq!(account, undisturbed.account, "{faults:?}");
        });
    }
}
