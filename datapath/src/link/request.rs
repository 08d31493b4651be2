//! Requests to rtnetlink about links, addresses and namespaces, in the words of `netlink-packet-route`.

use std::collections::HashMap;
use std::fs::File;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsRawFd;

use netlink_packet_core::{Emitable, Parseable, ParseableParametrized};
use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressMessage, AddressScope,
};
use netlink_packet_route::link::{
    LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkMessage,
};
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::LinkError;
use super::answer::{attributes, info_kind};
use crate::netlink::{Answer, CREATE, EXCLUSIVE, Socket};

/// `IFLA_XDP` and, in it, `IFLA_XDP_ATTACHED`: 0 where there is no program.
const XDP: u16 = 43;
const XDP_ATTACHED: u16 = 2;

/// A device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) flags: LinkFlags,
    pub(crate) mtu: u32,
    /// `veth`, `macvlan`...; `None` for physical devices.
    pub(crate) kind: Option<String>,
    /// Index of the peer (veth) or lower device.
    pub(crate) peer: Option<u32>,
    /// Set if that index counts in another network namespace.
    pub(crate) peer_elsewhere: Option<i32>,
    pub(crate) mac: Vec<u8>,
    /// Has an XDP program.
    pub(crate) xdp: bool,
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
        let named = message(0, vec![LinkAttribute::IfName(name.to_owned())]);
        self.link(&format!("look up device `{name}`"), named)
    }

    /// The device of this index.
    pub(crate) fn by_index(&mut self, index: u32) -> Result<Option<Link>, LinkError> {
        self.link(
            &format!("look up device {index}"),
            message(index, Vec::new()),
        )
    }

    fn link(&mut self, action: &str, mut wanted: LinkMessage) -> Result<Option<Link>, LinkError> {
        let sparing = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        wanted.attributes.push(sparing);
        let question = RouteNetlinkMessage::GetLink(wanted);
        let found = self.get(action, &question, |answer| read_link(answer.payload))?;
        Ok(found.flatten())
    }

    /// Index of every device, by name.
    pub(crate) fn indexes(&mut self) -> Result<HashMap<String, u32>, LinkError> {
        let mut wanted = message(0, Vec::new());
        let sparing = LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]);
        wanted.attributes.push(sparing);
        let question = RouteNetlinkMessage::GetLink(wanted);
        let found = self.list("list devices", &question, |payload| {
            read_link(payload).map(|link| (link.name, link.index))
        })?;
        Ok(found.into_iter().collect())
    }

    /// Creates a device.
    pub(super) fn create(
        &mut self,
        name: &str,
        mut content: Vec<LinkAttribute>,
    ) -> Result<(), LinkError> {
        content.push(LinkAttribute::IfName(name.to_owned()));
        self.request(
            &format!("create device `{name}`"),
            &RouteNetlinkMessage::NewLink(message(0, content)),
            CREATE | EXCLUSIVE,
        )
    }

    /// Changes flags (those in `mask`) and attributes of a device.
    pub(super) fn change(
        &mut self,
        action: &str,
        index: u32,
        (flags, mask): (LinkFlags, LinkFlags),
        content: Vec<LinkAttribute>,
    ) -> Result<(), LinkError> {
        let mut message = message(index, content);
        message.header.flags = flags;
        message.header.change_mask = mask;
        self.request(action, &RouteNetlinkMessage::NewLink(message), 0)
    }

    /// Sets a device down; one that is gone is down.
    pub(crate) fn shut(&mut self, index: u32) -> Result<(), LinkError> {
        match self.change(
            "set a device down",
            index,
            (LinkFlags::empty(), LinkFlags::Up),
            Vec::new(),
        ) {
            Err(LinkError::Refused {
                errno: libc::ENODEV,
                ..
            }) => Ok(()),
            other => other,
        }
    }

    /// Deletes a device; a veth takes its peer along.
    pub(crate) fn delete(&mut self, index: u32) -> Result<(), LinkError> {
        let unwanted = RouteNetlinkMessage::DelLink(message(index, Vec::new()));
        match self.request("delete a device", &unwanted, 0) {
            Err(LinkError::Refused {
                errno: libc::ENODEV,
                ..
            }) => Ok(()),
            other => other,
        }
    }

    /// IPv6 link-local address of a device, if it has one.
    pub(crate) fn link_local(&mut self, index: u32) -> Result<Option<Ipv6Addr>, LinkError> {
        let mut wanted = AddressMessage::default();
        wanted.header.family = AddressFamily::Inet6;
        let question = RouteNetlinkMessage::GetAddress(wanted);
        let found = self.list("list IPv6 addresses", &question, |payload| {
            read_link_local(payload, index)
        })?;
        Ok(found.into_iter().next())
    }

    /// Number under which this network namespace knows another; `None` if it does not.
    pub(crate) fn netnsid_of(&mut self, other: &File) -> Result<Option<i32>, LinkError> {
        let mut wanted = NsidMessage::default();
        let descriptor = NsidAttribute::Fd(other.as_raw_fd().cast_unsigned());
        wanted.attributes.push(descriptor);
        let found = self.get(
            "look up a network namespace",
            &RouteNetlinkMessage::GetNsId(wanted),
            |answer| read_nsid(answer.payload),
        )?;
        Ok(found.flatten())
    }

    /// One question with many answers.
    pub(super) fn list<T>(
        &mut self,
        action: &str,
        question: &RouteNetlinkMessage,
        mut read: impl FnMut(&[u8]) -> Option<T>,
    ) -> Result<Vec<T>, LinkError> {
        self.socket
            .dump(
                question.message_type(),
                |writer| writer.emit(question),
                |answer| read(answer.payload),
            )
            .map_err(|source| LinkError::new(action, source))
    }

    /// One acknowledged request.
    pub(super) fn request(
        &mut self,
        action: &str,
        message: &RouteNetlinkMessage,
        flags: u16,
    ) -> Result<(), LinkError> {
        self.socket
            .request(message.message_type(), flags, |writer| writer.emit(message))
            .map_err(|source| LinkError::new(action, source))
    }

    /// One question.
    pub(super) fn get<T>(
        &mut self,
        action: &str,
        message: &RouteNetlinkMessage,
        read: impl FnMut(Answer<'_>) -> T,
    ) -> Result<Option<T>, LinkError> {
        self.socket
            .get(message.message_type(), |writer| writer.emit(message), read)
            .map_err(|source| LinkError::new(action, source))
    }
}

/// A message about the device of this index; 0: about none yet, or the one named in `attributes`.
pub(super) fn message(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    message
}

fn read_link(payload: &[u8]) -> Option<Link> {
    let header = LinkHeader::parse(payload).ok()?;
    let mut link = Link {
        index: header.index,
        name: String::new(),
        flags: header.flags,
        mtu: 0,
        kind: None,
        peer: None,
        peer_elsewhere: None,
        mac: Vec::new(),
        xdp: false,
    };
    for attribute in attributes(payload, header.buffer_len()) {
        if attribute.kind() == libc::IFLA_LINKINFO {
            link.kind = info_kind(attribute.value());
            continue;
        }
        if attribute.kind() == XDP {
            link.xdp = is_xdp_attached(attribute.value());
            continue;
        }
        match LinkAttribute::parse_with_param(&attribute, header.interface_family) {
            Ok(LinkAttribute::IfName(name)) => link.name = name,
            Ok(LinkAttribute::Mtu(mtu)) => link.mtu = mtu,
            Ok(LinkAttribute::Link(peer)) => link.peer = Some(peer),
            Ok(LinkAttribute::LinkNetNsId(id)) => link.peer_elsewhere = Some(id),
            Ok(LinkAttribute::Address(mac)) => link.mac = mac,
            _ => {}
        }
    }
    Some(link).filter(|link| !link.name.is_empty())
}

fn is_xdp_attached(xdp: &[u8]) -> bool {
    attributes(xdp, 0).any(|attribute| {
        attribute.kind() == XDP_ATTACHED && attribute.value().iter().any(|byte| *byte != 0)
    })
}

fn read_link_local(payload: &[u8], index: u32) -> Option<Ipv6Addr> {
    let header = AddressHeader::parse(payload).ok()?;
    if header.index != index || header.scope != AddressScope::Link {
        return None;
    }
    attributes(payload, header.buffer_len())
        .find_map(|attribute| match AddressAttribute::parse(&attribute) {
            Ok(AddressAttribute::Address(IpAddr::V6(address))) => Some(address),
            _ => None,
        })
        .filter(Ipv6Addr::is_unicast_link_local)
}

fn read_nsid(payload: &[u8]) -> Option<i32> {
    let answer = NsidMessage::parse(payload).ok()?;
    answer
        .attributes
        .into_iter()
        .find_map(|attribute| match attribute {
            NsidAttribute::Id(id) => Some(id),
            _ => None,
        })
        .filter(|id| *id >= 0)
}

#[cfg(test)]
mod tests {
    use netlink_packet_route::link::{InfoData, InfoKind, LinkInfo};
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::Writer;

    fn written(attributes: Vec<LinkAttribute>) -> Writer {
        let mut writer = Writer::default();
        writer.emit(&RouteNetlinkMessage::NewLink(message(4, attributes)));
        writer
    }

    fn named(name: &str) -> Vec<LinkAttribute> {
        vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::Link(9),
            LinkAttribute::Mtu(1400),
        ]
    }

    #[test]
    fn attributes_that_the_crate_cannot_read_leave_the_others_readable() {
        let mut answer = written(named("eth0"));
        // An MTU of one byte and a type of the future.
        answer.attribute(4, &[1]);
        answer.attribute(0x3fff, &[1, 2, 3, 4]);
        assert!(LinkMessage::parse(answer.bytes()).is_err());
        let link = read_link(answer.bytes()).unwrap();
        assert_eq!(
            (link.index, link.name.as_str(), link.mtu, link.peer),
            (4, "eth0", 1400, Some(9))
        );
    }

    #[test]
    fn a_kind_is_read_whatever_its_data_say() {
        // A mode of one byte, where the crate expects four.
        let mut mode = Writer::default();
        mode.attribute(1, &[1]);
        let mut attributes = named("eth0");
        attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::MacVlan),
            LinkInfo::Data(InfoData::Other(mode.bytes().to_vec())),
        ]));
        let answer = written(attributes);
        assert!(LinkMessage::parse(answer.bytes()).is_err());
        let link = read_link(answer.bytes()).unwrap();
        assert_eq!(link.kind.as_deref(), Some("macvlan"));
    }

    #[test]
    fn an_xdp_program_shows_by_what_is_attached() {
        for (attached, expected) in [(0, false), (1, true), (4, true)] {
            let mut xdp = Writer::default();
            xdp.attribute(XDP_ATTACHED, &[attached]);
            let mut answer = written(named("eth0"));
            answer.attribute(XDP, xdp.bytes());
            assert_eq!(read_link(answer.bytes()).unwrap().xdp, expected);
        }
        assert!(!read_link(written(named("eth0")).bytes()).unwrap().xdp);
    }

    #[test]
    fn a_device_without_a_name_is_none() {
        assert_eq!(read_link(written(Vec::new()).bytes()), None);
        assert_eq!(read_link(&[0; 15]), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_answer_is_read_without_panic(
            answer in prop::collection::vec(any::<u8>(), 0..200),
            kinds in prop::collection::vec((0u16..70, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        ) {
            let mut writer = Writer::default();
            writer.raw(&[0; 16]);
            for (kind, value) in &kinds {
                writer.attribute(*kind, value);
            }
            for payload in [&answer, writer.bytes()] {
                let _ = read_link(payload);
                let _ = read_link_local(payload, 0);
                let _ = read_nsid(payload);
            }
        }
    }
}
