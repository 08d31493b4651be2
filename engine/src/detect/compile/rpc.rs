//! `rpc:program[, version|*][, procedure|*]`.

use super::packet::integer;
use crate::detect::program::RpcCall;

/// Reads the value of an `rpc`.
pub(super) fn read(value: &str) -> Result<RpcCall, String> {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let (program, rest) = match *parts {
        [program, ref rest @ ..] if rest.len() <= 2 => (program, rest),
        _ => return Err("it is not `program, version, procedure`".to_owned()),
    };
    let asked = |at: usize| match rest.get(at) {
        None | Some(&"*") => Ok(None),
        Some(number) => integer(number).map(Some),
    };
    Ok(RpcCall {
        program: integer(program)?,
        version: asked(0)?,
        procedure: asked(1)?,
    })
}
