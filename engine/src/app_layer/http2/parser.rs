//! HTTP/2 in one flow: both directions and their streams.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app_layer::{
    HandOver, Input, Limits, Parser, ProtocolId, Status, Surroundings, Transaction,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::doh2_protocol;
use super::event::Event;
use super::frame::SETTING;
use super::shared::Shared;
use super::side::Side;

/// The stream of the request that asked for the upgrade (RFC 7540 section 3.2).
const UPGRADED: u32 = 1;

/// HTTP/2 in one flow.
#[derive(Debug)]
pub(super) struct Http2Parser {
    sides: [Side; 2],
    shared: Shared,
}

impl Http2Parser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            sides: [Side::new(ToServer), Side::new(ToClient)],
            shared: Shared::new(limits),
        }
    }
}

impl Parser for Http2Parser {
    fn surround(&mut self, surroundings: &Surroundings<'_>) {
        if self.shared.files.needs != surroundings.files.needs {
            self.shared.files.clone_from(surroundings.files);
        }
    }

    fn parse(&mut self, input: &Input<'_>) -> Status {
        let side = &mut self.sides[input.direction.index()];
        if let Err(unread) = side.take(input.bytes, &mut self.shared) {
            return Status::Full { unread };
        }
        if side.has_failed() {
            return Status::Failed;
        }
        if input.eof {
            self.shared.stop(input.direction);
        }
        Status::Continue
    }

    fn gap(&mut self, direction: FlowDirection, missing: u64) -> Status {
        self.sides[direction.index()].gap(missing, &mut self.shared);
        Status::Continue
    }

    fn len(&self) -> usize {
        self.shared.transactions.len()
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        let transaction = self.shared.transactions.get(index)?;
        Some(&**transaction as &dyn Transaction)
    }

    fn inspected(&mut self, direction: FlowDirection) {
        let tail = self.shared.limits.tail;
        for transaction in self.shared.transactions.iter_mut() {
            transaction.inspected(direction, tail);
        }
    }

    fn retire(&mut self) {
        self.shared.retire(0);
    }

    fn interleaves(&self) -> bool {
        true
    }

    fn retire_at(&mut self, index: usize) {
        self.shared.retire(index);
    }

    fn refined(&self) -> Option<ProtocolId> {
        self.shared.carries_dns.then(doh2_protocol)
    }

    /// The request that asked for the upgrade is that of stream 1. Its target and host are shown again, as
    /// HTTP/2's; its other fields were looked at as HTTP/1's.
    fn take_over(&mut self, handed: &HandOver) {
        let (files, limits) = (self.shared.files.clone(), self.shared.limits);
        let Ok(number) = self.shared.open(UPGRADED) else {
            return;
        };
        self.shared.newest = UPGRADED;
        let Some(transaction) = self.shared.get(number) else {
            return;
        };
        for (name, value) in [
            (&b":method"[..], &handed.method),
            (b":path", &handed.target),
            (b":authority", &handed.host),
        ] {
            // What fits a head of HTTP/1 fits one of HTTP/2.
            let _ = transaction.messages[ToServer.index()]
                .head
                .add(name, value, limits.head);
        }
        let settings = URL_SAFE_NO_PAD.decode(handed.settings.trim_ascii());
        let valid = settings.is_ok_and(|settings| settings.len().is_multiple_of(SETTING as usize));
        if !valid {
            transaction.events.raise(Event::InvalidHttp1Settings as u8);
        }
        transaction.end_of_fields(ToServer, (&files, &limits), false);
        transaction.finish(ToServer);
    }

    fn reset(&mut self) {
        self.sides.iter_mut().for_each(Side::reset);
        self.shared.reset();
    }
}
