//! What signatures ask of and leave in flows and hosts.

use weir_policies::rule::ast::NumberTest;

use crate::detect::matcher::Literal;
use crate::detect::outcome::CaptureKind;
use crate::detect::state::Name;

/// A test on what earlier packets left behind.
#[derive(Debug)]
pub(in crate::detect) enum StateTest {
    /// Any of the bits is set.
    FlowBitSet(Box<[Name]>),
    /// None of the bits is set; with several names, any of them is not.
    FlowBitClear(Box<[Name]>),
    FlowIntSet(Name),
    FlowIntClear(Name),
    FlowInt(Name, NumberTest),
    /// Compared with another variable: how that one's value has to stand to it.
    FlowIntPair(Name, Comparison, Name),
    HostBit {
        name: Name,
        track: HostTrack,
        set: bool,
    },
    /// A variable that an expression captured holds a text.
    Captured {
        kind: CaptureKind,
        name: Box<[u8]>,
        text: Literal,
    },
}

/// How two variables are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A number, or what a variable of the flow holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum FlowOperand {
    Number(u32),
    Variable(Name),
}

/// What a signature leaves behind when it fires.
#[derive(Debug)]
pub(in crate::detect) enum StateChange {
    SetFlowBit(Name),
    ClearFlowBit(Name),
    ToggleFlowBit(Name),
    SetFlowInt(Name, FlowOperand),
    AddFlowInt(Name, FlowOperand),
    SubtractFlowInt(Name, FlowOperand),
    HostBit {
        name: Name,
        track: HostTrack,
        command: HostCommand,
        /// Seconds until it is forgotten; `None`: never.
        expire: Option<u32>,
    },
    /// The flow is let through, uninspected, from the next packet on.
    Bypass,
    /// The flow's transactions carry in their records what they hold back otherwise: `tls.store`.
    Keep,
}

/// Whose bit it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::detect) enum HostTrack {
    Source,
    Destination,
    Pair,
}

/// What becomes of a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum HostCommand {
    Set,
    Unset,
    Toggle,
}
