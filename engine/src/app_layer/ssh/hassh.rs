//! HASSH: which algorithms a side offers, as a string and as its MD5.

use crate::event::FlowDirection;

/// Message number of `SSH_MSG_KEXINIT` (RFC 4253 section 7.1).
const KEXINIT: u8 = 20;

/// Bytes of the message number and the cookie in front of the name lists.
const HEAD: usize = 17;

/// Name lists that matter: key exchange, host keys, then encryption, MAC and compression, each first for
/// the client's direction and then for the server's.
const LISTS: usize = 8;

/// The algorithms of a KEXINIT payload: key exchange, and encryption, MAC and compression of the
/// sender's direction, joined by `;`. `None`: it is no well-formed KEXINIT.
pub(super) fn algorithms(payload: &[u8], sender: FlowDirection, out: &mut Vec<u8>) -> Option<()> {
    if *payload.first()? != KEXINIT {
        return None;
    }
    let mut rest = payload.get(HEAD..)?;
    let mut lists: [&[u8]; LISTS] = [&[]; LISTS];
    for list in &mut lists {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        (*list, rest) = behind.split_at_checked(length)?;
    }
    let own = match sender {
        FlowDirection::ToServer => [lists[0], lists[2], lists[4], lists[6]],
        FlowDirection::ToClient => [lists[0], lists[3], lists[5], lists[7]],
    };
    out.clear();
    for (index, list) in own.into_iter().enumerate() {
        if index > 0 {
            out.push(b';');
        }
        out.extend_from_slice(list);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn kexinit(lists: [&str; 10]) -> Vec<u8> {
        let mut payload = vec![KEXINIT];
        payload.extend([0; 16]);
        for list in lists {
            payload.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            payload.extend(list.bytes());
        }
        payload
    }

    #[test]
    fn each_side_is_known_by_what_it_offers_for_its_own_direction() {
        let payload = kexinit(["kex", "key", "ec", "es", "mc", "ms", "cc", "cs", "", ""]);
        let mut out = Vec::new();
        algorithms(&payload, FlowDirection::ToServer, &mut out).unwrap();
        assert_eq!(out, b"kex;ec;mc;cc");
        algorithms(&payload, FlowDirection::ToClient, &mut out).unwrap();
        assert_eq!(out, b"kex;es;ms;cs");
        assert_eq!(
            algorithms(&payload[..30], FlowDirection::ToClient, &mut out),
            None
        );
    }
}
