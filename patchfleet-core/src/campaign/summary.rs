//! What AWS-RunPatchBaseline prints of a run with a baseline override. Such a run writes no patch state, so
//! this is all that is known of its patches. The form is that of AWS's own program (Linux, macOS):
//! `[BASELINE OVERRIDE]: Summary: {JSON}`, then `… All Packages are Compliant.` or
//! `… Non Compliant Packages: […]`.

use serde_json::Value;

const MARK: &str = "[BASELINE OVERRIDE]: ";

/// The patches of a node after a run with a baseline override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Summary {
    pub(super) missing: u32,
    pub(super) failed: u32,
    pub(super) pending_reboot: u32,
    pub(super) installed: u32,
}

impl Summary {
    /// Reads it out of what a step printed. `None` if it is not there, or not to its end.
    pub(super) fn read(output: &str) -> Option<Self> {
        let mut last = None;
        for (at, _) in output.match_indices(MARK) {
            let text = output.get(at + MARK.len()..)?;
            let Some(json) = text.strip_prefix("Summary:") else {
                continue;
            };
            let mut values = serde_json::Deserializer::from_str(json).into_iter::<Value>();
            if let Some(Ok(value)) = values.next() {
                last = Self::of(&value).or(last);
            }
        }
        last
    }

    /// All its counts are texts in AWS's program. A count that is not there is no summary.
    fn of(value: &Value) -> Option<Self> {
        let count = |name: &str| match value.get(name)? {
            Value::String(text) => text.trim().parse().ok(),
            Value::Number(number) => number.as_u64().and_then(|n| u32::try_from(n).ok()),
            _ => None,
        };
        Some(Self {
            missing: count("MissingCount")?,
            failed: count("FailedCount")?,
            pending_reboot: count("InstalledPendingRebootCount").unwrap_or_default(),
            installed: count("InstalledCount").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_of_a_baseline_override_is_read_out_of_the_log_around_it() {
        let output = "11/02/2021 04:17:28 root [INFO]: Instance Id: i-0aaaaaaaaaaaaaaa1\n\
            11/02/2021 04:17:28 root [INFO]: [BASELINE OVERRIDE]: Summary: {\n    \"FailedCount\": \"1\",\n    \
            \"InstalledCount\": \"198\",\n    \"InstalledPendingRebootCount\": \"3\",\n    \"MissingCount\": \"2\"\n}\n\
            11/02/2021 04:17:28 root [INFO]: [BASELINE OVERRIDE]: Non Compliant Packages: [{}]\n";
        let summary = Summary {
            missing: 2,
            failed: 1,
            pending_reboot: 3,
            installed: 198,
        };
        assert_eq!(Summary::read(output), Some(summary));
        let cut_off = output.split("MissingCount").next().unwrap();
        assert_eq!(Summary::read(cut_off), None);
        let unknown = output.replace("\"2\"", "\"-1\"");
        assert_eq!(Summary::read(&unknown), None, "-1 is never a count");
        assert_eq!(Summary::read("Patch Summary for i-1"), None);
    }
}
