//! One flow: who opened it, how much it carried, what detection and TCP tracking remember of it.

use crate::app_layer::AppFlow;
use crate::detect::FlowState;
use crate::event::{Ends, FlowDirection, FlowEnd, FlowSummary, TcpEnd, Volume};
use crate::frame::{AttachmentId, FrameMeta, Mode, RuleSetId, Timestamp};
use crate::stream::Tcp;
use crate::verdict::DropReason;

use super::key::{FlowKey, Side};

/// How far a flow has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Phase {
    /// TCP: handshake not complete. Others: one side seen.
    #[default]
    New,
    /// TCP: handshake complete or picked up midstream. Others: both sides seen.
    Established,
    /// TCP: ended by FIN of both sides or RST.
    Closed,
}

impl Phase {
    /// EVE `flow.state`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "established",
            Self::Closed => "closed",
        }
    }
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Silence.
    Timeout,
    /// It gave way to a new flow: a new connection of the same ports, or any for want of room.
    Forced,
    /// The engine ended.
    Shutdown,
}

impl EndReason {
    /// EVE `flow.reason`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Forced => "forced",
            Self::Shutdown => "shutdown",
        }
    }
}

/// A flow in the table.
#[derive(Debug)]
pub struct Flow {
    /// EVE `flow_id`.
    pub id: u64,
    key: FlowKey,
    /// The end that opened it.
    pub client: Side,
    start: Timestamp,
    last: Timestamp,
    volumes: [Volume; 2],
    icmp: Option<(u8, u8)>,
    attachments: [AttachmentId; 2],
    policy: (Mode, RuleSetId),
    /// How far it has come.
    pub phase: Phase,
    /// A signature alerted on it.
    pub alerted: bool,
    /// Frames of it were dropped.
    pub dropped: bool,
    /// Why an exception policy dropped the rest of it.
    pub given_up: Option<DropReason>,
    /// The exception that it met, and the policy that was applied, by their names.
    pub exception: Option<(&'static str, &'static str)>,
    /// An exception policy took it out of tracking.
    pub bypassed: bool,
    /// What detection remembers.
    pub detect: FlowState,
    /// TCP tracking.
    pub tcp: Tcp,
    /// Application protocol.
    pub app: AppFlow,
}

impl Flow {
    pub(super) fn new(key: FlowKey) -> Self {
        Self {
            id: 0,
            key,
            client: Side::Low,
            start: Timestamp::default(),
            last: Timestamp::default(),
            volumes: [Volume::default(); 2],
            icmp: None,
            attachments: [AttachmentId::default(); 2],
            policy: Default::default(),
            phase: Phase::New,
            alerted: false,
            dropped: false,
            given_up: None,
            exception: None,
            bypassed: false,
            detect: FlowState::default(),
            tcp: Tcp::default(),
            app: AppFlow::default(),
        }
    }

    /// Makes the slot's flow a new one; memory that detection holds is kept for it.
    pub(super) fn restart(&mut self, id: u64, key: FlowKey, client: Side, at: Timestamp) {
        self.id = id;
        self.key = key;
        self.client = client;
        self.start = at;
        self.last = at;
        self.volumes = [Volume::default(); 2];
        self.icmp = None;
        self.attachments = [AttachmentId::default(); 2];
        self.phase = Phase::New;
        self.alerted = false;
        self.dropped = false;
        self.given_up = None;
        self.exception = None;
        self.bypassed = false;
        self.detect.clear();
        self.tcp = Tcp::default();
        self.app = AppFlow::default();
    }

    /// Identity.
    #[must_use]
    pub fn key(&self) -> &FlowKey {
        &self.key
    }

    /// When its latest packet came.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.last
    }

    /// When its first packet came.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Packets and bytes to the server, to the client.
    #[must_use]
    pub fn volumes(&self) -> [Volume; 2] {
        self.volumes
    }

    /// Counts a packet in. `segments` is the number of wire packets it stands for.
    pub fn count(&mut self, direction: FlowDirection, segments: u64, bytes: u64, meta: &FrameMeta) {
        self.last = self.last.max(meta.at);
        let volume = &mut self.volumes[direction.index()];
        volume.packets += segments;
        volume.bytes += bytes;
        self.attachments[direction.index()] = meta.attachment;
        self.policy = (meta.mode, meta.rules);
    }

    /// Remembers type and code of an ICMP flow's first packet.
    pub fn set_icmp(&mut self, icmp: Option<(u8, u8)>) {
        self.icmp = icmp;
    }

    /// True when packets of both sides were seen.
    #[must_use]
    pub fn both_sides_seen(&self) -> bool {
        self.volumes.iter().all(|volume| volume.packets > 0)
    }

    /// The record of it that events carry.
    #[must_use]
    pub fn summary(&self) -> FlowSummary {
        let client = self.key.endpoint(self.client);
        let server = self.key.endpoint(self.client.other());
        let ports = self.icmp.is_none();
        FlowSummary {
            id: self.id,
            start: self.start,
            last: self.last,
            ends: Ends {
                source: client.address,
                source_port: if ports { client.port } else { 0 },
                destination: server.address,
                destination_port: if ports { server.port } else { 0 },
                protocol: self.key.protocol(),
                icmp: self.icmp,
            },
            to_server: self.volumes[0],
            to_client: self.volumes[1],
        }
    }

    /// Attachments whose interfaces its frames crossed, to the server and to the client.
    #[must_use]
    pub fn attachments(&self) -> [AttachmentId; 2] {
        self.attachments
    }

    /// How its latest frame was judged, and by which rules.
    #[must_use]
    pub fn policy(&self) -> (Mode, RuleSetId) {
        self.policy
    }

    /// The record of its end.
    #[must_use]
    pub fn end(&self, at: Timestamp, reason: EndReason) -> FlowEnd<'static> {
        FlowEnd {
            at,
            flow: self.summary(),
            state: if self.bypassed {
                "bypassed"
            } else {
                self.phase.name()
            },
            reason: reason.name(),
            tcp: (self.key.protocol() == 6).then(|| TcpEnd {
                flags: self.tcp.flags_seen(),
                state: self.tcp.state_name(),
            }),
            alerted: self.alerted,
            dropped: self.dropped,
            passed: self.detect.passed(),
            bypassed: self.bypassed,
            exception: self.exception,
            attachments: self.attachments,
            app_proto: self.app.view().name(),
            variables: &[],
        }
    }
}
