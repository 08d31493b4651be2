//! What a packet brings to the application layer, and where its parsers come from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::event::FlowDirection;
use crate::frame::Timestamp;

use super::{
    Expectations, FileMemory, FileNeeds, FileService, Limits, PROTOCOLS, Parser, ProtocolId,
};

/// A contiguous piece of one direction of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct Window<'a> {
    /// Where it starts, counted from the start of the stream (or its pick-up).
    pub offset: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// The ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Who opened it.
    pub client: SocketAddr,
    /// The other.
    pub server: SocketAddr,
}

/// What a packet brought to the application layer.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    /// Who sent it.
    pub direction: FlowDirection,
    /// A datagram's payload, or a window of the stream that ends with the fresh bytes.
    pub window: Window<'a>,
    /// Index in the window of the first fresh byte; 0 for a datagram.
    pub fresh_from: usize,
    /// What is at hand of the other direction: recognition by one direction makes both readable.
    pub other: Window<'a>,
    /// This direction has ended.
    pub eof: bool,
    /// The window is one datagram, whole.
    pub datagram: bool,
    /// The stream was seen from its beginning.
    pub from_start: bool,
    /// The flow's ends.
    pub peers: Peers,
    /// When.
    pub at: Timestamp,
}

/// Idle parsers by protocol. One per worker.
#[derive(Debug)]
pub struct ParserPool {
    pub(super) limits: Limits,
    pub(super) files: FileService,
    settings: FileNeeds,
    idle: Vec<Vec<Box<dyn Parser>>>,
    pub(super) expectations: Arc<Expectations>,
    /// Connections that are no longer expected because others are.
    pub(super) crowded_out: u64,
}

impl ParserPool {
    /// Connections that others had agreed on and that are no longer expected, for want of room.
    #[must_use]
    pub fn crowded_out(&self) -> u64 {
        self.crowded_out
    }

    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            settings: FileNeeds::default(),
            files: FileService {
                needs: FileNeeds::default(),
                memory: FileMemory::new(limits.kept_files, limits.kept_file),
            },
            idle: PROTOCOLS.iter().map(|_| Vec::new()).collect(),
            expectations: Arc::default(),
            crowded_out: 0,
        }
    }

    /// With the table of expected connections that several pools share.
    pub fn share(&mut self, expectations: Arc<Expectations>) {
        self.expectations = expectations;
    }

    /// With what is wanted of files whatever the rules want, and whether files may be stored.
    #[must_use]
    pub fn with_files(self, settings: FileNeeds) -> Self {
        Self { settings, ..self }
    }

    /// Says what the rules for the flow at hand want of files.
    pub fn want_files(&mut self, rules: FileNeeds) {
        self.files.needs = rules.within(self.settings);
    }

    pub(super) fn open(&mut self, protocol: ProtocolId) -> Box<dyn Parser> {
        let idle = self.idle.get_mut(usize::from(protocol.0));
        idle.and_then(Vec::pop)
            .unwrap_or_else(|| protocol.protocol().open(&self.limits))
    }

    pub(super) fn close(&mut self, protocol: ProtocolId, mut parser: Box<dyn Parser>) {
        if let Some(idle) = self.idle.get_mut(usize::from(protocol.0))
            && idle.len() < self.limits.pooled
        {
            parser.reset();
            idle.push(parser);
        }
    }
}

impl Peers {
    /// Ends of which only the server's port is known.
    #[must_use]
    pub fn of_port(server_port: u16) -> Self {
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            client: SocketAddr::new(unknown, 0),
            server: SocketAddr::new(unknown, server_port),
        }
    }
}

impl Window<'_> {
    /// The part from `offset` on, if all of it is here.
    pub(super) fn from(&self, offset: u64) -> Option<Self> {
        let skip = usize::try_from(offset.checked_sub(self.offset)?).ok()?;
        Some(Self {
            offset,
            bytes: self.bytes.get(skip..)?,
        })
    }

    pub(super) fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}
