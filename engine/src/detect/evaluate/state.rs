//! What earlier packets left behind, and what a match leaves.

use std::net::IpAddr;

use crate::detect::FlowState;
use crate::detect::matcher::number_matches;
use crate::detect::outcome::{CaptureKind, Remark};
use crate::detect::program::{Comparison, FlowOperand, Program, StateChange, StateTest, TagScope};
use crate::detect::state::{Captured, HostBits, TaggedHosts};
use crate::frame::Timestamp;

/// The state that signatures test and change, for one packet.
pub(in crate::detect) struct StateStore<'a> {
    pub(in crate::detect) flow: Option<&'a mut FlowState>,
    pub(in crate::detect) host_bits: &'a mut HostBits,
    pub(in crate::detect) tagged_hosts: &'a mut TaggedHosts,
    /// What signatures that matched captured in the packet.
    pub(in crate::detect) captured: &'a mut Captured,
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
        StateTest::FlowIntPair(name, comparison, other) => {
            let pair = integer(store, *name).zip(integer(store, *other));
            pair.is_some_and(|(value, other)| compares(*comparison, value, other))
        }
        StateTest::HostBit { name, track, set } => {
            let key = store.host_bits.key(*name, *track, store.ends);
            store.host_bits.is_set(key, store.now) == *set
        }
        StateTest::Captured { kind, name, text } => {
            let value = match kind {
                CaptureKind::Flow => {
                    let flow = store.flow.as_deref();
                    flow.and_then(|flow| flow.captured.get(name))
                }
                CaptureKind::Packet | CaptureKind::Alert => store.captured.get(name),
            };
            value.is_some_and(|value| text.find(value).is_some())
        }
    })
}

fn integer(store: &StateStore<'_>, name: crate::detect::state::Name) -> Option<u32> {
    store.flow.as_deref().and_then(|flow| flow.integer(name))
}

fn compares(comparison: Comparison, value: u32, other: u32) -> bool {
    match comparison {
        Comparison::Equal => value == other,
        Comparison::NotEqual => value != other,
        Comparison::Less => value < other,
        Comparison::LessOrEqual => value <= other,
        Comparison::Greater => value > other,
        Comparison::GreaterOrEqual => value >= other,
    }
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

/// Keeps what the signature captured for others.
pub(in crate::detect) fn keep_captured(remarks: &[Remark], store: &mut StateStore<'_>) {
    for remark in remarks {
        let Remark::Captured { kind, name, value } = remark else {
            continue;
        };
        let kept = match kind {
            CaptureKind::Flow => match store.flow.as_deref_mut() {
                Some(flow) => flow.captured.set(*name, *value),
                None => continue,
            },
            CaptureKind::Packet => store.captured.set(*name, *value),
            CaptureKind::Alert => continue,
        };
        store.full += u64::from(!kept);
    }
}

/// Lets the packets behind the one at hand be recorded, as the signature asks. A packet of no flow has no
/// session.
pub(in crate::detect) fn apply_tags(program: &Program, store: &mut StateStore<'_>) {
    let now = store.now;
    for tag in &program.tags {
        match tag.scope {
            TagScope::Session => {
                if let Some(flow) = store.flow.as_deref_mut() {
                    flow.tagged.add(tag.extent, now);
                }
            }
            TagScope::Source => store.tagged_hosts.add(store.ends.0, tag.extent, now),
            TagScope::Destination => store.tagged_hosts.add(store.ends.1, tag.extent, now),
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
        StateChange::SetFlowInt(name, value) => match operand(flow, value) {
            Some(value) => flow.set_integer(name, value, limit),
            None => Ok(()),
        },
        StateChange::AddFlowInt(name, value) => {
            let known = flow.integer(name).unwrap_or(0);
            let sum = known.saturating_add(operand(flow, value).unwrap_or(0));
            flow.set_integer(name, sum, limit)
        }
        StateChange::SubtractFlowInt(name, value) => {
            let known = flow.integer(name).unwrap_or(0);
            let difference = known.saturating_sub(operand(flow, value).unwrap_or(0));
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

/// A variable that is not set has no value.
fn operand(flow: &FlowState, value: FlowOperand) -> Option<u32> {
    match value {
        FlowOperand::Number(number) => Some(number),
        FlowOperand::Variable(name) => flow.integer(name),
    }
}
