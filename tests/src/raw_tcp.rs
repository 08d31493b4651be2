//! A TCP client whose every segment is crafted: order, overlap and fragmentation are the test's choice.
//!
//! It sends through AF_PACKET inside the pod's namespace, with the pod's own addresses, so that anti-spoofing
//! lets it pass. The pod's kernel knows nothing of the connection and would reset it: an nft rule in the pod's
//! namespace stops such resets at the output hook, which AF_PACKET does not cross.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use pnet::datalink::{Channel, Config, DataLinkReceiver, DataLinkSender, channel, interfaces};
use pnet::packet::Packet;
use pnet::packet::ethernet::{EtherTypes, EthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::Ipv4Packet;
use pnet::packet::ipv6::Ipv6Packet;
use pnet::packet::tcp::TcpPacket;
use pnet::util::MacAddr;

use crate::craft::{self, Ends, Tcp, flags};
use crate::netns::Netns;
use crate::pod::Pod;

/// How long a reply may take.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// How long one read of the wire blocks.
const READ_TICK: Duration = Duration::from_millis(50);

/// Longest pause after which a lost handshake segment is sent again.
const RESEND: Duration = Duration::from_secs(1);

/// A raw link-layer port on an interface inside a namespace.
pub struct RawPort {
    sender: Box<dyn DataLinkSender>,
    receiver: Box<dyn DataLinkReceiver>,
}

impl RawPort {
    /// Opens `ifname` inside `ns`.
    ///
    /// # Errors
    /// When there is no such interface.
    pub fn open(ns: &Netns, ifname: &str) -> Result<Self> {
        ns.run(|| {
            let interface = interfaces()
                .into_iter()
                .find(|interface| interface.name == ifname)
                .with_context(|| format!("no interface {ifname} in {}", ns.name()))?;
            let config = Config {
                read_timeout: Some(READ_TICK),
                read_buffer_size: 1 << 17,
                write_buffer_size: 1 << 17,
                ..Config::default()
            };
            match channel(&interface, config).context("AF_PACKET socket")? {
                Channel::Ethernet(sender, receiver) => Ok(Self { sender, receiver }),
                _ => bail!("{ifname} is not an Ethernet interface"),
            }
        })
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        match self.sender.send_to(frame, None) {
            Some(result) => result.context("send on AF_PACKET"),
            None => bail!(
                "send on AF_PACKET: frame of {} bytes is too long",
                frame.len()
            ),
        }
    }

    /// The next frame that `accept` takes, `None` when none came within `limit`.
    pub fn receive<T>(
        &mut self,
        limit: Duration,
        mut accept: impl FnMut(&[u8]) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(taken) = self.receiver.next().ok().and_then(&mut accept) {
                return Some(taken);
            }
        }
        None
    }
}

/// A segment that came back.
#[derive(Clone, Copy, Debug)]
pub struct Reply {
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags.
    pub flags: u8,
}

/// A crafted TCP connection from a pod.
pub struct RawTcp {
    port: RawPort,
    ends: Ends,
    ports: (u16, u16),
    initial: u32,
    acknowledgement: u32,
}

impl RawTcp {
    /// Does the three-way handshake from `pod` (source port `source_port`) with `server`, whose next hop is `next_hop`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn connect(
        pod: &Pod,
        source_port: u16,
        server: SocketAddr,
        next_hop: MacAddr,
    ) -> Result<Self> {
        pod.ns.nft(&format!(
            "table inet rawtcp {{ chain out {{ type filter hook output priority 0; \
             tcp sport {source_port} tcp flags & rst == rst drop; }}; }}"
        ))?;
        let source = match server.ip() {
            IpAddr::V4(_) => pod.v4()?.into(),
            IpAddr::V6(_) => pod.v6()?.into(),
        };
        let mut connection = Self {
            port: RawPort::open(&pod.ns, "eth0")?,
            ends: Ends {
                source_mac: pod.mac,
                destination_mac: next_hop,
                source,
                destination: server.ip(),
            },
            ports: (source_port, server.port()),
            initial: 0x1000_0000 | u32::from(source_port),
            acknowledgement: 0,
        };
        connection.handshake()?;
        Ok(connection)
    }

    /// The frame of a data segment whose first byte is `offset` bytes into the stream.
    ///
    /// # Errors
    /// When it is too long for a packet.
    pub fn segment(&self, offset: u32, payload: &[u8]) -> Result<Vec<u8>> {
        self.flagged(offset, flags::ACK | flags::PSH, payload)
    }

    /// A segment with the flags given.
    ///
    /// # Errors
    /// When it is too long for a packet.
    pub fn flagged(&self, offset: u32, flags: u8, payload: &[u8]) -> Result<Vec<u8>> {
        craft::tcp(&self.ends, &self.header(offset, flags), payload)
    }

    /// The IP fragments, with bodies of `size` bytes, of a data segment.
    ///
    /// # Errors
    /// When `size` is no multiple of 8.
    pub fn fragmented(&self, offset: u32, payload: &[u8], size: usize) -> Result<Vec<Vec<u8>>> {
        let header = self.header(offset, flags::ACK | flags::PSH);
        let body = craft::tcp_segment(&self.ends, &header, payload)?;
        craft::fragments(&self.ends, craft::protocol::TCP, &body, self.ports.0, size)
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn send(&mut self, frame: &[u8]) -> Result<()> {
        self.port.send(frame)
    }

    /// Waits until the peer has acknowledged `offset` bytes of the stream.
    ///
    /// # Errors
    /// When it has not within the limit.
    pub fn wait_acknowledged(&mut self, offset: u32) -> Result<()> {
        let wanted = self.initial.wrapping_add(1).wrapping_add(offset);
        self.wait_reply(REPLY_LIMIT, |reply| reply.acknowledgement == wanted)
            .with_context(|| format!("no acknowledgement of {offset} bytes"))
            .map(drop)
    }

    /// The next segment of the peer that `accept` takes.
    pub fn wait_reply(
        &mut self,
        limit: Duration,
        accept: impl Fn(&Reply) -> bool,
    ) -> Option<Reply> {
        let (local, remote) = self.ports;
        let peer = self.ends.destination;
        self.port.receive(limit, |frame| {
            parse(frame, peer, (remote, local)).filter(|reply| accept(reply))
        })
    }

    fn header(&self, offset: u32, flags: u8) -> Tcp {
        Tcp {
            source_port: self.ports.0,
            destination_port: self.ports.1,
            sequence: self.initial.wrapping_add(1).wrapping_add(offset),
            acknowledgement: self.acknowledgement,
            flags,
        }
    }

    fn handshake(&mut self) -> Result<()> {
        let mut syn = self.header(0, flags::SYN);
        syn.sequence = self.initial;
        let syn = craft::tcp(&self.ends, &syn, &[])?;
        let deadline = Instant::now() + REPLY_LIMIT;
        let answer = loop {
            self.send(&syn)?;
            let wanted = flags::SYN | flags::ACK;
            if let Some(reply) = self.wait_reply(RESEND, |reply| reply.flags & wanted == wanted) {
                break reply;
            }
            if Instant::now() > deadline {
                bail!("no SYN-ACK from {}", self.ends.destination);
            }
        };
        self.acknowledgement = answer.sequence.wrapping_add(1);
        let ack = self.flagged(0, flags::ACK, &[])?;
        self.send(&ack)
    }
}

fn parse(frame: &[u8], peer: IpAddr, ports: (u16, u16)) -> Option<Reply> {
    let ethernet = EthernetPacket::new(frame)?;
    let payload = ethernet.payload();
    match ethernet.get_ethertype() {
        EtherTypes::Ipv4 => {
            let packet = Ipv4Packet::new(payload)?;
            let ours = packet.get_next_level_protocol() == IpNextHeaderProtocols::Tcp
                && IpAddr::V4(packet.get_source()) == peer;
            ours.then(|| parse_tcp(packet.payload(), ports))?
        }
        EtherTypes::Ipv6 => {
            let packet = Ipv6Packet::new(payload)?;
            let ours = packet.get_next_header() == IpNextHeaderProtocols::Tcp
                && IpAddr::V6(packet.get_source()) == peer;
            ours.then(|| parse_tcp(packet.payload(), ports))?
        }
        _ => None,
    }
}

fn parse_tcp(bytes: &[u8], ports: (u16, u16)) -> Option<Reply> {
    let segment = TcpPacket::new(bytes)?;
    let ours = (segment.get_source(), segment.get_destination()) == ports;
    ours.then(|| Reply {
        sequence: segment.get_sequence(),
        acknowledgement: segment.get_acknowledgement(),
        flags: segment.get_flags(),
    })
}
