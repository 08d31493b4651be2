//! DNS (RFC 1035), over UDP and TCP, and its multicast relatives mDNS (RFC 6762) and LLMNR (RFC 4795).
//!
//! A message is a transaction of its own: requests and responses are not paired, since either may come
//! without the other. The three protocols share the format and are told apart by the server's port.

mod message;
mod parser;
mod record;

use crate::app_layer::{
    BufferShape, BufferSpec, Limits, NumberSpec, Parser, Probe, Progress, Protocol, Start,
    Transports,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use message::Header;
pub(in crate::app_layer) use parser::DnsTransaction;

use parser::DnsParser;

/// DNS.
pub(super) static DNS: Dns = Dns(Flavour::Unicast);
/// mDNS.
pub(super) static MDNS: Dns = Dns(Flavour::Multicast);
/// LLMNR.
pub(super) static LLMNR: Dns = Dns(Flavour::LinkLocal);

/// One of the three protocols.
#[derive(Debug)]
pub(super) struct Dns(Flavour);

/// Which of the protocols that share the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    Unicast,
    Multicast,
    LinkLocal,
}

/// Progress of a transaction: a message is there as a whole.
const WHOLE: Progress = 1;

/// Anomalies, in the order of [`Protocol::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Event {
    MalformedData,
    NotRequest,
    NotResponse,
    ZFlagSet,
    InvalidOpcode,
    NameTooLong,
    InfiniteLoop,
    TooManyLabels,
    InvalidAdditionals,
    InvalidAuthorities,
    TooManyRecords,
}

/// Names of [`Event`]. The last is weir's own: more records than are kept.
const EVENTS: &[&str] = &[
    "malformed_data",
    "not_request",
    "not_response",
    "z_flag_set",
    "invalid_opcode",
    "name_too_long",
    "infinite_loop",
    "too_many_labels",
    "invalid_additionals",
    "invalid_authorities",
    "too_many_records",
];

/// The names of a message that a buffer looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    Queries,
    Answers,
    Authorities,
    Additionals,
    /// Every name of a response, those in record data included.
    All,
}

/// What stands behind each buffer of each flavour, in the order of [`Protocol::buffers`].
const NAMES: [Names; 14] = [
    Names::Queries,
    Names::Queries,
    Names::Answers,
    Names::Answers,
    Names::Authorities,
    Names::Authorities,
    Names::Additionals,
    Names::Additionals,
    Names::All,
    Names::Queries,
    Names::Queries,
    Names::Queries,
    Names::Answers,
    Names::Answers,
];

const fn names(keyword: &'static str, direction: FlowDirection) -> BufferSpec {
    BufferSpec {
        keyword,
        direction,
        progress: WHOLE,
        shape: BufferShape::Multiple,
    }
}

const UNICAST: &[BufferSpec] = &[
    names("dns.queries.rrname", ToServer),
    names("dns.queries.rrname", ToClient),
    names("dns.answers.rrname", ToServer),
    names("dns.answers.rrname", ToClient),
    names("dns.authorities.rrname", ToServer),
    names("dns.authorities.rrname", ToClient),
    names("dns.additionals.rrname", ToServer),
    names("dns.additionals.rrname", ToClient),
    names("dns.response.rrname", ToClient),
    names("dns.query", ToServer),
    names("dns.query.name", ToServer),
    names("dns.query.name", ToClient),
    names("dns.answer.name", ToServer),
    names("dns.answer.name", ToClient),
];

const MULTICAST: &[BufferSpec] = &[
    names("mdns.queries.rrname", ToServer),
    names("mdns.queries.rrname", ToClient),
    names("mdns.answers.rrname", ToServer),
    names("mdns.answers.rrname", ToClient),
    names("mdns.authorities.rrname", ToServer),
    names("mdns.authorities.rrname", ToClient),
    names("mdns.additionals.rrname", ToServer),
    names("mdns.additionals.rrname", ToClient),
    names("mdns.response.rrname", ToClient),
];

const LINK_LOCAL: &[BufferSpec] = &[
    names("llmnr.queries.rrname", ToServer),
    names("llmnr.queries.rrname", ToClient),
    names("llmnr.answers.rrname", ToServer),
    names("llmnr.answers.rrname", ToClient),
    names("llmnr.authorities.rrname", ToServer),
    names("llmnr.authorities.rrname", ToClient),
    names("llmnr.additionals.rrname", ToServer),
    names("llmnr.additionals.rrname", ToClient),
    names("llmnr.response.rrname", ToClient),
];

const fn number(keyword: &'static str, names: &'static [(&'static str, u64)]) -> NumberSpec {
    NumberSpec {
        keyword,
        direction: None,
        progress: WHOLE,
        names,
    }
}

const NUMBERS: &[NumberSpec] = &[
    number("dns.opcode", &[]),
    number("dns.rcode", record::RCODES),
    number("dns.rrtype", record::TYPES),
];

impl Protocol for Dns {
    fn name(&self) -> &'static str {
        match self.0 {
            Flavour::Unicast => "dns",
            Flavour::Multicast => "mdns",
            Flavour::LinkLocal => "llmnr",
        }
    }

    fn transports(&self) -> Transports {
        match self.0 {
            Flavour::Multicast => Transports::Udp,
            Flavour::Unicast | Flavour::LinkLocal => Transports::Both,
        }
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        match self.0 {
            Flavour::Unicast => UNICAST,
            Flavour::Multicast => MULTICAST,
            Flavour::LinkLocal => LINK_LOCAL,
        }
    }

    fn numbers(&self) -> &'static [NumberSpec] {
        match self.0 {
            Flavour::Unicast => NUMBERS,
            Flavour::Multicast | Flavour::LinkLocal => &[],
        }
    }

    fn events(&self) -> &'static [&'static str] {
        EVENTS
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        let flavour = match start.server_port {
            5353 => Flavour::Multicast,
            5355 => Flavour::LinkLocal,
            _ => Flavour::Unicast,
        };
        if flavour != self.0 {
            return Probe::No;
        }
        if start.datagram {
            return if Header::plausible(start.bytes) {
                Probe::Yes
            } else {
                Probe::No
            };
        }
        probe_stream(start.bytes)
    }

    fn opens(&self) -> Option<FlowDirection> {
        Some(ToServer)
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        WHOLE
    }

    fn open(&self, limits: &Limits) -> Box<dyn Parser> {
        Box::new(DnsParser::new(self.0, limits))
    }
}

/// Whether bytes read as a message: used where nothing else says that they are one.
pub(in crate::app_layer) fn is_plausible(message: &[u8]) -> bool {
    Header::plausible(message)
}

/// DNS over TCP: a length, then a message whose first question must be there to tell.
fn probe_stream(bytes: &[u8]) -> Probe {
    let Some((length, message)) = bytes.split_first_chunk::<2>() else {
        return Probe::More;
    };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < Header::LENGTH + 5 {
        return Probe::No;
    }
    let whole = message.len() >= length;
    let message = &message[..message.len().min(length)];
    match (whole, Header::plausible_start(message)) {
        (true, _) if Header::plausible(message) => Probe::Yes,
        (false, true) => Probe::More,
        _ => Probe::No,
    }
}
