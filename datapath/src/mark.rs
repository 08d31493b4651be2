//! Packet marks.
//!
//! Two marks that never meet:
//! - the **capture mark** is on a frame between the nft chain that diverts it and the enforcer: the
//!   pod's host interface index and the wire direction. The frame never returns to the host's stack,
//!   so all 32 bits are free;
//! - the **settled mark** is one bit, on a frame that has had its verdict and travels on through the
//!   host's stack. It keeps clear of the bits that others use: kube-proxy 0xc000, portmap and netavark
//!   0x2000, Calico 0xffff0000, Cilium 0x0f00, AWS VPC CNI 0x80, Istio 0x539.
//!
//! A pod can forge neither: veth scrubs the mark between network namespaces.

/// Wire direction of a frame, seen from the pod whose host interface it crosses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WireDirection {
    /// Sent by the pod; seen at its host interface's ingress hook.
    FromPod,
    /// On its way to the pod; seen at its host interface's egress hook.
    ToPod,
}

/// The bit that says "this frame has had its verdict".
pub const SETTLED: u32 = 0x1000;

/// Direction bit of a capture mark: set for [`WireDirection::ToPod`].
const TO_POD: u32 = 0x8000_0000;

/// Mark of a diverted frame: whose interface it crossed, in which direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CaptureMark(u32);

impl CaptureMark {
    /// The mark for frames of the pod behind host interface `ifindex`.
    ///
    /// `None` for index 0 and for indexes of 2^31 and more, which the kernel does not hand out.
    #[must_use]
    pub fn new(ifindex: u32, direction: WireDirection) -> Option<Self> {
        if ifindex == 0 || ifindex & TO_POD != 0 {
            return None;
        }
        Some(Self(match direction {
            WireDirection::FromPod => ifindex,
            WireDirection::ToPod => ifindex | TO_POD,
        }))
    }

    /// Reads a mark that the kernel delivered with a frame. `None` when it names no interface.
    #[must_use]
    pub fn from_raw(raw: u32) -> Option<Self> {
        (raw & !TO_POD != 0).then_some(Self(raw))
    }

    /// The 32 bits as nft sets them.
    #[must_use]
    pub fn raw(self) -> u32 {
        self.0
    }

    /// Index of the pod's host interface.
    #[must_use]
    pub fn ifindex(self) -> u32 {
        self.0 & !TO_POD
    }

    /// Wire direction.
    #[must_use]
    pub fn direction(self) -> WireDirection {
        if self.0 & TO_POD == 0 {
            WireDirection::FromPod
        } else {
            WireDirection::ToPod
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capture_mark_carries_interface_and_direction() {
        for direction in [WireDirection::FromPod, WireDirection::ToPod] {
            for ifindex in [1, 42, 0x7fff_ffff] {
                let mark = CaptureMark::new(ifindex, direction).unwrap();
                let read = CaptureMark::from_raw(mark.raw()).unwrap();
                assert_eq!((read.ifindex(), read.direction()), (ifindex, direction));
            }
        }
    }

    #[test]
    fn capture_mark_refuses_what_names_no_interface() {
        assert_eq!(CaptureMark::new(0, WireDirection::FromPod), None);
        assert_eq!(CaptureMark::new(0x8000_0001, WireDirection::FromPod), None);
        assert_eq!(CaptureMark::from_raw(0), None);
        assert_eq!(CaptureMark::from_raw(0x8000_0000), None);
    }
}
