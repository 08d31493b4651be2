//! What the engine reports: borrowed records, handed to an [`Output`] while the frame is at hand.
//!
//! How they are written (EVE JSON) is not known here.

use std::net::IpAddr;

use weir_policies::rule::ast::{Action, Meta};

use crate::app_layer::{File, Transaction};
use crate::detect::{Excerpt, Remark, TargetEnd};
use crate::frame::{AttachmentId, FrameMeta, LinkType, Timestamp};
use crate::verdict::DropReason;

/// Receives what the engine reports and releases. One per worker; called on the worker's thread.
pub trait Output {
    /// A signature fired.
    fn alert(&mut self, alert: &Alert<'_>);
    /// A packet that a signature asked to record (`tag`), because it alerted on one before it.
    fn tagged(&mut self, packet: &TaggedPacket<'_>) {
        let _ = packet;
    }
    /// A frame was dropped (in detect mode: would have been). Called at most once per frame.
    fn drop(&mut self, drop: &Drop<'_>);
    /// A flow ended or timed out.
    fn flow(&mut self, flow: &FlowEnd<'_>);
    /// A transaction of the application layer is complete, or its flow ended before it was.
    fn transaction(&mut self, record: &TransactionRecord<'_>) {
        let _ = record;
    }
    /// A file that a transaction carried, behind the transaction's record.
    fn file(&mut self, record: &FileRecord<'_>) {
        let _ = record;
    }
    /// Something about a packet or a transaction is not as it should be.
    fn anomaly(&mut self, anomaly: &Anomaly<'_>) {
        let _ = anomaly;
    }
    /// A frame that the engine held ([`crate::verdict::Verdict::Held`]) is settled: deliver it.
    fn release(&mut self, frame: &[u8], meta: &FrameMeta);
    /// A datagram was put together from fragments: does its flow live with another worker?
    ///
    /// The kernel's fanout can only see the addresses of a fragment, so that the fragments of a flow may
    /// all reach one worker and the flow's other packets another. An output of several workers compares
    /// the datagram's owner (by addresses, protocol and ports) with itself, and where it is another,
    /// copies the datagram and its fragments into that worker's queue, whose engine judges it
    /// ([`process_datagram`](crate::pipeline::Engine::process_datagram)); that worker then delivers or
    /// drops the fragments.
    fn elsewhere(&mut self, datagram: &Datagram<'_>) -> Steering {
        let _ = datagram;
        Steering::Here
    }
}

/// Where a datagram is judged.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Steering {
    /// In this engine.
    Here,
    /// Elsewhere: the output has copied the datagram and its fragments and answers for them.
    Taken,
    /// Elsewhere, but its queue is full: the fragments are dropped
    /// ([`DropReason::FragmentMemcap`]).
    Full,
}

/// A datagram put together from fragments that are still held.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    /// The datagram as one raw IP frame: network header of its first fragment, lengths and checksum
    /// made whole.
    pub frame: &'a [u8],
    /// What came with the fragment that completed it, but raw IP.
    pub meta: &'a FrameMeta,
    /// Its ends, ports included.
    pub ends: Ends,
    /// Its fragments, the one that completed it last.
    pub fragments: &'a dyn HeldFrames,
}

/// Frames that the engine holds, each with what came with it.
pub trait HeldFrames {
    /// Calls `each` for every one, in the order of their arrival.
    fn for_each(&self, each: &mut dyn FnMut(&[u8], &FrameMeta));
}

/// The two ends of a packet or flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Source address.
    pub source: IpAddr,
    /// Source port, 0 where the protocol has none.
    pub source_port: u16,
    /// Destination address.
    pub destination: IpAddr,
    /// Destination port.
    pub destination_port: u16,
    /// IANA protocol number.
    pub protocol: u8,
    /// ICMP type and code, where the packet is ICMP.
    pub icmp: Option<(u8, u8)>,
}

impl Ends {
    /// The same, seen from the other side.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self {
            source: self.destination,
            source_port: self.destination_port,
            destination: self.source,
            destination_port: self.source_port,
            ..self
        }
    }
}

/// Direction within a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowDirection {
    /// From the side that opened the flow.
    ToServer,
    /// To the side that opened the flow.
    ToClient,
}

impl FlowDirection {
    /// Both, in the order of their indices.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    /// Index of what is kept for each direction: 0 to the server, 1 to the client.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The direction of the answers.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// A snapshot of the flow a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowSummary {
    /// EVE `flow_id`: stable for the flow, unique on the node in practice.
    pub id: u64,
    /// First packet.
    pub start: Timestamp,
    /// Latest packet.
    pub last: Timestamp,
    /// Client side of the flow as source, server side as destination.
    pub ends: Ends,
    /// Packets and bytes (frame lengths) to the server.
    pub to_server: Volume,
    /// Packets and bytes to the client.
    pub to_client: Volume,
}

/// Packets and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Volume {
    /// Packets; a GSO frame counts as the segments it stands for.
    pub packets: u64,
    /// Frame bytes.
    pub bytes: u64,
}

/// A signature fired.
#[derive(Clone, Copy, Debug)]
pub struct Alert<'a> {
    /// The frame that completed the match.
    pub frame: &'a FrameMeta,
    /// Ends of the packet, as on the wire.
    pub ends: Ends,
    /// VLAN ids, outermost first, 0 where there is none.
    pub vlan: [u16; 3],
    /// Direction of the packet within the flow.
    pub direction: Option<FlowDirection>,
    /// The flow.
    pub flow: Option<FlowSummary>,
    /// Identity of the signature.
    pub signature: &'a Meta,
    /// Resolved priority, 1 (highest) to 255.
    pub priority: u8,
    /// What the class means, from classification.config; empty where unknown.
    pub category: &'a str,
    /// What the signature asks for.
    pub action: Action,
    /// What befell the packet.
    pub disposition: Disposition,
    /// Payload that matched: packet payload, or the stream's bytes around the match.
    pub payload: &'a [u8],
    /// Application protocol of the flow, `None` while unknown.
    pub app_proto: Option<&'a str>,
    /// What the signature says beside itself.
    pub remarks: &'a [Remark],
    /// Variables that expressions captured of the flow, by this signature or earlier: names and values.
    pub flow_variables: &'a [(Excerpt, Excerpt)],
    /// Which end of the packet the signature sees as the target.
    pub target: Option<TargetEnd>,
    /// The transaction that matched, as far as it has come.
    pub transaction: Option<&'a dyn Transaction>,
}

/// A packet that is recorded.
#[derive(Clone, Copy, Debug)]
pub struct TaggedPacket<'a> {
    /// Its frame.
    pub frame: &'a FrameMeta,
    /// Its ends.
    pub ends: Ends,
    /// VLAN ids, outermost first, 0 where there is none.
    pub vlan: [u16; 3],
    /// The flow.
    pub flow: Option<FlowSummary>,
    /// The frame; of a packet in a tunnel, or put together from fragments, the packet from its IP header on.
    pub bytes: &'a [u8],
    /// How to read the first of them.
    pub link: LinkType,
}

/// Something that is not as it should be, whether or not a signature asks for it.
#[derive(Clone, Copy, Debug)]
pub struct Anomaly<'a> {
    /// When it was met.
    pub at: Timestamp,
    /// The frame it was met in; `None` for one of a transaction.
    pub frame: Option<&'a FrameMeta>,
    /// The packet's ends, or those of the transaction's flow; `None` where the frame has none.
    pub ends: Option<Ends>,
    /// The flow, where it belongs to one.
    pub flow: Option<FlowSummary>,
    /// Attachments whose interfaces the flow's frames crossed; default where only the frame is known.
    pub attachments: [AttachmentId; 2],
    /// What met it.
    pub kind: AnomalyKind,
    /// Name, as rules write it.
    pub event: &'a str,
}

/// What met an anomaly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnomalyKind {
    /// Decoding.
    Decode,
    /// TCP tracking.
    Stream,
    /// Recognition of the application protocol.
    Recognition,
    /// The parser of an application protocol, in one of its transactions.
    Parser {
        /// The protocol.
        app_proto: &'static str,
        /// Number of the transaction within the flow.
        transaction: u64,
    },
}

/// What befell the traffic that an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Delivered.
    Allowed,
    /// Dropped.
    Blocked,
    /// Delivered because the mode is detect; prevent would have dropped it.
    WouldDrop,
}

/// A frame that was dropped, or would have been.
#[derive(Clone, Copy, Debug)]
pub struct Drop<'a> {
    /// The frame.
    pub frame: &'a FrameMeta,
    /// Ends, where the frame could be decoded that far.
    pub ends: Option<Ends>,
    /// The flow it belongs to.
    pub flow: Option<FlowSummary>,
    /// Direction within the flow.
    pub direction: Option<FlowDirection>,
    /// Why.
    pub reason: DropReason,
    /// Name of the decode or stream event behind the reason, where there is one.
    pub detail: Option<&'static str>,
    /// The signature behind it, for [`DropReason::Rule`] and [`DropReason::FlowDropped`].
    pub signature: Option<&'a Meta>,
    /// False in detect mode: the frame was delivered.
    pub acted: bool,
}

/// A transaction of a flow, as records speak of it.
#[derive(Clone, Copy, Debug)]
pub struct TransactionContext<'a> {
    /// When the record is made.
    pub at: Timestamp,
    /// The flow.
    pub flow: FlowSummary,
    /// Attachments whose interfaces the flow's frames crossed.
    pub attachments: [AttachmentId; 2],
    /// Application protocol.
    pub app_proto: &'static str,
    /// The transaction.
    pub transaction: &'a dyn Transaction,
}

/// A transaction of the application layer.
#[derive(Clone, Copy, Debug)]
pub struct TransactionRecord<'a> {
    /// The transaction, and where it was.
    pub of: TransactionContext<'a>,
    /// A signature asked that the record hold what it leaves out otherwise
    /// ([`Transaction::describe_kept`]).
    pub keep: bool,
}

/// A file that a transaction carried.
#[derive(Clone, Copy, Debug)]
pub struct FileRecord<'a> {
    /// The transaction that carried it.
    pub of: TransactionContext<'a>,
    /// To whom.
    pub direction: FlowDirection,
    /// The file.
    pub file: &'a File,
    /// A signature asked that it be stored.
    pub store: bool,
    /// Sids of those that did; of very many not all.
    pub sids: &'a [u32],
}

/// The TCP part of a flow's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpEnd {
    /// Flags seen, of the client and of the server.
    pub flags: (u8, u8),
    /// State of the server by RFC 9293, in lower case: `syn_recv`, `established`, `close_wait`.
    pub state: &'static str,
}

/// A flow ended.
#[derive(Clone, Copy, Debug)]
pub struct FlowEnd<'a> {
    /// When the record is made.
    pub at: Timestamp,
    /// The flow.
    pub flow: FlowSummary,
    /// `new`, `established`, `closed` or `bypassed`.
    pub state: &'static str,
    /// `timeout`, `forced` or `shutdown`.
    pub reason: &'static str,
    /// What TCP made of it, where the flow is TCP.
    pub tcp: Option<TcpEnd>,
    /// Whether a signature alerted on it.
    pub alerted: bool,
    /// Whether its traffic was dropped.
    pub dropped: bool,
    /// Whether it was taken out of inspection.
    pub passed: bool,
    /// Whether it was taken out of tracking.
    pub bypassed: bool,
    /// The exception that it met and the policy that was applied, by their names.
    pub exception: Option<(&'static str, &'static str)>,
    /// Attachments whose interfaces its frames crossed.
    pub attachments: [AttachmentId; 2],
    /// Application protocol.
    pub app_proto: Option<&'a str>,
    /// Variables that expressions captured of it: names and values.
    pub variables: &'a [(Excerpt, Excerpt)],
}
