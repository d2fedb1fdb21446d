//! What is wrong with a world file is all shown at once, each with its line and column.

use patchfleet_sim::{
    spec::{Problem, Source, WorldError, WorldSpec},
    world::World,
};

fn error(toml: &str) -> WorldError {
    World::parse(toml).map(drop).unwrap_err()
}

/// The lines below the first, which says what kind of trouble it is.
fn lines(toml: &str) -> Vec<String> {
    error(toml)
        .to_string()
        .lines()
        .skip(1)
        .map(str::to_owned)
        .collect()
}

const SOUND: &str = r#"
management_account = "111111111111"

[[accounts]]
id = "111111111111"
name = "Main"

[[accounts]]
id = "222222222222"
name = "Web"

[[groups]]
name = "Web"
accounts = ["222222222222"]
regions = ["us-east-1"]
nodes = [{ count = 1 }]
"#;

/// The sound world with `from` replaced by `to`, which is wrong.
fn lines_with(from: &str, to: &str) -> Vec<String> {
    assert!(SOUND.contains(from), "{from}");
    lines(&SOUND.replacen(from, to, 1))
}

#[test]
fn the_world_that_the_rows_below_break_is_sound() {
    World::parse(SOUND).unwrap();
}

#[test]
fn each_value_that_does_not_read_is_shown_where_it_stands() {
    let rows = [
        (
            "id = \"222222222222\"",
            "id = \"2222\"",
            "9:6: accounts[1].id: \"2222\" is not an account id: 12 digits",
        ),
        (
            "name = \"Web\"",
            "title = \"Web\"",
            "8:1: accounts[1]: missing field `name`",
        ),
        (
            "count = 1",
            "count = \"one\"",
            "16:20: groups[0].nodes[0].count: invalid type: string \"one\", expected u32",
        ),
        (
            "count = 1",
            "count = -1",
            "16:20: groups[0].nodes[0].count: invalid value: integer `-1`, expected u32",
        ),
        (
            "count = 1",
            "count = 1, kind = \"vm\"",
            "16:30: groups[0].nodes[0].kind: unknown variant `vm`, expected `ec2` or `hybrid`",
        ),
        (
            "us-east-1",
            "everywhere",
            "15:12: groups[0].regions[0]: \"everywhere\" is not a Region",
        ),
        (
            "count = 1",
            "count = 1, patch = { outcome = \"explodes\" }",
            "16:43: groups[0].nodes[0].patch.outcome: unknown variant `explodes`",
        ),
    ];
    for (from, to, expected) in rows {
        let found = lines_with(from, to);
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{expected}\nin {found:#?}"
        );
    }
}

#[test]
fn everything_that_does_not_read_is_shown_at_once_and_what_follows_from_it_is_not() {
    let found = lines(
        "management_account = \"1111\"\naccuonts = []\nseed = -4\naccounts = [{ id = \"x\", name = \"A\" }, { id = \"222222222222\", nmae = \"B\" }]\n[organization]\nroot = \"up\"\n",
    );
    let places: Vec<&str> = found
        .iter()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert_eq!(
        places,
        ["1:22", "2:1", "3:8", "4:20", "4:39", "4:62", "6:8"],
        "{found:#?}"
    );
    assert!(found[5].contains("unknown field `nmae`"), "{found:#?}");
    assert!(found[4].contains("missing field `name`"), "{found:#?}");
}

#[test]
fn what_is_not_toml_is_shown_line_by_line() {
    assert!(matches!(error("{"), WorldError::Syntax(_)));
    let found = lines("seed = \nstart = [\n");
    assert!(found.len() >= 2 && found[0].starts_with("1:8: "), "{found:#?}");
}

#[test]
fn each_contradiction_is_shown_where_it_stands() {
    let web = "id = \"222222222222\"";
    let group = "regions = [\"us-east-1\"]";
    let node =
        "[[nodes]]\nid = \"i-0123456789abcdef0\"\naccount = \"222222222222\"\nregion = \"us-east-1\"\n";
    let rows: Vec<(&str, String, &str)> = vec![
        ("management_account = \"111111111111\"", "management_account = \"333333333333\"".into(), "2:1: management_account: 333333333333 is not one of accounts"),
        ("[[accounts]]", "[organization]\nid = \"acme\"\n[[accounts]]".into(), "5:1: organization.id: acme is not o- and 10 to 32 lower-case letters or digits"),
        ("[[accounts]]", "[organization]\ndelegated_administrators = [\"333333333333\"]\n[[accounts]]".into(), "5:29: organization.delegated_administrators[0]: 333333333333 is not one of accounts"),
        ("[[accounts]]", "regions = [\"us-east-1\", \"cn-north-1\"]\n[[accounts]]".into(), "4:25: regions[1]: cn-north-1 is not of the partition aws, as the first one is"),
        (web, "id = \"111111111111\"".into(), "9:1: accounts[1].id: account 111111111111 stands twice"),
        (web, format!("{web}\nparent = \"ou-ab12-aaaaaaaa\""), "10:1: accounts[1].parent: ou-ab12-aaaaaaaa is neither the root nor one of units"),
        (web, format!("{web}\nopt_in_regions = [\"us-east-1\"]"), "10:19: accounts[1].opt_in_regions[0]: us-east-1 is no opt-in Region of this world"),
        (web, format!("{web}\nenabling_regions = [\"us-east-1\"]"), "10:21: accounts[1].enabling_regions[0]: us-east-1 is no opt-in Region of this world"),
        (web, format!("{web}\nopt_in_regions = [\"eu-south-1\"]\ndisabling_regions = [\"eu-south-1\"]"), "11:22: accounts[1].disabling_regions[0]: eu-south-1 stands twice"),
        ("[[accounts]]", "[[units]]\nid = \"ou-ab12-aaaaaaaa\"\nname = \"A\"\nparent = \"ou-ab12-aaaaaaaa\"\n[[accounts]]".into(), "7:1: units[0].parent: unit ou-ab12-aaaaaaaa is above itself"),
        ("[[accounts]]", "[[units]]\nid = \"ou-ab12-aaaaaaaa\"\nname = \"A\"\n[[units]]\nid = \"ou-ab12-aaaaaaaa\"\nname = \"B\"\n[[accounts]]".into(), "8:1: units[1].id: unit ou-ab12-aaaaaaaa stands twice"),
        ("[[accounts]]", "patch = { minutes = 2000.0 }\n[[accounts]]".into(), "4:11: patch.minutes: 2000 is not between 0 and 1440"),
        ("[[groups]]\nname = \"Web\"", "[[groups]]\nname = \"We b\"".into(), "13:1: groups[0].name: We b is not 1 to 300 letters, digits, _ . -"),
        ("accounts = [\"222222222222\"]", "accounts = [\"333333333333\"]".into(), "14:13: groups[0].accounts[0]: 333333333333 is not one of accounts"),
        (group, "regions = [\"us-east-1\", \"eu-south-1\"]".into(), "15:25: groups[0].regions[1]: eu-south-1 is not enabled in account 222222222222"),
        (group, format!("{group}\nquery_errors = [\"NONE\"]"), "16:17: groups[0].query_errors[0]: NONE is none of CLOUDFORMATION_STACK_INACTIVE"),
        (group, format!("{group}\npatch = {{ failing_share = 2.0 }}"), "16:11: groups[0].patch.failing_share: 2 is not between 0 and 1"),
        ("count = 1", "count = 4000000000".into(), "16:12: groups[0].nodes[0].count: 4000000000 is more than 100000"),
        ("count = 1", "count = 1, patch = { missing = 4294967295 }".into(), "16:33: groups[0].nodes[0].patch.missing: 4294967295 is more than 100000"),
        ("count = 1", "count = 1, reachability = \"unmanaged\", patch = { outcome = \"stuck\" }".into(), "16:61: groups[0].nodes[0].patch.outcome: what is unmanaged cannot be stuck"),
        ("[[groups]]", "[[groups]]\nname = \"Web\"\naccounts = [\"222222222222\"]\nregions = [\"us-east-1\"]\n[[groups]]".into(), "17:1: groups[1].name: group Web stands twice in 222222222222/us-east-1"),
        ("[[groups]]", format!("{node}groups = [\"Nowhere\"]\n[[groups]]"), "16:11: nodes[0].groups[0]: there is no group Nowhere in 222222222222/us-east-1"),
        ("[[groups]]", format!("{node}{node}[[groups]]"), "17:1: nodes[1].id: node i-0123456789abcdef0 stands twice"),
        ("[[groups]]", format!("{}[[groups]]", node.replace("us-east-1", "eu-south-1")), "15:1: nodes[0].region: eu-south-1 is not enabled in account 222222222222"),
        ("[[groups]]", "[[documents]]\nname = \"Empty\"\n[[groups]]".into(), "12:1: documents[0]: either content or builtin says what is in it"),
        ("[[groups]]", "[[documents]]\nname = \"Old\"\ncontent = '{\"schemaVersion\":\"0.2\"}'\n[[groups]]".into(), "14:1: documents[0].content: Automation documents have the schemaVersion 0.3, not 0.2."),
        ("[[groups]]", "[[documents]]\nname = \"Cal\"\ntype = \"ChangeCalendar\"\ncontent = \"text\"\n[[groups]]".into(), "15:1: documents[0].content: line 1: this is no line of an iCalendar"),
        ("[[groups]]", "[[documents]]\nname = \"Doc\"\nbuiltin = \"patchfleet\"\nshared_with = [\"you\"]\n[[groups]]".into(), "15:16: documents[0].shared_with[0]: you is neither an account id nor all"),
        ("[[groups]]", "[[documents]]\nname = \"Doc\"\nbuiltin = \"patchfleet\"\naccount = \"333333333333\"\n[[groups]]".into(), "15:1: documents[0].account: 333333333333 is not one of accounts"),
        ("[[groups]]", "[[documents]]\nname = \"Doc\"\nbuiltin = \"patchfleet\"\nregions = [\"eu-south-1\"]\n[[groups]]".into(), "15:12: documents[0].regions[0]: eu-south-1 is not enabled in account 111111111111"),
        ("[[groups]]", "[[documents]]\nname = \"Doc\"\nbuiltin = \"patchfleet\"\nregions = [\"us-east-1\", \"us-east-1\"]\n[[groups]]".into(), "15:25: documents[0].regions[1]: document Doc stands twice in 111111111111/us-east-1"),
        (
            "[[groups]]",
            "[[roles]]\nname = \"R\"\n[[roles]]\nname = \"R\"\ndenied_actions = [\"ssm:Nope\"]\nmax_session_seconds = 60\n[[groups]]".into(),
            "15:1: roles[1].name: role R stands twice",
        ),
        (
            "[[groups]]",
            "[[roles]]\nname = \"R\"\ndenied_actions = [\"ssm:Nope\"]\n[[groups]]".into(),
            "14:19: roles[0].denied_actions[0]: ssm:Nope is no action that is simulated",
        ),
        (
            "[[groups]]",
            "[[roles]]\nname = \"R\"\nmax_session_seconds = 60\n[[groups]]".into(),
            "14:1: roles[0].max_session_seconds: 60 is not 3600 to 43200",
        ),
        (
            "[[groups]]",
            "[[faults]]\neffect = \"deny\"\naccounts = [\"999999999999\"]\n[[groups]]".into(),
            "14:1: faults[0].accounts: 999999999999 is not one of accounts",
        ),
        (
            "[[groups]]",
            "[[faults]]\neffect = \"throttle\"\nshare = 2.0\n[[groups]]".into(),
            "14:1: faults[0].share: a share is from 0 to 1, not 2",
        ),
        (
            "[[groups]]",
            "[[faults]]\neffect = \"deny\"\n[[faults]]\neffect = \"deny\"\noperations = [\"ssm:Nothing\"]\n[[groups]]".into(),
            "16:1: faults[1].operations: ssm:Nothing is no action",
        ),
        (
            "[[groups]]",
            "[rates]\n\"ssm:Nothing\" = 1\n[[groups]]".into(),
            "13:1: rates.ssm:Nothing: ssm:Nothing is neither one action that is simulated nor *",
        ),
        (
            "[[groups]]",
            "[rates]\n\"*\" = 0.0\n[[groups]]".into(),
            "13:1: rates.*: 0 calls a second are not 0.01 to 10000",
        ),
        (
            "[[groups]]",
            "[rates]\n\"*\" = { rate = 1, burst = 0 }\n[[groups]]".into(),
            "13:1: rates.*: a burst of 0 calls is not 1 to 10000",
        ),
    ];
    for (from, to, expected) in rows {
        let found = lines_with(from, &to);
        assert!(
            found.iter().any(|line| line.starts_with(expected)),
            "{expected}\nin {found:#?}"
        );
    }
}

#[test]
fn contradictions_are_all_shown_at_once_in_the_order_of_the_file() {
    let toml = SOUND
        .replace("count = 1", "count = 100001")
        .replace("accounts = [\"222222222222\"]", "accounts = [\"333333333333\"]")
        .replace("management_account = \"1", "management_account = \"9");
    assert_eq!(
        lines(&toml),
        [
            "2:1: management_account: 911111111111 is not one of accounts",
            "16:12: groups[0].nodes[0].count: 100001 is more than 100000",
        ]
    );
    assert!(
        error(&toml)
            .to_string()
            .starts_with("the world file contradicts itself:\n2:1: ")
    );
}

#[test]
fn a_spec_that_was_made_without_a_file_has_paths_and_no_positions() {
    let mut spec = WorldSpec::parse(SOUND).unwrap();
    spec.source = Source::default();
    spec.groups[0].nodes[0].count = 100_001;
    let error = World::new(&spec).map(drop).unwrap_err();
    assert_eq!(
        error.problems(),
        [Problem {
            position: None,
            path: "groups[0].nodes[0].count".to_owned(),
            message: "100001 is more than 100000".to_owned(),
        }]
    );
    assert_eq!(
        error.to_string(),
        "the world file contradicts itself:\ngroups[0].nodes[0].count: 100001 is more than 100000"
    );
}
