//! Who signs the calls: the caller in its own account, and in every other account the role that leads
//! there, assumed once.
//!
//! | | |
//! |---|---|
//! | `caller` | the caller's own credentials, renewed where AWS says that they have expired |
//! | `assume` | AssumeRole |
//! | `role` | the credentials of one role, kept and replaced in time |
//! | `external_id` | the external id, where a parameter or a secret keeps it |
//! | `signers` | all of them together: who signs a call in a location |

mod assume;
mod caller;
mod external_id;
mod role;
mod signers;

pub(crate) use caller::CallerIdentity;
pub(crate) use external_id::external_id_text;
pub(crate) use signers::Signers;
