//! Campaigns by their number, each held against the laws.

use crate::bug::Bug;
use crate::counts::Counts;
use crate::draft::{Draft, drafts};
use crate::laws;
use crate::run::Run;
use proptest::prelude::*;
use proptest::strategy::{BoxedStrategy, ValueTree};
use proptest::test_runner::{RngSeed, TestError, TestRunner};
use std::cell::RefCell;
use std::fmt;

/// How often a case that breaks a law is made smaller, at most.
const SHRINKS: u32 = 300;

/// The campaigns of a seed.
pub struct Trials {
    seed: u64,
    mix: Mix,
    calm: BoxedStrategy<Draft>,
    rough: BoxedStrategy<Draft>,
}

/// Which campaigns there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mix {
    /// Of one driver at a time, whose calls all have their answers.
    Calm,
    /// With drivers beside each other, calls that fail, sleeps, logs that lose their end, and further campaigns for what was left.
    Rough,
    /// Each third one is rough, and the others are calm. Each is the one with its number of its kind.
    Both,
}

impl Mix {
    /// Whether the campaign with this number is rough.
    #[must_use]
    pub fn is_rough(self, number: u64) -> bool {
        match self {
            Self::Calm => false,
            Self::Rough => true,
            Self::Both => number % 3 == 2,
        }
    }

    fn option(self) -> &'static str {
        match self {
            Self::Calm => "--calm ",
            Self::Rough => "--rough ",
            Self::Both => "",
        }
    }
}

/// A law that does not hold.
#[derive(Debug)]
pub struct Violation {
    /// The seed of the campaign.
    pub seed: u64,
    /// Which campaigns it is one of.
    pub mix: Mix,
    /// Its number.
    pub number: u64,
    /// What is wrong with the smallest case.
    pub reason: String,
    /// The smallest case that was found, which is drawn from the campaign's.
    pub smallest: String,
}

impl Trials {
    /// The campaigns of this seed.
    #[must_use]
    pub fn new(seed: u64, mix: Mix) -> Self {
        Self {
            seed,
            mix,
            calm: drafts(false),
            rough: drafts(true),
        }
    }

    fn drafts(&self, number: u64) -> &BoxedStrategy<Draft> {
        match self.mix.is_rough(number) {
            true => &self.rough,
            false => &self.calm,
        }
    }

    /// Runs the campaign with this number, and counts what happened in it.
    ///
    /// # Errors
    ///
    /// The law that does not hold.
    pub fn run(&self, number: u64) -> Result<Counts, Violation> {
        self.run_with(None, number)
    }

    /// The number of the first campaign in which the laws notice a bug in these words, of as many campaigns in which it may well show.
    /// `None`: they do not notice it in any of them.
    #[must_use]
    pub fn notice(&self, bug: Bug, words: &str, campaigns: usize) -> Option<u64> {
        let may_show = |number: &u64| {
            let mut runner = self.runner(*number, 0);
            let tree = self.drafts(*number).new_tree(&mut runner);
            tree.is_ok_and(|tree| bug.matters(&tree.current()))
        };
        let is_told = |number: &u64| {
            let violation = self.run_with(Some(bug), *number).err();
            violation.is_some_and(|violation| violation.reason.contains(words))
        };
        let most = u64::try_from(campaigns).unwrap_or(u64::MAX).saturating_mul(500);
        (0..most).filter(may_show).take(campaigns).find(is_told)
    }

    fn runner(&self, number: u64, shrinks: u32) -> TestRunner {
        TestRunner::new(ProptestConfig {
            failure_persistence: None,
            max_shrink_iters: shrinks,
            rng_seed: RngSeed::Fixed(mixed(self.seed, number)),
            ..ProptestConfig::default()
        })
    }

    fn run_with(&self, bug: Option<Bug>, number: u64) -> Result<Counts, Violation> {
        // Nobody reads the smallest case of a bug that was planted.
        let mut runner = self.runner(number, if bug.is_some() { 0 } else { SHRINKS });
        let violation = |reason: String, smallest: String| Violation {
            seed: self.seed,
            mix: self.mix,
            number,
            reason,
            smallest,
        };
        let tree = match self.drafts(number).new_tree(&mut runner) {
            Ok(tree) => tree,
            Err(reason) => return Err(violation(reason.to_string(), "none could be drawn".to_owned())),
        };
        let counts = RefCell::new(Counts::default());
        let checked = runner.run_one(tree, |draft| {
            let run = Run::of(&draft, bug);
            laws::hold(&run);
            counts.replace(Counts::of(&run));
            Ok(())
        });
        match checked {
            Ok(_) => Ok(counts.into_inner()),
            Err(TestError::Fail(reason, draft)) => Err(violation(reason.to_string(), format!("{draft:#?}"))),
            Err(error @ TestError::Abort(_)) => Err(violation(error.to_string(), "none".to_owned())),
        }
    }
}

/// A seed for each number, with nothing in common with those beside it (SplitMix64).
pub(crate) fn mixed(seed: u64, number: u64) -> u64 {
    let mut mixed = seed
        .wrapping_mul(0xd134_2543_de82_ef95)
        .wrapping_add(number)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seed,
            mix,
            number,
            reason,
            smallest,
        } = self;
        let option = mix.option();
        writeln!(f, "campaign {number} of seed {seed} breaks a law: {reason}")?;
        writeln!(f, "the smallest case found: {smallest}")?;
        write!(
            f,
            "to run it alone: cargo run --profile oracle -p patchfleet-oracle -- {option}--seed {seed} --only {number}"
        )
    }
}
