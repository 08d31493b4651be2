//! Every bound that an operator can set, with its default.

use serde::Deserialize;

/// Bounds on the enforcer's queues and buffers. Each one that is hit is counted (`weir status`).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of kernel memory per worker for frames that wait for it (`SO_RCVBUFFORCE`).
    pub socket_buffer: u32,
    /// Frames taken, judged and sent on per system call, 1 to 256.
    pub batch: u16,
    /// Microseconds that an idle worker looks for the next frame before it sleeps. 0: it sleeps at
    /// once, which costs latency; above, it costs CPU time of others.
    pub spin: u32,
    /// Flows that one worker follows at once. Its table is reserved at start.
    pub flows: u32,
    /// Bytes that one worker keeps of TCP streams at most: what is not yet acknowledged or came out of
    /// order, and the window that signatures match over.
    pub stream_memory: u64,
    /// Resets and ICMP messages that one worker sends for rejects at most, per second. Packets are dropped
    /// all the same.
    pub reject_answers: u32,
    /// Chunks of events (of at most 64 KiB each) that may wait for the writer.
    pub event_queue: u16,
    /// Alerts that one packet may raise; the weightiest are kept, the others counted (`detect.alerts_suppressed`). 1 to
    /// 255. Suricata's `packet-alert-max`.
    pub packet_alerts: u8,
    /// Combinations of rule sets that are compiled at most, 2 to 255. Frames that would need another have the rules
    /// of all sets.
    pub rule_combinations: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            socket_buffer: 64 << 20,
            batch: 32,
            spin: 0,
            flows: 65_536,
            stream_memory: 256 << 20,
            reject_answers: 1000,
            event_queue: 256,
            packet_alerts: 15,
            rule_combinations: 64,
        }
    }
}

impl Limits {
    /// What is wrong with the values, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        if !(1..=256).contains(&self.batch) {
            return Some(format!(
                "limits.batch is {}: allowed are 1 to 256",
                self.batch
            ));
        }
        if self.spin > 10_000 {
            return Some(format!(
                "limits.spin is {} microseconds: allowed are 0 to 10000",
                self.spin
            ));
        }
        if self.event_queue == 0 {
            return Some("limits.eventQueue is 0: at least 1 is needed".to_owned());
        }
        if self.packet_alerts == 0 {
            return Some("limits.packetAlerts is 0: at least 1 is needed".to_owned());
        }
        if self.rule_combinations < 2 {
            return Some(format!(
                "limits.ruleCombinations is {}: allowed are 2 to 255",
                self.rule_combinations
            ));
        }
        if !(16..=16 << 20).contains(&self.flows) {
            return Some(format!(
                "limits.flows is {}: allowed are 16 to 16777216",
                self.flows
            ));
        }
        if self.stream_memory < 1 << 20 {
            return Some(format!(
                "limits.streamMemory is {} bytes: at least 1048576 are needed",
                self.stream_memory
            ));
        }
        if self.socket_buffer < 1 << 20 {
            return Some(format!(
                "limits.socketBuffer is {} bytes: at least 1048576 are needed, a frame has up to 65553",
                self.socket_buffer
            ));
        }
        None
    }
}
