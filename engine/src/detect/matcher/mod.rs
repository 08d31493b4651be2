//! What compiled tests look things up with: sets of addresses and ports, literals, regular expressions.
//!
//! All of it is immutable and shared by the workers; nothing here allocates while matching, except the
//! regular-expression engines' own caches while they warm up.

mod address;
pub(super) mod asn1;
mod entropy;
mod intervals;
mod literal;
mod number;
mod regular;
mod stabbing;

pub(super) use address::AddressSet;
pub(super) use asn1::Asn1Checks;
pub(super) use entropy::{EntropyTest, entropy};
pub(super) use intervals::Intervals;
pub(super) use literal::Literal;
pub(super) use number::{number_matches, parse_integer, parse_number_test, parse_size};
pub(super) use regular::{Regular, RegularError, RegularFlags};
pub(super) use stabbing::Stabbing;
