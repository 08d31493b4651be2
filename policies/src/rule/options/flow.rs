//! `flow` and `flowbits`.

use super::text::shortened;
use crate::rule::ast::{
    FlowBitsCommand, FlowBitsTest, FlowDirection, FlowState, FlowTest, FragmentTest, StreamTest,
};
use crate::rule::diagnostic::Reason;

/// Most names in one `flowbits:isset,a|b`.
const MAX_NAMES: usize = 64;

/// `flow:established,to_server`.
pub(super) fn flow(value: &str) -> Result<FlowTest, Reason> {
    let mut test = FlowTest::default();
    for word in value.split(',').map(str::trim) {
        match word.to_ascii_lowercase().as_str() {
            "to_server" | "from_client" => set(&mut test.direction, FlowDirection::ToServer, word)?,
            "to_client" | "from_server" => set(&mut test.direction, FlowDirection::ToClient, word)?,
            "established" => set(&mut test.state, FlowState::Established, word)?,
            "not_established" => set(&mut test.state, FlowState::NotEstablished, word)?,
            "stateless" => set(&mut test.state, FlowState::Stateless, word)?,
            "only_stream" => set(&mut test.stream, StreamTest::Only, word)?,
            "no_stream" => set(&mut test.stream, StreamTest::No, word)?,
            "only_frag" => set(&mut test.fragment, FragmentTest::Only, word)?,
            "no_frag" => set(&mut test.fragment, FragmentTest::No, word)?,
            _ => {
                return Err(format!(
                    "expected to_server, to_client, from_server, from_client, established, \
                     not_established, stateless, only_stream, no_stream, only_frag or no_frag, \
                     found `{}`",
                    shortened(word)
                ));
            }
        }
    }
    Ok(test)
}

fn set<T>(slot: &mut Option<T>, value: T, word: &str) -> Result<(), Reason> {
    if slot.is_some() {
        return Err(format!(
            "`{word}` repeats or contradicts an option before it"
        ));
    }
    *slot = Some(value);
    Ok(())
}

/// `flowbits:set,name`; `None` for `noalert`, which is no condition.
pub(super) fn flowbits(value: &str) -> Result<Option<FlowBitsTest>, Reason> {
    let (command, names) = match value.split_once(',') {
        Some((command, names)) => (command.trim(), Some(names)),
        None => (value.trim(), None),
    };
    let command = match command {
        "noalert" if names.is_none() => return Ok(None),
        "noalert" => return Err("noalert takes no name".to_owned()),
        "set" => FlowBitsCommand::Set,
        "unset" => FlowBitsCommand::Unset,
        "toggle" => FlowBitsCommand::Toggle,
        "isset" => FlowBitsCommand::IsSet,
        "isnotset" => FlowBitsCommand::IsNotSet,
        other => {
            return Err(format!(
                "expected set, unset, toggle, isset, isnotset or noalert, found `{}`",
                shortened(other)
            ));
        }
    };
    let names = names.ok_or_else(|| "expected `,` and the name of a bit".to_owned())?;
    let names: Vec<String> = names
        .split('|')
        .map(|name| bit_name(name.trim()))
        .collect::<Result<_, _>>()?;
    let tests = matches!(command, FlowBitsCommand::IsSet | FlowBitsCommand::IsNotSet);
    if names.len() > 1 && !tests {
        return Err("only isset and isnotset take more than one name".to_owned());
    }
    if names.len() > MAX_NAMES {
        return Err(format!("at most {MAX_NAMES} names can be joined with `|`"));
    }
    Ok(Some(FlowBitsTest { command, names }))
}

fn bit_name(name: &str) -> Result<String, Reason> {
    if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == ',') {
        return Err(format!(
            "expected the name of a bit, without blanks, found `{}`",
            shortened(name)
        ));
    }
    Ok(name.to_owned())
}
