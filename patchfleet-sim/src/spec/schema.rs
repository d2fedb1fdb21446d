//! The JSON Schema of world files, made from the types that read them. Texts with a shape of their
//! own (ids, Regions) have their patterns here, since core's types know nothing of schemas.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// The JSON Schema of world files, as `patchfleet-sim --schema` prints it. An editor that knows it
/// completes a world's keys and marks what is wrong.
///
/// ```
/// let schema: serde_json::Value = serde_json::from_str(&patchfleet_sim::spec::schema())?;
/// assert_eq!(schema["required"], serde_json::json!(["management_account", "accounts"]));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[must_use]
pub fn schema() -> String {
    let schema = schemars::schema_for!(super::WorldSpec);
    // Writing a Value with the `#` flag cannot fail, and indents.
    format!("{:#}\n", schema.to_value())
}

/// Stand-ins for types of other crates, in `#[schemars(with = "…")]`.
macro_rules! texts {
    ($($(#[$meta:meta])* $name:ident { $($key:literal: $value:tt),* $(,)? })*) => {$(
        $(#[$meta])*
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", $($key: $value),*})
            }
        }
    )*};
}

texts! {
    /// [`patchfleet_core::id::AccountId`].
    AccountId { "pattern": r"^\d{12}$" }
    /// [`patchfleet_core::id::OuId`].
    OuId { "pattern": "^ou-[0-9a-z]{4,32}-[0-9a-z]{8,32}$" }
    /// [`patchfleet_core::id::RootId`].
    RootId { "pattern": "^r-[0-9a-z]{4,32}$" }
    /// [`patchfleet_core::id::OrgParent`].
    OrgParent { "pattern": "^(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[0-9a-z]{8,32})$" }
    /// [`patchfleet_core::id::Region`]. Which partitions there are is left to the reader.
    Region { "pattern": r"^[a-z]{2,4}(-[a-z]+)+-\d{1,3}$" }
    /// [`patchfleet_core::id::NodeId`].
    NodeId { "pattern": r"^(i-(\w{8}|\w{17})|mi-\w{17})$" }
    /// [`patchfleet_core::id::NodeKind`].
    NodeKind { "enum": ["ec2", "hybrid"] }
    /// [`patchfleet_core::id::DocumentName`].
    DocumentName { "pattern": r"^[a-zA-Z0-9_\-.:/]{3,128}$" }
    /// An account, or every one.
    Sharer { "pattern": r"^(all|\d{12})$" }
    /// [`jiff::Timestamp`].
    Timestamp { "format": "date-time" }
}
