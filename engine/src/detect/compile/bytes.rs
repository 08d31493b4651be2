//! Values of the keywords that read numbers from bytes.

use super::packet::integer;
use super::variables::VariableNames;
use crate::detect::matcher::parse_integer;
use crate::detect::program::{
    ByteExtract, ByteJump, ByteMath, ByteOperator, ByteTest, IsDataAt, JumpOrigin, MathOperator,
    NumberFormat, Reading, Test, Value,
};

/// Most digits that a number written as text may have.
const TEXT_DIGITS: i64 = 23;

/// A test, and what it depends on.
pub(super) struct ByteOption {
    pub(super) test: Test,
    pub(super) relative: bool,
    /// Reads from the buffer's beginning or to its end.
    pub(super) absolute: bool,
}

/// Options that every keyword here shares.
struct Common {
    relative: bool,
    little: bool,
    string: bool,
    radix: Option<u32>,
    bitmask: Option<u64>,
}

impl Common {
    fn new() -> Self {
        Self {
            relative: false,
            little: false,
            string: false,
            radix: None,
            bitmask: None,
        }
    }

    /// Takes an option; false when it is none of these.
    fn take(&mut self, option: &str) -> Result<bool, String> {
        let (word, value) = split_word(option);
        match (word, value) {
            ("relative", None) => self.relative = true,
            ("big", None) | ("endian", Some("big")) => self.little = false,
            ("little", None) | ("endian", Some("little")) => self.little = true,
            ("string", None) => self.string = true,
            ("hex", None) | ("string", Some("hex")) => self.radix = Some(16),
            ("dec", None) | ("string", Some("dec")) => self.radix = Some(10),
            ("oct", None) | ("string", Some("oct")) => self.radix = Some(8),
            ("bitmask", Some(mask)) => {
                let hex = mask.trim_start_matches("0x").trim_start_matches("0X");
                let parsed = u64::from_str_radix(hex, 16);
                self.bitmask = Some(parsed.map_err(|_| format!("`{mask}` is not a bit mask"))?);
            }
            ("dce", _) | ("endian", Some("dce")) => {
                return Err("byte order by `dce` is not evaluated".to_owned());
            }
            _ => return Ok(false),
        }
        if let ("string", Some(_)) = (word, value) {
            self.string = true;
        }
        Ok(true)
    }

    fn reading(&self, count: Value, offset: Value) -> Result<Reading, String> {
        let text = self.string || self.radix.is_some();
        let most = if text { TEXT_DIGITS } else { 8 };
        if let Value::Number(number) = count
            && !(0..=most).contains(&number)
        {
            return Err(format!("{number} bytes cannot be read: at most {most}"));
        }
        let format = match (text, self.little) {
            (true, _) => NumberFormat::Text(self.radix.unwrap_or(10)),
            (false, true) => NumberFormat::Little,
            (false, false) => NumberFormat::Big,
        };
        Ok(Reading {
            count,
            offset,
            relative: self.relative,
            format,
            bitmask: self.bitmask,
        })
    }
}

pub(super) fn split_word(option: &str) -> (&str, Option<&str>) {
    match option.split_once(char::is_whitespace) {
        Some((word, value)) => (word, Some(value.trim())),
        None => (option, None),
    }
}

pub(super) fn parts(value: &str) -> Vec<&str> {
    value.split(',').map(str::trim).collect()
}

pub(super) fn unknown(option: &str) -> String {
    format!("the option `{option}` is not known")
}

pub(super) fn byte_test(value: &str, names: &VariableNames) -> Result<ByteOption, String> {
    let parts = parts(value);
    let [count, operator, operand, offset, rest @ ..] = parts.as_slice() else {
        return Err("it is not `bytes, operator, value, offset, ...`".to_owned());
    };
    let mut common = Common::new();
    for option in rest {
        if !common.take(option)? {
            return Err(unknown(option));
        }
    }
    let (negated, operator) = match operator.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, *operator),
    };
    let operator = match operator {
        "<" => ByteOperator::Less,
        ">" => ByteOperator::Greater,
        "=" | "==" | "" => ByteOperator::Equal,
        "<=" => ByteOperator::LessOrEqual,
        ">=" => ByteOperator::GreaterOrEqual,
        "&" => ByteOperator::And,
        "^" => ByteOperator::Xor,
        other => return Err(format!("`{other}` is not an operator")),
    };
    let reading = common.reading(names.value(count)?, names.value(offset)?)?;
    Ok(ByteOption {
        relative: reading.relative,
        absolute: !reading.relative,
        test: Test::ByteTest(ByteTest {
            reading,
            operator,
            negated,
            value: names.value(operand)?,
        }),
    })
}

pub(super) fn byte_jump(value: &str, names: &VariableNames) -> Result<ByteOption, String> {
    let parts = parts(value);
    let [count, offset, rest @ ..] = parts.as_slice() else {
        return Err("it is not `bytes, offset, ...`".to_owned());
    };
    let mut common = Common::new();
    let (mut multiplier, mut align, mut origin) = (1, false, JumpOrigin::Here);
    let mut post_offset = Value::Number(0);
    for option in rest {
        if common.take(option)? {
            continue;
        }
        match split_word(option) {
            ("multiplier", Some(number)) => multiplier = integer(number)?,
            ("align", None) => align = true,
            ("from_beginning", None) => origin = JumpOrigin::Beginning,
            ("from_end", None) => origin = JumpOrigin::End,
            ("post_offset", Some(number)) => post_offset = names.value(number)?,
            _ => return Err(unknown(option)),
        }
    }
    let reading = common.reading(names.value(count)?, names.value(offset)?)?;
    Ok(ByteOption {
        relative: reading.relative,
        absolute: !reading.relative || origin != JumpOrigin::Here,
        test: Test::ByteJump(ByteJump {
            reading,
            multiplier,
            align,
            origin,
            post_offset,
        }),
    })
}

pub(super) fn byte_extract(value: &str, names: &mut VariableNames) -> Result<ByteOption, String> {
    let parts = parts(value);
    let [count, offset, name, rest @ ..] = parts.as_slice() else {
        return Err("it is not `bytes, offset, name, ...`".to_owned());
    };
    let mut common = Common::new();
    let (mut multiplier, mut align) = (1, 1);
    for option in rest {
        if common.take(option)? {
            continue;
        }
        match split_word(option) {
            ("multiplier", Some(number)) => multiplier = integer(number)?,
            ("align", Some("2")) => align = 2,
            ("align", Some("4")) => align = 4,
            _ => return Err(unknown(option)),
        }
    }
    let reading = common.reading(names.value(count)?, names.value(offset)?)?;
    Ok(ByteOption {
        relative: reading.relative,
        absolute: !reading.relative,
        test: Test::ByteExtract(ByteExtract {
            reading,
            multiplier,
            align,
            variable: names.define(name)?,
        }),
    })
}

pub(super) fn byte_math(value: &str, names: &mut VariableNames) -> Result<ByteOption, String> {
    let mut common = Common::new();
    let (mut count, mut offset, mut operator) = (None, None, None);
    let (mut right, mut result) = (None, None);
    for option in parts(value) {
        if common.take(option)? {
            continue;
        }
        match split_word(option) {
            ("bytes", Some(number)) => count = Some(names.value(number)?),
            ("offset", Some(number)) => offset = Some(names.value(number)?),
            ("oper", Some(text)) => operator = Some(math_operator(text)?),
            ("rvalue", Some(number)) => right = Some(names.value(number)?),
            ("result", Some(name)) => result = Some(name),
            _ => return Err(unknown(option)),
        }
    }
    let lacks = |name: &str| format!("it lacks `{name}`");
    let count = count.ok_or_else(|| lacks("bytes"))?;
    let offset = offset.ok_or_else(|| lacks("offset"))?;
    let reading = common.reading(count, offset)?;
    Ok(ByteOption {
        relative: reading.relative,
        absolute: !reading.relative,
        test: Test::ByteMath(ByteMath {
            reading,
            operator: operator.ok_or_else(|| lacks("oper"))?,
            right: right.ok_or_else(|| lacks("rvalue"))?,
            variable: names.define(result.ok_or_else(|| lacks("result"))?)?,
        }),
    })
}

fn math_operator(text: &str) -> Result<MathOperator, String> {
    Ok(match text {
        "+" => MathOperator::Add,
        "-" => MathOperator::Subtract,
        "*" => MathOperator::Multiply,
        "/" => MathOperator::Divide,
        "<<" => MathOperator::ShiftLeft,
        ">>" => MathOperator::ShiftRight,
        other => return Err(format!("`{other}` is not an operation")),
    })
}

pub(super) fn is_data_at(value: &str, names: &VariableNames) -> Result<ByteOption, String> {
    let parts = parts(value);
    let [position, rest @ ..] = parts.as_slice() else {
        return Err("it lacks a position".to_owned());
    };
    let mut relative = false;
    for option in rest {
        match *option {
            "relative" => relative = true,
            "rawbytes" => {}
            other => return Err(unknown(other)),
        }
    }
    let (negated, position) = match position.strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, *position),
    };
    Ok(ByteOption {
        relative,
        absolute: !relative,
        test: Test::IsDataAt(IsDataAt {
            position: names.value(position)?,
            relative,
            negated,
        }),
    })
}

/// `base64_decode`: bytes to decode at most, offset, relative.
pub(super) fn base64_decode(value: &str) -> Result<(Option<u32>, u32, bool), String> {
    let (mut bytes, mut offset, mut relative) = (None, 0, false);
    for option in parts(value).into_iter().filter(|part| !part.is_empty()) {
        match split_word(option) {
            ("bytes", Some(number)) => bytes = Some(integer(number)?),
            ("offset", Some(number)) => offset = integer(number)?,
            ("relative", None) => relative = true,
            _ => return Err(unknown(option)),
        }
    }
    Ok((bytes, offset, relative))
}

/// A number with an optional sign.
pub(super) fn signed(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = i64::try_from(parse_integer(digits)?);
    let magnitude = magnitude.map_err(|_| format!("`{text}` is too large"))?;
    Ok(if negative { -magnitude } else { magnitude })
}
