//! Which locations a request names.
