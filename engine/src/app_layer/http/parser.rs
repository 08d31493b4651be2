//! HTTP/1 in one flow: both directions and their transactions.

use crate::app_layer::{Input, Limits, Parser, Status, Transaction};
use crate::event::FlowDirection;

use super::request::{Ran, RequestSide};
use super::response::ResponseSide;
use super::shared::{Shared, Tunnel};

/// HTTP/1 in one flow.
#[derive(Debug)]
pub(super) struct HttpParser {
    request: RequestSide,
    response: ResponseSide,
    shared: Shared,
}

impl HttpParser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            request: RequestSide::new(limits),
            response: ResponseSide::new(limits),
            shared: Shared::new(limits),
        }
    }

    fn requests(&mut self, input: &Input<'_>) -> Ran {
        self.request.take(input.bytes, input.eof, &mut self.shared)
    }

    fn responses(&mut self, input: &Input<'_>) -> Ran {
        let shared = &mut self.shared;
        if !input.bytes.is_empty() {
            self.request.response_begins(shared);
        }
        let ran = self.response.take(input.bytes, input.eof, shared);
        if let Some(number) = self.response.declined.take() {
            self.request.body_declined(number, shared);
        }
        if shared.tunnel == Tunnel::Declined && self.request.waits_for_tunnel() {
            // What waited is read now; where there is no room, with what comes next.
            let _ = self.request.take(&[], false, shared);
        }
        ran
    }
}

impl Parser for HttpParser {
    fn parse(&mut self, input: &Input<'_>) -> Status {
        if self.response.switched {
            return if input.bytes.is_empty() {
                Status::Continue
            } else {
                Status::Upgraded {
                    unread: input.bytes.len(),
                }
            };
        }
        let ran = match input.direction {
            FlowDirection::ToServer => self.requests(input),
            FlowDirection::ToClient => self.responses(input),
        };
        match ran {
            Ran::Through => Status::Continue,
            // Also where another protocol follows: the transactions at hand are looked at first.
            Ran::NoRoom(0) => Status::Continue,
            Ran::NoRoom(unread) => Status::Full { unread },
            Ran::Failed => Status::Failed,
        }
    }

    fn gap(&mut self, direction: FlowDirection, missing: u64) -> Status {
        match direction {
            FlowDirection::ToServer => self.request.gap(missing, &mut self.shared),
            FlowDirection::ToClient => self.response.gap(missing, &mut self.shared),
        }
        Status::Continue
    }

    fn len(&self) -> usize {
        self.shared.transactions.len()
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        let transaction = self.shared.transactions.get(index)?;
        Some(transaction as &dyn Transaction)
    }

    fn inspected(&mut self, direction: FlowDirection) {
        let tail = self.shared.limits.tail;
        for transaction in self.shared.transactions.iter_mut() {
            transaction.inspected(direction, tail);
        }
    }

    fn retire(&mut self) {
        self.shared.retire();
    }

    fn reset(&mut self) {
        self.request.reset();
        self.response.reset();
        self.shared.reset();
    }
}
