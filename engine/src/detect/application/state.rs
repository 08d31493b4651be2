//! Tests on how far a transaction has come: hooks in headers and `app-layer-state`.

use super::test::Answer;
use crate::app_layer::{Progress, ProtocolId, Transaction, state};
use crate::event::FlowDirection;

/// A state that a rule names, before it is known of which protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedState {
    name: String,
    order: Order,
    asked: bool,
}

/// How a direction's progress is compared with a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// It has come to it. Several steps may fall into one packet: none is passed over.
    Reached,
    /// It has not come to it.
    Before,
    /// It is beyond it.
    Beyond,
}

/// The test, for transactions of one protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StateCondition {
    pub(super) protocol: ProtocolId,
    pub(super) direction: FlowDirection,
    progress: Progress,
    order: Order,
    /// It is the state of `app-layer-state`, not a hook.
    pub(super) asked: bool,
}

impl NamedState {
    /// A hook of a header.
    pub(super) fn hook(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            order: Order::Reached,
            asked: false,
        }
    }

    /// `app-layer-state:[<>]state`.
    pub(super) fn read(value: &str) -> Result<Self, String> {
        let (order, name) = match value.as_bytes().first() {
            Some(b'<') => (Order::Before, &value[1..]),
            Some(b'>') => (Order::Beyond, &value[1..]),
            _ => (Order::Reached, value),
        };
        let name = name.trim();
        if name.is_empty() {
            return Err("it lacks the name of a state".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            order,
            asked: true,
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What it means for transactions of a protocol; `None`: the protocol has no such state, or none
    /// before or beyond it.
    pub(super) fn of(&self, protocol: ProtocolId) -> Option<StateCondition> {
        let spec = state(protocol, &self.name)?;
        let last = protocol.protocol().complete(spec.direction);
        let possible = match self.order {
            Order::Reached => true,
            Order::Before => spec.progress > 0,
            Order::Beyond => spec.progress < last,
        };
        possible.then_some(StateCondition {
            protocol,
            direction: spec.direction,
            progress: spec.progress,
            order: self.order,
            asked: self.asked,
        })
    }
}

impl StateCondition {
    /// What a transaction of the condition's protocol says to it.
    pub(super) fn test(self, (protocol, transaction): (ProtocolId, &dyn Transaction)) -> Answer {
        let progress = protocol.progress_as(self.protocol, transaction.progress(self.direction));
        match self.order {
            Order::Reached if progress >= self.progress => Answer::Now,
            Order::Beyond if progress > self.progress => Answer::Now,
            Order::Reached | Order::Beyond => Answer::Later,
            Order::Before if progress < self.progress => Answer::Now,
            Order::Before => Answer::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_layer::protocol_named;

    #[test]
    fn states_are_of_protocols_that_have_them() {
        let [tls, dns] = ["tls", "dns"].map(|name| protocol_named(name).unwrap());
        let hello = NamedState::hook("client_hello_done");
        assert!(hello.of(tls).is_some());
        assert!(hello.of(dns).is_none());
        assert!(NamedState::hook("request_complete").of(dns).is_some());
        for impossible in ["<client_in_progress", ">client_finished", "unheard_of"] {
            assert_eq!(NamedState::read(impossible).unwrap().of(tls), None);
        }
        assert!(NamedState::read("< ").is_err());
    }
}
