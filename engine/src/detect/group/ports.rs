//! Groups by port.

use std::collections::{BTreeSet, HashMap};

use weir_prefilter::BuildError;

use super::{Group, Layers, group};
use crate::detect::matcher::Intervals;
use crate::detect::program::Program;

/// A set of more ports than this is not worth a group of its own.
const FEW_PORTS: u32 = 1024;

/// Groups by port: sorted starts of port ranges, each with its group.
#[derive(Debug, Default)]
pub(super) struct PortMap {
    starts: Box<[u16]>,
    /// Index into `groups` for the range that begins at the start of the same index; `None`: no group.
    ranges: Box<[Option<usize>]>,
    groups: Box<[Group]>,
}

impl PortMap {
    /// The group of `port`.
    pub(super) fn get(&self, port: u16) -> Option<&Group> {
        let behind = self.starts.partition_point(|&start| start <= port);
        let range = self.ranges.get(behind.checked_sub(1)?)?;
        self.groups.get((*range)?)
    }

    fn build(members: &[(Intervals<u16>, u32)], programs: &[Program]) -> Result<Self, BuildError> {
        let mut cuts = BTreeSet::new();
        for (low, high) in members.iter().flat_map(|(ports, _)| ports.iter()) {
            cuts.insert(low);
            cuts.extend(high.checked_add(1));
        }
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        let mut groups = Vec::new();
        let mut ranges = Vec::with_capacity(cuts.len());
        let by_port = index(members, &cuts);
        for start in &cuts {
            let here = by_port.get(start).cloned().unwrap_or_default();
            if here.is_empty() {
                ranges.push(None);
                continue;
            }
            let at = match known.get(&here) {
                Some(&at) => at,
                None => {
                    groups.push(group(here.clone(), programs)?);
                    known.insert(here, groups.len() - 1);
                    groups.len() - 1
                }
            };
            ranges.push(Some(at));
        }
        Ok(Self {
            starts: cuts.into_iter().collect(),
            ranges: ranges.into_boxed_slice(),
            groups: groups.into_boxed_slice(),
        })
    }
}

/// Signatures by the start of each range between two cuts.
fn index(members: &[(Intervals<u16>, u32)], cuts: &BTreeSet<u16>) -> HashMap<u16, Vec<u32>> {
    let mut by_start: HashMap<u16, Vec<u32>> = HashMap::new();
    for (ports, signature) in members {
        for (low, high) in ports.iter() {
            for &start in cuts.range(low..=high) {
                by_start.entry(start).or_default().push(*signature);
            }
        }
    }
    by_start
}

/// The signatures of one table and direction, while they are collected.
#[derive(Default)]
pub(super) struct Draft {
    wide: Vec<u32>,
    by_destination: Vec<(Intervals<u16>, u32)>,
    by_source: Vec<(Intervals<u16>, u32)>,
}

impl Draft {
    pub(super) fn add(&mut self, index: u32, program: &Program) {
        for ends in &program.ends {
            if few(&ends.destination_port) {
                let ports = ends.destination_port.clone();
                self.by_destination.push((ports, index));
            } else if few(&ends.source_port) {
                self.by_source.push((ends.source_port.clone(), index));
            } else {
                self.wide.push(index);
            }
        }
    }

    pub(super) fn build(self, programs: &[Program]) -> Result<Layers, BuildError> {
        Ok(Layers {
            wide: group(self.wide, programs)?,
            by_destination: PortMap::build(&self.by_destination, programs)?,
            by_source: PortMap::build(&self.by_source, programs)?,
        })
    }
}

fn few(ports: &Intervals<u16>) -> bool {
    let count: u32 = ports
        .iter()
        .map(|(low, high)| u32::from(high) - u32::from(low) + 1)
        .sum();
    count <= FEW_PORTS
}
