//! What both directions of a connection share: its streams.

use crate::app_layer::{FileService, Limits, Transaction as _, Transactions};
use crate::event::FlowDirection;

use super::event::Event;
use super::frame::FRAME_SIZE;
use super::message::Message;
use super::transaction::Http2Transaction;

/// Bodies of a connection that are decoded at once. A brotli stream may ask for 16 MiB, any other for 32 KiB.
const CODED: usize = 32;

/// The streams of a connection.
#[derive(Debug)]
pub(super) struct Shared {
    /// Boxed, since they come to their ends in any order.
    pub(super) transactions: Transactions<Box<Http2Transaction>>,
    pub(super) limits: Limits,
    /// What is wanted of files.
    pub(super) files: FileService,
    /// The highest number that the client gave to a request.
    pub(super) newest: u32,
    /// Directions of which nothing more is told.
    pub(super) stopped: [bool; 2],
    /// Longest frames that each side sends: what the other allows.
    pub(super) longest: [u32; 2],
    /// It carries DNS.
    pub(super) carries_dns: bool,
    /// A stream was let go before its end.
    crowded: bool,
}

/// There is no room for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Shared {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            transactions: Transactions::new(limits.transactions),
            limits: *limits,
            files: FileService::default(),
            newest: 0,
            stopped: [false; 2],
            longest: [FRAME_SIZE; 2],
            carries_dns: false,
            crowded: false,
        }
    }

    /// Opens a transaction. Returns its number.
    pub(super) fn open(&mut self, stream: u32) -> Result<u64, NoRoom> {
        let mut number = 0;
        let opened = self.transactions.open(|transaction, id| {
            transaction.clear(id, stream);
            number = id;
        });
        let transaction = opened.ok_or(NoRoom)?;
        for direction in FlowDirection::BOTH {
            if self.stopped[direction.index()] {
                transaction.skip(direction);
            }
        }
        if std::mem::take(&mut self.crowded) {
            transaction.events.raise(Event::TooManyStreams as u8);
        }
        Ok(number)
    }

    /// A transaction that is at hand.
    pub(super) fn get(&mut self, number: u64) -> Option<&mut Http2Transaction> {
        let at = self
            .transactions
            .position(number, |transaction| transaction.id())?;
        self.transactions
            .get_mut(at)
            .map(|transaction| &mut **transaction)
    }

    /// The transaction of a stream that is not over.
    pub(super) fn find(&self, stream: u32) -> Option<&Http2Transaction> {
        let mut newest_first = self.transactions.iter().rev();
        let found = newest_first.find(|found| found.stream == stream && !found.is_over());
        found.map(|found| &**found)
    }

    /// Whether another body may be decoded.
    pub(super) fn may_decode(&self) -> bool {
        let messages = self
            .transactions
            .iter()
            .flat_map(|transaction| &transaction.messages);
        messages.filter(|message| message.is_coded()).count() < CODED
    }

    /// Nothing more is told of a direction.
    pub(super) fn stop(&mut self, direction: FlowDirection) {
        self.stopped[direction.index()] = true;
        for transaction in self.transactions.iter_mut() {
            let message: &mut Message = &mut transaction.messages[direction.index()];
            message.finish(false);
        }
    }

    /// Lets one go.
    pub(super) fn retire(&mut self, index: usize) {
        if self
            .transactions
            .get(index)
            .is_some_and(|gone| !gone.is_over())
        {
            self.crowded = true;
        }
        self.transactions.remove(index);
    }

    pub(super) fn reset(&mut self) {
        self.transactions
            .reset(|transaction| transaction.clear(0, 0));
        self.newest = 0;
        self.stopped = [false; 2];
        self.longest = [FRAME_SIZE; 2];
        self.carries_dns = false;
        self.crowded = false;
    }
}
