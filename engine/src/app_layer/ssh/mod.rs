//! SSH (RFC 4253): the banners and the key exchange that both sides open with; what follows is
//! encrypted.
//!
//! The whole flow is one transaction. HASSH is the MD5 of the algorithms a side offers, in its order.

mod hassh;
mod parser;
mod side;

use crate::app_layer::{
    BufferShape, BufferSpec, Limits, Parser, Probe, Progress, Protocol, Start, StateSpec,
    Transports,
};
use crate::event::FlowDirection::{self, ToClient, ToServer};

use parser::SshParser;

/// SSH.
pub(super) static SSH: Ssh = Ssh;

#[derive(Debug)]
pub(super) struct Ssh;

/// Bytes of a banner beyond which it is cut: RFC 4253 section 4.2 allows 255 with its line end.
const BANNER: usize = 255;

/// A part of the banner has come.
const BANNER_BEGUN: Progress = 1;
/// The banner is there as a whole.
const BANNER_DONE: Progress = 2;
/// The algorithms are there, or the side went on without naming them.
const FINISHED: Progress = 3;
/// Nothing more of the side can be read.
const ENCRYPTED: Progress = 4;

/// Anomalies, in the order of [`Protocol::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Event {
    InvalidBanner,
    LongBanner,
    InvalidRecord,
    LongKexRecord,
}

const EVENTS: &[&str] = &[
    "invalid_banner",
    "long_banner",
    "invalid_record",
    "long_kex_record",
];

const fn single(keyword: &'static str, direction: FlowDirection, progress: Progress) -> BufferSpec {
    BufferSpec {
        keyword,
        direction,
        progress,
        shape: BufferShape::Single,
    }
}

/// What a buffer of [`BUFFERS`] shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Proto,
    Software,
    Hassh,
    HasshString,
}

const BUFFERS: &[BufferSpec] = &[
    single("ssh.proto", ToServer, BANNER_DONE),
    single("ssh.proto", ToClient, BANNER_DONE),
    single("ssh.software", ToServer, BANNER_DONE),
    single("ssh.software", ToClient, BANNER_DONE),
    single("ssh.hassh", ToServer, FINISHED),
    single("ssh.hassh.string", ToServer, FINISHED),
    single("ssh.hassh.server", ToClient, FINISHED),
    single("ssh.hassh.server.string", ToClient, FINISHED),
];

/// What stands behind each of [`BUFFERS`].
const PARTS: [Part; 8] = [
    Part::Proto,
    Part::Proto,
    Part::Software,
    Part::Software,
    Part::Hassh,
    Part::HasshString,
    Part::Hassh,
    Part::HasshString,
];

/// Steps, by the names of Suricata 8.0 and by their successors.
const STEPS: &[StateSpec] = &[
    StateSpec::new("request_in_progress", ToServer, 0),
    StateSpec::new("request_banner_wait_eol", ToServer, BANNER_BEGUN),
    StateSpec::new("request_banner_done", ToServer, BANNER_DONE),
    StateSpec::new("request_finished", ToServer, FINISHED),
    StateSpec::new("request_banner", ToServer, 0),
    StateSpec::new("request_kex", ToServer, BANNER_DONE),
    StateSpec::new("request_session", ToServer, ENCRYPTED),
    StateSpec::new("response_in_progress", ToClient, 0),
    StateSpec::new("response_banner_wait_eol", ToClient, BANNER_BEGUN),
    StateSpec::new("response_banner_done", ToClient, BANNER_DONE),
    StateSpec::new("response_finished", ToClient, FINISHED),
    StateSpec::new("response_banner", ToClient, 0),
    StateSpec::new("response_kex", ToClient, BANNER_DONE),
    StateSpec::new("response_session", ToClient, ENCRYPTED),
];

impl Protocol for Ssh {
    fn name(&self) -> &'static str {
        "ssh"
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        BUFFERS
    }

    fn states(&self) -> &'static [StateSpec] {
        STEPS
    }

    fn events(&self) -> &'static [&'static str] {
        EVENTS
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        let seen = start.bytes.len().min(side::PREFIX.len());
        match (
            start.bytes[..seen] == side::PREFIX[..seen],
            seen == side::PREFIX.len(),
        ) {
            (true, true) => Probe::Yes,
            (true, false) => Probe::More,
            (false, _) => Probe::No,
        }
    }

    /// A server may send lines in front of its banner (RFC 4253 section 4.2).
    fn confirm(&self, start: &Start<'_>) -> Probe {
        match self.probe(start) {
            Probe::No if start.direction == ToClient => {
                let found = memchr::memmem::find(start.bytes, b"\nSSH-");
                found.map_or(Probe::More, |_| Probe::Yes)
            }
            answer => answer,
        }
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        ENCRYPTED
    }

    fn open(&self, _: &Limits) -> Box<dyn Parser> {
        Box::<SshParser>::default()
    }
}
