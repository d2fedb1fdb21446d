//! What a log or an AWS that differs in one call answers to all others: what the one within it does.

/// The methods of a [`CampaignLog`](crate::campaign::CampaignLog) that answer as the log in this field does.
macro_rules! log_within {
    ($field:tt: $($method:ident)+) => { $(log_within!(@ $method $field);)+ };
    (@ read $field:tt) => {
        fn read(
            &self,
            key: &$crate::campaign::LogKey,
            from: u64,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<Vec<$crate::campaign::Record>>> {
            self.$field.read(key, from)
        }
    };
    (@ keys $field:tt) => {
        fn keys(&self) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<Vec<$crate::campaign::LogKey>>> {
            self.$field.keys()
        }
    };
    (@ request_name $field:tt) => {
        fn request_name(
            &self,
            campaign: $crate::id::CampaignId,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<Option<$crate::id::RequestName>>> {
            self.$field.request_name(campaign)
        }
    };
    (@ last $field:tt) => {
        fn last(
            &self,
            key: &$crate::campaign::LogKey,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<Option<$crate::campaign::Record>>> {
            self.$field.last(key)
        }
    };
}
pub(super) use log_within;

/// The methods of an [`Automation`](crate::port::Automation) that answer as the AWS in this field does.
macro_rules! automation_within {
    ($field:ident: $($method:ident)+) => { $(automation_within!(@ $method $field);)+ };
    (@ start $field:ident) => {
        fn start(
            &self,
            request: &$crate::port::StartRequest,
            token: $crate::id::ClientToken,
            not_after: jiff::Timestamp,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<$crate::id::ExecutionId>> {
            self.$field.start(request, token, not_after)
        }
    };
    (@ find $field:ident) => {
        fn find(
            &self,
            document: &$crate::id::DocumentName,
            tag_key: &str,
            page: Option<$crate::port::PageToken>,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<$crate::port::Page<$crate::id::ExecutionId>>> {
            self.$field.find(document, tag_key, page)
        }
    };
    (@ execution $field:ident) => {
        fn execution(
            &self,
            id: &$crate::id::ExecutionId,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<$crate::port::ExecutionView>> {
            self.$field.execution(id)
        }
    };
    (@ steps $field:ident) => {
        fn steps(
            &self,
            id: &$crate::id::ExecutionId,
            page: Option<$crate::port::PageToken>,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<$crate::port::Page<$crate::port::StepView>>> {
            self.$field.steps(id, page)
        }
    };
    (@ child $field:ident) => {
        fn child(
            &self,
            location: &$crate::id::Location,
            id: &$crate::id::ExecutionId,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<$crate::port::ChildView>> {
            self.$field.child(location, id)
        }
    };
    (@ children $field:ident) => {
        fn children(
            &self,
            location: &$crate::id::Location,
            parent: &$crate::id::ExecutionId,
            page: Option<$crate::port::PageToken>,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<$crate::port::Page<$crate::id::ExecutionId>>> {
            self.$field.children(location, parent, page)
        }
    };
    (@ stop $field:ident) => {
        fn stop(
            &self,
            id: &$crate::id::ExecutionId,
            kind: $crate::port::StopType,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<()>> {
            self.$field.stop(id, kind)
        }
    };
    (@ stop_child $field:ident) => {
        fn stop_child(
            &self,
            location: &$crate::id::Location,
            id: &$crate::id::ExecutionId,
            kind: $crate::port::StopType,
        ) -> $crate::port::BoxFuture<'_, $crate::port::PortResult<()>> {
            self.$field.stop_child(location, id, kind)
        }
    };
}
pub(super) use automation_within;
