//! What the simulator alone costs at a given size: `world 1000x10 10000x10` prints a line of JSON for
//! each number of locations times nodes in each. Nothing of patchfleet's own work is in it.
//!
//! Every location is patched, its results are read by the calls that a campaign makes, and the
//! organization is listed. Each size runs in a process of its own, as those of `scale` do.

use patchfleet_benches::fleet::{REGIONS, Size};
use patchfleet_benches::memory::peak_kib;
use patchfleet_benches::pairs::account;
use patchfleet_benches::{Fallible, timed};
use patchfleet_sim::{Caller, Service, call, world::World};
use serde_json::{Value, json};
use std::process::{Command, ExitCode};

const USAGE: &str =
    "usage: world LOCATIONSxNODES ..., as in `world 1000x10 10000x10`; locations in steps of 5";

/// Set for the process that measures one size.
const CHILD: &str = "PATCHFLEET_WORLD_CHILD";

/// Accounts that one start names.
const ACCOUNTS: u64 = 50;

fn main() -> ExitCode {
    let sizes: Vec<String> = std::env::args().skip(1).collect();
    match run(&sizes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("world: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(texts: &[String]) -> Fallible<()> {
    if texts.is_empty() {
        return Err(USAGE.into());
    }
    for text in texts {
        let size = Size::parse(text).ok_or_else(|| format!("{text:?} is no size; {USAGE}"))?;
        if std::env::var_os(CHILD).is_some() {
            measure(size)?;
            continue;
        }
        let this = std::env::current_exe()?;
        let status = Command::new(this).arg(text).env(CHILD, "1").status()?;
        if !status.success() {
            return Err(format!("{text} failed: {status}").into());
        }
    }
    Ok(())
}

fn measure(size: Size) -> Fallible<()> {
    let (mut world, build_s) = timed(|| Ok(World::parse(&size.world())?))?;
    world.keep_requests(0);
    let built_kib = peak_kib();
    let (parents, start_s) = timed(|| start(&mut world, size))?;
    let ((), run_s) = timed(|| {
        world.run_until_idle();
        Ok(())
    })?;
    let run_kib = peak_kib();
    let (children, steps_s) = timed(|| children(&mut world, &parents))?;
    let (nodes, read_s) = timed(|| read(&mut world, &children))?;
    let (accounts, list_s) = timed(|| list_accounts(&mut world))?;
    let (locations, accounts, nodes) = (children.len() as u64, accounts as u64, nodes as u64);
    if (locations, accounts, nodes) != (size.locations(), size.accounts, size.all_nodes()) {
        return Err(format!("only {nodes} nodes in {locations} locations of {accounts} accounts").into());
    }
    let line = json!({
        "locations": locations,
        "nodes": nodes,
        "build_s": build_s,
        "start_s": start_s,
        "run_s": run_s,
        "steps_s": steps_s,
        "read_s": read_s,
        "list_accounts_s": list_s,
        "built_kib": built_kib,
        "run_kib": run_kib,
        "peak_kib": peak_kib(),
    });
    println!("{line}");
    Ok(())
}

fn administrator(world: &World) -> Fallible<Caller> {
    Ok(Caller::administrator(world, "us-east-1".parse()?))
}

fn text(value: &Value, pointer: &str) -> Fallible<String> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    Ok(text.ok_or_else(|| format!("no {pointer} in {value}"))?.to_owned())
}

/// Calls until there is no next page; gives the entries of the list `member`.
fn pages(
    world: &mut World,
    caller: &Caller,
    (service, operation): (Service, &str),
    member: &str,
    mut input: Value,
) -> Fallible<Vec<Value>> {
    let mut all = vec![];
    loop {
        let mut page = call(world, caller, service, operation, input.clone())?;
        if let Some(Value::Array(items)) = page.get_mut(member).map(Value::take) {
            all.extend(items);
        }
        let token = page
            .get_mut("NextToken")
            .map(Value::take)
            .filter(Value::is_string);
        match (token, input.as_object_mut()) {
            (Some(token), Some(input)) => drop(input.insert("NextToken".to_owned(), token)),
            _ => return Ok(all),
        }
    }
}

/// Starts an Install everywhere, in rectangles; gives the ids.
fn start(world: &mut World, size: Size) -> Fallible<Vec<String>> {
    let caller = administrator(world)?;
    let role = format!(
        "arn:aws:iam::{}:role/AWS-SystemsManager-AutomationAdministrationRole",
        account(0)
    );
    let all: Vec<String> = (0..size.accounts).map(account).collect();
    let mut ids = vec![];
    for accounts in all.chunks(usize::try_from(ACCOUNTS)?) {
        let input = json!({
            "DocumentName": "Patchfleet-RunPatchBaseline",
            "Parameters": {
                "AutomationAssumeRole": [role],
                "Operation": ["Install"],
                "Targets": [r#"{"Key":"resource-groups:Name","Values":["Web"]}"#],
                "MaxConcurrency": ["50%"],
                "MaxErrors": ["10%"],
            },
            "TargetLocations": [{
                "Accounts": accounts,
                "Regions": REGIONS,
                "TargetLocationMaxConcurrency": "100%",
                "TargetLocationMaxErrors": "10%",
            }],
        });
        let started = call(world, &caller, Service::Ssm, "StartAutomationExecution", input)?;
        ids.push(text(&started, "/AutomationExecutionId")?);
    }
    Ok(ids)
}

/// Every child, with its account, its Region and its parent.
fn children(world: &mut World, parents: &[String]) -> Fallible<Vec<[String; 4]>> {
    let caller = administrator(world)?;
    let mut children = vec![];
    for parent in parents {
        let shown = call(
            world,
            &caller,
            Service::Ssm,
            "GetAutomationExecution",
            json!({"AutomationExecutionId": parent}),
        )?;
        let status = text(&shown, "/AutomationExecution/AutomationExecutionStatus")?;
        if status != "Success" {
            return Err(format!("{parent} ended as {status}").into());
        }
        let steps = pages(
            world,
            &caller,
            (Service::Ssm, "DescribeAutomationStepExecutions"),
            "StepExecutions",
            json!({"AutomationExecutionId": parent, "MaxResults": 50}),
        )?;
        for step in steps {
            children.push([
                text(&step, "/TargetLocation/Accounts/0")?,
                text(&step, "/TargetLocation/Regions/0")?,
                text(&step, "/Outputs/ExecutionId/0")?,
                parent.clone(),
            ]);
        }
    }
    Ok(children)
}

/// Reads what became of every location; gives how many nodes have a patch state.
fn read(world: &mut World, children: &[[String; 4]]) -> Fallible<usize> {
    let administrator = administrator(world)?;
    let mut nodes = 0;
    let mut role = None;
    for [account, region, child, parent] in children {
        let caller = if *account == administrator.account.to_string() {
            Caller {
                region: region.parse()?,
                ..administrator.clone()
            }
        } else {
            let known = role.take().filter(|(of, _)| of == account);
            let (_, key) = match known {
                Some(known) => known,
                None => (account.clone(), assume(world, &administrator, account)?),
            };
            let caller = Caller::of_key(world, &key, region.parse()?);
            role = Some((account.clone(), key));
            caller
        };
        let listed = pages(
            world,
            &caller,
            (Service::Ssm, "DescribeAutomationExecutions"),
            "AutomationExecutionMetadataList",
            json!({"Filters": [{"Key": "ParentExecutionId", "Values": [parent]}]}),
        )?;
        if listed.len() != 1 {
            return Err(format!("{parent} has {} children in {account}/{region}", listed.len()).into());
        }
        let shown = call(
            world,
            &caller,
            Service::Ssm,
            "GetAutomationExecution",
            json!({"AutomationExecutionId": child}),
        )?;
        let command = text(
            &shown,
            "/AutomationExecution/StepExecutions/0/Outputs/CommandId/0",
        )?;
        let commands = (Service::Ssm, "ListCommands");
        let all = pages(world, &caller, commands, "Commands", json!({}))?;
        let one = pages(
            world,
            &caller,
            commands,
            "Commands",
            json!({"CommandId": command}),
        )?;
        if all != one {
            return Err(format!("not one command in {account}/{region}").into());
        }
        let invocations = pages(
            world,
            &caller,
            (Service::Ssm, "ListCommandInvocations"),
            "CommandInvocations",
            json!({"CommandId": command, "MaxResults": 50}),
        )?;
        let ids: Vec<String> = invocations
            .iter()
            .map(|one| text(one, "/InstanceId"))
            .collect::<Fallible<_>>()?;
        for ids in ids.chunks(50) {
            let states = pages(
                world,
                &caller,
                (Service::Ssm, "DescribeInstancePatchStates"),
                "InstancePatchStates",
                json!({"InstanceIds": ids, "MaxResults": 100}),
            )?;
            nodes += states.len();
        }
    }
    Ok(nodes)
}

/// Assumes the execution role in an account; gives its access key.
fn assume(world: &mut World, caller: &Caller, account: &str) -> Fallible<String> {
    let arn = format!("arn:aws:iam::{account}:role/AWS-SystemsManager-AutomationExecutionRole");
    let input = json!({"RoleArn": arn, "RoleSessionName": "measured"});
    let assumed = call(world, caller, Service::Sts, "AssumeRole", input)?;
    text(&assumed, "/Credentials/AccessKeyId")
}

fn list_accounts(world: &mut World) -> Fallible<usize> {
    let caller = administrator(world)?;
    let organizations = |operation| (Service::Organizations, operation);
    let all = pages(
        world,
        &caller,
        organizations("ListAccounts"),
        "Accounts",
        json!({}),
    )?;
    let below_root = pages(
        world,
        &caller,
        organizations("ListAccountsForParent"),
        "Accounts",
        json!({"ParentId": "r-pf01"}),
    )?;
    if all != below_root {
        return Err("the two listings of accounts differ".into());
    }
    Ok(all.len())
}
