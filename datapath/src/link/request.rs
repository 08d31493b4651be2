//! Requests to rtnetlink about links and addresses (`linux/rtnetlink.h`, `linux/if_link.h`).

use std::fs::File;
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd;

use super::LinkError;
use crate::netlink::{Answer, Attributes, Socket, Writer};

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const GET_LINK: u16 = 18;
const NEW_ADDRESS: u16 = 20;
const GET_ADDRESS: u16 = 22;

const GET_NSID: u16 = 90;

const NETNS_ID: u16 = 1;
const NETNS_FD: u16 = 3;
/// Length of `rtgenmsg`, padded.
const NSID_FIXED: usize = 4;

const ADDRESS: u16 = 1;
const IFNAME: u16 = 3;
pub(super) const MTU: u16 = 4;
const LINK: u16 = 5;
pub(super) const LINK_INFO: u16 = 18;
pub(super) const INFO_KIND: u16 = 1;
pub(super) const INFO_DATA: u16 = 2;
const EXTENDED_MASK: u16 = 29;
const LINK_NETNSID: u16 = 37;
const SKIP_STATISTICS: u32 = 1 << 3;

/// Lengths of `ifinfomsg` and `ifaddrmsg`.
const LINK_FIXED: usize = 16;
const ADDRESS_FIXED: usize = 8;
const SCOPE_LINK: u8 = 253;

pub(crate) const FLAG_UP: u32 = 0x1;
pub(crate) const FLAG_NOARP: u32 = 0x80;
pub(crate) const FLAG_MULTICAST: u32 = 0x1000;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) flags: u32,
    pub(crate) mtu: u32,
    /// `veth`, `macvlan`...; `None` for physical devices.
    pub(crate) kind: Option<String>,
    /// Index of the peer (veth) or lower device.
    pub(crate) peer: Option<u32>,
    /// Set if that index counts in another network namespace.
    pub(crate) peer_elsewhere: Option<i32>,
    pub(crate) mac: Vec<u8>,
}

/// rtnetlink of one network namespace.
#[derive(Debug)]
pub(crate) struct Links {
    socket: Socket,
}

impl Links {
    /// Opens the socket in the calling thread's network namespace.
    pub(crate) fn open() -> Result<Self, LinkError> {
        Socket::open(libc::NETLINK_ROUTE)
            .map(|socket| Self { socket })
            .map_err(|source| LinkError::new("open an rtnetlink socket", source))
    }

    /// The device of this name.
    pub(crate) fn by_name(&mut self, name: &str) -> Result<Option<Link>, LinkError> {
        self.link(&format!("look up device `{name}`"), 0, Some(name))
    }

    /// The device of this index.
    pub(crate) fn by_index(&mut self, index: u32) -> Result<Option<Link>, LinkError> {
        self.link(&format!("look up device {index}"), index, None)
    }

    fn link(
        &mut self,
        action: &str,
        index: u32,
        name: Option<&str>,
    ) -> Result<Option<Link>, LinkError> {
        let found = self.get(
            action,
            GET_LINK,
            |writer| {
                link_fixed(writer, index, 0, 0);
                if let Some(name) = name {
                    writer.string(IFNAME, name);
                }
                writer.ne32(EXTENDED_MASK, SKIP_STATISTICS);
            },
            read_link,
        )?;
        Ok(found.flatten())
    }

    /// Creates a device.
    pub(super) fn create(
        &mut self,
        name: &str,
        content: impl FnOnce(&mut Writer),
    ) -> Result<(), LinkError> {
        self.request(
            &format!("create device `{name}`"),
            NEW_LINK,
            crate::netlink::CREATE | crate::netlink::EXCLUSIVE,
            |writer| {
                link_fixed(writer, 0, 0, 0);
                writer.string(IFNAME, name);
                content(writer);
            },
        )
    }

    /// Changes flags (those in `mask`) and attributes of a device.
    pub(super) fn change(
        &mut self,
        action: &str,
        index: u32,
        (flags, mask): (u32, u32),
        content: impl FnOnce(&mut Writer),
    ) -> Result<(), LinkError> {
        self.request(action, NEW_LINK, 0, |writer| {
            link_fixed(writer, index, flags, mask);
            content(writer);
        })
    }

    /// Deletes a device; a veth takes its peer along.
    pub(crate) fn delete(&mut self, index: u32) -> Result<(), LinkError> {
        let deleted = self.request("delete a device", DELETE_LINK, 0, |writer| {
            link_fixed(writer, index, 0, 0);
        });
        match deleted {
            Err(LinkError::Refused {
                errno: libc::ENODEV,
                ..
            }) => Ok(()),
            other => other,
        }
    }

    /// IPv6 link-local address of a device, if it has one.
    pub(crate) fn link_local(&mut self, index: u32) -> Result<Option<Ipv6Addr>, LinkError> {
        let family = u8::try_from(libc::AF_INET6).unwrap_or_default();
        let found = self
            .socket
            .dump(
                GET_ADDRESS,
                |writer| writer.raw(&[family, 0, 0, 0, 0, 0, 0, 0]),
                |answer| read_link_local(answer, index),
            )
            .map_err(|source| LinkError::new("list IPv6 addresses", source))?;
        Ok(found.into_iter().next())
    }

    /// Number under which this network namespace knows another; `None` if it does not.
    pub(crate) fn netnsid_of(&mut self, other: &File) -> Result<Option<i32>, LinkError> {
        let found = self.get(
            "look up a network namespace",
            GET_NSID,
            |writer| {
                writer.raw(&[0]);
                writer.ne32(NETNS_FD, other.as_raw_fd().cast_unsigned());
            },
            |answer| {
                let id = answer.attributes(NSID_FIXED).ne32(NETNS_ID)?;
                Some(id.cast_signed()).filter(|id| *id >= 0)
            },
        )?;
        Ok(found.flatten())
    }

    /// One acknowledged request.
    pub(super) fn request(
        &mut self,
        action: &str,
        kind: u16,
        flags: u16,
        content: impl FnOnce(&mut Writer),
    ) -> Result<(), LinkError> {
        self.socket
            .request(kind, flags, content)
            .map_err(|source| LinkError::new(action, source))
    }

    /// One question.
    pub(super) fn get<T>(
        &mut self,
        action: &str,
        kind: u16,
        content: impl FnOnce(&mut Writer),
        read: impl FnMut(Answer<'_>) -> T,
    ) -> Result<Option<T>, LinkError> {
        self.socket
            .get(kind, content, read)
            .map_err(|source| LinkError::new(action, source))
    }
}

/// `struct ifinfomsg`.
pub(super) fn link_fixed(writer: &mut Writer, index: u32, flags: u32, mask: u32) {
    let mut bytes = [0; LINK_FIXED];
    for (field, value) in bytes.chunks_exact_mut(4).zip([0, index, flags, mask]) {
        field.copy_from_slice(&value.to_ne_bytes());
    }
    writer.raw(&bytes);
}

fn read_link(answer: Answer<'_>) -> Option<Link> {
    if answer.kind != NEW_LINK {
        return None;
    }
    let word = |start: usize| {
        let bytes = answer.payload.get(start..start + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let attributes = answer.attributes(LINK_FIXED);
    Some(Link {
        index: word(4)?,
        flags: word(8)?,
        name: attributes.text(IFNAME)?.to_owned(),
        mtu: attributes.ne32(MTU).unwrap_or(0),
        kind: attributes
            .nested(LINK_INFO)
            .text(INFO_KIND)
            .map(str::to_owned),
        peer: attributes.ne32(LINK),
        peer_elsewhere: attributes.ne32(LINK_NETNSID).map(u32::cast_signed),
        mac: attributes.get(ADDRESS).unwrap_or_default().to_vec(),
    })
}

fn read_link_local(answer: Answer<'_>, index: u32) -> Option<Ipv6Addr> {
    let fixed = answer.payload.get(..ADDRESS_FIXED)?;
    let found = u32::from_ne_bytes(fixed.get(4..8)?.try_into().ok()?);
    if answer.kind != NEW_ADDRESS || found != index || fixed.get(3) != Some(&SCOPE_LINK) {
        return None;
    }
    let attributes: Attributes<'_> = answer.attributes(ADDRESS_FIXED);
    let bytes: [u8; 16] = attributes.get(ADDRESS)?.try_into().ok()?;
    Some(Ipv6Addr::from(bytes)).filter(Ipv6Addr::is_unicast_link_local)
}
