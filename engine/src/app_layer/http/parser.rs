//! HTTP/1 in one flow: both directions and their transactions.

use crate::app_layer::{HandOver, Input, Limits, Parser, Status, Surroundings, Transaction};
use crate::event::FlowDirection;

use super::COMPLETE;
use super::event::Event;
use super::request::RequestSide;
use super::response::ResponseSide;
use super::shared::{Shared, Tunnel};
use super::side::{self, Ran, Side as _};
use super::upgrade::Judgement;

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

    /// What follows is another protocol's. That it is not the one agreed on is told by a transaction of its
    /// own, which is inspected first.
    fn switched(&mut self, input: &Input<'_>) -> Status {
        let upgrade = &mut self.response.upgrade;
        // An end says of what has come that it is not what it may have become.
        let ends = input.eof && upgrade.is_begun(input.direction);
        if input.bytes.is_empty() && !ends {
            return Status::Continue;
        }
        if upgrade.is_expected() && self.shared.transactions.is_full() {
            // There must be room to tell of it.
            return Status::Full {
                unread: input.bytes.len(),
            };
        }
        let (judgement, unread) = upgrade.judge(input.direction, input.bytes, input.eof);
        match judgement {
            Judgement::More => return Status::Continue,
            Judgement::Fits => {
                // Bytes that waited for more are the other protocol's, too.
                let waiting = match input.direction {
                    FlowDirection::ToServer => self.request.pending().len(),
                    FlowDirection::ToClient => self.response.pending().len(),
                };
                return Status::Upgraded {
                    unread: unread + waiting,
                };
            }
            Judgement::Differs => {}
        }
        let number = self.shared.open().ok();
        if let Some(transaction) = number.and_then(|number| self.shared.get(number)) {
            transaction.late = true;
            transaction.events.raise(Event::FailedProtocolChange);
            transaction.request.reach(COMPLETE);
            transaction.response.reach(COMPLETE);
        }
        Status::Full { unread }
    }

    fn requests(&mut self, input: &Input<'_>) -> Ran {
        side::take(&mut self.request, input.bytes, input.eof, &mut self.shared)
    }

    fn responses(&mut self, input: &Input<'_>) -> Ran {
        let shared = &mut self.shared;
        if !input.bytes.is_empty() {
            self.request.response_begins(shared);
        }
        let mut bytes = input.bytes;
        loop {
            let ran = side::take(&mut self.response, bytes, input.eof, shared);
            if let Some(number) = self.response.declined.take() {
                self.request.body_declined(number, shared);
            }
            if shared.tunnel == Tunnel::Declined && self.request.waits_for_tunnel() {
                // What waited is read now; where there is no room, with what comes next.
                let _ = side::take(&mut self.request, &[], false, shared);
            }
            match (ran, std::mem::take(&mut self.response.yields)) {
                (Ran::NoRoom(unread), true) => {
                    let from = bytes.len().saturating_sub(unread);
                    bytes = bytes.get(from..).unwrap_or_default();
                }
                (ran, _) => return ran,
            }
        }
    }
}

impl Parser for HttpParser {
    fn surround(&mut self, surroundings: &Surroundings<'_>) {
        self.shared.server_port = surroundings.peers.server.port();
        if self.shared.files.needs != surroundings.files.needs {
            self.shared.files.clone_from(surroundings.files);
        }
    }

    fn parse(&mut self, input: &Input<'_>) -> Status {
        if self.response.switched {
            return self.switched(input);
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
        if self.response.switched {
            // What has come of another protocol cannot be told by its first bytes any more.
            self.response.upgrade.clear();
        }
        match direction {
            FlowDirection::ToServer => self.request.gap(missing, &mut self.shared),
            FlowDirection::ToClient => self.response.gap(missing, &mut self.shared),
        }
        Status::Continue
    }

    fn hand_over(&mut self) -> Option<Box<HandOver>> {
        self.response.upgrade.take_handed()
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
