//! What is measured.

use crate::fleet::{Fleet, Size, campaign_id, request_for};
use crate::log::{self, LogDir};
use crate::pairs::{account, scattered};
use crate::{Fallible, Pair, Work};
use patchfleet_core::census::Depth;
use patchfleet_core::internals::{Options, build, census, expand, fold, pack};
use patchfleet_core::request::{Format, PatchRequest};
use patchfleet_core::runbook::CommandSteps;
use std::rc::Rc;

/// Every pair, in the order of the stages.
///
/// # Errors
///
/// If what they work on cannot be made.
pub fn works() -> Fallible<Vec<Pair>> {
    let fleets = (
        Size {
            accounts: 20,
            nodes: 10,
        },
        Size {
            accounts: 200,
            nodes: 10,
        },
    );
    let campaigns = (
        Size {
            accounts: 2,
            nodes: 10,
        },
        Size {
            accounts: 20,
            nodes: 10,
        },
    );
    let crowded = (
        Size {
            accounts: 2,
            nodes: 10,
        },
        Size {
            accounts: 2,
            nodes: 100,
        },
    );
    let mut works = vec![pair("parse a request (TOML)", (1_000, 10_000), parsing)?];
    for percent in [10, 50, 90] {
        works.push(pair(
            &format!("pack, {percent} % wanted"),
            (50, 500),
            move |accounts| packing(accounts, percent),
        )?);
    }
    works.push(pair("expand, census and plan", fleets, planning)?);
    works.push(pair("plan, census given", fleets, building)?);
    works.push(pair("fold a campaign log", (1_000, 10_000), folding)?);
    works.push(pair("read a campaign log's file", (1_000, 10_000), loading)?);
    works.push(pair("campaign, more locations", campaigns, campaign)?);
    works.push(pair("campaign, more nodes in each", crowded, campaign)?);
    Ok(works)
}

fn pair<S>(name: &str, (some, tenfold): (S, S), work: impl Fn(S) -> Fallible<Work>) -> Fallible<Pair> {
    Ok(Pair {
        name: name.to_owned(),
        some: work(some)?,
        tenfold: work(tenfold)?,
    })
}

fn parsing(accounts: u64) -> Fallible<Work> {
    let ids: Vec<String> = (0..accounts).map(account).collect();
    let text: Rc<str> = request_for(&ids).into();
    Ok(Work::new(
        format!("{accounts} accounts"),
        move || Ok(Rc::clone(&text)),
        |text| Ok(PatchRequest::parse(text.as_bytes(), Format::Toml)?),
    ))
}

fn packing(accounts: u64, percent: u64) -> Fallible<Work> {
    let wanted = Rc::new(scattered(accounts, percent)?);
    Ok(Work::new(
        format!("{accounts} × 20"),
        move || Ok(Rc::clone(&wanted)),
        |wanted| Ok(pack(&wanted)),
    ))
}

fn planning(size: Size) -> Fallible<Work> {
    Ok(Work::new(
        format!("{} locations", size.locations()),
        move || Fleet::new(size),
        |fleet| Ok((fleet.plan(Depth::Count)?, fleet)),
    ))
}

fn building(size: Size) -> Fallible<Work> {
    let fleet = Fleet::new(size)?;
    let (directory, inventory, request) = (&*fleet.ports.directory, &*fleet.ports.inventory, &fleet.request);
    let caller = fleet.wait(directory.caller())?;
    let candidates = fleet.wait(expand(directory, request, &caller, 1))?;
    let asked = candidates.to_ask();
    let census = fleet.wait(census(
        inventory,
        &asked,
        &request.targets.selector,
        Depth::Count,
        1,
    ));
    let found = Rc::new((request.clone(), caller, candidates, census));
    Ok(Work::new(
        format!("{} locations", size.locations()),
        move || Ok(Rc::clone(&found)),
        |found| {
            let (request, caller, candidates, census) = &*found;
            Ok(build(
                request,
                caller,
                candidates,
                census,
                CommandSteps::Unread,
                &Options::default(),
            )?)
        },
    ))
}

fn folding(len: usize) -> Fallible<Work> {
    let records = Rc::new(log::of_length(len)?);
    Ok(Work::new(
        format!("{len} records"),
        move || Ok(Rc::clone(&records)),
        |records| Ok(fold(&records)?),
    ))
}

fn loading(len: usize) -> Fallible<Work> {
    let dir = Rc::new(LogDir::new(&log::of_length(len)?)?);
    let campaign = campaign_id()?;
    Ok(Work::new(
        format!("{len} records"),
        move || {
            Ok((
                Rc::clone(&dir),
                tokio::runtime::Builder::new_current_thread().build()?,
            ))
        },
        move |(dir, runtime)| {
            let state = runtime.block_on(dir.store.load(campaign))?;
            Ok((state.ok_or("there is no such campaign")?, runtime))
        },
    ))
}

fn campaign(size: Size) -> Fallible<Work> {
    Ok(Work::new(
        format!("{} nodes", size.all_nodes()),
        move || {
            let fleet = Fleet::new(size)?;
            Ok((fleet.plan(Depth::Count)?, fleet))
        },
        |(plan, fleet)| Ok((fleet.campaign(&plan)?, fleet)),
    ))
}
