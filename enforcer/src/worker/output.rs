//! Where a worker's engine reports and releases to.

use std::sync::Arc;

use weir_engine::event::{
    Alert, Anomaly, Datagram, Drop, FileRecord, FlowEnd, Output, Steering, TaggedPacket,
    TransactionRecord,
};
use weir_engine::frame::{ChecksumState, FrameMeta, LinkType, WireDirection};
use weir_engine::verdict::RejectSides;

use super::counters::WorkerCounters;
use super::handover;
use crate::capture::batch::{Destination, FrameBatch};
use crate::capture::socket::{InjectError, InjectSocket};
use crate::capture::steering;
use crate::capture::vnet::VnetHeader;
use crate::events::eve::EveFormatter;
use crate::events::file_store::{FileSink, StoredFile};
use crate::events::queue::EventSink;
use crate::reject::allowance::Allowance;
use crate::reject::{self, Side};
use crate::settle;
use crate::view::View;

/// Longest answer to a rejected packet: link and IP headers and an ICMP message with its quote.
const ANSWER: usize = 512;

/// One worker's events, injection and ways to the others.
pub(super) struct WorkerOutput {
    pub(super) view: Arc<View>,
    pub(super) sink: EventSink,
    pub(super) counters: WorkerCounters,
    /// Length of the frame that the engine judges.
    pub(super) frame_len: usize,
    formatter: EveFormatter,
    files: FileSink,
    inject: InjectSocket,
    others: Vec<handover::Sender>,
    index: usize,
    answer: Vec<u8>,
    allowance: Allowance,
}

/// What makes an output.
pub(super) struct OutputParts {
    /// Index of the worker.
    pub index: usize,
    /// First view.
    pub view: Arc<View>,
    /// Events.
    pub sink: EventSink,
    /// Their form.
    pub formatter: EveFormatter,
    /// The way to the store of files.
    pub files: FileSink,
    /// The way back into the kernel.
    pub inject: InjectSocket,
    /// Answers to rejected packets.
    pub allowance: Allowance,
    /// The way to each worker, this one included.
    pub others: Vec<handover::Sender>,
}

/// Where a frame goes when it is delivered.
pub(super) fn destination(meta: &FrameMeta) -> Destination {
    let ifindex = meta.attachment.0;
    match meta.direction {
        WireDirection::FromPod => Destination::Host { ifindex },
        WireDirection::ToPod => Destination::Pod { ifindex },
    }
}

impl WorkerOutput {
    /// An output with all its memory in place.
    #[must_use]
    pub(super) fn new(parts: OutputParts) -> Self {
        Self {
            view: parts.view,
            sink: parts.sink,
            counters: WorkerCounters::default(),
            frame_len: 0,
            formatter: parts.formatter,
            files: parts.files,
            inject: parts.inject,
            others: parts.others,
            index: parts.index,
            answer: Vec::with_capacity(ANSWER),
            allowance: parts.allowance,
        }
    }

    /// Sends on what the batch delivers, and its events.
    pub(super) fn finish_batch(&mut self, batch: &mut FrameBatch) {
        self.counters.unsettled += batch.unsettled() as u64;
        let (to_pod, to_host) = batch.delivery_counts();
        let counters = &mut self.counters;
        counters.to_pod += to_pod;
        counters.to_host += to_host;
        self.inject.flush(batch, |to, error| {
            counters.failed(error);
            match to {
                Destination::Pod { .. } => counters.to_pod -= 1,
                Destination::Host { .. } => counters.to_host -= 1,
            }
        });
        self.sink.flush();
    }

    /// Tells the sides of a reject. The frame is the one that was rejected.
    pub(super) fn reject(&mut self, frame: &[u8], meta: &FrameMeta, sides: RejectSides) {
        let packet = match weir_engine::decode::decode(frame, LinkType::Ethernet) {
            Ok(packet) => packet,
            Err(error) => error.packet,
        };
        let wanted = [
            (sides.source, Side::Source),
            (sides.destination, Side::Destination),
        ];
        for (_, side) in wanted.into_iter().filter(|(wanted, _)| *wanted) {
            if !reject::answer(&packet, side, &mut self.answer) {
                continue;
            }
            if !self.allowance.take(meta.at) {
                self.counters.reject_suppressed += 1;
                continue;
            }
            let permit = settle::reject_answer(&sides);
            let to = answer_destination(meta, side);
            match self
                .inject
                .send(permit, VnetHeader::PLAIN, &self.answer, to)
            {
                Ok(()) => self.counters.reject_answers += 1,
                Err(error) => self.counters.failed(error),
            }
        }
    }

    /// Delivers a frame that the engine or another worker's engine has let go.
    pub(super) fn deliver_released(&mut self, frame: &[u8], meta: &FrameMeta) {
        // Fragments are never super-packets and their checksums are final: the kernel completes them
        // before it fragments. What is neither cannot be sent on right.
        let result = if meta.gso_size.is_none() && meta.checksum == ChecksumState::Final {
            let permit = settle::released();
            self.inject
                .send(permit, VnetHeader::PLAIN, frame, destination(meta))
        } else {
            Err(InjectError::Invalid)
        };
        match result {
            Ok(()) => self.counters.released += 1,
            Err(error) => self.counters.failed(error),
        }
    }
}

/// The sender of a frame from the pod is the pod; the sender of one to the pod is beyond the host.
fn answer_destination(meta: &FrameMeta, side: Side) -> Destination {
    let ifindex = meta.attachment.0;
    match (meta.direction, side) {
        (WireDirection::FromPod, Side::Source) | (WireDirection::ToPod, Side::Destination) => {
            Destination::Pod { ifindex }
        }
        (WireDirection::FromPod, Side::Destination) | (WireDirection::ToPod, Side::Source) => {
            Destination::Host { ifindex }
        }
    }
}

impl Output for WorkerOutput {
    fn alert(&mut self, alert: &Alert<'_>) {
        let (formatter, pods) = (&self.formatter, &*self.view.attachments);
        self.sink.line(|line| formatter.alert(alert, pods, line));
    }

    fn tagged(&mut self, packet: &TaggedPacket<'_>) {
        let (formatter, pods) = (&self.formatter, &*self.view.attachments);
        self.sink.line(|line| formatter.tagged(packet, pods, line));
    }

    fn drop(&mut self, drop: &Drop<'_>) {
        let (formatter, pods) = (&self.formatter, &*self.view.attachments);
        let len = Some(self.frame_len);
        self.sink.line(|line| formatter.drop(drop, len, pods, line));
    }

    fn flow(&mut self, flow: &FlowEnd<'_>) {
        let (formatter, pods) = (&self.formatter, &*self.view.attachments);
        self.sink.line(|line| formatter.flow(flow, pods, line));
    }

    fn transaction(&mut self, record: &TransactionRecord<'_>) {
        let (formatter, pods) = (&self.formatter, &*self.view.attachments);
        self.sink
            .line(|line| formatter.transaction(record, pods, line));
    }

    fn anomaly(&mut self, anomaly: &Anomaly<'_>) {
        let (formatter, pods) = (&self.formatter, &*self.view.attachments);
        self.sink
            .line(|line| formatter.anomaly(anomaly, pods, line));
    }

    fn file(&mut self, record: &FileRecord<'_>) {
        let (formatter, pods) = (&self.formatter, &*self.view.attachments);
        let wanted = record.store && self.files.is_on();
        let kept = record.file.kept().filter(|_| wanted);
        let stored = kept.is_some();
        self.sink
            .line(|line| formatter.file(record, stored, pods, line));
        if let Some((bytes, _)) = kept {
            let make = || StoredFile::new(formatter, record, bytes, pods);
            self.files.store(bytes.len(), make);
        }
    }

    fn release(&mut self, frame: &[u8], meta: &FrameMeta) {
        self.deliver_released(frame, meta);
    }

    fn elsewhere(&mut self, datagram: &Datagram<'_>) -> Steering {
        let owner = steering::worker_of_ends(&datagram.ends, self.others.len());
        if owner == self.index {
            return Steering::Here;
        }
        let Some(other) = self.others.get(owner) else {
            return Steering::Here;
        };
        let steering = other.send(datagram);
        match steering {
            Steering::Taken => self.counters.handed_over += 1,
            Steering::Full => self.counters.handover_full += 1,
            Steering::Here => {}
        }
        steering
    }
}
