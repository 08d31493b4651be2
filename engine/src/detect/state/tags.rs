//! What is left of tags: of flows, and of hosts.

use std::net::IpAddr;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::bucket::Buckets;
use super::threshold::write_address;
use crate::detect::program::TagExtent;
use crate::frame::Timestamp;

/// What is left of the tags of one flow or host. Tags of one kind run at the same time, so that the one that
/// lasts longest is all that needs to be known of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) struct Tagged {
    packets: u32,
    bytes: u64,
    /// The first nanosecond that is too late.
    until: u64,
}

impl Tagged {
    /// Adds a tag that starts behind the packet at hand.
    pub(crate) fn add(&mut self, extent: TagExtent, now: Timestamp) {
        match extent {
            TagExtent::Packets(count) => self.packets = self.packets.max(count),
            TagExtent::Bytes(count) => self.bytes = self.bytes.max(count.into()),
            TagExtent::Seconds(count) => {
                let until = u64::from(count)
                    .saturating_mul(1_000_000_000)
                    .saturating_add(now.0);
                self.until = self.until.max(until);
            }
        }
    }

    /// Counts a frame of that length: whether it is tagged.
    pub(crate) fn take(&mut self, length: usize, now: Timestamp) -> bool {
        let runs = !self.is_over(now);
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.packets = self.packets.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(length);
        runs
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.packets == 0 && self.bytes == 0 && self.until <= now.0
    }
}

/// The tagged hosts of a worker.
#[derive(Debug)]
pub(crate) struct TaggedHosts {
    table: Buckets<Tagged>,
    seed: [u64; 2],
    /// None was ever tagged: there is nothing to look up.
    unused: bool,
}

impl TaggedHosts {
    /// A table of `capacity` hosts.
    pub(crate) fn new(capacity: usize, seed: [u64; 2]) -> Self {
        Self {
            table: Buckets::new(capacity),
            seed,
            unused: true,
        }
    }

    fn key(&self, host: IpAddr) -> u128 {
        let mut hasher = SipHasher13::new_with_keys(self.seed[0], self.seed[1]);
        write_address(&mut hasher, host);
        hasher.finish128().as_u128()
    }

    /// Tags a host.
    pub(crate) fn add(&mut self, host: IpAddr, extent: TagExtent, now: Timestamp) {
        self.unused = false;
        let key = self.key(host);
        let over = |tagged: &Tagged| tagged.is_over(now);
        let entry = self.table.entry(key, now, over, Tagged::default);
        entry.add(extent, now);
    }

    /// Counts a frame of that length between two hosts: whether either is tagged.
    pub(crate) fn take(&mut self, ends: [IpAddr; 2], length: usize, now: Timestamp) -> bool {
        if self.unused {
            return false;
        }
        let mut tagged = false;
        for host in ends {
            let key = self.key(host);
            if let Some(entry) = self.table.get(key) {
                tagged |= entry.take(length, now);
            }
        }
        tagged
    }

    /// Hosts thrown out before their time.
    pub(crate) fn evicted(&self) -> u64 {
        self.table.evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: u64) -> Timestamp {
        Timestamp(at * 1_000_000_000)
    }

    #[test]
    fn a_tag_lasts_for_its_packets_bytes_or_seconds() {
        for (extent, tagged) in [
            (TagExtent::Packets(2), [true, true, false, false]),
            (TagExtent::Bytes(101), [true, true, false, false]),
            (TagExtent::Bytes(100), [true, false, false, false]),
            (TagExtent::Seconds(4), [true, true, true, false]),
        ] {
            let mut left = Tagged::default();
            left.add(extent, second(0));
            let seen = [1, 2, 3, 4].map(|at| left.take(100, second(at)));
            assert_eq!(seen, tagged, "{extent:?}");
        }
    }

    #[test]
    fn of_several_tags_the_longest_counts() {
        let mut left = Tagged::default();
        left.add(TagExtent::Packets(1), second(0));
        left.add(TagExtent::Packets(3), second(0));
        left.add(TagExtent::Packets(2), second(0));
        left.add(TagExtent::Seconds(10), second(0));
        for at in 1..10 {
            assert!(left.take(1, second(at)), "{at}");
        }
        assert!(!left.take(1, second(10)));
    }

    #[test]
    fn a_full_table_of_hosts_gives_up_the_oldest_and_counts_it() {
        let mut hosts = TaggedHosts::new(4, [1, 2]);
        let host = |last: u8| IpAddr::from([10, 0, 0, last]);
        for last in 0..5 {
            hosts.add(host(last), TagExtent::Packets(9), second(last.into()));
        }
        assert_eq!(hosts.evicted(), 1);
        let other = host(99);
        assert!(!hosts.take([host(0), other], 1, second(6)));
        assert!(hosts.take([other, host(4)], 1, second(6)));
    }
}
