//! One stream: a request and its response, or one frame of the connection.

use crate::app_layer::session::Events;
use crate::app_layer::{
    AppEvent, BufferBytes, BufferId, Fields, File, FilePart, FileService, Limits, Progress,
    ProtocolId, Transaction,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use super::buffers::{NORMALISED_LENGTH, Part, part};
use super::event::Event;
use super::facts::Facts;
use super::message::Message;
use super::{COMPLETE, HEADERS, dns_protocol, record};

/// A stream.
#[derive(Debug, Default)]
pub(super) struct Http2Transaction {
    id: u64,
    /// 0: the connection.
    pub(super) stream: u32,
    /// To the server and to the client.
    pub(super) messages: [Message; 2],
    pub(super) facts: [Facts; 2],
    pub(super) events: Events,
}

impl Http2Transaction {
    /// Empties it for its next use.
    pub(super) fn clear(&mut self, id: u64, stream: u32) {
        self.id = id;
        self.stream = stream;
        self.messages.iter_mut().for_each(Message::clear);
        self.facts.iter_mut().for_each(Facts::clear);
        self.events.clear();
    }

    pub(super) fn message(&self, direction: FlowDirection) -> &Message {
        &self.messages[direction.index()]
    }

    pub(super) fn facts(&self, direction: FlowDirection) -> &Facts {
        &self.facts[direction.index()]
    }

    /// Nothing more will come of it.
    pub(super) fn close(&mut self) {
        for message in &mut self.messages {
            message.finish(false);
        }
    }

    /// It takes no more frames.
    pub(super) fn is_over(&self) -> bool {
        self.messages.iter().all(Message::is_over)
    }

    fn part(&self, direction: FlowDirection, part: Part, index: usize) -> Option<BufferBytes<'_>> {
        let message = self.message(direction);
        let head = &message.head;
        let bytes = match part {
            Part::EachField => head.line(index)?,
            Part::EachName => head.get(index)?.0,
            Part::File(part) => return message.file(index)?.buffer(part),
            _ if index > 0 || message.progress < HEADERS => return None,
            Part::Body => return message.body.buffer(FilePart::Data),
            // A connection's frames, and the rest of what was let go, have none.
            _ if head.len() == 0 => return None,
            Part::Field(name) => head.value(name)?,
            Part::Message => b"",
            Part::Protocol => b"HTTP/2",
            Part::Line => &message.line,
            Part::Uri => &message.uri,
            Part::RawUri => message.raw_uri(),
            Part::Host if message.host.is_empty() => return None,
            Part::Host => &message.host,
            Part::RawHost => message.raw_host()?,
            Part::Fields => head.without_cookies(),
            Part::RawFields => head.all(),
            Part::Names => head.names(),
            Part::Start => head.start(),
        };
        Some(BufferBytes::whole(bytes))
    }
}

impl Transaction for Http2Transaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn progress(&self, direction: FlowDirection) -> Progress {
        self.message(direction).progress
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let direction = id.spec().direction;
        if id.protocol() == dns_protocol() {
            return self.message(direction).dns.message()?.buffer(id, index);
        }
        self.part(direction, part(id.index())?, index)
    }

    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        let here = (0..).map_while(|index| self.number_of(ToServer, keyword, index));
        let there = (0..).map_while(|index| self.number_of(ToClient, keyword, index));
        here.chain(there).nth(index)
    }

    fn number_of(&self, direction: FlowDirection, keyword: &str, index: usize) -> Option<u64> {
        let message = self.message(direction);
        let length = |uri: &[u8]| (index == 0 && !uri.is_empty()).then_some(uri.len() as u64);
        match keyword {
            "urilen" if direction == ToServer => length(message.raw_uri()),
            NORMALISED_LENGTH if direction == ToServer => length(&message.uri),
            _ if keyword.starts_with("dns.") => message.dns.message()?.number(keyword, index),
            _ => self.facts(direction).number(keyword, index),
        }
    }

    fn file(&self, direction: FlowDirection, index: usize) -> Option<&File> {
        self.message(direction).file(index)
    }

    fn events(&self) -> &[AppEvent] {
        self.events.all()
    }

    fn has_event(&self, protocol: ProtocolId, event: AppEvent) -> bool {
        if protocol != dns_protocol() {
            return self.events().contains(&event);
        }
        self.messages.iter().any(|message| {
            let carried = message.dns.message();
            carried.is_some_and(|carried| carried.events().contains(&event))
        })
    }

    fn describe(&self, fields: &mut dyn Fields) {
        record::describe(self, fields);
    }
}

/// What comes of its messages.
impl Http2Transaction {
    /// All fields of a message, or of its trailers, are there. `decodes`: its body may be decoded.
    pub(super) fn end_of_fields(
        &mut self,
        direction: FlowDirection,
        (files, limits): (&FileService, &Limits),
        decodes: bool,
    ) {
        let number = (self.id, direction);
        let [request, response] = &mut self.messages;
        let events = &mut self.events;
        match direction {
            ToServer if request.progress < HEADERS => {
                request.read_request(events);
                request.find_dns(number);
                request.open_request((files, limits), decodes, events);
            }
            ToClient if response.progress < HEADERS => {
                response.read_response();
                let path = request.path.of_buffer(&request.uri);
                response.open_response(path, (files, limits), decodes, events);
            }
            ToServer => request.read_trailers(),
            ToClient => response.read_trailers(),
        }
    }

    /// Forgets the fields of an interim response, if they are one's: another follows.
    pub(super) fn drop_interim(&mut self) -> bool {
        let response = &mut self.messages[ToClient.index()];
        let status = response.head.first(b":status").unwrap_or_default();
        let interim = response.progress < HEADERS && status.len() == 3 && status.starts_with(b"1");
        if interim {
            response.head.clear();
        }
        interim
    }

    /// Takes content.
    pub(super) fn push(&mut self, direction: FlowDirection, bytes: &[u8]) {
        self.messages[direction.index()].push(bytes, &mut self.events);
        self.check_dns(direction);
    }

    /// The sender of a message says that it is over.
    pub(super) fn finish(&mut self, direction: FlowDirection) {
        let message = &mut self.messages[direction.index()];
        message.finish(true);
        message.dns.read((self.id, direction));
        self.check_dns(direction);
    }

    fn check_dns(&mut self, direction: FlowDirection) {
        let event = match direction {
            ToServer => Event::DnsRequestTooLong,
            ToClient => Event::DnsResponseTooLong,
        };
        if self.message(direction).dns.is_too_long() {
            self.events.raise(event as u8);
        }
    }

    /// Some message carries DNS.
    pub(super) fn carries_dns(&self) -> bool {
        self.messages
            .iter()
            .any(|message| message.dns.is_expected())
    }

    /// What is fresh in the bodies of a direction has been inspected.
    pub(super) fn inspected(&mut self, direction: FlowDirection, tail: usize) {
        self.messages[direction.index()].inspected(tail);
    }

    /// Marks a direction of which nothing will be told.
    pub(super) fn skip(&mut self, direction: FlowDirection) {
        self.messages[direction.index()].progress = COMPLETE;
    }
}
