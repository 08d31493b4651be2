//! A connection that is fed by hand.

use crate::app_layer::http2::parser::Http2Parser;
use crate::app_layer::http2::{buffers::BUFFERS, buffers::NUMBERS, event::EVENTS};
use crate::app_layer::{Input, Limits, Parser, Status, Transaction, buffers};
use crate::event::FlowDirection;
use crate::frame::Timestamp;

/// A connection that is fed by hand.
pub(super) struct Fed {
    pub(super) parser: Http2Parser,
}

/// A frame.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Fields, none of them compressed.
pub(super) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| {
        let length = text.len();
        let mut out = match u8::try_from(length) {
            Ok(length) if length < 127 => vec![length],
            _ => vec![
                127,
                u8::try_from((length - 127) % 128).unwrap() | 128,
                u8::try_from((length - 127) / 128).unwrap(),
            ],
        };
        out.extend_from_slice(text.as_bytes());
        out
    };
    let field = |(name, value): &(&str, &str)| [vec![0], text(name), text(value)].concat();
    fields.iter().flat_map(field).collect()
}

/// HEADERS; `flags` beside that they are whole.
pub(super) fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, flags | 4, stream, &block(fields))
}

impl Fed {
    pub(super) fn new() -> Self {
        Self::with(&Limits::default())
    }

    pub(super) fn with(limits: &Limits) -> Self {
        Self {
            parser: Http2Parser::new(limits),
        }
    }

    pub(super) fn feed(&mut self, direction: FlowDirection, bytes: &[u8], eof: bool) -> Status {
        self.parser.parse(&Input {
            direction,
            bytes,
            eof,
            datagram: false,
            at: Timestamp(0),
        })
    }

    /// Feeds what must be taken as a whole.
    pub(super) fn send(&mut self, direction: FlowDirection, bytes: &[u8]) -> &mut Self {
        assert_eq!(self.feed(direction, bytes, false), Status::Continue);
        self
    }

    pub(super) fn transactions(&self) -> impl Iterator<Item = &dyn Transaction> {
        (0..self.parser.len()).filter_map(|index| self.parser.transaction(index))
    }

    /// What a buffer shows in each transaction.
    pub(super) fn shown(&self, keyword: &str, direction: FlowDirection) -> Vec<String> {
        let mut ids = buffers(keyword, Some(direction));
        let id = ids.find(|id| ["http2", "dns"].contains(&id.protocol().protocol().name()));
        let id = id.unwrap_or_else(|| panic!("{keyword} is no buffer"));
        let mut shown = Vec::new();
        for transaction in self.transactions() {
            let all = (0..).map_while(|index| transaction.buffer(id, index));
            shown.extend(all.map(|found| String::from_utf8_lossy(found.bytes).into_owned()));
        }
        shown
    }

    pub(super) fn numbers(&self, keyword: &str) -> Vec<u64> {
        self.transactions()
            .flat_map(|transaction| (0..).map_while(move |at| transaction.number(keyword, at)))
            .collect()
    }

    /// Names of the anomalies of all transactions.
    pub(super) fn events(&self) -> Vec<&'static str> {
        self.transactions()
            .flat_map(|transaction| transaction.events().to_vec())
            .map(|event| EVENTS[usize::from(event.0)])
            .collect()
    }

    /// Everything that rules can see.
    pub(super) fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for spec in BUFFERS {
            all.push(format!(
                "{} {:?}",
                spec.keyword,
                self.shown(spec.keyword, spec.direction)
            ));
        }
        for spec in NUMBERS {
            all.push(format!("{} {:?}", spec.keyword, self.numbers(spec.keyword)));
        }
        for transaction in self.transactions() {
            let progress = FlowDirection::BOTH.map(|side| transaction.progress(side));
            let mut events = transaction.events().to_vec();
            events.sort();
            all.push(format!("{progress:?} {events:?}"));
        }
        all
    }
}
