//! Whatever is changed in a record's bytes is noticed.

use super::*;
use crate::campaign::{Chain, Event, LogKey};
use crate::id::{CampaignId, WriterId};

fn record() -> Record {
    let campaign = CampaignId::from_uuid(uuid::Uuid::from_u128(7));
    let chain = Chain::of(&LogKey::Name("weekly-linux".parse().unwrap()));
    let writer = WriterId::from_uuid(uuid::Uuid::from_u128(1));
    let at = "2026-03-01T22:00:00.123456789Z".parse().unwrap();
    chain.record(at, writer, vec![Event::Claimed { campaign }])
}

/// These bytes with the right checksum for what they say.
fn sealed(json: &str) -> Vec<u8> {
    let sum = RecordDigest::of(json.as_bytes());
    format!("{{\"format\":3,\"sha256\":\"{sum}\",\"record\":{json}}}").into_bytes()
}

#[test]
fn a_record_is_one_line_of_json_with_its_checksum_and_is_read_back() {
    let bytes = record().encode().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    assert!(!text.contains('\n'));
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    // By hand: printf 'names/weekly-linux' | sha256sum
    assert_eq!(
        json["record"]["after"],
        "b68da0232c2d7ae8108ca34cd2d722a0645b3734288fbd8720295a675d06d04e"
    );
    assert_eq!(json["sha256"], record().digest().to_string());
    assert_eq!(Record::decode(&bytes).unwrap(), record());
    #[cfg(feature = "file-log")]
    assert_eq!(sum_of(&bytes).unwrap(), record().digest());
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = record().encode().unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            assert!(Record::decode(&bytes).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn every_beginning_and_whatever_is_added_is_noticed() {
    let whole = record().encode().unwrap();
    for cut in 0..whole.len() {
        assert!(Record::decode(&whole[..cut]).is_err(), "cut at {cut}");
    }
    for more in [&b" "[..], b"}", b"\n", b"\0", &whole] {
        assert!(Record::decode(&[&whole, more].concat()).is_err());
        assert!(Record::decode(&[more, &whole].concat()).is_err());
    }
}

#[test]
fn what_only_a_newer_version_knows_is_not_read_as_if_it_were_not_there() {
    let json = serde_json::to_string(&record()).unwrap();
    assert_eq!(Record::decode(&sealed(&json)).unwrap(), record());
    for (there, newer) in [
        ("\"seq\":0,", "\"seq\":0,\"mood\":\"good\","),
        ("\"event\":\"claimed\"", "\"event\":\"borrowed\""),
        ("{\"event\"", "{\"for\":\"ever\",\"event\""),
        // The same in other words.
        ("\"seq\":0", "\"seq\": 0"),
        ("22:00:00.123456789Z", "22:00:00.1234567890Z"),
    ] {
        let changed = json.replace(there, newer);
        assert_ne!(changed, json);
        let error = Record::decode(&sealed(&changed)).unwrap_err();
        assert!(
            matches!(error, RecordError::Unknown | RecordError::Unreadable(_)),
            "{newer}: {error:?}"
        );
    }
}

#[test]
fn records_of_other_versions_are_named() {
    let bytes = record().encode().unwrap();
    let text = std::str::from_utf8(&bytes).unwrap();
    let newer = text.replace("{\"format\":3", "{\"format\":14");
    let error = Record::decode(newer.as_bytes()).unwrap_err();
    assert!(matches!(error, RecordError::Newer { format: 14 }), "{error:?}");
    let old = r#"{"seq":0,"at":"2026-03-01T22:00:00Z","writer":"00000000-0000-0000-0000-000000000001","events":[{"event":"planned","format":2,"campaign":"#;
    let error = Record::decode(old.as_bytes()).unwrap_err();
    assert!(
        matches!(error, RecordError::Older { format: Some(2) }),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        "an older version wrote it (format 2; this version writes format 3)"
    );
    let error = Record::decode(br#"{"seq":1,"at":"2026-03-01T22:00:00Z"}"#).unwrap_err();
    assert!(matches!(error, RecordError::Older { format: None }), "{error:?}");
}

#[cfg(feature = "file-log")]
#[test]
fn a_beginning_of_a_record_may_be_torn_and_a_record_with_something_behind_it_may_not() {
    let whole = record().encode().unwrap();
    for cut in 0..=whole.len() {
        assert!(is_beginning(&whole[..cut]), "cut at {cut}");
        assert!(is_beginning(&[&whole[..cut], &[0; 5]].concat()), "cut at {cut}");
    }
    for more in [&b" "[..], b"}", b"{", b"\x0b", b"J", &whole] {
        assert!(!is_beginning(&[&whole, more].concat()), "{more:?}");
    }
    for foreign in [
        &b"precious"[..],
        b" ",
        b"{}",
        b"[1]",
        b"{\"seq\":0",
        b"\0{\"format\":3",
    ] {
        assert!(!is_beginning(foreign), "{foreign:?}");
    }
}
