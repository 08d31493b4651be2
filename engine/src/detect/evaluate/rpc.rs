//! A call of a remote procedure (RFC 5531) at the beginning of a packet's payload.

use crate::detect::program::RpcCall;
use crate::packet::{Packet, Transport};

/// Whether the packet begins such a call. Over TCP the length of the record stands in front.
pub(super) fn rpc_matches(asked: &RpcCall, packet: &Packet<'_>) -> bool {
    let payload = packet.payload();
    let message = match packet.transport {
        Transport::Tcp(_) => payload.get(4..),
        Transport::Udp { .. } => Some(payload),
        _ => None,
    };
    call(message.unwrap_or_default()).is_some_and(|[program, version, procedure]| {
        program == asked.program
            && asked.version.is_none_or(|wanted| wanted == version)
            && asked.procedure.is_none_or(|wanted| wanted == procedure)
    })
}

/// Program, version and procedure of a call, behind its number.
fn call(message: &[u8]) -> Option<[u32; 3]> {
    const CALL: u32 = 0;
    let word = |at: usize| {
        let bytes = message.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    // Behind the kind of message stands the version of RPC itself.
    let call = word(4)? == CALL;
    call.then_some([word(12)?, word(16)?, word(20)?])
}
