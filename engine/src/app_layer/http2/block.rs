//! Blocks of fields: HEADERS or PUSH_PROMISE and their CONTINUATIONs, decoded as they come.

use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::event::Event;
use super::facts::Forgot;
use super::frame::{CONTINUATION, Frame};
use super::hpack::{Failure, Item};
use super::shared::{NoRoom, Shared};
use super::side::Side;

/// A block that goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    /// The stream of its frames.
    stream: u32,
    /// Whose fields they are: number of the transaction, and its message.
    transaction: u64,
    message: FlowDirection,
    /// The message has no body, or ends behind it.
    ends_stream: bool,
}

impl Block {
    /// The fields of a message.
    pub(super) fn of_message(frame: Frame, transaction: u64, message: FlowDirection) -> Self {
        Self {
            stream: frame.stream,
            transaction,
            message,
            ends_stream: frame.ends_stream(),
        }
    }

    /// The request that a server promises to answer: it has no body.
    pub(super) fn of_promise(frame: Frame, transaction: u64) -> Self {
        Self {
            stream: frame.stream,
            transaction,
            message: ToServer,
            ends_stream: true,
        }
    }

    /// Whether a frame may follow.
    pub(super) fn goes_on_with(&self, frame: Frame) -> bool {
        (frame.kind, frame.stream) == (CONTINUATION, self.stream)
    }
}

impl Side {
    /// Decodes what comes of the block at hand.
    pub(super) fn decode(&mut self, bytes: &[u8], shared: &mut Shared) -> Result<(), NoRoom> {
        let Some(block) = self.block.as_mut() else {
            return Ok(());
        };
        let limit = shared.limits.head;
        if shared.get(block.transaction).is_none() {
            block.transaction = shared.open(block.stream)?;
        }
        let (number, message) = (block.transaction, block.message);
        let transaction = shared.get(number).ok_or(NoRoom)?;
        let (head, events) = (
            &mut transaction.messages[message.index()].head,
            &mut transaction.events,
        );
        let facts = &mut transaction.facts[self.direction.index()];
        let mut long = false;
        let decoded = self.decoder.decode(bytes, &mut |item| match item {
            Item::Field { name, value } => {
                if [name, value]
                    .iter()
                    .any(|text| memchr::memchr3(b'\r', b'\n', 0, text).is_some())
                {
                    events.raise(Event::InvalidHeader as u8);
                }
                long = long || head.add(name, value, limit).is_err();
            }
            Item::SizeUpdate(size) => {
                if facts.size_update(size) == Err(Forgot) {
                    events.raise(Event::TooManyFrames as u8);
                }
            }
        });
        if let Err(failure) = decoded {
            events.raise(event_of(failure) as u8);
        }
        if long {
            events.raise(Event::ReassemblyLimit as u8);
            self.fail();
            self.end_block(shared);
            if let Some(transaction) = shared.get(number) {
                transaction.close();
            }
        }
        Ok(())
    }

    /// The block at hand is over.
    pub(super) fn end_block(&mut self, shared: &mut Shared) {
        let Some(block) = self.block.take() else {
            return;
        };
        let ended = self.decoder.end();
        let decodes = shared.may_decode();
        let (files, limits) = (shared.files.clone(), shared.limits);
        let Some(transaction) = shared.get(block.transaction) else {
            return;
        };
        if let Err(failure) = ended {
            transaction.events.raise(event_of(failure) as u8);
        }
        let interim = block.message == ToClient && !block.ends_stream;
        if interim && transaction.drop_interim() {
            return;
        }
        transaction.end_of_fields(block.message, (&files, &limits), decodes);
        if block.ends_stream {
            transaction.finish(block.message);
        }
        shared.carries_dns |= shared
            .get(block.transaction)
            .is_some_and(|transaction| transaction.carries_dns());
    }
}

fn event_of(failure: Failure) -> Event {
    match failure {
        Failure::Number => Event::HeaderIntegerOverflow,
        Failure::Entry | Failure::Code => Event::InvalidHeader,
        Failure::Rest => Event::ExtraHeaderData,
    }
}
