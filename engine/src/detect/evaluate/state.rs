//! What earlier packets left behind, and what a match leaves.

use std::net::IpAddr;

use crate::detect::FlowState;
use crate::detect::matcher::number_matches;
use crate::detect::program::{Program, StateChange, StateTest};
use crate::detect::state::HostBits;
use crate::frame::Timestamp;

/// The state that signatures test and change, for one packet.
pub(in crate::detect) struct StateStore<'a> {
    pub(in crate::detect) flow: Option<&'a mut FlowState>,
    pub(in crate::detect) host_bits: &'a mut HostBits,
    /// Source and destination of the packet.
    pub(in crate::detect) ends: (IpAddr, IpAddr),
    pub(in crate::detect) now: Timestamp,
    /// Most bits, and most integers, that the flow may hold.
    pub(in crate::detect) limit: usize,
    /// Variables not set because the flow was full.
    pub(in crate::detect) full: u64,
}

/// Whether all tests on state hold. Without a flow no bit of it is set.
pub(in crate::detect) fn state_matches(program: &Program, store: &mut StateStore<'_>) -> bool {
    program.state.iter().all(|test| match test {
        StateTest::FlowBitSet(names) => {
            let flow = store.flow.as_deref();
            flow.is_some_and(|flow| names.iter().any(|&name| flow.bit(name)))
        }
        StateTest::FlowBitClear(names) => {
            let flow = store.flow.as_deref();
            flow.is_none_or(|flow| names.iter().any(|&name| !flow.bit(name)))
        }
        StateTest::FlowIntSet(name) => integer(store, *name).is_some(),
        StateTest::FlowIntClear(name) => integer(store, *name).is_none(),
        StateTest::FlowInt(name, test) => {
            integer(store, *name).is_some_and(|value| number_matches(*test, value.into()))
        }
        StateTest::HostBit { name, track, set } => {
            let key = store.host_bits.key(*name, *track, store.ends);
            store.host_bits.is_set(key, store.now) == *set
        }
    })
}

fn integer(store: &StateStore<'_>, name: crate::detect::state::Name) -> Option<u32> {
    store.flow.as_deref().and_then(|flow| flow.integer(name))
}

/// Does what the signature does when it matches.
pub(in crate::detect) fn apply_changes(program: &Program, store: &mut StateStore<'_>) {
    for change in &program.changes {
        if let StateChange::HostBit {
            name,
            track,
            command,
            expire,
        } = change
        {
            let key = store.host_bits.key(*name, *track, store.ends);
            store.host_bits.change(key, *command, *expire, store.now);
        } else if let Some(flow) = store.flow.as_deref_mut() {
            let kept = change_flow(flow, change, store.limit);
            store.full += u64::from(kept.is_err());
        }
    }
}

fn change_flow(
    flow: &mut FlowState,
    change: &StateChange,
    limit: usize,
) -> Result<(), crate::detect::flow_state::Full> {
    match *change {
        StateChange::SetFlowBit(name) => flow.set_bit(name, limit),
        StateChange::ClearFlowBit(name) => {
            flow.clear_bit(name);
            Ok(())
        }
        StateChange::ToggleFlowBit(name) if flow.bit(name) => {
            flow.clear_bit(name);
            Ok(())
        }
        StateChange::ToggleFlowBit(name) => flow.set_bit(name, limit),
        StateChange::SetFlowInt(name, value) => flow.set_integer(name, value, limit),
        StateChange::AddFlowInt(name, value) => {
            let sum = flow.integer(name).unwrap_or(0).saturating_add(value);
            flow.set_integer(name, sum, limit)
        }
        StateChange::SubtractFlowInt(name, value) => {
            let difference = flow.integer(name).unwrap_or(0).saturating_sub(value);
            flow.set_integer(name, difference, limit)
        }
        StateChange::Keep => {
            flow.keeps = true;
            Ok(())
        }
        StateChange::Bypass => {
            flow.passed = true;
            Ok(())
        }
        StateChange::HostBit { .. } => Ok(()),
    }
}
