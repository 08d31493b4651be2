//! Tests that read numbers from bytes: `byte_test`, `byte_jump`, `byte_extract`, `byte_math`,
//! `isdataat`, and sizes. Numbers are unsigned 64-bit integers; arithmetic wraps.

use crate::base64;
use crate::detect::program::{
    ByteExtract, ByteJump, ByteMath, ByteOperator, ByteTest, IsDataAt, JumpOrigin, MAX_VARIABLES,
    MathOperator, NumberFormat, Reading, Value,
};

type Variables = [u64; MAX_VARIABLES];

/// The value of a number or variable. Variables beyond the largest signed integer count as that.
pub(super) fn resolve(value: Value, variables: &Variables) -> i64 {
    match value {
        Value::Number(number) => number,
        Value::Variable(_) => i64::try_from(unsigned(value, variables)).unwrap_or(i64::MAX),
    }
}

fn unsigned(value: Value, variables: &Variables) -> u64 {
    match value {
        Value::Number(number) => number.cast_unsigned(),
        Value::Variable(index) => variables.get(usize::from(index)).copied().unwrap_or(0),
    }
}

/// Reads a number: its value and the index behind its last byte.
fn read(
    reading: &Reading,
    bytes: &[u8],
    position: usize,
    variables: &Variables,
) -> Option<(u64, usize)> {
    let base = if reading.relative { position } else { 0 };
    let start = i64::try_from(base)
        .ok()?
        .checked_add(resolve(reading.offset, variables))?;
    let start = usize::try_from(start).ok()?;
    let count = usize::try_from(resolve(reading.count, variables)).ok()?;
    let end = start.checked_add(count)?;
    let digits = bytes.get(start..end)?;
    let value = match reading.format {
        NumberFormat::Text(radix) if count > 0 => parse_text(digits, radix)?,
        _ if count > 8 => return None,
        NumberFormat::Little => fold(digits.iter().rev()),
        NumberFormat::Big | NumberFormat::Text(_) => fold(digits.iter()),
    };
    let masked = match reading.bitmask {
        Some(mask) => (value & mask)
            .checked_shr(mask.trailing_zeros())
            .unwrap_or(0),
        None => value,
    };
    Some((masked, end))
}

fn fold<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    bytes.fold(0, |value, &byte| (value << 8) | u64::from(byte))
}

/// Leading white space, then digits up to the first byte that is none; `None` without a digit or when
/// the number does not fit.
fn parse_text(bytes: &[u8], radix: u32) -> Option<u64> {
    let mut rest = bytes.trim_ascii_start();
    if radix == 16 {
        rest = rest
            .strip_prefix(b"0x")
            .or_else(|| rest.strip_prefix(b"0X"))
            .unwrap_or(rest);
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(radix).map(u64::from);
    let mut value = None;
    for digit in rest.iter().map_while(digit) {
        let so_far: u64 = value.unwrap_or(0);
        value = Some(so_far.checked_mul(radix.into())?.checked_add(digit)?);
    }
    value
}

/// Whether it matches: the index behind the bytes it read.
pub(super) fn byte_test(
    test: &ByteTest,
    bytes: &[u8],
    position: usize,
    variables: &Variables,
) -> Option<usize> {
    let (value, end) = read(&test.reading, bytes, position, variables)?;
    let other = unsigned(test.value, variables);
    let holds = match test.operator {
        ByteOperator::Less => value < other,
        ByteOperator::Greater => value > other,
        ByteOperator::Equal => value == other,
        ByteOperator::LessOrEqual => value <= other,
        ByteOperator::GreaterOrEqual => value >= other,
        ByteOperator::And => value & other != 0,
        ByteOperator::Xor => value ^ other != 0,
    };
    (holds != test.negated).then_some(end)
}

/// Index behind the bytes it read, and where it lands: at most at the buffer's end; before its
/// beginning means at its beginning.
pub(super) fn byte_jump(
    jump: &ByteJump,
    bytes: &[u8],
    position: usize,
    variables: &Variables,
) -> Option<(usize, usize)> {
    let (value, end) = read(&jump.reading, bytes, position, variables)?;
    let mut distance = value.checked_mul(jump.multiplier)?;
    if jump.align {
        distance = distance.checked_next_multiple_of(4)?;
    }
    let origin = match jump.origin {
        JumpOrigin::Here => end,
        JumpOrigin::Beginning => 0,
        JumpOrigin::End => bytes.len(),
    };
    let landing = i64::try_from(origin)
        .ok()?
        .checked_add(i64::try_from(distance).ok()?)?
        .checked_add(resolve(jump.post_offset, variables))?;
    let landing = usize::try_from(landing.max(0)).ok()?;
    (landing <= bytes.len()).then_some((end, landing))
}

/// Stores a number: the index behind the bytes it read.
pub(super) fn byte_extract(
    extract: &ByteExtract,
    bytes: &[u8],
    position: usize,
    variables: &mut Variables,
) -> Option<usize> {
    let (value, end) = read(&extract.reading, bytes, position, variables)?;
    let value = value
        .checked_mul(extract.multiplier)?
        .checked_next_multiple_of(extract.align.max(1))?;
    *variables.get_mut(usize::from(extract.variable))? = value;
    Some(end)
}

/// Computes and stores a number: the index behind the bytes it read. Dividing by zero does not match.
pub(super) fn byte_math(
    math: &ByteMath,
    bytes: &[u8],
    position: usize,
    variables: &mut Variables,
) -> Option<usize> {
    let (left, end) = read(&math.reading, bytes, position, variables)?;
    let right = unsigned(math.right, variables);
    let shift = || u32::try_from(right).unwrap_or(u32::MAX);
    let result = match math.operator {
        MathOperator::Add => left.wrapping_add(right),
        MathOperator::Subtract => left.wrapping_sub(right),
        MathOperator::Multiply => left.wrapping_mul(right),
        MathOperator::Divide => left.checked_div(right)?,
        MathOperator::ShiftLeft => left.checked_shl(shift()).unwrap_or(0),
        MathOperator::ShiftRight => left.checked_shr(shift()).unwrap_or(0),
    };
    *variables.get_mut(usize::from(math.variable))? = result;
    Some(end)
}

/// Whether it holds: the index behind the bytes it asked for. An absolute position must lie inside the
/// buffer, a relative one may lie at its end.
pub(super) fn is_data_at(
    test: &IsDataAt,
    bytes: &[u8],
    position: usize,
    variables: &Variables,
) -> Option<usize> {
    let length = i64::try_from(bytes.len()).ok()?;
    let asked = resolve(test.position, variables);
    let wanted = if test.relative {
        i64::try_from(position).ok()?.saturating_add(asked)
    } else {
        asked.saturating_add(1)
    };
    let there = wanted <= length;
    if there == test.negated {
        return None;
    }
    Some(if there {
        usize::try_from(wanted).unwrap_or(0)
    } else {
        0
    })
}

/// Decodes up to the first byte that is not base64 into `decoded`; how many bytes that took.
pub(super) fn decode_base64(encoded: &[u8], decoded: &mut Vec<u8>) -> usize {
    decoded.clear();
    let mut bits: u32 = 0;
    let mut held = 0;
    let mut used = 0;
    for &byte in encoded {
        let Some(six) = base64::digit(byte) else {
            break;
        };
        used += 1;
        bits = ((bits << 6) | u32::from(six)) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            decoded.push(bits.checked_shr(held).unwrap_or(0).to_le_bytes()[0]);
        }
    }
    used
}
