//! A request that is written out reads back as the same, whichever language it is written in.

#![expect(clippy::indexing_slicing, reason = "helpers of tests may fail as tests do")]

use patchfleet_core::request::{Format, PatchRequest};
use proptest::prelude::*;

/// A map whose entries are each there or not.
fn some_of(
    entries: Vec<(&'static str, BoxedStrategy<serde_json::Value>)>,
) -> BoxedStrategy<serde_json::Value> {
    let each: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| {
            proptest::option::of(value).prop_map(move |value| value.map(|v| (key.to_owned(), v)))
        })
        .collect();
    each.prop_map(|entries| serde_json::Value::Object(entries.into_iter().flatten().collect()))
        .boxed()
}

fn text(pattern: &'static str) -> BoxedStrategy<serde_json::Value> {
    pattern.prop_map(serde_json::Value::from).boxed()
}

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<serde_json::Value> {
    proptest::sample::select(words)
        .prop_map(serde_json::Value::from)
        .boxed()
}

fn set_of(pattern: &'static str, size: std::ops::Range<usize>) -> BoxedStrategy<serde_json::Value> {
    proptest::collection::btree_set(pattern, size)
        .prop_map(|set| set.into_iter().collect::<Vec<_>>().into())
        .boxed()
}

/// Waves that each take a part of the locations, whatever those are.
fn waves() -> BoxedStrategy<serde_json::Value> {
    let size = prop_oneof![text("[1-9][0-9]{0,3}|[1-9]%|100%"), (1..100).prop_map(Into::into)];
    let rate = || text("0|[1-9][0-9]{0,6}|[1-9]?[0-9]%");
    let gate = (rate(), proptest::option::of(rate()), 1..100_u32).prop_map(|(failed, unreached, least)| {
        let mut gate = serde_json::json!({"max_failed": failed, "min_sample": least});
        if let Some(unreached) = unreached {
            gate["max_unreached"] = unreached;
        }
        gate
    });
    let places = text("[1-9]%|[1-9][0-9]%|[1-9][0-9]{0,6}");
    let locations = (places, text("0%|[1-9]%|[1-9][0-9]%")).prop_map(|(at_once, errors)| {
        serde_json::json!({"locations": {"max_concurrency": at_once, "max_errors": errors}})
    });
    let tags = proptest::collection::btree_map(r"[^\p{Cc}]{1,20}", set_of(r"[^\p{Cc}]{0,20}", 1..4), 1..4);
    let wave = some_of(vec![
        (
            "account_tags",
            tags.prop_map(|tags| serde_json::json!(tags)).boxed(),
        ),
        ("if_empty", one_of(&["refuse", "skip"])),
        ("soak", one_of(&["1s", "30m", "1h 30m", "168h"])),
        ("gate", gate.boxed()),
        ("approval", Just(true.into()).boxed()),
        ("budget", locations.boxed()),
    ]);
    let key = proptest::sample::select(vec!["locations", "nodes"]);
    proptest::collection::vec((key, size, wave), 1..4)
        .prop_map(|waves| {
            let named = waves.into_iter().enumerate().map(|(n, (key, size, mut wave))| {
                wave["name"] = format!("wave-{n}").into();
                wave[key] = size;
                wave["if_empty"] = wave.get("if_empty").cloned().unwrap_or("refuse".into());
                wave
            });
            named.collect()
        })
        .boxed()
}

/// Bounds on the values of labels, none of them twice.
fn labels() -> BoxedStrategy<serde_json::Value> {
    let by =
        proptest::collection::btree_set("tag:[\\p{L}0-9][\\p{L}0-9 _.:/=+@-]{0,20}x|account|region", 1..5);
    let rate = || text("[1-9][0-9]{0,6}|[1-9]%|[1-9][0-9]%|100%");
    let untagged = proptest::sample::select(vec!["together", "unbounded", "refuse"]);
    (by, rate(), proptest::option::of(rate()), untagged)
        .prop_map(|(by, in_flight, damaged, untagged)| {
            let labels = by.into_iter().map(|by| {
                let mut label = serde_json::json!({"by": by, "max_in_flight": in_flight});
                if let Some(damaged) = &damaged {
                    label["max_damaged"] = damaged.clone();
                }
                if by.starts_with("tag:") {
                    label["untagged"] = untagged.into();
                }
                label
            });
            labels.collect()
        })
        .boxed()
}

/// Requests as people might write them: any field there or not, valid throughout.
fn any_request() -> impl Strategy<Value = serde_json::Value> {
    let boolean = || any::<bool>().prop_map(serde_json::Value::from).boxed();
    let rates = || {
        some_of(vec![
            ("max_concurrency", text("[1-9][0-9]{0,6}|[1-9]%|[1-9][0-9]%|100%")),
            (
                "max_errors",
                prop_oneof![text("0|[1-9][0-9]{0,6}|[0-9]%"), (0..100).prop_map(Into::into)].boxed(),
            ),
        ])
    };
    let tags = proptest::collection::btree_map(
        r"[\p{L}\p{Z}\p{N}_.:/=@-]{1,20}",
        set_of(r"[\p{L}\p{Z}\p{N}_.:/=+@-]{1,20}", 1..4),
        1..5,
    );
    let selector = prop_oneof![
        text("[A-Za-z0-9_.-]{1,300}").prop_map(|v| ("resource_group", v)),
        tags.prop_map(|tags| ("tags", serde_json::json!(tags))),
        Just(("all_managed", true.into())),
        set_of("i-[0-9a-f]{8}|i-[0-9a-f]{17}|mi-[0-9a-f]{17}", 1..9).prop_map(|v| ("node_ids", v)),
    ];
    let targets = some_of(vec![
        (
            "accounts",
            set_of("[0-9]{12}|ou-[a-z0-9]{4}-[a-z0-9]{8}|r-[a-z0-9]{4}", 0..5),
        ),
        (
            "exclude_accounts",
            set_of("[0-9]{12}|ou-[a-z0-9]{4}-[a-z0-9]{8}", 0..5),
        ),
        ("include_child_ous", boolean()),
        ("exclude_regions", set_of("(us|eu|ap)-(north|south)-[1-9]", 1..4)),
    ]);
    let regions = prop_oneof![
        set_of("(us|eu|ap)-(east|west)-[1-9]", 1..6),
        Just("all-enabled".into())
    ];
    let action = || one_of(&["refuse", "skip", "keep"]);
    let parameters =
        proptest::collection::btree_map("[A-Za-z]{1,50}", set_of("[^\\p{Cc}]{1,30}", 0..4), 0..4);
    let patch = prop_oneof![
        some_of(vec![
            ("operation", one_of(&["Scan", "Install"])),
            ("delivery_timeout", one_of(&["30s", "1h 30m", "720h"])),
            ("baseline_override", text("https://[a-z'\"#]{1,99}")),
        ]),
        text("s3://[a-z]{3,9}/[a-z/]{0,9}[a-z: ]").prop_map(|list| {
            serde_json::json!({ "operation": "Install", "reboot_option": "NoReboot", "install_override_list": list })
        }),
    ];
    let rest =
        some_of(vec![
        ("patch", patch.boxed()),
        (
            "policy",
            some_of(vec![
                ("unknown", action()),
                ("group_missing", action()),
                ("empty", action()),
                ("denied", one_of(&["refuse", "skip", "keep", "exclude"])),
                ("nothing_selected", one_of(&["refuse", "succeed"])),
                ("offline", one_of(&["target", "skip", "refuse"])),
                ("gone", one_of(&["accept", "fail"])),
            ]),
        ),
        (
            "access",
            some_of(vec![
                ("discovery_role", text("[A-Za-z0-9_+=,.@/-]{1,64}")),
                (
                    "external_id",
                    (
                        proptest::sample::select(vec!["env", "ssm", "secret"]),
                        "[A-Za-z0-9_/:.-]{1,99}",
                    )
                        .prop_map(|(key, name)| serde_json::json!({ key: name }))
                        .boxed(),
                ),
                ("session_name", text("[A-Za-z0-9_+=,.@-]{2,64}")),
            ]),
        ),
        (
            "budget",
            some_of(vec![("nodes", rates()), ("locations", rates()), ("labels", labels())]),
        ),
        ("waves", waves()),
        (
            "breaker",
            (
                1..99_u32,
                "[1-9]?[0-9]%",
                1..99_u32,
                "[a-z]{1,9}[ :/é]?[A-Z]{1,9}",
                proptest::bool::ANY,
            )
                .prop_map(|(n, share, sample, alarm, handed)| {
                    let mut breaker = serde_json::json!({
                        "consecutive_failures": n, "failure_share": share, "sample": sample, "alarm": alarm,
                    });
                    if handed {
                        breaker["hand_alarm_to_aws"] = true.into();
                    }
                    breaker
                })
                .boxed(),
        ),
        (
            "automation",
            (
                some_of(vec![
                    ("execution_role", text("[A-Za-z0-9_+=,.@/-]{1,64}")),
                    ("assume_role", text("arn:aws:iam::[0-9]{12}:role/[A-Za-z]{1,20}")),
                    ("pin", one_of(&["default", "version"])),
                ]),
                proptest::option::of(parameters),
            )
                .prop_map(|(mut automation, parameters)| {
                    if let Some(parameters) = parameters {
                        automation["document"] = "My-Runbook".into();
                        automation["parameters"] = serde_json::json!(parameters);
                    }
                    automation
                })
                .boxed(),
        ),
    ]);
    let output = some_of(vec![
        ("s3_bucket", text("[a-z][a-z0-9]{2,62}")),
        ("cloudwatch_log_group", text("[.\\-_/#A-Za-z0-9]{1,512}")),
    ]);
    let output = (output, proptest::option::of("[^/\\p{Cc}{][^\\p{Cc}{]{0,30}"));
    (
        "[A-Za-z0-9][A-Za-z0-9_.-]{0,63}",
        selector,
        targets,
        (regions, output),
        rest,
    )
        .prop_map(
            |(name, (key, selector), mut targets, (regions, (mut output, prefix)), mut request)| {
                if let (Some(_), Some(prefix)) = (output.get("s3_bucket"), prefix) {
                    output["s3_prefix"] = prefix.into();
                }
                let is_empty = output.as_object().is_none_or(serde_json::Map::is_empty);
                if !is_empty && request["automation"]["document"].is_null() {
                    request["output"] = output;
                }
                let is_own = request["automation"]["document"].is_null();
                if let Some(budget) = request
                    .get_mut("budget")
                    .and_then(|budget| budget.as_object_mut())
                    && !is_own
                {
                    budget.remove("labels");
                }
                targets[key] = selector;
                targets["regions"] = regions;
                request["targets"] = targets;
                request["name"] = name.into();
                request
            },
        )
}

/// Whether everything that `part` says stands in `whole` as well. Rates are written as text.
fn stands_in(part: &serde_json::Value, whole: &serde_json::Value) -> bool {
    match (part, whole) {
        (serde_json::Value::Object(part), serde_json::Value::Object(whole)) => part
            .iter()
            .all(|(key, value)| whole.get(key).is_some_and(|whole| stands_in(value, whole))),
        (serde_json::Value::Number(number), serde_json::Value::String(text)) => number.to_string() == *text,
        (serde_json::Value::Array(part), serde_json::Value::Array(whole)) => {
            part.len() == whole.len() && part.iter().zip(whole).all(|(part, whole)| stands_in(part, whole))
        }
        (part, whole) => part == whole,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_request_written_out_reads_back_as_the_same_in_every_language(draft in any_request()) {
        let request = PatchRequest::from_value(draft.clone()).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let canonical = serde_json::to_value(&request).unwrap();
        prop_assert!(stands_in(&draft, &canonical), "{draft:#}\n{canonical:#}");
        let texts = [
            (Format::Toml, toml::to_string(&request).unwrap()),
            (Format::Json, serde_json::to_string(&request).unwrap()),
            (Format::Yaml, serde_saphyr::to_string(&request).unwrap()),
        ];
        for (format, text) in texts {
            let again = PatchRequest::parse(text.as_bytes(), format)
                .map_err(|e| TestCaseError::fail(format!("{format:?}: {e}\n{text}")))?;
            prop_assert_eq!(&again, &request, "{}", text);
        }
        let from_json: PatchRequest = serde_json::from_value(canonical).unwrap();
        prop_assert_eq!(from_json, request);
    }
}
