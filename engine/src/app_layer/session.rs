//! Protocols whose whole flow is one transaction of two sides: TLS, SSH.

use crate::event::FlowDirection;

use super::{AppEvent, Input, Parser, Status, Transaction};

/// What both sides have said: the flow's transaction.
pub(super) trait Session: Transaction + Default + Send {
    /// Takes bytes of one side, however the network cut them.
    fn take(&mut self, input: &Input<'_>);

    /// Bytes of a side are missing: no more of it can be read.
    fn stop(&mut self, direction: FlowDirection);

    /// Nothing more of either side is of interest.
    fn is_over(&self) -> bool;

    /// Forgets the flow, keeping memory for the next one.
    fn clear(&mut self);

    /// What is fresh of a side has been inspected.
    fn inspected(&mut self, direction: FlowDirection) {
        let _ = direction;
    }
}

/// A session in one flow.
#[derive(Debug, Default)]
pub(super) struct SessionParser<S> {
    session: S,
    stage: Stage,
}

/// Whether the transaction is at hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Nothing has come.
    #[default]
    Before,
    /// From the first byte on.
    Live,
    /// It was retired.
    Over,
}

impl<S: Session> Parser for SessionParser<S> {
    fn parse(&mut self, input: &Input<'_>) -> Status {
        if self.stage == Stage::Over {
            return Status::Opaque;
        }
        self.stage = Stage::Live;
        self.session.take(input);
        if self.session.is_over() {
            Status::Opaque
        } else {
            Status::Continue
        }
    }

    fn gap(&mut self, direction: FlowDirection, _: u64) -> Status {
        self.session.stop(direction);
        Status::Continue
    }

    fn len(&self) -> usize {
        usize::from(self.stage == Stage::Live)
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        (self.stage == Stage::Live && index == 0).then_some(&self.session as &dyn Transaction)
    }

    fn inspected(&mut self, direction: FlowDirection) {
        self.session.inspected(direction);
    }

    fn retire(&mut self) {
        self.stage = Stage::Over;
    }

    fn reset(&mut self) {
        self.session.clear();
        self.stage = Stage::Before;
    }
}

/// The anomalies of a transaction, each once, in the order they came.
#[derive(Debug, Default)]
pub(super) struct Events(Vec<AppEvent>);

impl Events {
    /// Adds an event, by its index among the protocol's.
    pub(super) fn raise(&mut self, event: u8) {
        let event = AppEvent(event);
        if !self.0.contains(&event) {
            self.0.push(event);
        }
    }

    pub(super) fn all(&self) -> &[AppEvent] {
        &self.0
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
