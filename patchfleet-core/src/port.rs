//! The ports: everything patchfleet needs of the world, as traits that users may implement.
//!
//! Each trait is dyn-compatible, `Send + Sync`, and held as `Arc<dyn …>`. Each call returns a [`BoxFuture`] with owned
//! outputs. A listing gives one [`Page`] at a time, and core walks to its end, so an implementation never has to. No
//! call of a port waits until work is done. It asks once and answers. One that makes its call again while it is throttled says
//! so ([`put_off`]).
//!
//! Each trait says what an implementation promises, and what it need not.

mod alarms;
mod automation;
mod aws_error;
mod clock;
mod commands;
mod directory;
mod documents;
mod error;
mod inventory;
mod page;
mod patch_states;
mod ports;
mod put_off;

pub use alarms::{AlarmState, AlarmView, Alarms};
pub use automation::{
    Automation, ChildView, ExecutionStatus, ExecutionView, SentCommand, StartRequest, StepView, StopType,
    Tag, TargetLocation, TriggeredAlarm,
};
pub use aws_error::AwsError;
pub use clock::Clock;
pub(crate) use commands::MAX_NODES;
pub use commands::{
    CommandCounts, CommandSettings, CommandStatus, CommandView, Commands, InvocationStatus, InvocationView,
    ListedCommand, PluginView, SendRequest,
};
pub use directory::{
    AccountState, AccountView, Caller, Directory, PlacedAccount, RegionOptStatus, RegionView,
};
pub use documents::{
    CalendarsView, DocumentVersion, DocumentVersionError, DocumentView, Documents, MAX_SHARED_AT_ONCE,
    MAX_SHARES, Share, ShareWith, SharedVersion,
};
pub use error::{PortError, PortErrorKind, Sent};
pub use futures_util::future::BoxFuture;
pub use inventory::{
    Inventory, ManagedNode, MemberPage, PingStatus, PlatformType, QueryError, Resolution, Selection,
};
pub use page::{Page, PageToken, Walk};
pub use patch_states::{PatchListState, PatchShortfall, PatchStateView, PatchStates, PatchView};
pub use ports::Ports;
pub(crate) use ports::ResultPorts;
pub use put_off::put_off;
pub(crate) use put_off::{Hearer, hearing};

/// What a port's call gives.
pub type PortResult<T> = Result<T, PortError>;
