//! Which Regions an account has, where nobody may name another account to Account Management.

use super::{open, wait};
use patchfleet_tests::{plan, request};

#[test]
fn planning_needs_no_trusted_access_and_leaves_out_regions_that_an_account_has_off() {
    let world = r#"
        management_account = "111111111111"
        organization = { account_management = false }
        documents = [{ name = "Patchfleet-RunPatchBaseline", builtin = "patchfleet" }]
        [[accounts]]
        id = "111111111111"
        name = "Main"
        [[accounts]]
        id = "222222222222"
        name = "Web"
        opt_in_regions = ["eu-south-1"]
        enabling_regions = ["af-south-1"]
        disabling_regions = ["me-south-1"]
        [[groups]]
        name = "WebServers"
        accounts = ["222222222222"]
        regions = ["us-east-1", "eu-south-1"]
        nodes = [{ count = 2 }]
        "#;
    let asked = |regions: &str| {
        request(&format!(
            r#"
            name = "regions"
            targets = {{ resource_group = "WebServers", accounts = ["222222222222"], regions = {regions} }}
            "#
        ))
        .unwrap()
    };
    let listed = r#"["us-east-1", "eu-south-1", "af-south-1", "me-south-1", "mx-central-1"]"#;
    for regions in [listed, "\"all-enabled\""] {
        let request = asked(regions);
        let (_, ports) = open(world, &request);
        let plan = wait(plan(&ports, &request)).unwrap();
        let planned: Vec<String> = plan.locations.iter().map(|one| one.region.to_string()).collect();
        assert_eq!(planned, ["eu-south-1", "us-east-1"], "{regions}");
        let off = ["af-south-1", "me-south-1", "mx-central-1"].map(|region| {
            let skip = plan.skipped.iter().find(|one| one.region.as_str() == region);
            skip.map(|one| one.detail.clone())
        });
        let expected = match regions {
            "\"all-enabled\"" => [None, None, None],
            _ => [
                "the Region is being enabled in the account (ENABLING)",
                "the Region is being disabled in the account (DISABLING)",
                "the Region is not enabled in the account (DISABLED)",
            ]
            .map(|text| Some(text.to_owned())),
        };
        assert_eq!(off, expected, "{regions}");
    }
}
