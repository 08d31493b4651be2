//! What runs on a host interface before weir's hook and can carry frames past it.
//!
//! Of a frame's way in, XDP comes first, then tcx, then tc filters, and only then the netfilter ingress hook. A
//! program or action there may redirect, and what it redirects weir never sees. What a program does cannot be
//! read off it, nor can it be seen from here that a program on another device delivers past this one
//! (`bpf_redirect_peer`); datapaths that do the latter have programs on the pods' interfaces too.

use std::fmt;

use netlink_packet_core::Emitable;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{TcHandle, TcHeader, TcMessage};

use super::answer::attributes;
use super::{Link, LinkError, Links};
use crate::sys::bpf;

/// `TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)`; `ingress` qdiscs answer to it as well.
const INGRESS: TcHandle = TcHandle {
    major: u16::MAX,
    minor: TcHandle::MIN_INGRESS,
};

/// `TCA_KIND`.
const KIND: u16 = 1;

/// What may carry frames past weir's hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// An XDP program.
    Xdp,
    /// Programs attached by tcx.
    Tcx,
    /// A tc filter of this kind.
    Filter(String),
}

impl fmt::Display for Bypass {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Xdp => out.write_str("an XDP program"),
            Self::Tcx => out.write_str("a tcx program on its ingress"),
            Self::Filter(kind) => write!(out, "a tc filter of kind `{kind}` on its ingress"),
        }
    }
}

/// The first of them that this device has.
pub(crate) fn find(links: &mut Links, link: &Link) -> Result<Option<Bypass>, LinkError> {
    if link.xdp {
        return Ok(Some(Bypass::Xdp));
    }
    if bpf::has_tcx_ingress(link.index) {
        return Ok(Some(Bypass::Tcx));
    }
    let mut wanted = TcMessage::with_index(link.index.cast_signed());
    wanted.header.parent = INGRESS;
    let question = RouteNetlinkMessage::GetTrafficFilter(wanted);
    let kinds = links.list("list tc filters", &question, read_kind)?;
    Ok(kinds.into_iter().next().map(Bypass::Filter))
}

fn read_kind(payload: &[u8]) -> Option<String> {
    attributes(payload, TcHeader::default().buffer_len())
        .find(|attribute| attribute.kind() == KIND)
        .and_then(|attribute| crate::netlink::read_str(attribute.value()).map(str::to_owned))
}
