//! Which locations a request names, against organisations in memory.

mod accounts;
mod regions;
mod tags;

use crate::expand::{Candidates, expand};
use crate::id::OrgParent;
use crate::port::AccountState;
use crate::refusal::{Refusal, RefusalCode, SkipReason};
use crate::request::PatchRequest;
use crate::tests::world::{CENTRAL, World, account, wait};

const ROOT: &str = "r-ab12";
const PROD: &str = "ou-ab12-prod0000";
const WEB: &str = "ou-ab12-web00000";
const US: &str = "us-east-1";
const EU: &str = "eu-west-1";

/// Root: central account; prod below it: 2…; web below prod: 3… and a suspended 4….
fn world() -> World {
    let mut world = World::default();
    for id in [CENTRAL, "222222222222", "333333333333", "444444444444"] {
        world.add(id, &[US, EU]);
    }
    world
        .accounts
        .insert(account("444444444444"), AccountState::Suspended);
    let (root, prod, web) = (ROOT.parse().unwrap(), PROD, WEB);
    let ou = |id: &str| OrgParent::Ou(id.parse().unwrap());
    let unit = |accounts: &[&str], units: &[&str]| {
        (
            accounts.iter().map(|id| account(id)).collect(),
            units.iter().map(|id| id.parse().unwrap()).collect(),
        )
    };
    world
        .units
        .insert(OrgParent::Root(root), unit(&[CENTRAL], &[prod]));
    world.units.insert(ou(prod), unit(&["222222222222"], &[web]));
    world
        .units
        .insert(ou(web), unit(&["333333333333", "444444444444"], &[]));
    world
}

fn expanded(world: &World, request: &PatchRequest) -> Result<Candidates, Refusal> {
    wait(expand(world, request, &world.caller_now(), 3))
}

fn names(candidates: &Candidates) -> Vec<String> {
    candidates.wanted.iter().map(ToString::to_string).collect()
}

fn skips(candidates: &Candidates) -> Vec<(String, SkipReason)> {
    let skips = candidates.skipped.iter();
    skips
        .map(|skip| (skip.location().to_string(), skip.reason))
        .collect()
}

fn codes(refusal: &Refusal) -> Vec<(RefusalCode, &str)> {
    let reasons = refusal.reasons.iter();
    reasons
        .map(|reason| (reason.code, reason.subject.as_str()))
        .collect()
}
