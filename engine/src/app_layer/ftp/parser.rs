//! FTP in one flow: lines into transactions, and the data connections that they agree on.

use std::collections::VecDeque;

use crate::app_layer::greeting::{starts_tls, word};
use crate::app_layer::lines::{Line, Lines};
use crate::app_layer::{
    Agreed, Agreement, Input, Limits, Parser, Peers, Purpose, Status, Surroundings, Transaction,
    Transactions, ftp_data, protocol_named,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::address;
use super::recognise::is_command;
use super::replies::{Code, coded};
use super::transaction::FtpTransaction;
use super::{Event, LINE};

/// FTP in one flow.
#[derive(Debug)]
pub(super) struct FtpParser {
    lines: [Lines; 2],
    transactions: Transactions<FtpTransaction>,
    /// Number of the oldest transaction at hand, or of the next.
    first: u64,
    /// Commands whose transactions were let go before they were answered.
    owed: u64,
    /// The transaction of a reply that belongs to none of the commands at hand.
    stray: Option<u64>,
    /// The reply at hand has further lines, until one of this code ends it.
    open: Option<Code>,
    /// Bytes were missing in front of the next line.
    lost: [bool; 2],
    /// The data connection that was agreed on, and the direction in it of what the client sends.
    channel: Option<(Agreed, FlowDirection)>,
    agreed: VecDeque<Agreement>,
    /// The client has asked the server to wait for it.
    passive: bool,
    peers: Peers,
    /// There was no room for a transaction.
    was_full: bool,
    /// TLS follows.
    secured: bool,
    /// It did not, and nobody asked yet.
    skipped_tls: bool,
}

/// There is no room for a transaction.
struct NoRoom;

impl FtpParser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            lines: [Lines::default(), Lines::default()],
            transactions: Transactions::new(limits.transactions),
            first: 0,
            owed: 0,
            stray: None,
            open: None,
            lost: [false; 2],
            channel: None,
            agreed: VecDeque::new(),
            passive: false,
            peers: Peers::of_port(0),
            was_full: false,
            secured: false,
            skipped_tls: false,
        }
    }

    /// What follows an accepted `AUTH TLS`. The transactions at hand are looked at first.
    fn handed_over(&mut self, input: &Input<'_>) -> Option<Status> {
        let first = input.bytes.first()?;
        self.skipped_tls |= input.direction == ToServer && !starts_tls(input.bytes);
        if input.direction == ToServer && first.is_ascii_alphabetic() {
            // The client goes on in plain text.
            self.secured = false;
            return None;
        }
        let unread = input.bytes.len();
        Some(if self.transactions.is_empty() {
            Status::Upgraded { unread }
        } else {
            Status::Full { unread }
        })
    }

    /// Reads line by line, up to one for which there is no room. Returns how many bytes were not taken.
    fn read(&mut self, input: &Input<'_>) -> usize {
        let side = input.direction.index();
        let mut lines = std::mem::take(&mut self.lines[side]);
        let mut rest = input.bytes;
        let mut unread = 0;
        while !rest.is_empty() {
            let full = !self.has_room(input.direction);
            if full || (self.secured && input.direction == ToClient) {
                self.was_full |= full;
                unread = rest.len();
                break;
            }
            let (taken, line) = lines.next(rest, LINE);
            rest = rest.get(taken..).unwrap_or_default();
            if let Some(line) = line {
                self.line(input.direction, line);
            }
        }
        if input.eof
            && unread == 0
            && self.has_room(input.direction)
            && let Some(line) = lines.rest(LINE)
        {
            self.line(input.direction, line);
        }
        self.lines[side] = lines;
        unread
    }

    /// Whether another line of a direction finds room.
    fn has_room(&self, direction: FlowDirection) -> bool {
        let at_hand = self.stray.is_some() || (self.owed == 0 && self.waiting().is_some());
        !self.transactions.is_full() || (direction == ToClient && at_hand)
    }

    fn line(&mut self, direction: FlowDirection, line: Line<'_>) {
        let lost = std::mem::take(&mut self.lost[direction.index()]);
        // There is room: it was looked for before.
        let _ = match direction {
            ToServer if lost && !is_command(line.bytes) => Ok(()),
            ToServer => self.command(line),
            ToClient if lost && coded(line.bytes).is_none() => Ok(()),
            ToClient => self.reply(line),
        };
    }

    fn open(&mut self) -> Result<&mut FtpTransaction, NoRoom> {
        let was_full = std::mem::take(&mut self.was_full);
        let opened = self
            .transactions
            .open(|transaction, id| transaction.clear(id));
        let transaction = opened.ok_or(NoRoom)?;
        if was_full {
            transaction.raise(Event::TooManyTransactions);
        }
        Ok(transaction)
    }

    fn command(&mut self, line: Line<'_>) -> Result<(), NoRoom> {
        if line.bytes.trim_ascii().is_empty() {
            return Ok(());
        }
        let (command, data) = word(line.bytes.trim_ascii_start());
        let client = self.peers.client.ip();
        let transaction = self.open()?;
        transaction.command.extend_from_slice(command);
        transaction.command.make_ascii_uppercase();
        transaction.data.extend_from_slice(data);
        transaction.truncated = line.truncated;
        if line.truncated {
            transaction.raise(Event::RequestTooLong);
        }
        let place = match &transaction.command[..] {
            b"PORT" => address::port(data),
            b"EPRT" => address::eprt(data),
            _ => None,
        };
        if let Some(place) = place {
            transaction.port = Some(place.port);
            transaction.active = true;
            let elsewhere = |address: std::net::IpAddr| {
                address != client && address.is_ipv4() == client.is_ipv4()
            };
            transaction.bounce = place.address.is_some_and(elsewhere);
        }
        self.passive |= is_passive(&transaction.command);
        if let Some(kind) = ftp_data::kind(command) {
            self.transfer(kind, data);
        }
        Ok(())
    }

    /// A command asks for a data connection.
    fn transfer(&mut self, kind: u8, name: &[u8]) {
        let channel = self.channel;
        let asked = channel.is_some() || self.is_channel_asked_for();
        if let Some(transaction) = self.transactions.last_mut()
            && ftp_data::is_of_file(kind)
        {
            if !asked {
                transaction.raise(Event::FileBeforePort);
            }
            if name.is_empty() {
                transaction.raise(Event::FileWithoutName);
            }
        }
        if let Some(channel) = channel {
            self.agree(channel, kind, name, None);
        }
    }

    /// Whether a command that is not answered yet asks for a data connection's place.
    fn is_channel_asked_for(&self) -> bool {
        let mut waiting = self.transactions.iter().filter(|of| !of.answered);
        waiting.any(|of| of.active || is_passive(&of.command))
    }

    /// A data connection between the two hosts was agreed on, instead of the one before. What it is for may have
    /// been asked already.
    fn expect(&mut self, port: u16, active: bool) {
        let (client, server) = (self.peers.client.ip(), self.peers.server.ip());
        let (opener, listener, uploads) = if active {
            (server, client, ToClient)
        } else {
            (client, server, ToServer)
        };
        let agreed = Agreed {
            opener,
            listener,
            port,
        };
        let channel = (agreed, uploads);
        let former = self.channel.replace(channel).map(|(former, _)| former);
        let asked = self.transactions.iter().find_map(|of| {
            let kind = ftp_data::kind(&of.command).filter(|_| !of.answered)?;
            Some((kind, of.data.clone()))
        });
        let former = former.filter(|former| *former != agreed);
        self.agree(channel, 0, &[], former);
        if let Some((kind, name)) = asked {
            self.agree(channel, kind, &name, None);
        }
    }

    fn agree(
        &mut self,
        (agreed, uploads): (Agreed, FlowDirection),
        kind: u8,
        name: &[u8],
        instead_of: Option<Agreed>,
    ) {
        let Some(protocol) = protocol_named(ftp_data::NAME) else {
            return;
        };
        let purpose = Purpose {
            protocol,
            kind,
            uploads,
            name: name.to_vec(),
        };
        self.agreed.push_back(Agreement {
            agreed,
            purpose,
            instead_of,
        });
    }

    fn reply(&mut self, line: Line<'_>) -> Result<(), NoRoom> {
        let found = coded(line.bytes);
        if found.is_none() && self.open.is_none() && line.bytes.is_empty() {
            return Ok(());
        }
        let index = self.replied()?;
        let code = self.open.or(found.map(|(code, ..)| code));
        let mut text = line.bytes;
        let mut ends = code.is_none();
        if let Some((own, more, behind)) = found
            && self.open.is_none_or(|open| open == own)
        {
            text = behind;
            ends = !more && own[0] != b'1';
            let begins = self.open.is_none();
            self.open = more.then_some(own);
            if let Some(transaction) = self.transactions.get_mut(index).filter(|_| begins) {
                transaction.replies.begin(own);
            }
        }
        self.add((index, line.truncated), text);
        // A line without a code that nobody waits for ends a transaction of its own; others go on.
        let waits = self.waiting().is_some() || self.owed > 0;
        if ends && (code.is_some() || !waits) {
            self.end(index, code);
        } else {
            self.split(index);
        }
        Ok(())
    }

    fn add(&mut self, (index, truncated): (usize, bool), text: &[u8]) {
        let Some(transaction) = self.transactions.get_mut(index) else {
            return;
        };
        transaction.replies.push(text);
        transaction.replies.truncated |= truncated;
        if truncated {
            transaction.raise(Event::ResponseTooLong);
        }
    }

    /// The oldest command at hand that is not answered.
    fn waiting(&self) -> Option<usize> {
        let mut transactions = self.transactions.iter();
        transactions
            .position(|transaction| !transaction.answered && Some(transaction.id) != self.stray)
    }

    /// Index of the transaction that the next line of a reply belongs to.
    fn replied(&mut self) -> Result<usize, NoRoom> {
        let at = |id: u64| usize::try_from(id.checked_sub(self.first)?).ok();
        if let Some(index) = self.stray.and_then(at) {
            return Ok(index);
        }
        if self.owed == 0
            && let Some(index) = self.waiting()
        {
            return Ok(index);
        }
        let id = self.open()?.id;
        self.stray = Some(id);
        Ok(self.transactions.len() - 1)
    }

    /// The last reply of a transaction is there.
    fn end(&mut self, index: usize, code: Option<Code>) {
        let Some(transaction) = self.transactions.get_mut(index) else {
            return;
        };
        transaction.answered = true;
        if self.stray == Some(transaction.id) {
            self.stray = None;
            self.owed = self.owed.saturating_sub(1);
        }
        let Some(code) = code else {
            return;
        };
        // Whatever command it is paired with: a server may answer what this engine takes for none.
        let passive = match &code {
            b"227" if self.passive => last(transaction).and_then(address::pasv),
            b"229" if self.passive => last(transaction).and_then(address::epsv),
            _ => None,
        };
        if let Some(place) = passive {
            transaction.port = Some(place.port);
        }
        let active = transaction.active && !transaction.bounce && code[0] == b'2';
        let active = transaction.port.filter(|_| active);
        let asks = ftp_data::kind(&transaction.command).is_some();
        let secure = transaction.command == b"AUTH" && code == *b"234";
        if let Some(place) = passive {
            self.expect(place.port, false);
        } else if let Some(port) = active {
            self.expect(port, true);
        } else if asks && code[0] == b'2' {
            self.channel = None;
        }
        self.secured |= secure;
    }

    /// Replies that go on without end are split into transactions.
    fn split(&mut self, index: usize) {
        let full = |transaction: &&mut FtpTransaction| transaction.replies.is_full();
        let transaction = self.transactions.get_mut(index);
        if let Some(transaction) = transaction.filter(full) {
            transaction.answered = true;
            if self.stray == Some(transaction.id) {
                self.stray = None;
            } else {
                self.owed += 1;
            }
        }
    }
}

/// Whether a command asks the server to wait for a data connection.
fn is_passive(command: &[u8]) -> bool {
    matches!(command, b"PASV" | b"EPSV" | b"LPSV")
}

/// The last line of a transaction's replies.
fn last(transaction: &FtpTransaction) -> Option<&[u8]> {
    let replies = &transaction.replies;
    replies.line(replies.len().checked_sub(1)?)
}

impl Parser for FtpParser {
    fn surround(&mut self, surroundings: &Surroundings<'_>) {
        self.peers = surroundings.peers;
    }

    fn agreed(&mut self) -> Option<Agreement> {
        self.agreed.pop_front()
    }

    fn skipped_tls(&mut self) -> bool {
        std::mem::take(&mut self.skipped_tls)
    }

    fn parse(&mut self, input: &Input<'_>) -> Status {
        if self.secured
            && let Some(status) = self.handed_over(input)
        {
            return status;
        }
        match self.read(input) {
            0 => Status::Continue,
            unread => Status::Full { unread },
        }
    }

    fn gap(&mut self, direction: FlowDirection, _: u64) -> Status {
        self.lines[direction.index()].clear();
        self.lost[direction.index()] = true;
        if direction == ToClient {
            self.open = None;
            self.stray = None;
            self.owed = 0;
            for transaction in self.transactions.iter_mut() {
                transaction.answered = true;
            }
        }
        Status::Continue
    }

    fn len(&self) -> usize {
        self.transactions.len()
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        let transaction = self.transactions.get(index)?;
        Some(transaction as &dyn Transaction)
    }

    fn inspected(&mut self, direction: FlowDirection) {
        for transaction in self.transactions.iter_mut() {
            transaction.inspected(direction);
        }
    }

    fn retire(&mut self) {
        let Some(oldest) = self.transactions.get(0) else {
            return;
        };
        if self.stray == Some(oldest.id) {
            self.stray = None;
        } else if !oldest.answered {
            self.owed += 1;
        }
        self.transactions.retire();
        self.first += 1;
    }

    fn reset(&mut self) {
        self.lines.iter_mut().for_each(Lines::clear);
        self.transactions.reset(FtpTransaction::shrink);
        self.first = 0;
        self.owed = 0;
        self.stray = None;
        self.open = None;
        self.lost = [false; 2];
        self.channel = None;
        self.agreed.clear();
        self.passive = false;
        self.was_full = false;
        self.secured = false;
        self.skipped_tls = false;
    }
}
