//! The signatures that a packet is to be tested with.

use super::Round;

use crate::app_layer::{Recognition, Transaction};
use crate::detect::program::Program;
use crate::detect::{RuleSet, SignatureId, StreamView};
use crate::event::FlowDirection;
use crate::packet::Transport;

impl Round<'_> {
    pub(super) fn collect(&mut self, rules: &RuleSet) {
        let groups = &rules.groups;
        for event in self.inspection.events {
            for &index in groups.event(event) {
                self.candidates.add_packet(index);
            }
        }
        let packet = self.inspection.packet;
        if !packet.is_ip() {
            return;
        }
        self.collect_addresses(rules);
        self.collect_recognition(rules);
        let (source, destination) = packet.ports();
        let payload = packet.payload();
        let layers = groups.packet(packet.transport, self.direction());
        for group in layers.groups(source, destination) {
            for &index in group.always() {
                self.candidates.add_packet(index);
            }
            group.scan(payload, |index, _| self.candidates.add_packet(index));
        }
        if matches!(packet.transport, Transport::Tcp(_)) {
            match self.inspection.stream {
                Some(view) if view.fresh_from < view.bytes.len() => {
                    self.collect_stream(rules, &view)
                }
                Some(_) => {}
                None => self.collect_stream_from_packet(rules, payload),
            }
        }
    }

    /// Bytes of a stream that no packet brought.
    pub(super) fn collect_rest(&mut self, rules: &RuleSet) {
        self.collect_recognition(rules);
        if let Some(view) = self.inspection.stream {
            self.collect_stream(rules, &view);
        }
    }

    /// Signatures on addresses alone: once for each direction of a flow; of protocols that have none by the
    /// documentation (GRE and other tunnels), in every packet.
    fn collect_addresses(&mut self, rules: &RuleSet) {
        const ESP: u8 = 50;
        let half = self.half();
        let flows = match self.inspection.packet.transport {
            Transport::Other(protocol) => protocol == ESP,
            _ => true,
        };
        if let (Some(_), Some(flow)) = (self.inspection.flow, self.store.flow.as_deref_mut())
            && flows
            && std::mem::replace(&mut flow.addresses_seen[half], true)
        {
            return;
        }
        let packet = self.inspection.packet;
        let index = rules.groups.addresses(packet.transport);
        let ends = (packet.source, packet.destination);
        index.each(ends, |index| self.candidates.add_packet(index));
    }

    /// Signatures on the application protocol alone: once a flow, when what they ask about is settled.
    fn collect_recognition(&mut self, rules: &RuleSet) {
        let (Some(app), Some(flow)) = (self.inspection.app, self.store.flow.as_deref_mut()) else {
            return;
        };
        let settled = [FlowDirection::ToServer, FlowDirection::ToClient]
            .map(|direction| app.recognised_by(direction) != Recognition::Pending);
        let before = std::mem::replace(&mut flow.protocol_seen, settled);
        let known = match app.recognition() {
            Recognition::Known(id) => Some(id),
            Recognition::Pending | Recognition::Failed => None,
        };
        let known_before = std::mem::replace(&mut flow.protocol_known, known);
        // It may have turned out to be a kind of what it was recognised as.
        let refined = known
            .zip(known_before)
            .filter(|(id, from)| id != from && id.is(*from));
        if settled == [false; 2] || settled == before && refined.is_none() {
            return;
        }
        for &index in rules.groups.recognition() {
            let asks = |program: &Program| {
                let can = program.asks_protocol_of(settled);
                let new = before == [false; 2] || !program.asks_protocol_of(before);
                can && (new || refined.is_some_and(|(id, from)| program.tells_apart(id, from)))
            };
            if rules.program(SignatureId(index)).is_some_and(asks) {
                self.candidates.add_packet(index);
            }
        }
    }

    /// Searches the fresh bytes, and as many old ones as a fast pattern may reach back to. Signatures
    /// whose fast pattern lies further back are pending in the flow.
    fn collect_stream(&mut self, rules: &RuleSet, view: &StreamView<'_>) {
        let half = self.half();
        let mut whole = false;
        if let Some(flow) = self.store.flow.as_deref_mut() {
            let pending = &mut flow.pending[half];
            whole = pending.overflowed;
            if whole {
                pending.clear();
            }
            for id in pending.live(view.window_offset) {
                self.candidates.add_stream(id.0, 0);
            }
        }
        let (source, destination) = self.inspection.packet.ports();
        let layers = rules.groups.stream(self.direction());
        for group in layers.groups(source, destination) {
            for &index in group.always() {
                self.candidates.add_stream(index, 0);
            }
            let from = if whole {
                0
            } else {
                view.fresh_from.saturating_sub(group.overlap())
            };
            let bytes = view.bytes.get(from..).unwrap_or_default();
            group.scan(bytes, |index, end| {
                self.candidates.add_stream(index, from.saturating_add(end));
            });
        }
    }

    fn collect_stream_from_packet(&mut self, rules: &RuleSet, payload: &[u8]) {
        let (source, destination) = self.inspection.packet.ports();
        let layers = rules.groups.stream(self.direction());
        for group in layers.groups(source, destination) {
            for &index in group.always() {
                self.candidates.add_packet(index);
            }
            group.scan(payload, |index, _| self.candidates.add_packet(index));
        }
    }

    /// Searches the transactions in which the packet's direction has moved on.
    pub(super) fn collect_transactions(&mut self, rules: &RuleSet) {
        let (Some(app), Some(flow), Some(direction)) = (
            self.inspection.app,
            self.store.flow.as_deref_mut(),
            self.inspection.flow.map(|flow| flow.direction),
        ) else {
            return;
        };
        let Recognition::Known(protocol) = app.recognition() else {
            return;
        };
        flow.transactions
            .keep(protocol, app.transactions().map(Transaction::id));
        let transactions = app.transactions();
        for (index, transaction) in (0..).zip(transactions) {
            let memory = flow.transactions.of(transaction.id());
            let found = |id| self.transactions.push((id, index));
            let at = (transaction, memory);
            rules
                .application
                .collect((protocol, direction), at, self.work, found);
        }
        self.transactions.sort_unstable();
        self.transactions.dedup();
    }
}
