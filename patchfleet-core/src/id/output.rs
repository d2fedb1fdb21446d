//! Where Run Command puts what nodes print: a bucket, a prefix of keys in it, a log group.

use super::{all_of, lower_or_digit, text_id};

/// The longest prefix of keys that Run Command takes, in characters (SSM model, `S3KeyPrefix`).
const MAX_KEY_PREFIX_CHARS: usize = 500;

text_id! {
    /// The name of an S3 bucket (S3 User Guide, "General purpose bucket naming rules"; SSM model, `S3BucketName`).
    BucketName, "a bucket name",
    "3 to 63 of lower-case letters, digits, - and . with a letter or digit at both ends, no two dots side by side, \
     no IP address, and none of S3's own prefixes and suffixes (xn--, sthree-, -s3alias, --ol-s3, …)",
    is_bucket_name
}

/// The beginnings that S3 keeps for itself. `amzn-s3-demo-` is for its documentation, and buckets of that name exist.
const RESERVED_PREFIXES: [&str; 2] = ["xn--", "sthree-"];
/// The ends that S3 keeps for access points, directory buckets and tables. Run Command writes to buckets alone.
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

fn is_bucket_name(text: &str) -> bool {
    let is_inner = |letter: u8| lower_or_digit(letter) || letter == b'-' || letter == b'.';
    let edges = [text.bytes().next(), text.bytes().last()];
    (3..=63).contains(&text.len())
        && text.bytes().all(is_inner)
        && edges.into_iter().flatten().all(lower_or_digit)
        && !text.contains("..")
        && text.parse::<std::net::Ipv4Addr>().is_err()
        && !RESERVED_PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        && !RESERVED_SUFFIXES.iter().any(|suffix| text.ends_with(suffix))
}

text_id! {
    /// The prefix of the keys that Run Command writes to a bucket. Below it AWS puts the id of the command, that of the
    /// node, and the name of the step.
    S3KeyPrefix, "a prefix of keys",
    "1 to 500 characters, such as patching/weekly, that do not begin with /, without {{ and control characters",
    |t| (1..=MAX_KEY_PREFIX_CHARS).contains(&t.chars().count())
        && !t.starts_with('/')
        // Automation would take it for a reference.
        && !t.contains("{{")
        && !t.contains(char::is_control)
}

text_id! {
    /// The name of a CloudWatch Logs log group (SSM model, `CloudWatchLogGroupName`).
    LogGroupName, "the name of a log group", "1 to 512 of letters, digits, . - _ / #",
    |t| all_of(t, 1..=512, |b| b.is_ascii_alphanumeric() || b".-_/#".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_have_the_names_that_s3_gives() {
        for good in [
            "ops",
            "ops.logs-1",
            "1.2.3.logs",
            "1.2.3.4.5",
            &"b".repeat(63),
            "amzn-s3-demo-bucket",
        ] {
            assert!(good.parse::<BucketName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            &"b".repeat(64),
            "Ops",
            "ops_logs",
            "-ops",
            "ops.",
            "ops..logs",
            "192.168.5.4",
            "s3://ops",
            "ops/logs",
            "xn--ops",
            "sthree-ops",
            "ops-s3alias",
            "ops--ol-s3",
            "ops.mrap",
            "ops--use1-az4--x-s3",
            "ops--table-s3",
            "öps",
        ] {
            assert!(bad.parse::<BucketName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn prefixes_have_at_most_500_characters_and_no_reference_of_automation() {
        for good in ["a", "patching/weekly", "a/b/", "ä b+c", &"é".repeat(500)] {
            assert!(good.parse::<S3KeyPrefix>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "/patching",
            "a\nb",
            "a/{{global:DATE}}",
            "{{ ssm:secret }}",
            &"p".repeat(501),
        ] {
            assert!(bad.parse::<S3KeyPrefix>().is_err(), "{bad}");
        }
    }

    #[test]
    fn log_groups_have_awss_own_pattern() {
        for good in ["a", "/aws/ssm/Patching_1.2-3#4", &"g".repeat(512)] {
            assert!(good.parse::<LogGroupName>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "a:*", "grüppe", &"g".repeat(513)] {
            assert!(bad.parse::<LogGroupName>().is_err(), "{bad}");
        }
    }
}
