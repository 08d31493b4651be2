//! What the kernel has: wired interfaces and counters.

use std::collections::BTreeMap;

use super::attach::interface_of;
use super::rules::{counter, label};
use super::{AttachmentCounters, Counter, Kernel, KernelError, NodeCounters, WiredInterface};
use crate::layout::{FROM_POD_PREFIX, TO_POD_PREFIX};
use crate::nft::{ChainInfo, RuleInfo};
use crate::tag::KeyTag;

impl Kernel {
    /// The one interface of this name, or `None` if it has no chains of weir's. For CHECK: does not list the
    /// table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn wired_interface(
        &mut self,
        host_ifname: &str,
    ) -> Result<Option<WiredInterface>, KernelError> {
        let mut found = BTreeMap::new();
        for prefix in [FROM_POD_PREFIX, TO_POD_PREFIX] {
            let name = format!("{prefix}{host_ifname}");
            if let Some(chain) = self.nft.chain(&name)? {
                note_chain(&mut found, &chain);
                for rule in self.nft.rules(Some(&name))? {
                    note_rule(&mut found, &rule);
                }
            }
        }
        Ok(self.with_devices(found)?.into_iter().next())
    }

    /// All interfaces that have weir's chains, by name. Empty without a table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn wired(&mut self) -> Result<Vec<WiredInterface>, KernelError> {
        let mut found = BTreeMap::new();
        for chain in self.nft.chains()? {
            note_chain(&mut found, &chain);
        }
        for rule in self.nft.rules(None)? {
            note_rule(&mut found, &rule);
        }
        self.with_devices(found)
    }

    /// The node's counters. All zero without a table.
    ///
    /// # Errors
    /// [`KernelError`].
    pub fn counters(&mut self) -> Result<NodeCounters, KernelError> {
        let mut counters = NodeCounters::default();
        for (name, value) in self.nft.counters()? {
            match name.as_str() {
                counter::FAIL_OPEN => counters.fail_open = value,
                counter::FAIL_CLOSED => counters.fail_closed = value,
                counter::SPOOFED => counters.spoofed = value,
                counter::HELD_FROM => counters.held_from_pod = value,
                counter::HELD_TO => counters.held_to_pod = value,
                counter::PAST_SOCKETS => counters.past_sockets = value,
                counter::NOT_REDIRECTED => counters.not_redirected = value,
                _ => {}
            }
        }
        Ok(counters)
    }

    fn with_devices(
        &mut self,
        found: BTreeMap<String, WiredInterface>,
    ) -> Result<Vec<WiredInterface>, KernelError> {
        let mut interfaces: Vec<_> = found.into_values().collect();
        for interface in &mut interfaces {
            let link = self.links.by_name(&interface.host_ifname)?;
            interface.ifindex = link.map(|link| link.index);
        }
        Ok(interfaces)
    }
}

fn note_chain(found: &mut BTreeMap<String, WiredInterface>, chain: &ChainInfo) {
    let Some(ifname) = interface_of(&chain.name) else {
        return;
    };
    let interface = found
        .entry(ifname.to_owned())
        .or_insert_with(|| WiredInterface {
            host_ifname: ifname.to_owned(),
            owner: chain.comment.as_deref().map(KeyTag::from_text),
            from_pod_chain: false,
            to_pod_chain: false,
            ifindex: None,
            counters: AttachmentCounters::default(),
        });
    // Chains of two attachments under one name: nobody owns the interface as a whole.
    if interface.owner.as_ref().map(KeyTag::as_str) != chain.comment.as_deref() {
        interface.owner = None;
    }
    if chain.name.starts_with(FROM_POD_PREFIX) {
        interface.from_pod_chain = true;
    } else {
        interface.to_pod_chain = true;
    }
}

fn note_rule(found: &mut BTreeMap<String, WiredInterface>, rule: &RuleInfo) {
    let Some(interface) = interface_of(&rule.chain).and_then(|ifname| found.get_mut(ifname)) else {
        return;
    };
    let (Some(comment), Some(value)) = (rule.comment.as_deref(), rule.counter) else {
        return;
    };
    let counters = &mut interface.counters;
    let total = match comment {
        label::SPOOFED => &mut counters.spoofed,
        label::LOCAL => &mut counters.local,
        label::NEIGHBOUR => &mut counters.neighbour,
        label::FROM_POD => &mut counters.from_pod,
        label::TO_POD => &mut counters.to_pod,
        label::SETTLED => &mut counters.settled,
        _ => return,
    };
    *total = Counter {
        packets: total.packets.saturating_add(value.packets),
        bytes: total.bytes.saturating_add(value.bytes),
    };
}
