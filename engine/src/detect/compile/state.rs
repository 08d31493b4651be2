//! `flowbits`, `flowint`, `xbits` and `hostbits`.

use weir_policies::rule::ast::{FlowBitsCommand, FlowBitsTest};
use weir_policies::rule::parse_pattern;

use super::packet::integer;
use crate::detect::matcher::{Literal, parse_number_test};
use crate::detect::outcome::CaptureKind;
use crate::detect::program::{
    Comparison, FlowOperand, HostCommand, HostTrack, StateChange, StateTest,
};
use crate::detect::state::Name;

/// What a state keyword asks for.
pub(super) enum StateOption {
    Test(StateTest),
    Change(StateChange),
    NoAlert,
}

/// Names kept apart by what they name: a flow bit is not a host bit of the same name.
pub(super) trait Names {
    /// The name, or why it cannot be used.
    fn name(&mut self, space: &str, text: &str) -> Result<Name, String>;
}

pub(super) fn flow_bits(test: &FlowBitsTest, names: &mut dyn Names) -> Result<StateOption, String> {
    if test.command == FlowBitsCommand::NoAlert {
        return Ok(StateOption::NoAlert);
    }
    let all: Vec<Name> = test
        .names
        .iter()
        .map(|name| names.name("flowbit", name))
        .collect::<Result<_, _>>()?;
    let one = || match *all {
        [name] => Ok(name),
        _ => Err("it takes one name".to_owned()),
    };
    let any = || (!all.is_empty()).then(|| all.clone().into_boxed_slice());
    Ok(match test.command {
        FlowBitsCommand::Set => StateOption::Change(StateChange::SetFlowBit(one()?)),
        FlowBitsCommand::Unset => StateOption::Change(StateChange::ClearFlowBit(one()?)),
        FlowBitsCommand::Toggle => StateOption::Change(StateChange::ToggleFlowBit(one()?)),
        FlowBitsCommand::IsSet => {
            StateOption::Test(StateTest::FlowBitSet(any().ok_or("it lacks a name")?))
        }
        FlowBitsCommand::IsNotSet => {
            StateOption::Test(StateTest::FlowBitClear(any().ok_or("it lacks a name")?))
        }
        FlowBitsCommand::NoAlert => StateOption::NoAlert,
    })
}

/// `flowint:name,isset;`, `flowint:name,notset;`, `flowint:name,operator,number or variable;`
pub(super) fn flow_int(value: &str, names: &mut dyn Names) -> Result<StateOption, String> {
    let mut parts = value.split(',').map(str::trim);
    let (Some(name), Some(operator)) = (parts.next(), parts.next()) else {
        return Err("it is not `name, operator, value`".to_owned());
    };
    let operand = parts.next();
    let name = names.name("flowint", name)?;
    match (operator, operand) {
        ("isset", None) => return Ok(StateOption::Test(StateTest::FlowIntSet(name))),
        ("isnotset" | "notset", None) => {
            return Ok(StateOption::Test(StateTest::FlowIntClear(name)));
        }
        _ => {}
    }
    let operand = operand.ok_or("it lacks a value")?;
    let number = operand.starts_with(|letter: char| letter.is_ascii_digit());
    let value = if number {
        FlowOperand::Number(integer(operand)?)
    } else {
        FlowOperand::Variable(names.name("flowint", operand)?)
    };
    Ok(match (operator, value) {
        ("=", value) => StateOption::Change(StateChange::SetFlowInt(name, value)),
        ("+", value) => StateOption::Change(StateChange::AddFlowInt(name, value)),
        ("-", value) => StateOption::Change(StateChange::SubtractFlowInt(name, value)),
        (operator, FlowOperand::Variable(other)) => {
            let comparison = comparison(operator)?;
            StateOption::Test(StateTest::FlowIntPair(name, comparison, other))
        }
        (operator, FlowOperand::Number(_)) => {
            comparison(operator)?;
            let operator = if operator == "==" { "=" } else { operator };
            let number = parse_number_test(&format!("{operator}{operand}"), u32::MAX.into())?;
            StateOption::Test(StateTest::FlowInt(name, number))
        }
    })
}

fn comparison(operator: &str) -> Result<Comparison, String> {
    Ok(match operator {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        other => return Err(format!("`{other}` is not an operator")),
    })
}

/// `xbits:command,name,track ip_src|ip_dst|ip_pair[,expire seconds];`
pub(super) fn x_bits(value: &str, names: &mut dyn Names) -> Result<StateOption, String> {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let (command, name) = match *parts {
        ["noalert"] => return Ok(StateOption::NoAlert),
        [command, name, ..] => (command, name),
        _ => return Err("it is not `command, name, track ...`".to_owned()),
    };
    let mut track = None;
    let mut expire = None;
    for part in parts.get(2..).unwrap_or_default() {
        match part.split_once(char::is_whitespace) {
            Some(("track", by)) => {
                track = Some(match by.trim() {
                    "ip_src" => HostTrack::Source,
                    "ip_dst" => HostTrack::Destination,
                    "ip_pair" => HostTrack::Pair,
                    other => return Err(format!("tracking by `{other}` is not evaluated")),
                });
            }
            Some(("expire", seconds)) => expire = Some(integer(seconds)?),
            _ => return Err(format!("`{part}` is neither `track` nor `expire`")),
        }
    }
    let track = track.ok_or("it lacks `track`")?;
    let name = names.name("xbit", name)?;
    // Documented default life of a bit: 30 seconds for xbits.
    host_bit(command, name, track, Some(expire.unwrap_or(30)))
}

/// `hostbits:command,name[,src|dst[,seconds]];`
pub(super) fn host_bits(value: &str, names: &mut dyn Names) -> Result<StateOption, String> {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let (command, name, rest) = match *parts {
        ["noalert"] => return Ok(StateOption::NoAlert),
        [command, name, ref rest @ ..] if rest.len() <= 2 => (command, name, rest),
        _ => return Err("it is not `command, name[, src|dst[, seconds]]`".to_owned()),
    };
    let track = match rest.first() {
        None | Some(&"src") => HostTrack::Source,
        Some(&"dst") => HostTrack::Destination,
        Some(&"both") => return Err("`both` is not evaluated: write it for src and dst".to_owned()),
        Some(other) => return Err(format!("`{other}` is neither src nor dst")),
    };
    let expire = rest.get(1).map(|seconds| integer(seconds)).transpose()?;
    let name = names.name("hostbit", name)?;
    host_bit(command, name, track, expire)
}

/// `flowvar:name,"text";`, `pktvar:name,"text";`
pub(super) fn captured(kind: CaptureKind, value: &str) -> Result<StateOption, String> {
    let (name, text) = value.split_once(',').ok_or("it is not `name, \"text\"`")?;
    let text = text.trim();
    let text = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text);
    let pattern = parse_pattern(text)?;
    let name = name.trim();
    if name.is_empty() || pattern.is_empty() {
        return Err("it lacks a name or a text".to_owned());
    }
    Ok(StateOption::Test(StateTest::Captured {
        kind,
        name: name.as_bytes().into(),
        text: Literal::new(&pattern, false),
    }))
}

fn host_bit(
    command: &str,
    name: Name,
    track: HostTrack,
    expire: Option<u32>,
) -> Result<StateOption, String> {
    let change = |command| {
        StateOption::Change(StateChange::HostBit {
            name,
            track,
            command,
            expire,
        })
    };
    let test = |set| StateOption::Test(StateTest::HostBit { name, track, set });
    Ok(match command {
        "set" => change(HostCommand::Set),
        "unset" => change(HostCommand::Unset),
        "toggle" => change(HostCommand::Toggle),
        "isset" => test(true),
        "isnotset" => test(false),
        other => return Err(format!("`{other}` is not a command")),
    })
}
