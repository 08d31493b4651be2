//! IP reputation: scores of hosts and networks by category.
//!
//! Immutable, shared by the rule sets that name it. The longest network that holds a host counts: a look-up
//! asks for each length of prefix that the category has, longest first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use weir_policies::ip_reputation::{Category, Score};

/// Bits of an address as it is kept: IPv4 as its IPv6 mapping.
const BITS: u8 = 128;

/// Scores by the names of their categories.
#[derive(Clone, Debug, Default)]
pub struct Reputation {
    categories: HashMap<String, Arc<Scores>>,
}

/// The scores of one category.
#[derive(Debug, Default)]
pub(super) struct Scores {
    /// Lengths of prefixes there are, longest first.
    lengths: Vec<u8>,
    /// By length and leading bits.
    networks: HashMap<(u8, u128), u8>,
}

impl Reputation {
    /// These categories with their scores. Of several scores of one network the last counts. Returns how many
    /// scores are of categories that there are not.
    #[must_use]
    pub fn new(categories: &[Category], scores: &[Score]) -> (Self, usize) {
        let mut by_id: HashMap<u8, Scores> = categories
            .iter()
            .map(|category| (category.id, Scores::default()))
            .collect();
        let mut lost = 0;
        for score in scores {
            match by_id.get_mut(&score.category) {
                Some(scores) => scores.add(score),
                None => lost += 1,
            }
        }
        let shared: HashMap<u8, Arc<Scores>> = by_id
            .into_iter()
            .map(|(id, scores)| (id, Arc::new(scores)))
            .collect();
        let named = categories.iter().filter_map(|category| {
            let scores = shared.get(&category.id)?;
            Some((category.name.clone(), Arc::clone(scores)))
        });
        let categories = named.collect();
        (Self { categories }, lost)
    }

    pub(super) fn category(&self, name: &str) -> Option<&Arc<Scores>> {
        self.categories.get(name)
    }
}

impl Scores {
    fn add(&mut self, score: &Score) {
        let length = match score.address {
            IpAddr::V4(_) => score.prefix.saturating_add(BITS - 32),
            IpAddr::V6(_) => score.prefix,
        };
        if let Err(at) = self.lengths.binary_search_by(|known| length.cmp(known)) {
            self.lengths.insert(at, length);
        }
        let leading = leading(bits(score.address), length);
        self.networks.insert((length, leading), score.score);
    }

    /// The score of a host; `None`: it has none.
    pub(super) fn of(&self, host: IpAddr) -> Option<u8> {
        let bits = bits(host);
        let mut lengths = self.lengths.iter();
        lengths.find_map(|&length| self.networks.get(&(length, leading(bits, length))).copied())
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn leading(bits: u128, length: u8) -> u128 {
    let rest = u128::MAX.checked_shr(length.into()).unwrap_or(0);
    bits & !rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_policies::ip_reputation::{categories, scores};

    #[test]
    fn the_longest_network_that_holds_a_host_counts() {
        let (categories, _) = categories("1,Bad,x\n2,Good,x");
        let text = "10.0.0.0/8,1,10\n10.1.0.0/16,1,20\n10.1.2.3,1,30\n0.0.0.0/0,2,1\n\
                    2001:db8::/32,1,40\n10.1.2.3,7,1";
        let (all, errors) = scores(text);
        assert_eq!(errors, []);
        let (reputation, lost) = Reputation::new(&categories, &all);
        assert_eq!(lost, 1);
        let score = |category: &str, host: &str| {
            reputation
                .category(category)
                .unwrap()
                .of(host.parse().unwrap())
        };
        for (host, expected) in [
            ("10.1.2.3", Some(30)),
            ("10.1.2.4", Some(20)),
            ("10.2.0.0", Some(10)),
            ("11.0.0.0", None),
            ("2001:db8:1::", Some(40)),
            ("2001:db9::", None),
        ] {
            assert_eq!(score("Bad", host), expected, "{host}");
        }
        assert_eq!(score("Good", "9.9.9.9"), Some(1));
        assert_eq!(score("Good", "::9.9.9.9"), None, "not an IPv4 address");
    }
}
