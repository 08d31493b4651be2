//! Values of the keywords that measure bytes: `entropy` and `asn1`.

use super::bytes::{ByteOption, parts, signed, split_word, unknown};
use super::packet::integer;
use crate::detect::matcher::{Asn1Checks, EntropyTest};
use crate::detect::program::{Asn1Test, EntropyOf, Test};

/// `entropy:[bytes n,] [offset n,] [value] test`
pub(super) fn entropy(value: &str, buffer: &str) -> Result<ByteOption, String> {
    let (mut bytes, mut offset, mut test) = (0, 0, None);
    for option in parts(value) {
        match split_word(option) {
            ("bytes", Some(number)) => bytes = integer(number)?,
            ("offset", Some(number)) => offset = integer(number)?,
            ("value", Some(text)) => test = Some(EntropyTest::read(text)?),
            _ if test.is_none() => test = Some(EntropyTest::read(option)?),
            _ => return Err(unknown(option)),
        }
    }
    Ok(ByteOption {
        relative: false,
        absolute: true,
        test: Test::Entropy(EntropyOf {
            bytes,
            offset,
            test: test.ok_or("it lacks a value to compare with")?,
            buffer: buffer.replace('.', "_").into(),
        }),
    })
}

/// `asn1:option[, ...]`
pub(super) fn asn1(value: &str) -> Result<ByteOption, String> {
    let mut checks = Asn1Checks::default();
    let mut offset = None;
    for option in parts(value) {
        match split_word(option) {
            ("bitstring_overflow", None) => checks.bitstring_overflow = true,
            ("double_overflow", None) => checks.double_overflow = true,
            ("oversize_length", Some(number)) => checks.oversize_length = Some(integer(number)?),
            ("absolute_offset", Some(number)) if offset.is_none() => {
                offset = Some((false, i64::from(integer::<u32>(number)?)));
            }
            ("relative_offset", Some(number)) if offset.is_none() => {
                offset = Some((true, signed(number)?));
            }
            ("absolute_offset" | "relative_offset", Some(_)) => {
                return Err("it has two offsets".to_owned());
            }
            _ => return Err(unknown(option)),
        }
    }
    if checks == Asn1Checks::default() {
        return Err(
            "it asks for nothing: use bitstring_overflow, double_overflow or oversize_length"
                .to_owned(),
        );
    }
    let (relative, offset) = offset.unwrap_or_default();
    Ok(ByteOption {
        relative,
        absolute: !relative,
        test: Test::Asn1(Asn1Test {
            checks,
            relative,
            offset,
        }),
    })
}
