use super::*;
use crate::id::Location;
use serde::Deserialize;

fn list(patches: &[(&str, &str)]) -> OverrideList {
    let texts = patches
        .iter()
        .map(|(id, title)| ((*id).to_owned(), (*title).to_owned()));
    let (patches, left_out) = OverrideList::sorted(texts);
    OverrideList {
        campaign_id: CampaignId::from_uuid(uuid::Uuid::nil()),
        request: "weekly-linux".parse().unwrap(),
        wave: Some("canary".to_owned()),
        read_at: "2026-03-01T22:00:00.5Z".parse().unwrap(),
        nodes: 2,
        patches,
        left_out,
        unread: vec![],
        not_over: 0,
    }
}

/// A list as AWS-RunPatchBaseline reads one.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Read {
    patches: Vec<Entry>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Entry {
    id: String,
    title: Option<String>,
}

fn read(yaml: &str) -> Vec<(String, String)> {
    let read: Read = serde_saphyr::from_str(yaml).unwrap();
    let pairs = read
        .patches
        .into_iter()
        .map(|entry| (entry.id, entry.title.unwrap_or_default()));
    pairs.collect()
}

#[test]
fn a_list_is_yaml_as_aws_documents_it_and_says_where_it_is_from() {
    let list = list(&[
        (
            "KB4480979",
            "2019-01 Security Update for Adobe Flash Player (KB4480979)",
        ),
        ("kernel.x86_64", "kernel.x86_64:0:6.1.119-129.201.amzn2023"),
        ("kernel.x86_64", "kernel.x86_64:0:6.1.128-136.201.amzn2023"),
        ("tzdata.noarch", ""),
    ]);
    assert!(list.is_whole());
    insta::assert_snapshot!(list.to_yaml(), @r#"
    # What 2 nodes of wave canary of campaign 00000000-0000-0000-0000-000000000000 (weekly-linux) have installed, as AWS said at 2026-03-01T22:00:00Z.
    patches:
        -
            id: 'KB4480979'
            title: '2019-01 Security Update for Adobe Flash Player (KB4480979)'
        -
            id: 'kernel.x86_64'
            title: 'kernel.x86_64:0:6.1.119-129.201.amzn2023'
        -
            id: 'kernel.x86_64'
            title: 'kernel.x86_64:0:6.1.128-136.201.amzn2023'
        -
            id: 'tzdata.noarch'
    "#);
    insta::assert_snapshot!(list.remarks().join("\n"), @r#""tzdata.noarch" stands in the list without a version, because AWS gives none: a node gets the version that its repositories have by then"#);
}

#[test]
fn a_yaml_reader_gives_back_every_id_and_title_as_aws_wrote_it() {
    let patches = [
        ("'quoted'", "it's: a # \"title\""),
        ("- dash", "{braces}: &anchor !tag |"),
        ("012", "yes"),
        ("back\\slash", "\\n is no line end"),
        (
            "line\nend",
            "tab\there, a bell\u{7} and \u{85}\u{2028}\u{202e}\u{feff}",
        ),
        ("null", "~"),
        ("é.noarch", " é:0:1 "),
    ];
    let given = list(&patches);
    assert_eq!(given.patches.len(), patches.len());
    let mut read = read(&given.to_yaml());
    read.sort();
    let mut expected = patches.map(|(id, title)| (id.to_owned(), title.to_owned()));
    expected.sort();
    assert_eq!(read, expected);
    for line in given.to_yaml().lines() {
        assert!(!line.contains(is_hidden), "{line:?}");
    }
}

#[test]
fn what_a_list_would_take_for_more_than_was_installed_is_left_out_and_named() {
    let list = list(&[
        ("", "no id"),
        ("KB890830", "Removal Tool [v5.120]?"),
        ("curl*.x86_64", "curl*.x86_64:0:8.5-1"),
        ("glibc.x86_64", "glibc.x86_64:0:2.34-[1]"),
        ("zlib.x86_64", "zlib.x86_64:0:1.2-1"),
    ]);
    let named: Vec<&str> = list.patches.iter().map(|patch| patch.id.as_str()).collect();
    assert_eq!(named, ["KB890830", "zlib.x86_64"]);
    assert!(!list.is_whole());
    insta::assert_snapshot!(list.remarks().join("\n"), @r#"
    "" ("no id") is not in the list: AWS gives no id for it
    "curl*.x86_64" ("curl*.x86_64:0:8.5-1") is not in the list: it has a *, ? or [, which a list takes for other characters as well
    "glibc.x86_64" ("glibc.x86_64:0:2.34-[1]") is not in the list: it has a *, ? or [, which a list takes for other characters as well
    "#);
}

#[test]
fn that_there_is_nothing_to_list_has_its_reason() {
    let unread = |node: Option<&str>| UnreadNodes {
        location: Location::new("111111111111".parse().unwrap(), "us-east-1".parse().unwrap()),
        node: node.map(|node| node.parse().unwrap()),
        reason: "AccessDeniedException: not authorized".to_owned(),
    };
    let none = OverrideList {
        nodes: 0,
        ..list(&[])
    };
    let denied = OverrideList {
        unread: vec![unread(None), unread(Some("i-00000002"))],
        wave: None,
        ..none.clone()
    };
    let said = [
        none.nothing(),
        denied.nothing(),
        list(&[]).nothing(),
        list(&[("zlib.x86_64", "")]).nothing(),
    ];
    insta::assert_debug_snapshot!(said, @r#"
    [
        Some(
            "no node of wave canary of campaign 00000000-0000-0000-0000-000000000000 (weekly-linux) is done, so there is nothing to list. A list is made of nodes that are done or wait for a reboot",
        ),
        Some(
            "no node of campaign 00000000-0000-0000-0000-000000000000 (weekly-linux) could be read, so there is no list",
        ),
        Some(
            "the nodes of wave canary of campaign 00000000-0000-0000-0000-000000000000 (weekly-linux) have no patch installed that a list could name",
        ),
        None,
    ]
    "#);
    insta::assert_snapshot!(denied.remarks().join("\n"), @r#"
    111111111111/us-east-1: not in the list: AccessDeniedException: not authorized
    111111111111/us-east-1 i-00000002: not in the list: AccessDeniedException: not authorized
    "#);
    assert!(!none.is_whole() && !denied.is_whole());
}
