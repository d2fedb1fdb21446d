//! Who signs the calls. In its own account it is the caller. In every other account it is a role, which
//! the caller assumes once for all calls.
//!
//! | | |
//! |---|---|
//! | `caller` | the caller's own credentials, renewed where AWS says that they have expired |
//! | `assume` | AssumeRole |
//! | `role` | the credentials of one role, replaced before they expire |
//! | `external_id` | an external id that a parameter or a secret keeps |
//! | `signers` | all of them together: who signs a call in a location |

mod assume;
mod caller;
mod external_id;
mod role;
mod signers;

pub(crate) use caller::CallerIdentity;
pub(crate) use external_id::external_id_text;
pub(crate) use signers::{As, Signers};
