//! `hostbits` and `xbits`: bits on hosts and pairs of hosts.

use std::hash::Hasher;
use std::net::IpAddr;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::Name;
use super::bucket::Buckets;
use super::threshold::write_address;
use crate::detect::program::{HostCommand, HostTrack};
use crate::frame::Timestamp;

/// The bits on hosts of a worker. A bit lives until its time runs out.
#[derive(Debug)]
pub(crate) struct HostBits {
    /// When each set bit expires, nanoseconds; `u64::MAX`: never.
    table: Buckets<u64>,
    seed: [u64; 2],
}

impl HostBits {
    /// A table of `capacity` bits.
    pub(crate) fn new(capacity: usize, seed: [u64; 2]) -> Self {
        Self {
            table: Buckets::new(capacity),
            seed,
        }
    }

    /// The key of a bit for a packet with these ends.
    pub(crate) fn key(
        &self,
        name: Name,
        track: HostTrack,
        (source, destination): (IpAddr, IpAddr),
    ) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.seed[0], self.seed[1]);
        hasher.write_u64(name.value());
        match track {
            HostTrack::Source => write_address(&mut hasher, source),
            HostTrack::Destination => write_address(&mut hasher, destination),
            HostTrack::Pair => {
                write_address(&mut hasher, source.min(destination));
                write_address(&mut hasher, source.max(destination));
            }
        }
        hasher.finish128().as_u128()
    }

    /// Whether the bit is set.
    pub(crate) fn is_set(&mut self, key: u128, now: Timestamp) -> bool {
        self.table.get(key).is_some_and(|expires| *expires > now.0)
    }

    /// Changes the bit; one that is set lives for `seconds`.
    pub(crate) fn change(
        &mut self,
        key: u128,
        command: HostCommand,
        seconds: Option<u32>,
        now: Timestamp,
    ) {
        let set = match command {
            HostCommand::Set => true,
            HostCommand::Unset => false,
            HostCommand::Toggle => !self.is_set(key, now),
        };
        if !set {
            self.table.remove(key);
            return;
        }
        let expires = seconds.map_or(u64::MAX, |seconds| {
            now.0
                .saturating_add(u64::from(seconds).saturating_mul(1_000_000_000))
        });
        *self
            .table
            .entry(key, now, |expires| *expires <= now.0, || expires) = expires;
    }

    /// Bits thrown out before their time.
    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_lives_on_its_host_until_its_time_is_up() {
        let mut bits = HostBits::new(16, [1, 2]);
        let (a, b): (IpAddr, IpAddr) = ([1, 1, 1, 1].into(), [2, 2, 2, 2].into());
        let name = Name::new("x");
        let key = bits.key(name, HostTrack::Source, (a, b));
        let at = |second: u64| Timestamp(second * 1_000_000_000);
        bits.change(key, HostCommand::Set, Some(10), at(0));
        assert!(bits.is_set(key, at(9)));
        assert!(!bits.is_set(key, at(10)));
        let as_destination = bits.key(name, HostTrack::Destination, (b, a));
        assert!(
            bits.is_set(as_destination, at(1)),
            "it is the host's, whichever end it is"
        );
        bits.change(key, HostCommand::Toggle, None, at(1));
        assert!(!bits.is_set(key, at(1)));
        bits.change(key, HostCommand::Toggle, None, at(1));
        assert!(bits.is_set(key, at(1_000_000)));
        let pair = bits.key(name, HostTrack::Pair, (a, b));
        assert_eq!(pair, bits.key(name, HostTrack::Pair, (b, a)));
        assert!(!bits.is_set(pair, at(1)));
    }
}
