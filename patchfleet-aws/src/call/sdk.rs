//! The SDK's clients. They do not retry throttled calls. Such a call goes back to the queue of its
//! operation, so that the rate learns of it.
//!
//! Other failures are retried as often as the configuration says, whatever else failed before. By default the SDK
//! has 500 tokens for the retries of a service in a Region, shared by all clients of the process, and retries nothing
//! once they are spent. One account in trouble would then make the census of the others unknown. How hard AWS is
//! asked is bounded by the rates and the slots.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::ErrorKind;
use aws_types::SdkConfig;
use patchfleet_core::id::Region;

/// Defines how the client of a service is made of a configuration.
macro_rules! client {
    ($name:ident, $sdk:ident) => {
        pub(crate) fn $name(config: &SdkConfig) -> $sdk::Client {
            use $sdk::config::retry::{RetryPartition, TokenBucket};
            let unlimited = RetryPartition::custom("patchfleet").token_bucket(TokenBucket::unlimited());
            let config = $sdk::config::Builder::from(config)
                .retry_classifier(ThrottlesAreOurs)
                .retry_partition(unlimited.build());
            $sdk::Client::from_conf(config.build())
        }
    };
}

client!(sts, aws_sdk_sts);
client!(ssm, aws_sdk_ssm);
client!(groups, aws_sdk_resourcegroups);
client!(tagging, aws_sdk_resourcegroupstagging);
client!(account, aws_sdk_account);
client!(organizations, aws_sdk_organizations);
client!(cloudwatch, aws_sdk_cloudwatch);

/// The configuration with another Region.
pub(crate) fn config_in(config: &SdkConfig, region: &Region) -> SdkConfig {
    config
        .to_builder()
        .region(aws_types::region::Region::new(region.to_string()))
        .build()
}

/// Keeps the SDK from retrying throttled attempts. It retries all others as ever.
#[derive(Debug, Clone, Copy)]
struct ThrottlesAreOurs;

impl ClassifyRetry for ThrottlesAreOurs {
    fn classify_retry(&self, _: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, _: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        match previous {
            RetryAction::RetryIndicated(RetryReason::RetryableError {
                kind: ErrorKind::ThrottlingError,
                ..
            }) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "PatchfleetThrottles"
    }

    fn priority(&self) -> RetryClassifierPriority {
        let last = RetryClassifierPriority::transient_error_classifier();
        RetryClassifierPriority::run_after(RetryClassifierPriority::run_after(last))
    }
}
