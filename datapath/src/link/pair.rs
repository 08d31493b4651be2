//! The capture pair: a veth pair that carries held frames to the enforcer and settled ones back.
//!
//! Both ends stay out of the host's stack's way: no addresses, no IPv6 autoconfiguration, no ARP, no multicast.
//! MTU 65535 and GSO on, so that a 64 KiB super-packet crosses in one piece; what `virtio_net_hdr` cannot
//! describe is switched off, so that the kernel segments such frames before the tap instead of the tap dropping
//! them.

use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo,
};

use super::features::Features;
use super::request::message;
use super::{Link, LinkError, Links};
use crate::layout::{CAPTURE_ENFORCER_END, CAPTURE_KERNEL_END};

/// Largest MTU of an Ethernet-like device.
const CAPTURE_MTU: u32 = 65535;
/// Largest frame that `virtio_net_hdr` and IPv4 can describe.
const GSO_MAX: u32 = 65536;

/// How often creating is tried while others create, delete and repair.
const ATTEMPTS: u32 = 16;

/// The two ends as they are now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) kernel_end: Link,
    pub(crate) enforcer_end: Link,
}

impl Pair {
    /// Up and configured by weir, as far as a lookup shows.
    pub(crate) fn is_ready(&self) -> bool {
        [&self.kernel_end, &self.enforcer_end].iter().all(|end| {
            end.flags.contains(LinkFlags::Up | LinkFlags::Noarp)
                && !end.flags.contains(LinkFlags::Multicast)
                && end.mtu == CAPTURE_MTU
        })
    }
}

/// The pair, if both ends exist and belong together.
pub(crate) fn find(links: &mut Links) -> Result<Option<Pair>, LinkError> {
    let kernel_end = links.by_name(CAPTURE_KERNEL_END)?;
    let enforcer_end = links.by_name(CAPTURE_ENFORCER_END)?;
    Ok(kernel_end.zip(enforcer_end).and_then(matching))
}

fn matching((kernel_end, enforcer_end): (Link, Link)) -> Option<Pair> {
    let joined = |one: &Link, other: &Link| {
        one.kind.as_deref() == Some("veth")
            && one.peer == Some(other.index)
            && one.peer_elsewhere.is_none()
    };
    (joined(&kernel_end, &enforcer_end) && joined(&enforcer_end, &kernel_end)).then_some(Pair {
        kernel_end,
        enforcer_end,
    })
}

/// Creates what is missing, configures both ends and brings them up. Idempotent.
pub(crate) fn ensure(links: &mut Links) -> Result<Pair, LinkError> {
    for _ in 0..ATTEMPTS {
        let Some(pair) = find_or_create(links)? else {
            continue;
        };
        match configure(links, &pair) {
            Ok(()) => {}
            // Deleted meanwhile.
            Err(error) if error.errno() == Some(libc::ENODEV) => continue,
            Err(error) => return Err(error),
        }
        if let Some(pair) = find(links)?.filter(Pair::is_ready) {
            return Ok(pair);
        }
    }
    Err(LinkError::Unstable {
        name: CAPTURE_KERNEL_END,
        attempts: ATTEMPTS,
    })
}

/// Deletes the pair, or what is left of it.
pub(crate) fn remove(links: &mut Links) -> Result<(), LinkError> {
    for name in [CAPTURE_KERNEL_END, CAPTURE_ENFORCER_END] {
        if let Some(link) = links.by_name(name)? {
            remove_veth(links, &link)?;
        }
    }
    Ok(())
}

/// `None`: try again.
fn find_or_create(links: &mut Links) -> Result<Option<Pair>, LinkError> {
    let kernel_end = links.by_name(CAPTURE_KERNEL_END)?;
    let enforcer_end = links.by_name(CAPTURE_ENFORCER_END)?;
    match (kernel_end, enforcer_end) {
        (None, None) => match create(links) {
            Ok(()) => find(links),
            Err(error) if error.errno() == Some(libc::EEXIST) => Ok(None),
            Err(error) => Err(error),
        },
        (Some(kernel_end), Some(enforcer_end)) => {
            let pair = matching((kernel_end.clone(), enforcer_end.clone()));
            if pair.is_none() {
                remove_veth(links, &kernel_end)?;
                remove_veth(links, &enforcer_end)?;
            }
            Ok(pair)
        }
        // The kernel makes and deletes both ends in one step, but between the two lookups that step may have
        // happened: look again before taking it for a leftover.
        (Some(only), None) | (None, Some(only)) => {
            if find(links)?.is_none() && links.by_index(only.index)?.is_some_and(|now| now == only)
            {
                remove_veth(links, &only)?;
            }
            Ok(None)
        }
    }
}

fn create(links: &mut Links) -> Result<(), LinkError> {
    let peer = vec![
        LinkAttribute::IfName(CAPTURE_ENFORCER_END.to_owned()),
        LinkAttribute::Mtu(CAPTURE_MTU),
    ];
    let veth = InfoData::Veth(InfoVeth::Peer(message(0, peer)));
    let content = vec![
        LinkAttribute::Mtu(CAPTURE_MTU),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(veth)]),
    ];
    links.create(CAPTURE_KERNEL_END, content)
}

fn configure(links: &mut Links, pair: &Pair) -> Result<(), LinkError> {
    let mut features = Features::open()?;
    for end in [&pair.kernel_end, &pair.enforcer_end] {
        links.change(
            &format!("configure device `{}`", end.name),
            end.index,
            (LinkFlags::Noarp, LinkFlags::Noarp | LinkFlags::Multicast),
            vec![
                LinkAttribute::Mtu(CAPTURE_MTU),
                LinkAttribute::GsoMaxSize(GSO_MAX),
            ],
        )?;
        no_autoconfiguration(links, end)?;
        features.restrict(end)?;
    }
    for end in [&pair.kernel_end, &pair.enforcer_end] {
        links.change(
            &format!("bring device `{}` up", end.name),
            end.index,
            (LinkFlags::Up, LinkFlags::Up),
            Vec::new(),
        )?;
    }
    Ok(())
}

/// Before the device comes up for the first time, or it gets a link-local address and speaks.
fn no_autoconfiguration(links: &mut Links, end: &Link) -> Result<(), LinkError> {
    let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    let set = links.change(
        &format!("switch off IPv6 autoconfiguration of device `{}`", end.name),
        end.index,
        (LinkFlags::empty(), LinkFlags::empty()),
        vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(
            vec![none],
        )])],
    );
    match set {
        // A kernel without IPv6 has none to switch off.
        Err(LinkError::Refused {
            errno: libc::EAFNOSUPPORT | libc::EOPNOTSUPP,
            ..
        }) => Ok(()),
        other => other,
    }
}

fn remove_veth(links: &mut Links, link: &Link) -> Result<(), LinkError> {
    match link.kind.as_deref() {
        Some("veth") => links.delete(link.index),
        kind => Err(LinkError::Foreign {
            name: link.name.clone(),
            kind: kind.unwrap_or("physical").to_owned(),
        }),
    }
}
