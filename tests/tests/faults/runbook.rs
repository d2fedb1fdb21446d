//! The runbook is brought to the central account and Region once, whatever fails.

use crate::effects;
use patchfleet_core::{
    port::Ports,
    runbook::{self, Checked, Ensured, Runbook, StepTimeout},
};
use patchfleet_sim::{Sim, SimOptions, world::World};
use patchfleet_tests::{over_http, request};
use serde_json::json;
use std::collections::BTreeSet;

/// What is there before.
#[derive(Debug, Clone, Copy)]
enum Before {
    Nothing,
    Another,
    /// The right version is there, and the default is another.
    NotTheDefault,
}

const BEFORE: [Before; 3] = [Before::Nothing, Before::Another, Before::NotTheDefault];

async fn stage(before: Before) -> (Sim, Ports) {
    let another = Runbook::new(StepTimeout::from_seconds(20_000).unwrap()).to_json();
    let documents = match before {
        Before::Nothing => String::new(),
        Before::Another | Before::NotTheDefault => format!(
            "[[documents]]\nname = \"{}\"\ncontent = '''{another}'''\n",
            runbook::NAME
        ),
    };
    let world = format!(
        "management_account = \"111111111111\"\naccounts = [{{ id = \"111111111111\", name = \"Main\" }}]\n{documents}"
    );
    let sim = Sim::start(World::parse(&world).unwrap(), SimOptions::default())
        .await
        .unwrap();
    let any =
        request("name = \"any\"\n[targets]\nresource_group = \"Web\"\nregions = [\"us-east-1\"]").unwrap();
    let ports = over_http(&sim, &any.access).unwrap();
    if let Before::NotTheDefault = before {
        let name = runbook::NAME.parse().unwrap();
        let update = ports.documents.update(&name, Runbook::default().to_json());
        assert_eq!(update.await.unwrap().as_deref(), Some("2"));
    }
    (sim, ports)
}

async fn ensure(ports: &Ports) -> Ensured {
    let name = runbook::NAME.parse().unwrap();
    runbook::ensure(&*ports.documents, &name, &Runbook::default())
        .await
        .unwrap()
}

fn version_of(ensured: &Ensured) -> String {
    match ensured {
        Ensured::Created { version }
        | Ensured::Updated { version }
        | Ensured::DefaultMoved { version }
        | Ensured::Unchanged { version } => version.clone(),
    }
}

#[tokio::test]
async fn the_first_calls_for_the_runbook_go_wrong_and_it_is_there_once() {
    let mut seen = BTreeSet::new();
    for before in BEFORE {
        let (sim, ports) = stage(before).await;
        let begun = sim.with_world(|world| world.requests().len());
        let undisturbed = ensure(&ports).await;
        let operations: BTreeSet<String> = sim.with_world(|world| {
            let calls = world.requests().iter().skip(begun);
            calls
                .map(|call| format!("{}:{}", call.service, call.operation))
                .collect()
        });
        for operation in operations {
            for effect in effects() {
                for calls in [json!([1]), json!([1, 2])] {
                    let (sim, ports) = stage(before).await;
                    let fault = json!({"effect": effect, "operations": [operation], "calls": calls});
                    let spec = serde_json::from_value(fault.clone()).unwrap();
                    sim.with_world(|world| world.add_fault(spec)).unwrap();
                    let ensured = ensure(&ports).await;
                    let version = version_of;
                    assert_eq!(version(&ensured), version(&undisturbed), "{before:?} {fault}");
                    let name = runbook::NAME.parse().unwrap();
                    let found = runbook::check(&*ports.documents, &name, &Runbook::default())
                        .await
                        .unwrap();
                    assert_eq!(
                        found,
                        Checked::Current {
                            version: version(&undisturbed)
                        },
                        "{before:?} {fault}"
                    );
                    let latest = ports.documents.latest_version(&name).await.unwrap();
                    assert_eq!(
                        latest,
                        version(&undisturbed),
                        "{before:?} {fault}: a version too many"
                    );
                    let struck = sim.with_world(|world| world.faults()[0].struck);
                    assert!(struck > 0, "{before:?} {fault} has struck nothing");
                }
            }
            seen.insert(operation);
        }
    }
    assert!(seen.len() >= 5, "{seen:?}");
}
