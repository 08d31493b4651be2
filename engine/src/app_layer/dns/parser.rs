//! Messages of a flow, one transaction each.

use crate::app_layer::session::Events;
use crate::app_layer::{
    AppEvent, BufferBytes, BufferId, Fields, Input, Limits, Parser, Progress, Status, Transaction,
    Transactions,
};
use crate::event::FlowDirection;

use super::message::{Message, Section};
use super::{Event, Flavour, NAMES, Names, WHOLE, record};

/// Bytes of the length in front of a message over TCP (RFC 1035 section 4.2.2).
const LENGTH: usize = 2;

/// Capacity that is kept for a message over TCP when a parser is used again.
const PARTIAL_KEPT: usize = 1024;

/// Opcodes that are assigned (RFC 1035, 1996, 2136, 8490).
const OPCODES: [u8; 6] = [0, 1, 2, 4, 5, 6];

/// DNS in one flow.
#[derive(Debug)]
pub(super) struct DnsParser {
    flavour: Flavour,
    /// What has come of a message over TCP, its length included, by direction. At most 64 KiB each.
    partial: [Vec<u8>; 2],
    messages: Transactions<DnsTransaction>,
}

/// One message.
#[derive(Debug)]
pub(in crate::app_layer) struct DnsTransaction {
    id: u64,
    pub(super) direction: FlowDirection,
    pub(super) message: Message,
    events: Events,
}

impl Default for DnsTransaction {
    fn default() -> Self {
        Self {
            id: 0,
            direction: FlowDirection::ToServer,
            message: Message::default(),
            events: Events::default(),
        }
    }
}

impl DnsParser {
    pub(super) fn new(flavour: Flavour, limits: &Limits) -> Self {
        Self {
            flavour,
            partial: [Vec::new(), Vec::new()],
            messages: Transactions::new(limits.transactions),
        }
    }

    /// Opens the transaction of a message, for which the caller has made sure that there is room.
    fn message(&mut self, direction: FlowDirection, bytes: &[u8]) {
        let flavour = self.flavour;
        self.messages
            .open(|transaction, id| transaction.read(flavour, (id, direction), bytes));
    }

    /// Cuts a stream into messages. Returns how many bytes it had no room for.
    fn stream(&mut self, direction: FlowDirection, mut bytes: &[u8]) -> usize {
        let side = direction.index();
        while !bytes.is_empty() {
            if self.messages.is_full() {
                return bytes.len();
            }
            if self.partial[side].is_empty()
                && let Some((message, rest)) = split_message(bytes)
            {
                self.message(direction, message);
                bytes = rest;
                continue;
            }
            let missing = missing(&self.partial[side]);
            let (now, rest) = bytes.split_at(missing.min(bytes.len()));
            self.partial[side].extend_from_slice(now);
            bytes = rest;
            let mut partial = std::mem::take(&mut self.partial[side]);
            if let Some((message, _)) = split_message(&partial) {
                self.message(direction, message);
                partial.clear();
            }
            self.partial[side] = partial;
        }
        0
    }
}

/// The first message of a stream, and what follows it; `None` while it is not whole.
fn split_message(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// How many bytes are missing to go on with what has come: of the length first, then of the message.
fn missing(partial: &[u8]) -> usize {
    match partial.first_chunk::<LENGTH>() {
        Some(length) => {
            let whole = LENGTH + usize::from(u16::from_be_bytes(*length));
            whole.saturating_sub(partial.len())
        }
        None => LENGTH - partial.len(),
    }
}

impl Parser for DnsParser {
    fn parse(&mut self, input: &Input<'_>) -> Status {
        let unread = if !input.datagram {
            self.stream(input.direction, input.bytes)
        } else if self.messages.is_full() {
            input.bytes.len()
        } else {
            if !input.bytes.is_empty() {
                self.message(input.direction, input.bytes);
            }
            0
        };
        match unread {
            0 => Status::Continue,
            unread => Status::Full { unread },
        }
    }

    fn gap(&mut self, _: FlowDirection, _: u64) -> Status {
        // Nothing in the stream says where the next message starts.
        Status::Failed
    }

    fn len(&self) -> usize {
        self.messages.len()
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        self.messages
            .get(index)
            .map(|message| message as &dyn Transaction)
    }

    fn inspected(&mut self, _: FlowDirection) {}

    fn retire(&mut self) {
        self.messages.retire();
    }

    fn reset(&mut self) {
        for partial in &mut self.partial {
            partial.clear();
            partial.shrink_to(PARTIAL_KEPT);
        }
        self.messages
            .reset(|transaction| transaction.message.shrink());
    }
}

impl DnsTransaction {
    /// Reads a message that another protocol carries.
    pub(in crate::app_layer) fn read_carried(
        &mut self,
        (id, direction): (u64, FlowDirection),
        bytes: &[u8],
    ) {
        self.read(Flavour::Unicast, (id, direction), bytes);
    }

    fn read(&mut self, flavour: Flavour, (id, direction): (u64, FlowDirection), bytes: &[u8]) {
        self.id = id;
        self.direction = direction;
        self.events.clear();
        let events = &mut self.events;
        let mut raise = |event: Event| events.raise(event as u8);
        if !self.message.read(bytes, &mut raise) {
            raise(Event::MalformedData);
            return;
        }
        let header = self.message.header;
        match (direction, header.is_response(), flavour) {
            // Anyone may answer a group.
            (_, _, Flavour::Multicast) => {}
            (FlowDirection::ToServer, true, _) => raise(Event::NotRequest),
            (FlowDirection::ToClient, false, _) => raise(Event::NotResponse),
            _ => {}
        }
        if header.z() && flavour != Flavour::LinkLocal {
            raise(Event::ZFlagSet);
        }
        if !OPCODES.contains(&header.opcode()) {
            raise(Event::InvalidOpcode);
        }
    }

    /// The `index`th of the names that a buffer looks at.
    fn name(&self, names: Names, index: usize) -> Option<&[u8]> {
        let section = match names {
            Names::Queries => Section::Question,
            Names::Answers => Section::Answer,
            Names::Authorities => Section::Authority,
            Names::Additionals => Section::Additional,
            Names::All => return self.any_name(index),
        };
        let record = self.message.section(section).nth(index)?;
        Some(self.message.bytes(&record.name))
    }

    /// The same among all names, those in record data included.
    fn any_name(&self, index: usize) -> Option<&[u8]> {
        let all = self.message.records.iter();
        let name = all
            .flat_map(|record| std::iter::once(&record.name).chain(record.target.as_ref()))
            .nth(index)?;
        Some(self.message.bytes(name))
    }
}

impl Transaction for DnsTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn progress(&self, _: FlowDirection) -> Progress {
        WHOLE
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        if id.spec().direction != self.direction {
            return None;
        }
        let names = *NAMES.get(id.index())?;
        self.name(names, index).map(BufferBytes::whole)
    }

    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        let header = self.message.header;
        match (keyword, index) {
            ("dns.opcode", 0) => Some(u64::from(header.opcode())),
            ("dns.rcode", 0) => Some(u64::from(header.rcode())),
            ("dns.rrtype", _) => {
                let record = self.message.records.get(index)?;
                Some(u64::from(record.kind))
            }
            _ => None,
        }
    }

    fn events(&self) -> &[AppEvent] {
        self.events.all()
    }

    fn describe(&self, fields: &mut dyn Fields) {
        record::describe(self, fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_layer::buffers;
    use crate::frame::Timestamp;
    use FlowDirection::{ToClient, ToServer};
    use proptest::prelude::*;

    /// A question for `www.example.com`, A, id 0x1234.
    const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";

    /// Its answer: a CNAME, an A, an NS in the authority section.
    const ANSWER: &[u8] =
        b"\x12\x34\x81\x80\0\x01\0\x02\0\x01\0\0\x03www\x07example\x03com\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x10\
        \xc0\x2d\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01\
        \xc0\x10\0\x02\0\x01\0\0\0\x3c\0\x05\x02ns\xc0\x10";

    fn parser() -> DnsParser {
        DnsParser::new(Flavour::Unicast, &Limits::default())
    }

    fn feed(
        parser: &mut DnsParser,
        direction: FlowDirection,
        bytes: &[u8],
        datagram: bool,
    ) -> Status {
        parser.parse(&Input {
            direction,
            bytes,
            eof: false,
            datagram,
            at: Timestamp(0),
        })
    }

    fn names(parser: &DnsParser, keyword: &str) -> Vec<String> {
        let mut names = Vec::new();
        for index in 0..parser.len() {
            let transaction = parser.transaction(index).unwrap();
            for id in buffers(keyword, None) {
                let all = (0..).map_while(|index| transaction.buffer(id, index));
                names.extend(all.map(|name| String::from_utf8_lossy(name.bytes).into_owned()));
            }
        }
        names
    }

    fn events(parser: &DnsParser) -> Vec<AppEvent> {
        (0..parser.len())
            .flat_map(|index| parser.transaction(index).unwrap().events().to_vec())
            .collect()
    }

    #[test]
    fn each_buffer_has_its_names() {
        let mut parser = parser();
        assert_eq!(feed(&mut parser, ToServer, QUERY, true), Status::Continue);
        assert_eq!(names(&parser, "dns.query"), ["www.example.com"]);
        assert_eq!(feed(&mut parser, ToClient, ANSWER, true), Status::Continue);
        assert_eq!(events(&parser), []);
        assert_eq!(names(&parser, "dns.query"), ["www.example.com"]);
        assert_eq!(names(&parser, "dns.query.name"), ["www.example.com"; 2]);
        assert_eq!(
            names(&parser, "dns.answers.rrname"),
            ["www.example.com", "cdn.example.com"]
        );
        assert_eq!(names(&parser, "dns.authorities.rrname"), ["example.com"]);
        assert_eq!(
            names(&parser, "dns.response.rrname"),
            [
                "www.example.com",
                "www.example.com",
                "cdn.example.com",
                "cdn.example.com",
                "example.com",
                "ns.example.com"
            ]
        );
        let answer = parser.transaction(1).unwrap();
        let types: Vec<u64> = (0..)
            .map_while(|index| answer.number("dns.rrtype", index))
            .collect();
        assert_eq!(types, [1, 5, 1, 2]);
    }

    #[test]
    fn anomalies_are_told() {
        let case = |direction, bytes: &[u8], expected: &[Event]| {
            let mut parser = parser();
            let _ = feed(&mut parser, direction, bytes, true);
            let expected: Vec<AppEvent> = expected
                .iter()
                .map(|event| AppEvent(*event as u8))
                .collect();
            assert_eq!(events(&parser), expected);
        };
        let changed = |at: usize, byte: u8| {
            let mut bytes = QUERY.to_vec();
            bytes[at] = byte;
            bytes
        };
        case(ToServer, QUERY, &[]);
        case(ToClient, QUERY, &[Event::NotResponse]);
        case(ToServer, ANSWER, &[Event::NotRequest]);
        case(ToServer, &changed(3, 0x40), &[Event::ZFlagSet]);
        case(ToServer, &changed(2, 0x19), &[Event::InvalidOpcode]);
        case(ToServer, &changed(5, 2), &[Event::MalformedData]);
        case(ToServer, &changed(9, 1), &[Event::InvalidAuthorities]);
        case(ToServer, &changed(11, 1), &[Event::InvalidAdditionals]);
        case(ToServer, b"\x12", &[Event::MalformedData]);
    }

    #[test]
    fn what_there_is_no_room_for_is_left_unread() {
        let limits = Limits {
            transactions: 2,
            ..Limits::default()
        };
        let mut parser = DnsParser::new(Flavour::Unicast, &limits);
        let full = |unread| Status::Full { unread };
        let stream = framed(&[QUERY, QUERY, QUERY]);
        let one = stream.len() / 3;
        assert_eq!(feed(&mut parser, ToServer, &stream, false), full(one));
        assert_eq!(feed(&mut parser, ToServer, QUERY, true), full(QUERY.len()));
        parser.retire();
        assert_eq!(
            feed(&mut parser, ToServer, &stream[2 * one..], false),
            Status::Continue
        );
        assert_eq!(parser.len(), 2);
    }

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let frame = |message: &&[u8]| {
            let length = u16::try_from(message.len()).unwrap().to_be_bytes();
            [&length, *message].concat()
        };
        messages.iter().flat_map(frame).collect()
    }

    proptest! {
        #[test]
        fn any_cut_of_a_stream_gives_the_same_messages(cuts in prop::collection::vec(1_usize..40, 1..40)) {
            let stream = framed(&[QUERY, b"", QUERY, ANSWER]);
            let mut parser = parser();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, then) = rest.split_at((*cut).min(rest.len()));
                prop_assert_eq!(feed(&mut parser, ToServer, now, false), Status::Continue);
                rest = then;
            }
            prop_assert_eq!(parser.len(), 4);
            prop_assert_eq!(names(&parser, "dns.query"), ["www.example.com"; 3]);
        }

        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(0xc0), Just(0), Just(12)], 0..200),
            datagram in any::<bool>(),
        ) {
            let mut parser = parser();
            let _ = feed(&mut parser, ToServer, &bytes, datagram);
            let _ = names(&parser, "dns.query.name");
        }
    }
}
