//! Sets of IP addresses.

use std::net::IpAddr;

use super::Intervals;

/// A set of IPv4 and IPv6 addresses. Lookup is a binary search within the family.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct AddressSet {
    v4: Intervals<u32>,
    v6: Intervals<u128>,
    any: bool,
}

impl AddressSet {
    /// A set of what is given for each family.
    pub(crate) fn new(v4: Intervals<u32>, v6: Intervals<u128>) -> Self {
        let any = v4.is_full() && v6.is_full();
        Self { v4, v6, any }
    }

    /// Every address.
    pub(crate) fn any() -> Self {
        Self::new(Intervals::full(), Intervals::full())
    }

    /// No address.
    pub(crate) fn empty() -> Self {
        Self::new(Intervals::empty(), Intervals::empty())
    }

    /// Addresses from `low` to `high`, both included; empty where they are of different families.
    pub(crate) fn range(low: IpAddr, high: IpAddr) -> Self {
        match (low, high) {
            (IpAddr::V4(low), IpAddr::V4(high)) => Self::new(
                Intervals::union(vec![(low.to_bits(), high.to_bits())]),
                Intervals::empty(),
            ),
            (IpAddr::V6(low), IpAddr::V6(high)) => Self::new(
                Intervals::empty(),
                Intervals::union(vec![(low.to_bits(), high.to_bits())]),
            ),
            _ => Self::empty(),
        }
    }

    /// The block of `prefix` leading bits that holds `address`.
    pub(crate) fn net(address: IpAddr, prefix: u8) -> Self {
        match address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
                let low = address.to_bits() & !host;
                let v4 = Intervals::union(vec![(low, low | host)]);
                Self::new(v4, Intervals::empty())
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(prefix.into()).unwrap_or(0);
                let low = address.to_bits() & !host;
                let v6 = Intervals::union(vec![(low, low | host)]);
                Self::new(Intervals::empty(), v6)
            }
        }
    }

    /// Addresses of any of the sets.
    pub(crate) fn union<'a>(sets: impl IntoIterator<Item = &'a Self> + Clone) -> Self {
        let v4 = sets.clone().into_iter().flat_map(|set| set.v4.iter());
        let v6 = sets.into_iter().flat_map(|set| set.v6.iter());
        Self::new(
            Intervals::union(v4.collect()),
            Intervals::union(v6.collect()),
        )
    }

    /// Every address that is not in the set.
    pub(crate) fn complement(&self) -> Self {
        Self::new(self.v4.complement(), self.v6.complement())
    }

    /// Addresses of this set that the other lacks.
    pub(crate) fn minus(&self, other: &Self) -> Self {
        Self::new(self.v4.minus(&other.v4), self.v6.minus(&other.v6))
    }

    /// Whether any address is in both.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        *self != self.minus(other)
    }

    /// Whether `address` is in the set.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.any
            || match address {
                IpAddr::V4(address) => self.v4.contains(address.to_bits()),
                IpAddr::V6(address) => self.v6.contains(address.to_bits()),
            }
    }

    /// True when it holds every address.
    pub(crate) fn is_any(&self) -> bool {
        self.any
    }

    /// The IPv4 addresses, from the first to the second of each pair.
    pub(crate) fn v4(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.v4.iter()
    }

    /// The IPv6 addresses, the same way.
    pub(crate) fn v6(&self) -> impl Iterator<Item = (u128, u128)> + '_ {
        self.v6.iter()
    }

    /// The larger of the shares that it has of the two families' addresses: 0 for none, 1 for all.
    pub(crate) fn share(&self) -> f64 {
        let v4: f64 = self
            .v4()
            .map(|(low, high)| f64::from(high - low) + 1.0)
            .sum();
        let v6: f64 = self.v6().map(|(low, high)| (high - low) as f64 + 1.0).sum();
        (v4 / (u32::MAX as f64 + 1.0)).max(v6 / (u128::MAX as f64 + 1.0))
    }

    /// True when it holds no address.
    pub(crate) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_block_holds_its_first_and_last_address_only() {
        for (net, prefix, inside, outside) in [
            (
                "10.1.2.3",
                8,
                ["10.0.0.0", "10.255.255.255"],
                ["9.255.255.255", "11.0.0.0"],
            ),
            ("0.0.0.0", 0, ["0.0.0.0", "255.255.255.255"], ["::", "::1"]),
            (
                "1.2.3.4",
                32,
                ["1.2.3.4", "1.2.3.4"],
                ["1.2.3.3", "1.2.3.5"],
            ),
            (
                "fe80::1",
                10,
                ["fe80::", "febf:ffff::"],
                ["fec0::", "10.0.0.1"],
            ),
            ("::1", 128, ["::1", "::1"], ["::", "::2"]),
        ] {
            let set = AddressSet::net(ip(net), prefix);
            for address in inside {
                assert!(set.contains(ip(address)), "{net}/{prefix} {address}");
            }
            for address in outside {
                assert!(!set.contains(ip(address)), "{net}/{prefix} {address}");
            }
        }
    }

    #[test]
    fn complement_of_a_v4_block_holds_all_of_v6() {
        let set = AddressSet::net(ip("10.0.0.0"), 8).complement();
        assert!(set.contains(ip("fe80::1")));
        assert!(!set.contains(ip("10.9.9.9")));
        assert!(set.complement().complement() == set);
    }
}
