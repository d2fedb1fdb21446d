//! A small world, a request, an instant at which its driver dies, and what becomes of its log then.

use proptest::prelude::*;
use std::fmt::Write as _;

pub(crate) const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) seed: u64,
    /// In which of [`REGIONS`] each account has nodes. The first account is the management account.
    pub(crate) accounts: Vec<[bool; 2]>,
    pub(crate) at_once: u32,
    pub(crate) installs: bool,
    /// Whether the name had another campaign before, which is over.
    pub(crate) earlier: bool,
    /// After how many turns the driver dies.
    pub(crate) turns: usize,
    /// How many seconds pass until somebody goes on.
    pub(crate) idle: u32,
    /// One or two.
    pub(crate) damages: Vec<(Of, Damage)>,
    /// What is done then, in this order.
    pub(crate) deeds: Vec<Deed>,
}

/// Which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Log,
    Claim,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Somebody runs the request again.
    Run,
    /// Somebody resumes the campaign.
    Resume,
}

/// Places and numbers are shares of what is there, in thousandths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Damage {
    Flip {
        at: u32,
        bit: u32,
    },
    /// So much of the bytes is left.
    Cut {
        at: u32,
    },
    /// So many of the lines are left: a copy of earlier.
    Older {
        at: u32,
    },
    Empty,
    Delete,
    Swap {
        one: u32,
        other: u32,
    },
    Double {
        line: u32,
        after: u32,
    },
    TakeOut {
        line: u32,
    },
    /// A person changes a word, and no checksum.
    Edit {
        from: &'static str,
        to: &'static str,
    },
    /// What a power cut leaves behind the end.
    Zeros {
        count: u32,
        with_line_break: bool,
    },
}

impl Draft {
    pub(crate) fn world(&self) -> String {
        let mut text = format!(
            "seed = {}\nmanagement_account = \"100000000000\"\n\
             documents = [{{ name = \"Patchfleet-RunPatchBaseline\", builtin = \"patchfleet\" }}]\n\
             patch = {{ minutes = 4.0, missing = 2 }}\n",
            self.seed
        );
        for (index, places) in self.accounts.iter().enumerate() {
            let id = account(index);
            writeln!(text, "[[accounts]]\nid = \"{id}\"\nname = \"A{index}\"").unwrap();
            let regions: Vec<&str> = REGIONS
                .iter()
                .zip(places)
                .filter(|(_, has)| **has)
                .map(|(r, _)| *r)
                .collect();
            if !regions.is_empty() {
                writeln!(
                    text,
                    "[[groups]]\nname = \"Web\"\naccounts = [\"{id}\"]\nregions = {regions:?}\nnodes = [{{ count = 2 }}]"
                )
                .unwrap();
            }
        }
        text
    }

    /// The request, which installs or scans.
    pub(crate) fn request(&self, operation: &str) -> String {
        let accounts: Vec<String> = (0..self.accounts.len()).map(account).collect();
        format!(
            "name = \"weekly\"\npatch = {{ operation = \"{operation}\" }}\n\
             targets = {{ resource_group = \"Web\", accounts = {accounts:?}, regions = {REGIONS:?} }}\n\
             policy = {{ group_missing = \"skip\", nothing_selected = \"succeed\" }}\n\
             [budget.locations]\nmax_concurrency = {}\nmax_errors = 1\n",
            self.at_once
        )
    }
}

fn account(index: usize) -> String {
    format!("{}", 100_000_000_000_u64 + index as u64)
}

pub(crate) fn drafts() -> impl Strategy<Value = Draft> {
    let world = (
        any::<u16>(),
        prop::collection::vec(any::<[bool; 2]>(), 1..4),
        1..4_u32,
    );
    let course = (
        any::<bool>(),
        prop::bool::weighted(0.3),
        0..60_usize,
        0..1_500_u32,
    );
    let damages = prop::collection::vec(
        (prop_oneof![2 => Just(Of::Log), 1 => Just(Of::Claim)], damage()),
        1..3,
    );
    let deeds = prop::collection::vec(prop_oneof![Just(Deed::Run), Just(Deed::Resume)], 1..4);
    (world, course, damages, deeds).prop_map(|((seed, mut accounts, at_once), course, damages, deeds)| {
        // Something is there to be done.
        accounts[0][0] = true;
        let (installs, earlier, turns, idle) = course;
        Draft {
            seed: seed.into(),
            accounts,
            at_once,
            installs: installs || seed % 4 > 0,
            earlier,
            turns,
            idle,
            damages,
            deeds,
        }
    })
}

fn damage() -> impl Strategy<Value = Damage> {
    let share = || 0..1_000_u32;
    prop_oneof![
        3 => (share(), 0..8_u32).prop_map(|(at, bit)| Damage::Flip { at, bit }),
        2 => share().prop_map(|at| Damage::Cut { at }),
        3 => share().prop_map(|at| Damage::Older { at }),
        1 => Just(Damage::Empty),
        2 => Just(Damage::Delete),
        1 => (share(), share()).prop_map(|(one, other)| Damage::Swap { one, other }),
        1 => (share(), share()).prop_map(|(line, after)| Damage::Double { line, after }),
        1 => share().prop_map(|line| Damage::TakeOut { line }),
        2 => edit(),
        1 => (1..40_u32, any::<bool>()).prop_map(|(count, with_line_break)| Damage::Zeros { count, with_line_break }),
    ]
}

/// What a person may want to change by hand.
fn edit() -> impl Strategy<Value = Damage> {
    let words = prop_oneof![
        Just(("\"Install\"", "\"Scan\"")),
        Just(("\"Scan\"", "\"Install\"")),
        Just(("us-east-1", "eu-west-1")),
        Just(("100000000000", "100000000001")),
        Just(("\"Web\"", "\"Wet\"")),
        Just(("weekly", "weakly")),
        Just(("\"unit\":1", "\"unit\":2")),
        Just(("\"seq\":0", "\"seq\":1")),
    ];
    words.prop_map(|(from, to)| Damage::Edit { from, to })
}
