//! Rows of nodes in a folder, and a report on those that are lost.

#![expect(clippy::disallowed_methods, reason = "the tests damage the files by hand")]

use super::*;

#[test]
fn rows_are_replaced_as_a_whole_and_never_by_an_older_attempt() {
    let dir = tempfile::tempdir().unwrap();
    let kept = FileRows::new(dir.path());
    let campaign = CampaignId::from_uuid(uuid::Uuid::from_u128(1));
    let location = Location::new("111122223333".parse().unwrap(), "eu-west-1".parse().unwrap());
    assert_eq!(now(kept.rows(campaign, &location)).unwrap(), []);
    let first = rows(&[
        ("i-00000002", NodeOutcome::Done),
        ("i-00000001", NodeOutcome::Lost),
    ]);
    let second = rows(&[("i-00000003", NodeOutcome::Failed)]);
    now(kept.put(campaign, &location, 1, first.clone())).unwrap();
    let sorted: Vec<NodeRow> = first.iter().rev().cloned().collect();
    assert_eq!(now(kept.rows(campaign, &location)).unwrap(), sorted);
    now(kept.put(campaign, &location, 2, second.clone())).unwrap();
    now(kept.put(campaign, &location, 1, first)).unwrap();
    assert_eq!(now(kept.rows(campaign, &location)).unwrap(), second);
    let folder = campaign_dir(dir.path(), campaign).join("nodes");
    let names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["111122223333_eu-west-1.json"]);
}

#[test]
fn a_report_counts_the_nodes_whose_rows_are_lost_or_of_another_location() {
    let failing = |n| Node {
        status: "Failed",
        patches: None,
        ..Node::well(n)
    };
    let east = Script::Nodes(vec![failing(1), failing(2), Node::well(3)]);
    let world = World::new(
        &[&[
            ("us-east-1", east),
            ("us-west-1", Script::Nodes(vec![failing(4)])),
        ]],
        2,
        5,
    );
    let dir = tempfile::tempdir().unwrap();
    let rows = FileRows::new(dir.path());
    let driver = Driver {
        log: Arc::new(FileLog::new(dir.path())),
        rows: Arc::new(rows.clone()),
        ..world.driver(1)
    };
    let state = finish(async {
        driver.begin(world.campaign(), &world.plan).await.unwrap();
        driver.run(world.campaign()).await.unwrap()
    });
    let nodes = campaign_dir(dir.path(), world.campaign()).join("nodes");
    let (east, west) = (
        nodes.join("111111111111_us-east-1.json"),
        nodes.join("111111111111_us-west-1.json"),
    );
    let whole = fs::read(&east).unwrap();
    let report = || finish(Report::build(&state, &rows, state.last_at())).unwrap();
    assert_eq!(report().needs_action.len(), 3);
    assert!(report().locations.iter().all(|one| one.unnamed == 0));
    let damages: [(&str, &dyn Fn()); 4] = [
        ("deleted", &|| fs::remove_file(&east).unwrap()),
        ("torn", &|| fs::write(&east, &whole[..whole.len() / 2]).unwrap()),
        ("emptied", &|| fs::write(&east, b"").unwrap()),
        ("another's", &|| {
            fs::copy(&west, &east).unwrap();
        }),
    ];
    for (name, damage) in damages {
        damage();
        let report = report();
        assert_eq!(report.needs_action.len(), 1, "{name}");
        assert_eq!(report.locations[0].unnamed, 2, "{name}");
        let text = report.to_text();
        assert!(text.contains("3 nodes need action"), "{name}: {text}");
        assert!(
            text.contains("us-east-1  2 nodes not named: no row of them is kept"),
            "{name}: {text}"
        );
        fs::write(&east, &whole).unwrap();
    }
}
