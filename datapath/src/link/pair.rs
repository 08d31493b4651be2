//! The capture pair: a veth pair that carries held frames to the enforcer and settled ones back.
//!
//! Both ends stay out of the host's stack's way: no addresses, no IPv6 autoconfiguration, no ARP, no multicast.
//! MTU 65535 and GSO on, so that a 64 KiB super-packet crosses in one piece; what `virtio_net_hdr` cannot
//! describe is switched off, so that the kernel segments such frames before the tap instead of the tap dropping
//! them.

use super::features::Features;
use super::request::{
    FLAG_MULTICAST, FLAG_NOARP, FLAG_UP, INFO_DATA, INFO_KIND, LINK_INFO, MTU, link_fixed,
};
use super::{Link, LinkError, Links};
use crate::layout::{CAPTURE_ENFORCER_END, CAPTURE_KERNEL_END};

/// Largest MTU of an Ethernet-like device.
const CAPTURE_MTU: u32 = 65535;
/// Largest frame that `virtio_net_hdr` and IPv4 can describe.
const GSO_MAX: u32 = 65536;

const IFNAME: u16 = 3;
const GSO_MAX_SIZE: u16 = 41;
const AF_SPEC: u16 = 26;
const VETH_PEER: u16 = 1;
const INET6: u16 = 10;
const ADDRESS_GENERATION_MODE: u16 = 8;
const GENERATION_NONE: u8 = 1;

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
            end.flags & (FLAG_UP | FLAG_NOARP | FLAG_MULTICAST) == FLAG_UP | FLAG_NOARP
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
    links.create(CAPTURE_KERNEL_END, |writer| {
        writer.ne32(MTU, CAPTURE_MTU);
        writer.nested(LINK_INFO, |info| {
            info.string(INFO_KIND, "veth");
            info.nested(INFO_DATA, |data| {
                data.nested(VETH_PEER, |peer| {
                    link_fixed(peer, 0, 0, 0);
                    peer.string(IFNAME, CAPTURE_ENFORCER_END);
                    peer.ne32(MTU, CAPTURE_MTU);
                });
            });
        });
    })
}

fn configure(links: &mut Links, pair: &Pair) -> Result<(), LinkError> {
    let mut features = Features::open()?;
    for end in [&pair.kernel_end, &pair.enforcer_end] {
        links.change(
            &format!("configure device `{}`", end.name),
            end.index,
            (FLAG_NOARP, FLAG_NOARP | FLAG_MULTICAST),
            |writer| {
                writer.ne32(MTU, CAPTURE_MTU);
                writer.ne32(GSO_MAX_SIZE, GSO_MAX);
            },
        )?;
        no_autoconfiguration(links, end)?;
        features.restrict(end)?;
    }
    for end in [&pair.kernel_end, &pair.enforcer_end] {
        links.change(
            &format!("bring device `{}` up", end.name),
            end.index,
            (FLAG_UP, FLAG_UP),
            |_| {},
        )?;
    }
    Ok(())
}

/// Before the device comes up for the first time, or it gets a link-local address and speaks.
fn no_autoconfiguration(links: &mut Links, end: &Link) -> Result<(), LinkError> {
    let set = links.change(
        &format!("switch off IPv6 autoconfiguration of device `{}`", end.name),
        end.index,
        (0, 0),
        |writer| {
            writer.nested(AF_SPEC, |families| {
                families.nested(INET6, |inet6| {
                    inet6.attribute(ADDRESS_GENERATION_MODE, &[GENERATION_NONE]);
                });
            });
        },
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
