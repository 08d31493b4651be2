//! What can be wrong with a frame's headers: a closed list, each with the name that `decode-event`
//! rules use and a judgement.
//!
//! The judgement says what a deviation means for delivery. *Undeliverable*: the headers contradict
//! each other or end early, so that weir and a receiver could disagree about what the packet is; it is
//! dropped ([`DropReason::Decode`](crate::verdict::DropReason::Decode)). *Informative*: odd, yet there
//! is only one way to read it; it is delivered, and rules may say otherwise.

/// Whether a packet with this deviation may be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// It cannot be read in one way only: drop it.
    Undeliverable,
    /// Odd but unambiguous: deliver it, tell the rules.
    Informative,
}

macro_rules! decode_events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $judgement:ident;)+) => {
        /// A deviation from a header's specification.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum DecodeEvent {
            $($(#[$doc])* $variant,)+
        }

        impl DecodeEvent {
            /// Every event, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Full name, as it appears in rules with the `decoder.` prefix.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("decoder.", $name),)+
                }
            }

            /// Whether a packet with this deviation may be delivered.
            #[must_use]
            pub const fn judgement(self) -> Judgement {
                match self {
                    $(Self::$variant => Judgement::$judgement,)+
                }
            }
        }
    };
}

decode_events! {
    /// Frame shorter than an Ethernet header.
    EthernetTooSmall = "ethernet.pkt_too_small", Undeliverable;
    /// `EtherType` that weir does not know: not inspected beyond the link layer.
    EthernetUnknownType = "ethernet.unknown_ethertype", Informative;
    /// A VLAN tag that the frame cuts short.
    VlanTooSmall = "vlan.header_too_small", Undeliverable;
    /// A VLAN tag in front of an unknown `EtherType`.
    VlanUnknownType = "vlan.unknown_type", Informative;
    /// More than three VLAN tags.
    VlanTooManyLayers = "vlan.too_many_layers", Undeliverable;
    /// A VN-tag that the frame cuts short.
    VntagTooSmall = "vntag.header_too_small", Undeliverable;
    /// A VN-tag in front of an unknown `EtherType`.
    VntagUnknownType = "vntag.unknown_type", Informative;
    /// An E-tag that the frame cuts short.
    EtagTooSmall = "etag.header_too_small", Undeliverable;
    /// An E-tag in front of an unknown `EtherType`.
    EtagUnknownType = "etag.unknown_type", Informative;
    /// An 802.1ah I-tag that the frame cuts short.
    Ieee8021ahTooSmall = "ieee8021ah.header_too_small", Undeliverable;
    /// A `FabricPath` (DCE) header that the frame cuts short.
    DceTooSmall = "dce.pkt_too_small", Undeliverable;
    /// A PPPoE header that the frame cuts short.
    PppoeTooSmall = "pppoe.pkt_too_small", Undeliverable;
    /// A PPPoE discovery code that does not exist.
    PppoeWrongCode = "pppoe.wrong_code", Informative;
    /// PPPoE discovery tags that leave the packet.
    PppoeMalformedTags = "pppoe.malformed_tags", Informative;
    /// A PPP header that the frame cuts short.
    PppTooSmall = "ppp.pkt_too_small", Undeliverable;
    /// PPP with Van Jacobson compression cut short.
    PppVjuTooSmall = "ppp.vju_pkt_too_small", Undeliverable;
    /// IPv4 in PPP cut short.
    PppIpv4TooSmall = "ppp.ip4_pkt_too_small", Undeliverable;
    /// IPv6 in PPP cut short.
    PppIpv6TooSmall = "ppp.ip6_pkt_too_small", Undeliverable;
    /// A PPP protocol number that does not exist.
    PppWrongType = "ppp.wrong_type", Informative;
    /// A PPP protocol that weir does not look into.
    PppUnsupportedProtocol = "ppp.unsup_proto", Informative;
    /// A Linux cooked header that the frame cuts short.
    SllTooSmall = "sll.pkt_too_small", Undeliverable;
    /// A version 2 Linux cooked header that the frame cuts short.
    Sll2TooSmall = "sll2.pkt_too_small", Undeliverable;
    /// A loopback header that the frame cuts short.
    NullTooSmall = "ltnull.pkt_too_small", Undeliverable;
    /// A loopback address family that is not IP.
    NullUnsupportedType = "ltnull.unsupported_type", Informative;
    /// A Cisco HDLC header that the frame cuts short.
    ChdlcTooSmall = "chdlc.pkt_too_small", Undeliverable;
    /// An MPLS label that the frame cuts short.
    MplsTooSmall = "mpls.header_too_small", Undeliverable;
    /// Nothing behind the last MPLS label.
    MplsPacketTooSmall = "mpls.pkt_too_small", Undeliverable;
    /// The router alert label at the bottom of the stack.
    MplsRouterAlert = "mpls.bad_label_router_alert", Informative;
    /// The implicit null label on the wire.
    MplsImplicitNull = "mpls.bad_label_implicit_null", Informative;
    /// A reserved label.
    MplsReserved = "mpls.bad_label_reserved", Informative;
    /// What follows the labels is neither IP nor Ethernet.
    MplsUnknownPayload = "mpls.unknown_payload_type", Informative;
    /// More layers or headers than weir follows.
    TooManyLayers = "too_many_layers", Undeliverable;
    /// A raw IP frame of a version that does not exist.
    RawInvalidVersion = "ipraw.invalid_ip_version", Undeliverable;

    /// Frame shorter than an IPv4 header.
    Ipv4TooSmall = "ipv4.pkt_too_small", Undeliverable;
    /// Version field is not 4.
    Ipv4WrongVersion = "ipv4.wrong_ip_version", Undeliverable;
    /// Header length under 20 bytes.
    Ipv4HeaderLenTooSmall = "ipv4.hlen_too_small", Undeliverable;
    /// Total length under the header length.
    Ipv4LenSmallerThanHeader = "ipv4.iplen_smaller_than_hlen", Undeliverable;
    /// Total length beyond the frame.
    Ipv4Truncated = "ipv4.trunc_pkt", Undeliverable;
    /// An option's contents are wrong.
    Ipv4OptInvalid = "ipv4.opt_invalid", Informative;
    /// An option's length is wrong for its kind.
    Ipv4OptInvalidLen = "ipv4.opt_invalid_len", Informative;
    /// An option whose length leaves the header, or does not cover itself.
    Ipv4OptMalformed = "ipv4.opt_malformed", Undeliverable;
    /// A last byte that only an end of list (or a no-operation) could be.
    Ipv4OptEolRequired = "ipv4.opt_eol_required", Undeliverable;
    /// An option that may occur once occurs twice.
    Ipv4OptDuplicate = "ipv4.opt_duplicate", Informative;
    /// An option of unknown kind.
    Ipv4OptUnknown = "ipv4.opt_unknown", Informative;
    /// `ICMPv6` in IPv4.
    Ipv4Icmpv6 = "ipv4.icmpv6", Informative;
    /// A protocol that weir does not look into.
    Ipv4UnknownProtocol = "ipv4.unknown_protocol", Informative;
    /// Fragments that reach beyond 65,535 bytes.
    Ipv4FragTooLarge = "ipv4.frag_pkt_too_large", Undeliverable;
    /// Fragments that overlap with different data.
    Ipv4FragOverlap = "ipv4.frag_overlap", Undeliverable;
    /// A fragment that is not the last and whose length is not a multiple of 8, or that is empty or
    /// contradicts where the datagram ends (weir's own).
    Ipv4FragInvalidLength = "ipv4.frag_invalid_length", Undeliverable;
    /// A first fragment without the whole transport header, RFC 1858 (weir's own).
    Ipv4FragFirstTooSmall = "ipv4.frag_first_too_small", Undeliverable;

    /// Frame shorter than an IPv6 header.
    Ipv6TooSmall = "ipv6.pkt_too_small", Undeliverable;
    /// Version field is not 6.
    Ipv6WrongVersion = "ipv6.wrong_ip_version", Undeliverable;
    /// Payload length beyond the frame.
    Ipv6Truncated = "ipv6.trunc_pkt", Undeliverable;
    /// An extension header that the packet cuts short.
    Ipv6TruncatedExtension = "ipv6.trunc_exthdr", Undeliverable;
    /// A second fragment header.
    Ipv6DuplicateFragment = "ipv6.exthdr_dupl_fh", Undeliverable;
    /// A fragment header on a packet that is whole (an atomic fragment, RFC 6946).
    Ipv6UselessFragment = "ipv6.exthdr_useless_fh", Informative;
    /// A second routing header.
    Ipv6DuplicateRouting = "ipv6.exthdr_dupl_rh", Informative;
    /// A second hop-by-hop header, or one that is not the first (RFC 8200, 4.1).
    Ipv6DuplicateHopByHop = "ipv6.exthdr_dupl_hh", Undeliverable;
    /// A third destination options header (RFC 8200, 4.1 allows two).
    Ipv6DuplicateDestination = "ipv6.exthdr_dupl_dh", Informative;
    /// A second authentication header.
    Ipv6DuplicateAuthentication = "ipv6.exthdr_dupl_ah", Informative;
    /// An option that leaves its header.
    Ipv6InvalidOptionLen = "ipv6.exthdr_invalid_optlen", Undeliverable;
    /// Hop-by-hop options of unknown kind.
    Ipv6HopUnknownOption = "ipv6.hopopts_unknown_opt", Informative;
    /// Hop-by-hop options that are padding alone.
    Ipv6HopOnlyPadding = "ipv6.hopopts_only_padding", Informative;
    /// Destination options of unknown kind.
    Ipv6DestUnknownOption = "ipv6.dstopts_unknown_opt", Informative;
    /// Destination options that are padding alone.
    Ipv6DestOnlyPadding = "ipv6.dstopts_only_padding", Informative;
    /// A `PadN` option of length zero.
    Ipv6ZeroLenPadN = "ipv6.zero_len_padn", Informative;
    /// Routing header type 0 (RFC 5095).
    Ipv6RoutingType0 = "ipv6.rh_type_0", Informative;
    /// Reserved bits of the fragment header are set.
    Ipv6FragReserved = "ipv6.fh_non_zero_reserved_field", Informative;
    /// Reserved field of the authentication header is not 0.
    Ipv6AuthReserved = "ipv6.exthdr_ah_res_not_null", Informative;
    /// Data behind "no next header".
    Ipv6DataAfterNone = "ipv6.data_after_none_header", Informative;
    /// An upper protocol that weir does not look into.
    Ipv6UnknownNextHeader = "ipv6.unknown_next_header", Informative;
    /// `ICMPv4` in IPv6.
    Ipv6Icmpv4 = "ipv6.icmpv4", Informative;
    /// Fragments that reach beyond 65,535 bytes.
    Ipv6FragTooLarge = "ipv6.frag_pkt_too_large", Undeliverable;
    /// Fragments that overlap with different data.
    Ipv6FragOverlap = "ipv6.frag_overlap", Undeliverable;
    /// A fragment that is not the last and whose length is not a multiple of 8, or that is empty or
    /// contradicts where the datagram ends.
    Ipv6FragInvalidLength = "ipv6.frag_invalid_length", Undeliverable;
    /// A first fragment without the whole header chain, RFC 7112 (weir's own).
    Ipv6FragFirstTooSmall = "ipv6.frag_first_too_small", Undeliverable;
    /// IPv4 in IPv6 cut short.
    Ipv4InIpv6TooSmall = "ipv6.ipv4_in_ipv6_too_small", Informative;
    /// IPv4 in IPv6 whose version is not 4.
    Ipv4InIpv6WrongVersion = "ipv6.ipv4_in_ipv6_wrong_version", Informative;
    /// IPv6 in IPv6 cut short.
    Ipv6InIpv6TooSmall = "ipv6.ipv6_in_ipv6_too_small", Informative;
    /// IPv6 in IPv6 whose version is not 6.
    Ipv6InIpv6WrongVersion = "ipv6.ipv6_in_ipv6_wrong_version", Informative;

    /// `ICMPv4` header cut short.
    Icmpv4TooSmall = "icmpv4.pkt_too_small", Undeliverable;
    /// Unassigned `ICMPv4` type.
    Icmpv4UnknownType = "icmpv4.unknown_type", Informative;
    /// A code that the `ICMPv4` type does not have.
    Icmpv4UnknownCode = "icmpv4.unknown_code", Informative;
    /// The packet quoted in an `ICMPv4` error is cut short.
    Icmpv4QuoteTruncated = "icmpv4.ipv4_trunc_pkt", Informative;
    /// The packet quoted in an `ICMPv4` error is not IPv4.
    Icmpv4QuoteVersion = "icmpv4.ipv4_unknown_ver", Informative;
    /// `ICMPv6` header cut short.
    Icmpv6TooSmall = "icmpv6.pkt_too_small", Undeliverable;
    /// A code that the `ICMPv6` type does not have.
    Icmpv6UnknownCode = "icmpv6.unknown_code", Informative;
    /// An `ICMPv6` type that is not assigned.
    Icmpv6UnassignedType = "icmpv6.unassigned_type", Informative;
    /// An `ICMPv6` type for private experimentation.
    Icmpv6Experimentation = "icmpv6.experimentation_type", Informative;
    /// The packet quoted in an `ICMPv6` error is cut short.
    Icmpv6QuoteTruncated = "icmpv6.ipv6_trunc_pkt", Informative;
    /// The packet quoted in an `ICMPv6` error is not IPv6.
    Icmpv6QuoteVersion = "icmpv6.ipv6_unknown_version", Informative;
    /// A multicast listener message whose hop limit is not 1.
    Icmpv6MldHopLimit = "icmpv6.mld_message_with_invalid_hl", Informative;
    /// IGMP header cut short.
    IgmpTooSmall = "igmp.pkt_too_small", Informative;
    /// `IGMPv3` report or query cut short.
    IgmpV3TooSmall = "igmp.v3_pkt_too_small", Informative;
    /// `IGMPv3` group records that leave the packet.
    IgmpMalformed = "igmp.malformed", Informative;

    /// TCP header cut short.
    TcpTooSmall = "tcp.pkt_too_small", Undeliverable;
    /// TCP data offset under 20 bytes or beyond the packet.
    TcpHeaderLenTooSmall = "tcp.hlen_too_small", Undeliverable;
    /// A TCP option that the header cuts short; it and what follows is ignored, as receivers do.
    TcpInvalidOptLen = "tcp.invalid_optlen", Informative;
    /// A TCP option whose length is wrong for its kind; it is ignored.
    TcpOptInvalidLen = "tcp.opt_invalid_len", Informative;
    /// A TCP option that may occur once occurs twice; the last counts, as receivers do.
    TcpOptDuplicate = "tcp.opt_duplicate", Informative;
    /// UDP header cut short.
    UdpTooSmall = "udp.pkt_too_small", Undeliverable;
    /// UDP length under 8.
    UdpLenTooSmall = "udp.hlen_too_small", Undeliverable;
    /// UDP length beyond the packet.
    UdpLenInvalid = "udp.len_invalid", Undeliverable;
    /// ESP header cut short.
    EspTooSmall = "esp.pkt_too_small", Informative;
    /// SCTP header cut short.
    SctpTooSmall = "sctp.pkt_too_small", Undeliverable;
    /// SCTP chunk header cut short.
    SctpChunkTooSmall = "sctp.chunk_too_small", Undeliverable;
    /// SCTP chunk length under 4 or beyond the packet.
    SctpChunkLenInvalid = "sctp.chunk_len_invalid", Undeliverable;
    /// INIT with other chunks in one packet.
    SctpInitBundled = "sctp.init_chunk_bundled", Informative;
    /// INIT in a packet with a verification tag.
    SctpInitTag = "sctp.init_with_non_zero_vtag", Informative;
    /// DATA in a packet without a verification tag.
    SctpDataWithoutTag = "sctp.data_with_zero_vtag", Informative;
    /// More chunks than are looked at.
    SctpTooManyChunks = "sctp.too_many_chunks", Informative;
    /// More DATA chunks than is usual.
    SctpTooManyDataChunks = "sctp.too_many_data_chunks", Informative;

    /// GRE header cut short.
    GreTooSmall = "gre.pkt_too_small", Informative;
    /// GRE version above 1.
    GreWrongVersion = "gre.wrong_version", Informative;
    /// GRE version 0 with recursion control.
    Gre0Recursion = "gre.version0_recur", Informative;
    /// GRE version 0 with reserved flags.
    Gre0Flags = "gre.version0_flags", Informative;
    /// GRE version 0 header beyond the packet.
    Gre0HeaderTooBig = "gre.version0_hdr_too_big", Informative;
    /// GRE version 0 source route entry beyond the packet.
    Gre0MalformedSre = "gre.version0_malformed_sre_hdr", Informative;
    /// GRE version 1 with a checksum.
    Gre1Checksum = "gre.version1_chksum", Informative;
    /// GRE version 1 with routing.
    Gre1Route = "gre.version1_route", Informative;
    /// GRE version 1 with strict source route.
    Gre1Ssr = "gre.version1_ssr", Informative;
    /// GRE version 1 with recursion control.
    Gre1Recursion = "gre.version1_recur", Informative;
    /// GRE version 1 with reserved flags.
    Gre1Flags = "gre.version1_flags", Informative;
    /// GRE version 1 without a key.
    Gre1NoKey = "gre.version1_no_key", Informative;
    /// GRE version 1 with a protocol other than PPP.
    Gre1WrongProtocol = "gre.version1_wrong_protocol", Informative;
    /// GRE version 1 header beyond the packet.
    Gre1HeaderTooBig = "gre.version1_hdr_too_big", Informative;
    /// ERSPAN header cut short.
    ErspanTooSmall = "erspan.header_too_small", Informative;
    /// More than three VLAN tags in an ERSPAN frame.
    ErspanTooManyVlans = "erspan.too_many_vlan_layers", Undeliverable;
    /// ERSPAN version that weir does not know.
    ErspanVersion = "erspan.unsupported_version", Informative;
}

impl DecodeEvent {
    /// The event of that name, with or without the `decoder.` prefix; also by names that rules of
    /// older days use.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let bare = name.strip_prefix("decoder.").unwrap_or(name);
        if bare == "udp.hlen_invalid" {
            return Some(Self::UdpLenInvalid);
        }
        Self::ALL.iter().copied().find(|event| {
            event
                .name()
                .strip_prefix("decoder.")
                .is_some_and(|own| own == bare)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_the_list() {
        for (number, event) in DecodeEvent::ALL.iter().enumerate() {
            assert_eq!(*event as usize, number);
        }
    }

    #[test]
    fn names_are_unique_and_found_again_with_and_without_prefix() {
        for event in DecodeEvent::ALL {
            let name = event.name();
            assert_eq!(DecodeEvent::from_name(name), Some(*event), "{name}");
            assert_eq!(
                DecodeEvent::from_name(&name["decoder.".len()..]),
                Some(*event)
            );
        }
        assert_eq!(
            DecodeEvent::from_name("decoder.udp.hlen_invalid"),
            Some(DecodeEvent::UdpLenInvalid)
        );
        assert_eq!(DecodeEvent::from_name("ipv4.no_such_event"), None);
    }
}
