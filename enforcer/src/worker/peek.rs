//! The address at the far end of a frame, before the engine decodes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use weir_engine::frame::WireDirection;

/// The address of the end that is not the pod whose interface the frame crosses. `None` where the frame
/// is no IP or too short.
#[must_use]
pub(super) fn far_end(frame: &[u8], direction: WireDirection) -> Option<IpAddr> {
    let mut at = 12;
    let mut kind = half(frame, at)?;
    while matches!(kind, 0x8100 | 0x88a8) && at < 20 {
        at += 4;
        kind = half(frame, at)?;
    }
    let ip = frame.get(at + 2..)?;
    let second = direction == WireDirection::FromPod;
    match kind {
        0x0800 => {
            let at = if second { 16 } else { 12 };
            let bytes = ip.get(at..)?.first_chunk::<4>()?;
            Some(IpAddr::V4(Ipv4Addr::from(*bytes)))
        }
        0x86dd => {
            let at = if second { 24 } else { 8 };
            let bytes = ip.get(at..)?.first_chunk::<16>()?;
            Some(IpAddr::V6(Ipv6Addr::from(*bytes)))
        }
        _ => None,
    }
}

fn half(frame: &[u8], at: usize) -> Option<u16> {
    let bytes = frame.get(at..)?.first_chunk::<2>()?;
    Some(u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn far_end_is_source_or_destination_by_direction() {
        let mut frame = vec![0; 12];
        frame.extend([0x81, 0, 0, 5, 0x08, 0]);
        frame.extend([
            0x45, 0, 0, 20, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ]);
        let text = |direction| far_end(&frame, direction).unwrap().to_string();
        assert_eq!(text(WireDirection::ToPod), "10.0.0.1");
        assert_eq!(text(WireDirection::FromPod), "10.0.0.2");
    }

    proptest! {
        #[test]
        fn takes_any_bytes(frame in prop::collection::vec(any::<u8>(), 0..70)) {
            let _ = far_end(&frame, WireDirection::ToPod);
            let _ = far_end(&frame, WireDirection::FromPod);
        }
    }
}
