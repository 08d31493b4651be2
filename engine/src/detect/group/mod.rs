//! Which signatures a packet meets: by transport, direction and ports, then by the fast patterns that
//! occur in its bytes.
//!
//! Signatures that name few ports stand in small groups by port; the others in one wide group for
//! each transport and direction. No signature is copied into the group of every port, so memory is
//! linear in the rules. A packet meets at most three groups: the wide one, the one of its destination
//! port, the one of its source port. Signatures on addresses alone are found by address.

mod addresses;
mod ports;

use std::collections::HashMap;

use weir_policies::rule::ast::FlowDirection as RuleDirection;
use weir_prefilter::{BuildError, Pattern, Prefilter};

use super::program::{Kind, Program, Protocol, Scan, TransportKind};
use crate::event::FlowDirection;
use crate::packet::Transport;
pub(super) use addresses::AddressIndex;
use ports::PortMap;

/// All groups of a rule set. Signatures are known by their index.
#[derive(Debug, Default)]
pub(super) struct Groups {
    stream: Directed,
    tcp: Directed,
    udp: Directed,
    other: Directed,
    /// Signatures on addresses alone, by transport.
    addresses: [AddressIndex; 3],
    /// Signatures on events, by the event's name.
    events: HashMap<Box<str>, Vec<u32>>,
    /// Signatures on the application protocol alone.
    recognition: Vec<u32>,
}

/// Groups to the server, and to the client.
type Directed = [Layers; 2];

/// The groups of one transport and direction.
#[derive(Debug, Default)]
pub(super) struct Layers {
    wide: Group,
    by_destination: PortMap,
    by_source: PortMap,
}

/// Signatures that are looked at together.
#[derive(Debug)]
pub(super) struct Group {
    prefilter: Prefilter,
    /// Bytes of the longest fast pattern.
    longest: usize,
    /// Signatures without a fast pattern.
    always: Box<[u32]>,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            // Building an empty set cannot fail, and a failure here would only mean an empty set.
            prefilter: Prefilter::build([])
                .unwrap_or_else(|_| unreachable!("no pattern, no error")),
            longest: 0,
            always: Box::default(),
        }
    }
}

impl Group {
    /// Signatures to look at whatever the bytes.
    pub(super) fn always(&self) -> &[u32] {
        &self.always
    }

    /// Bytes before the fresh ones that a fast pattern may reach back to.
    pub(super) fn overlap(&self) -> usize {
        self.longest.saturating_sub(1)
    }

    /// Calls `found(signature, end)` for every fast pattern in `bytes`.
    pub(super) fn scan(&self, bytes: &[u8], found: impl FnMut(u32, usize)) {
        if !self.prefilter.is_empty() {
            self.prefilter.scan(bytes, found);
        }
    }
}

impl Layers {
    /// The groups of a packet with these ports.
    pub(super) fn groups(&self, source: u16, destination: u16) -> impl Iterator<Item = &Group> {
        let by_port = [
            self.by_destination.get(destination),
            self.by_source.get(source),
        ];
        std::iter::once(&self.wide).chain(by_port.into_iter().flatten())
    }
}

fn at(direction: Option<FlowDirection>) -> usize {
    // A packet of no flow meets the signatures that ask for no direction; both halves hold them.
    direction.map_or(0, FlowDirection::index)
}

impl Groups {
    /// Groups for the tests on a stream.
    pub(super) fn stream(&self, direction: Option<FlowDirection>) -> &Layers {
        &self.stream[at(direction)]
    }

    /// Groups for the tests on packets of that transport.
    pub(super) fn packet(&self, transport: Transport, direction: Option<FlowDirection>) -> &Layers {
        match transport {
            Transport::Tcp(_) => &self.tcp[at(direction)],
            Transport::Udp { .. } => &self.udp[at(direction)],
            _ => &self.other[at(direction)],
        }
    }

    /// Signatures on addresses alone.
    pub(super) fn addresses(&self, transport: Transport) -> &AddressIndex {
        match transport {
            Transport::Tcp(_) => &self.addresses[0],
            Transport::Udp { .. } => &self.addresses[1],
            _ => &self.addresses[2],
        }
    }

    /// Signatures on the application protocol alone.
    pub(super) fn recognition(&self) -> &[u32] {
        &self.recognition
    }

    /// Signatures that ask for an event.
    pub(super) fn event(&self, name: &str) -> &[u32] {
        self.events.get(name).map_or(&[], Vec::as_slice)
    }

    /// Puts every program into the groups whose packets it may match.
    pub(super) fn build(programs: &[Program]) -> Result<Self, BuildError> {
        let mut drafts = Drafts::default();
        let mut addresses: [Vec<u32>; 3] = Default::default();
        let mut groups = Self::default();
        for (index, program) in programs.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            // Met through its transactions.
            if program.application.is_some() {
                continue;
            }
            match program.kind {
                Kind::IpOnly => add_addresses(&mut addresses, index, program),
                Kind::Event => groups.add_event(index, program),
                Kind::Recognition => groups.recognition.push(index),
                Kind::LikeIpOnly | Kind::Protocol | Kind::Packet => drafts.add(index, program),
            }
        }
        groups.addresses = addresses.map(|members| AddressIndex::new(&members, programs));
        let mut built = drafts.build(programs)?;
        groups.stream = std::mem::take(&mut built[0]);
        groups.tcp = std::mem::take(&mut built[1]);
        groups.udp = std::mem::take(&mut built[2]);
        groups.other = std::mem::take(&mut built[3]);
        Ok(groups)
    }

    fn add_event(&mut self, index: u32, program: &Program) {
        for test in &program.packet {
            if let super::program::PacketTest::Event(name) = test {
                self.events.entry(name.clone()).or_default().push(index);
                return;
            }
        }
    }
}

fn add_addresses(lists: &mut [Vec<u32>; 3], index: u32, program: &Program) {
    let wanted = transports(program.protocol);
    for (list, wanted) in lists.iter_mut().zip(wanted) {
        if wanted {
            list.push(index);
        }
    }
}

/// Whether a protocol may be TCP, UDP, something else.
fn transports(protocol: Protocol) -> [bool; 3] {
    match protocol {
        Protocol::Any | Protocol::Ip(_) => [true; 3],
        Protocol::Transport(TransportKind::Tcp) | Protocol::Number(6) => [true, false, false],
        Protocol::Transport(TransportKind::Udp) | Protocol::Number(17) => [false, true, false],
        Protocol::Transport(_) | Protocol::Number(_) => [false, false, true],
    }
}

/// Signatures of the groups to be, by table (stream, TCP, UDP, other) and direction.
#[derive(Default)]
struct Drafts([[ports::Draft; 2]; 4]);

impl Drafts {
    fn add(&mut self, index: u32, program: &Program) {
        let [tcp, udp, other] = transports(program.protocol);
        let in_stream = matches!(program.scan, Scan::Stream | Scan::StreamOnly | Scan::Both);
        let in_packet = matches!(program.scan, Scan::Nothing | Scan::Packet | Scan::Both);
        let elsewhere = program.scan != Scan::StreamOnly;
        let tables = [
            tcp && in_stream,
            tcp && in_packet,
            udp && elsewhere,
            other && elsewhere,
        ];
        for (table, wanted) in self.0.iter_mut().zip(tables) {
            if !wanted {
                continue;
            }
            for (half, draft) in table.iter_mut().enumerate() {
                let this = if half == 0 {
                    RuleDirection::ToServer
                } else {
                    RuleDirection::ToClient
                };
                if program.flow.direction.is_none_or(|wanted| wanted == this) {
                    draft.add(index, program);
                }
            }
        }
    }

    fn build(self, programs: &[Program]) -> Result<[Directed; 4], BuildError> {
        let mut built: [Directed; 4] = Default::default();
        for (table, drafts) in built.iter_mut().zip(self.0) {
            for (half, draft) in table.iter_mut().zip(drafts) {
                *half = draft.build(programs)?;
            }
        }
        Ok(built)
    }
}

/// One group of the signatures given, which may repeat.
fn group(mut members: Vec<u32>, programs: &[Program]) -> Result<Group, BuildError> {
    members.sort_unstable();
    members.dedup();
    let pattern_of = |&index: &u32| {
        let program = programs.get(usize::try_from(index).ok()?)?;
        program.payload.as_ref()?.fast_pattern.as_ref()
    };
    let patterns = || {
        members
            .iter()
            .filter_map(|index| pattern_of(index).map(|pattern| (*index, pattern)))
    };
    let longest = patterns().map(|(_, pattern)| pattern.bytes.len()).max();
    let prefilter = Prefilter::build(patterns().map(|(id, pattern)| Pattern {
        bytes: &pattern.bytes,
        nocase: pattern.nocase,
        id,
    }))?;
    let always = members
        .iter()
        .copied()
        .filter(|index| pattern_of(index).is_none());
    Ok(Group {
        prefilter,
        longest: longest.unwrap_or(0),
        always: always.collect(),
    })
}
