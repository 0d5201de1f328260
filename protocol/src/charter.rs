//! The charter: the federation's founding rules, signed by its council, and the chain of its versions.
//!
//! [`Charter`] is what a version says; [`SignedCharter`] its bytes with signatures, as it travels and
//! lies in a file; [`CharterChain`] the versions that were verified, from the founding one on.

mod chain;
mod model;
mod quotas;
mod signed;

pub use chain::{CharterChain, CharterVersion, Extend, ExtendError};
pub use model::{COUNCIL_MAX, Charter, CharterError, Succession};
pub use quotas::Quotas;
pub use signed::{
    CHARTER_BYTES_MAX, CHARTER_PAYLOAD_TYPE, CharterSignature, SignedCharter, SignedCharterError,
};

#[cfg(test)]
mod tests;
