//! Signatures on addresses alone, found by the address that says most.

use std::net::IpAddr;

use crate::detect::matcher::{AddressSet, Stabbing};
use crate::detect::program::{Ends, Program};

/// Signatures by address: those of a packet cost what the logarithm of all does, and themselves.
#[derive(Debug, Default)]
pub(in crate::detect) struct AddressIndex {
    source: BySide,
    destination: BySide,
    /// Signatures that name no address.
    always: Box<[u32]>,
}

/// Signatures by one end's address.
#[derive(Debug, Default)]
struct BySide {
    v4: Stabbing<u32>,
    v6: Stabbing<u128>,
}

/// The same, while they are collected.
#[derive(Default)]
struct Draft {
    v4: Vec<(u32, u32, u32)>,
    v6: Vec<(u128, u128, u32)>,
}

impl AddressIndex {
    /// An index of these signatures.
    pub(super) fn new(members: &[u32], programs: &[Program]) -> Self {
        let (mut source, mut destination) = (Draft::default(), Draft::default());
        let mut always = Vec::new();
        for &index in members {
            let program = usize::try_from(index).ok().and_then(|at| programs.get(at));
            for ends in program.iter().flat_map(|program| &program.ends) {
                match narrower(ends) {
                    None => always.push(index),
                    Some(Side::Source) => source.add(&ends.source, index),
                    Some(Side::Destination) => destination.add(&ends.destination, index),
                }
            }
        }
        Self {
            source: source.build(),
            destination: destination.build(),
            always: always.into(),
        }
    }

    /// Calls `found` for each signature that may match a packet between these addresses, maybe more than once.
    pub(in crate::detect) fn each(
        &self,
        (source, destination): (IpAddr, IpAddr),
        mut found: impl FnMut(u32),
    ) {
        self.always.iter().copied().for_each(&mut found);
        self.source.each(source, &mut found);
        self.destination.each(destination, &mut found);
    }
}

enum Side {
    Source,
    Destination,
}

/// The end that fewer addresses fit; `None`: any address fits both.
fn narrower(ends: &Ends) -> Option<Side> {
    let (source, destination) = (ends.source.share(), ends.destination.share());
    if ends.source.is_any() && ends.destination.is_any() {
        None
    } else if source <= destination {
        Some(Side::Source)
    } else {
        Some(Side::Destination)
    }
}

impl Draft {
    fn add(&mut self, set: &AddressSet, index: u32) {
        self.v4
            .extend(set.v4().map(|(low, high)| (low, high, index)));
        self.v6
            .extend(set.v6().map(|(low, high)| (low, high, index)));
    }

    fn build(self) -> BySide {
        BySide {
            v4: Stabbing::new(&self.v4),
            v6: Stabbing::new(&self.v6),
        }
    }
}

impl BySide {
    fn each(&self, address: IpAddr, found: &mut impl FnMut(u32)) {
        match address {
            IpAddr::V4(address) => self.v4.each(address.to_bits(), found),
            IpAddr::V6(address) => self.v6.each(address.to_bits(), found),
        }
    }
}
