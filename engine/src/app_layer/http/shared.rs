//! What both directions of a flow share: the transactions, and which response belongs to which request.

use std::collections::VecDeque;

use crate::app_layer::{FileService, Limits, Transactions};

use super::COMPLETE;
use super::decode::Decoding;
use super::event::Event;
use super::transaction::HttpTransaction;

/// Requests let go unanswered whose responses are waited for. Beyond it their responses are taken for
/// those of later requests.
const OWED: usize = 4096;

/// Compression bombs of a flow from which on nothing more is decoded.
const BOMBS: u32 = 3;

/// Anomalies of a flow from which on it is one itself.
const WARNINGS: u32 = 512;

/// The transactions of a flow.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) transactions: Transactions<HttpTransaction>,
    /// Number of the oldest transaction at hand, or of the next.
    first: u64,
    /// Requests that were let go before their response came, oldest first.
    owed: VecDeque<Kind>,
    pub(super) limits: Limits,
    /// What became of a CONNECT.
    pub(super) tunnel: Tunnel,
    /// What is wanted of files.
    pub(super) files: FileService,
    /// The port that the client talks to; 0: not known.
    pub(super) server_port: u16,
    bombs: u32,
    warnings: u32,
}

/// What the framing of a response depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Other,
    Head,
    Connect,
}

/// What became of a CONNECT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tunnel {
    /// There was none.
    #[default]
    None,
    /// It is not answered.
    Asked,
    /// It was declined.
    Declined,
}

/// There is no room for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;

impl Kind {
    /// By the request's method.
    fn of(transaction: &HttpTransaction) -> Self {
        match transaction.request.method() {
            b"HEAD" => Self::Head,
            b"CONNECT" => Self::Connect,
            _ => Self::Other,
        }
    }
}

impl Shared {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            transactions: Transactions::new(limits.transactions),
            first: 0,
            owed: VecDeque::new(),
            limits: *limits,
            tunnel: Tunnel::None,
            files: FileService::default(),
            server_port: 0,
            bombs: 0,
            warnings: 0,
        }
    }

    /// Opens a transaction. Returns its number.
    pub(super) fn open(&mut self) -> Result<u64, NoRoom> {
        let mut number = 0;
        self.transactions
            .open(|transaction, id| {
                transaction.clear(id);
                number = id;
            })
            .map(|_| number)
            .ok_or(NoRoom)
    }

    /// A transaction that is at hand.
    pub(super) fn get(&mut self, number: u64) -> Option<&mut HttpTransaction> {
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.transactions.get_mut(index)
    }

    /// The transaction at hand or, where it was let go, a new one that goes on with it.
    pub(super) fn go_on(
        &mut self,
        current: &mut Option<u64>,
        late: impl FnOnce(&mut HttpTransaction),
    ) -> Result<&mut HttpTransaction, NoRoom> {
        let known = current.filter(|number| self.get(*number).is_some());
        let number = match known {
            Some(number) => number,
            None => {
                let number = self.open()?;
                if let Some(transaction) = self.get(number) {
                    transaction.late = true;
                    late(transaction);
                }
                number
            }
        };
        *current = Some(number);
        self.get(number).ok_or(NoRoom)
    }

    /// Whether bodies are decoded.
    pub(super) fn decodes(&self) -> bool {
        self.bombs < BOMBS
    }

    /// Counts a bomb that the body of a transaction turned out to be.
    pub(super) fn count_bomb(&mut self, current: Option<u64>, decoding: &mut Decoding) {
        if !decoding.take_bomb() {
            return;
        }
        self.bombs = self.bombs.saturating_add(1);
        let reached = self.bombs == BOMBS;
        let transaction = current.and_then(|number| self.get(number));
        if let Some(transaction) = transaction.filter(|_| reached) {
            transaction.events.raise(Event::CompressionBombLimit);
        }
    }

    /// Counts the anomalies of a message that is over.
    pub(super) fn count_warnings(&mut self, current: Option<u64>) {
        let Some(transaction) = current.and_then(|number| self.get(number)) else {
            return;
        };
        let raised = transaction.events.take_raised();
        let before = self.warnings;
        self.warnings = before.saturating_add(raised);
        let reached = before < WARNINGS && self.warnings >= WARNINGS;
        let transaction = current.and_then(|number| self.get(number));
        if let Some(transaction) = transaction.filter(|_| reached) {
            transaction.events.raise(Event::TooManyWarnings);
        }
    }

    /// The transaction that the next response belongs to, and whether its request was seen.
    pub(super) fn answer(&mut self) -> Result<(u64, Kind, bool), NoRoom> {
        if let Some(kind) = self.owed.front().copied() {
            let number = self.open()?;
            self.owed.pop_front();
            if let Some(transaction) = self.get(number) {
                transaction.late = true;
                transaction.request.progress = COMPLETE;
            }
            return Ok((number, kind, true));
        }
        let waiting = self
            .transactions
            .iter()
            .position(HttpTransaction::is_unanswered);
        if let Some(index) = waiting {
            let kind = self.transactions.get(index).map(Kind::of);
            return Ok((self.first + index as u64, kind.unwrap_or_default(), true));
        }
        let number = self.open()?;
        if let Some(transaction) = self.get(number) {
            transaction.late = true;
            transaction.request.progress = COMPLETE;
        }
        Ok((number, Kind::Other, false))
    }

    /// Lets the oldest transaction go.
    pub(super) fn retire(&mut self) {
        let Some(oldest) = self.transactions.get(0) else {
            return;
        };
        if oldest.is_unanswered() && self.owed.len() < OWED {
            let kind = Kind::of(oldest);
            self.owed.push_back(kind);
        }
        self.transactions.retire();
        self.first += 1;
    }

    pub(super) fn reset(&mut self) {
        self.transactions.reset(|_| ());
        self.first = 0;
        self.owed.clear();
        self.tunnel = Tunnel::None;
        self.bombs = 0;
        self.warnings = 0;
    }
}
