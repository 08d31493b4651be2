//! Device features over ethtool netlink (`linux/ethtool_netlink.h`, Linux 5.6).

use super::{Link, LinkError};
use crate::netlink::{Socket, Writer};
use crate::sys::kernel_version;

/// Features that make frames which `virtio_net_hdr` cannot describe: segmentation of tunnels, SCTP, ESP and
/// fragment lists, checksums that are not the Internet's. Names are the kernel's; those it does not know it
/// does not have.
const UNDESCRIBABLE: [&str; 14] = [
    "tx-gre-segmentation",
    "tx-gre-csum-segmentation",
    "tx-ipxip4-segmentation",
    "tx-ipxip6-segmentation",
    "tx-udp_tnl-segmentation",
    "tx-udp_tnl-csum-segmentation",
    "tx-tunnel-remcsum-segmentation",
    "tx-gso-partial",
    "tx-gso-list",
    "tx-sctp-segmentation",
    "tx-checksum-sctp",
    "tx-esp-segmentation",
    "tx-fcoe-segmentation",
    "tx-tcp-accecn-segmentation",
];

/// `VIRTIO_NET_HDR_GSO_UDP_L4` is known from this kernel on.
const UDP_SEGMENTATION: (&str, (u32, u32)) = ("tx-udp-segmentation", (6, 2));

const CONTROLLER: u16 = 0x10;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
const FEATURES_SET: u8 = 12;

const FEATURES_HEADER: u16 = 1;
const FEATURES_WANTED: u16 = 3;
const HEADER_INDEX: u16 = 1;
const HEADER_FLAGS: u16 = 3;
const OMIT_REPLY: u32 = 2;
const BITSET_BITS: u16 = 3;
const BITS_BIT: u16 = 1;
const BIT_NAME: u16 = 2;

/// Length of `genlmsghdr`.
const FIXED: usize = 4;

/// ethtool netlink of one network namespace.
pub(super) struct Features {
    socket: Socket,
    family: u16,
}

impl Features {
    /// Opens the socket in the calling thread's network namespace.
    pub(super) fn open() -> Result<Self, LinkError> {
        let action = "open an ethtool netlink socket";
        let failed = |source| LinkError::new(action, source);
        let mut socket = Socket::open(libc::NETLINK_GENERIC).map_err(failed)?;
        let family = socket
            .get(
                CONTROLLER,
                |writer| {
                    writer.raw(&[GET_FAMILY, 1, 0, 0]);
                    writer.string(FAMILY_NAME, "ethtool");
                },
                |answer| {
                    let id = answer.attributes(FIXED).get(FAMILY_ID)?;
                    Some(u16::from_ne_bytes(id.try_into().ok()?))
                },
            )
            .map_err(failed)?
            .flatten()
            .ok_or_else(|| LinkError::Refused {
                action: action.to_owned(),
                errno: libc::ENOENT,
                text: Some("no ethtool netlink: weir needs CONFIG_ETHTOOL_NETLINK".to_owned()),
            })?;
        Ok(Self { socket, family })
    }

    /// Switches off what [`UNDESCRIBABLE`] says.
    pub(super) fn restrict(&mut self, link: &Link) -> Result<(), LinkError> {
        for feature in UNDESCRIBABLE {
            self.switch_off(link, feature)?;
        }
        let (feature, since) = UDP_SEGMENTATION;
        if kernel_version().is_none_or(|version| version < since) {
            self.switch_off(link, feature)?;
        }
        Ok(())
    }

    fn switch_off(&mut self, link: &Link, feature: &str) -> Result<(), LinkError> {
        let result = self.socket.request(self.family, 0, |writer| {
            writer.raw(&[FEATURES_SET, 1, 0, 0]);
            writer.nested(FEATURES_HEADER, |header| {
                header.ne32(HEADER_INDEX, link.index);
                header.ne32(HEADER_FLAGS, OMIT_REPLY);
            });
            writer.nested(FEATURES_WANTED, |wanted| off(wanted, feature));
        });
        match result {
            Ok(()) => Ok(()),
            // "bit name not found": this kernel has no such feature.
            Err(error) if error.errno() == Some(libc::EOPNOTSUPP) => Ok(()),
            Err(error) => Err(LinkError::new(
                &format!("switch off {feature} of device `{}`", link.name),
                error,
            )),
        }
    }
}

/// A bit set with a mask of this one bit and no value.
fn off(wanted: &mut Writer, feature: &str) {
    wanted.nested(BITSET_BITS, |bits| {
        bits.nested(BITS_BIT, |bit| bit.string(BIT_NAME, feature));
    });
}
