//! What can be odd about a TCP segment: a closed list, each with the name that `stream-event` rules
//! use.

macro_rules! stream_events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)+) => {
        /// A deviation from TCP, or something about a stream that rules may ask for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum StreamEvent {
            $($(#[$doc])* $variant,)+
        }

        impl StreamEvent {
            /// Every event, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Full name, as rules write it with its prefix: `stream.pkt_invalid_ack`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("stream.", $name),)+
                }
            }
        }
    };
}

stream_events! {
    /// An ACK of the handshake by the side whose turn it is not.
    HandshakeAckWrongDirection = "3whs_ack_in_wrong_dir";
    /// First segment of a one-sided handshake with another sequence number than the SYN said.
    HandshakeAsyncWrongSequence = "3whs_async_wrong_seq";
    /// Right sequence number, wrong acknowledgement: meant to desynchronise an inspector.
    HandshakeWrongAckEvasion = "3whs_right_seq_wrong_ack_evasion";
    /// A SYN-ACK from the client.
    SynAckWrongDirection = "3whs_synack_in_wrong_direction";
    /// A second SYN-ACK that acknowledges something else.
    SynAckResendDifferentAck = "3whs_synack_resend_with_different_ack";
    /// A second SYN-ACK with another sequence number.
    SynAckResendDifferentSequence = "3whs_synack_resend_with_diff_seq";
    /// A SYN-ACK from the client behind the server's.
    SynAckToServer = "3whs_synack_toserver_on_syn_recv";
    /// A SYN-ACK that acknowledges no SYN that was sent.
    SynAckWrongAck = "3whs_synack_with_wrong_ack";
    /// More different SYN-ACKs than are followed.
    SynAckFlood = "3whs_synack_flood";
    /// More different SYNs than are followed.
    SynFlood = "3whs_syn_flood";
    /// The SYN carried data by TCP Fast Open and the SYN-ACK did not take it.
    FastOpenDataIgnored = "3whs_synack_tfo_data_ignored";
    /// A second SYN with another sequence number.
    SynResendDifferentSequence = "3whs_syn_resend_diff_seq_on_syn_recv";
    /// A SYN from the server while the handshake runs (split handshake, simultaneous open).
    SynToClient = "3whs_syn_toclient_on_syn_recv";
    /// Neither sequence number nor acknowledgement fit the handshake.
    HandshakeWrongSequenceWrongAck = "3whs_wrong_seq_wrong_ack";
    /// Data from the server before the client completed the handshake.
    HandshakeDataInjected = "3whs_ack_data_inject";
    /// Split handshake: the SYN-ACK acknowledges something else than the server's SYN.
    SplitSynAckWrongAck = "4whs_synack_with_wrong_ack";
    /// Split handshake: the SYN-ACK has another sequence number than the client's SYN.
    SplitSynAckWrongSyn = "4whs_synack_with_wrong_syn";
    /// Split handshake: another sequence number than the SYN said.
    SplitWrongSequence = "4whs_wrong_seq";
    /// Split handshake: an acknowledgement of something else than the SYN.
    SplitInvalidAck = "4whs_invalid_ack";
    /// A segment outside of the receiver's window.
    OutOfWindow = "est_packet_out_of_window";
    /// A retransmission of what was acknowledged.
    BeforeLastAck = "est_pkt_before_last_ack";
    /// A SYN again, after the handshake.
    SynResend = "est_syn_resend";
    /// A SYN with another sequence number, after the handshake.
    SynResendEstablished = "est_syn_resend_diff_seq";
    /// A SYN from the server, after the handshake.
    SynToClientEstablished = "est_syn_toclient";
    /// A SYN-ACK again, after the handshake.
    SynAckResend = "est_synack_resend";
    /// A SYN-ACK with another sequence number, after the handshake.
    SynAckResendEstablished = "est_synack_resend_with_diff_seq";
    /// A SYN-ACK that acknowledges something else, after the handshake.
    SynAckResendAckEstablished = "est_synack_resend_with_different_ack";
    /// A SYN-ACK from the client, after the handshake.
    SynAckToServerEstablished = "est_synack_toserver";
    /// An acknowledgement of what was never sent, in an established flow.
    EstablishedInvalidAck = "est_invalid_ack";
    /// The same with the first FIN.
    FinInvalidAck = "fin_invalid_ack";
    /// A FIN outside of the receiver's window.
    FinOutOfWindow = "fin_out_of_window";
    /// A FIN and no flow to which it could belong.
    FinNoSession = "fin_but_no_session";
    /// Out of place, and its receiver has closed, which nobody acknowledged.
    FinWait1WrongSequence = "fin1_ack_wrong_seq";
    /// The same with a FIN.
    FinWait1FinWrongSequence = "fin1_fin_wrong_seq";
    /// An acknowledgement of what was never sent, to one that has closed, which nobody acknowledged.
    FinWait1InvalidAck = "fin1_invalid_ack";
    /// Out of place, and its receiver has closed, which was acknowledged.
    FinWait2WrongSequence = "fin2_ack_wrong_seq";
    /// The same with a FIN.
    FinWait2FinWrongSequence = "fin2_fin_wrong_seq";
    /// An acknowledgement of what was never sent, to one that has closed, which was acknowledged.
    FinWait2InvalidAck = "fin2_invalid_ack";
    /// Out of place (also behind the FIN), and its sender has closed.
    CloseWaitOutOfWindow = "closewait_ack_out_of_window";
    /// The same with a FIN.
    CloseWaitFinOutOfWindow = "closewait_fin_out_of_window";
    /// An acknowledgement of what was never sent, by one that has closed.
    CloseWaitInvalidAck = "closewait_invalid_ack";
    /// A retransmission of what was acknowledged, by one that has closed.
    CloseWaitBeforeLastAck = "closewait_pkt_before_last_ack";
    /// Out of place, and both have closed at once.
    ClosingWrongSequence = "closing_ack_wrong_seq";
    /// An acknowledgement of what was never sent, and both have closed at once.
    ClosingInvalidAck = "closing_invalid_ack";
    /// Out of place, and its receiver has closed in answer.
    LastAckWrongSequence = "lastack_ack_wrong_seq";
    /// An acknowledgement of what was never sent, to one that has closed in answer.
    LastAckInvalidAck = "lastack_invalid_ack";
    /// FIN and SYN in one segment.
    FinSyn = "fin_syn";
    /// A RST and no flow to which it could belong.
    RstNoSession = "rst_but_no_session";
    /// A RST whose acknowledgement is of what was never sent, or whose sequence number is outside of
    /// the window.
    RstInvalid = "rst_invalid_ack";
    /// The flow lives on behind a RST: its receiver did not take it.
    RstInjected = "suspected_rst_inject";
    /// A SYN while the flow closes.
    SynResendClosing = "shutdown_syn_resend";
    /// An acknowledgement of what was never sent, behind the end of the flow.
    TimeWaitInvalidAck = "timewait_invalid_ack";
    /// A segment behind the end of the flow whose sequence number is not of it.
    TimeWaitWrongSequence = "timewait_ack_wrong_seq";
    /// An acknowledgement of what was never sent; comes with the event of the state.
    InvalidAck = "pkt_invalid_ack";
    /// An acknowledgement number without the ACK flag.
    BrokenAck = "pkt_broken_ack";
    /// A timestamp older than the last one (PAWS, RFC 7323).
    InvalidTimestamp = "pkt_invalid_timestamp";
    /// The receiver takes back window that it had offered.
    BadWindowUpdate = "pkt_bad_window_update";
    /// A retransmission of what was not yet acknowledged.
    Retransmission = "pkt_retransmission";
    /// A retransmission of what was acknowledged.
    SpuriousRetransmission = "pkt_spurious_retransmission";
    /// Bytes sent a second time, with another value.
    OverlapDifferentData = "reassembly_overlap_different_data";
    /// A segment in front of what reassembly still holds.
    BeforeBase = "reassembly_segment_before_base_seq";
    /// The urgent flag is set, and the policy is to drop such segments or it cannot be cleared.
    Urgent = "urgent_data";
    /// The receiver acknowledged bytes that were never seen here.
    SequenceGap = "reassembly_seq_gap";
}

/// Largest number of events, so that a set fits 64 bits.
const _: () = assert!(StreamEvent::ALL.len() <= 64);

/// A set of events: no allocation, each at most once, iterated in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct StreamEvents(u64);

impl StreamEvents {
    /// Adds one.
    pub fn insert(&mut self, event: StreamEvent) {
        self.0 |= 1 << (event as u8);
    }

    /// True when it is in the set.
    #[must_use]
    pub fn contains(self, event: StreamEvent) -> bool {
        self.0 & (1 << (event as u8)) != 0
    }

    /// True when none is.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The events.
    pub fn iter(self) -> impl Iterator<Item = StreamEvent> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let number = rest.trailing_zeros() as usize;
            rest &= rest.wrapping_sub(1);
            StreamEvent::ALL.get(number).copied()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_gives_back_every_event_once_and_in_order() {
        let mut set = StreamEvents::default();
        for event in StreamEvent::ALL.iter().rev() {
            set.insert(*event);
            set.insert(*event);
        }
        assert!(set.iter().eq(StreamEvent::ALL.iter().copied()));
        assert_eq!(StreamEvents::default().iter().count(), 0);
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = StreamEvent::ALL.iter().map(|e| e.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), StreamEvent::ALL.len());
    }
}
