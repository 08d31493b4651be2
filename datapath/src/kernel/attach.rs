//! Attachments in the kernel: two base chains on the host interface, the pod's addresses in the local sets.
//!
//! Each change is read, decided and committed under the generation number of the rule set, and tried again when
//! anybody changed anything in between; so no decision rests on what is no longer true. Chains are deleted by
//! handle, never by name.

use std::net::IpAddr;

use super::antispoof::Source;
use super::rules::{self, EGRESS, INGRESS};
use super::{AntiSpoof, Kernel, KernelError};
use crate::attachment::{Attachment, AttachmentKey};
use crate::layout::{
    CHAIN_PRIORITY, FROM_POD_PREFIX, LOCAL_V4_SET, LOCAL_V6_SET, TABLE, TO_POD_PREFIX,
};
use crate::mark::{CaptureMark, WireDirection};
use crate::nft::{BaseChain, Batch, ChainInfo, Element, ElementInfo, MUST_BE_NEW, Rule};
use crate::tag::KeyTag;

/// How often a change is tried while others keep changing the rule set.
const ATTEMPTS: u32 = 200;
/// Longest interface name.
const MAX_IFNAME: usize = 15;
/// Most addresses of one attachment.
const MAX_ADDRESSES: usize = 64;

/// What an attachment puts into the kernel, checked.
pub(super) struct Wiring {
    tag: KeyTag,
    host_ifname: String,
    from_pod: Vec<Rule>,
    to_pod: Vec<Rule>,
    addresses: Vec<Address>,
}

/// Set and key of a local address.
type Address = (&'static str, Vec<u8>);

impl Kernel {
    /// Wires an attachment in one nft transaction, replacing whatever chains its host interface name had and
    /// taking over its addresses. Needs [`Self::ensure_node`] before.
    ///
    /// # Errors
    /// [`KernelError`]; nothing was changed then.
    pub fn attach(
        &mut self,
        attachment: &Attachment,
        anti_spoof: AntiSpoof,
    ) -> Result<(), KernelError> {
        let wiring = Wiring::new(attachment, anti_spoof)?;
        self.check_device(attachment)?;
        self.change("attach", |kernel, batch| {
            kernel.replace(batch, &wiring)?;
            Ok(())
        })?;
        Ok(())
    }

    /// Sets the attachment's host interface down, if it is still the device of the record. For DEL: a dead pod's
    /// sockets send again what was dropped, and between the removal of the rules and that of the interface
    /// nothing would stop it.
    ///
    /// # Errors
    /// [`KernelError`], never because the interface is gone or is another device by now.
    pub fn silence(&mut self, attachment: &Attachment) -> Result<(), KernelError> {
        match self.links.by_name(&attachment.host_ifname)? {
            Some(link) if link.index == attachment.host_ifindex => {
                Ok(self.links.shut(link.index)?)
            }
            _ => Ok(()),
        }
    }

    /// Removes what [`Self::attach`] made for this attachment; `true` if there was something. Chains and
    /// addresses that a newer attachment has under the same names stay.
    ///
    /// # Errors
    /// [`KernelError`], never because there was nothing.
    pub fn detach(&mut self, attachment: &Attachment) -> Result<bool, KernelError> {
        let tag = KeyTag::of(&attachment.key);
        let addresses = addresses(&attachment.ips);
        self.change("detach", |kernel, batch| {
            for chain in kernel.chains_of(&attachment.host_ifname)? {
                if chain.comment.as_deref() == Some(tag.as_str()) {
                    batch.delete_chain(chain.handle);
                }
            }
            for (set, key) in &addresses {
                let owned = kernel
                    .nft
                    .element(set, key)?
                    .is_some_and(|element| element.comment.as_deref() == Some(tag.as_str()));
                if owned {
                    delete_element(batch, set, key);
                }
            }
            Ok(())
        })
    }

    /// As [`Self::detach`], for an attachment whose record is lost: searches the table.
    ///
    /// # Errors
    /// [`KernelError`], never because there was nothing.
    pub fn detach_key(&mut self, key: &AttachmentKey) -> Result<bool, KernelError> {
        let tag = KeyTag::of(key);
        self.remove_where(|found| *found == tag)
    }

    /// Removes every attachment's chains and addresses that `keep` does not name; `true` if there were any.
    ///
    /// `keep` is asked after the chain was seen and must answer from the records as they are then, not from a
    /// snapshot: plugins attach meanwhile.
    ///
    /// # Errors
    /// [`KernelError`], never because there was nothing.
    pub fn sweep(&mut self, keep: impl Fn(&KeyTag) -> bool) -> Result<bool, KernelError> {
        self.remove_where(|tag| !keep(tag))
    }

    fn remove_where(&mut self, matches: impl Fn(&KeyTag) -> bool) -> Result<bool, KernelError> {
        let matching = |comment: &Option<String>| {
            comment
                .as_deref()
                .is_some_and(|text| matches(&KeyTag::from_text(text)))
        };
        self.change("detach", |kernel, batch| {
            for chain in kernel.nft.chains()? {
                if interface_of(&chain.name).is_some() && matching(&chain.comment) {
                    batch.delete_chain(chain.handle);
                }
            }
            for set in [LOCAL_V4_SET, LOCAL_V6_SET] {
                for element in kernel.nft.elements(set)? {
                    if matching(&element.comment) {
                        delete_element(batch, set, &element.key);
                    }
                }
            }
            Ok(())
        })
    }

    /// Reads, decides and commits until nobody interferes; `true` if there was anything to commit.
    fn change(
        &mut self,
        action: &str,
        mut decide: impl FnMut(&mut Self, &mut Batch<'_>) -> Result<(), KernelError>,
    ) -> Result<bool, KernelError> {
        for _ in 0..ATTEMPTS {
            let generation = self.nft.generation()?;
            let mut batch = Batch::new(TABLE, Some(generation));
            decide(self, &mut batch)?;
            match self.nft.commit(&mut batch) {
                Ok(()) => return Ok(!batch.is_empty()),
                Err(error) if error.is_outdated() => {}
                Err(error) if self.nft.table_comment()?.is_none() => {
                    log::debug!("{action}: {error}");
                    return Err(KernelError::NoTable);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(KernelError::Contended {
            action: action.to_owned(),
            attempts: ATTEMPTS,
        })
    }

    fn replace(&mut self, batch: &mut Batch<'_>, wiring: &Wiring) -> Result<(), KernelError> {
        let mut freed = Vec::new();
        for chain in self.chains_of(&wiring.host_ifname)? {
            batch.delete_chain(chain.handle);
            if chain.comment.as_deref() != Some(wiring.tag.as_str()) {
                self.free_addresses(chain.comment.as_deref(), &mut freed)?;
            }
        }
        for (set, key) in &wiring.addresses {
            let address = (*set, key.clone());
            if !freed.contains(&address) && self.nft.element(set, key)?.is_some() {
                freed.push(address);
            }
        }
        for (set, key) in &freed {
            delete_element(batch, set, key);
        }
        wiring.write(batch);
        Ok(())
    }

    /// Collects the addresses of a lost attachment. Rare, so listing is allowed.
    fn free_addresses(
        &mut self,
        owner: Option<&str>,
        freed: &mut Vec<Address>,
    ) -> Result<(), KernelError> {
        if owner.is_none() {
            return Ok(());
        }
        for set in [LOCAL_V4_SET, LOCAL_V6_SET] {
            let elements = self.nft.elements(set)?;
            for ElementInfo { key, comment } in elements {
                let address = (set, key);
                if comment.as_deref() == owner && !freed.contains(&address) {
                    freed.push(address);
                }
            }
        }
        Ok(())
    }

    pub(super) fn chains_of(&mut self, host_ifname: &str) -> Result<Vec<ChainInfo>, KernelError> {
        let mut found = Vec::new();
        for prefix in [FROM_POD_PREFIX, TO_POD_PREFIX] {
            found.extend(self.nft.chain(&format!("{prefix}{host_ifname}"))?);
        }
        Ok(found)
    }

    /// The interface of the record must still be that device: rules bind by name, marks by index.
    fn check_device(&mut self, attachment: &Attachment) -> Result<(), KernelError> {
        let found = self.links.by_name(&attachment.host_ifname)?;
        match found {
            Some(link) if link.index == attachment.host_ifindex => Ok(()),
            other => Err(KernelError::InterfaceChanged {
                ifname: attachment.host_ifname.clone(),
                expected: attachment.host_ifindex,
                found: other.map_or_else(|| "none".to_owned(), |link| link.index.to_string()),
            }),
        }
    }
}

impl Wiring {
    pub(super) fn new(attachment: &Attachment, anti_spoof: AntiSpoof) -> Result<Self, KernelError> {
        check_ifname(&attachment.host_ifname)?;
        if attachment.ips.len() > MAX_ADDRESSES {
            return Err(KernelError::Record(format!(
                "{} addresses, at most {MAX_ADDRESSES} are supported",
                attachment.ips.len()
            )));
        }
        let mark = |direction| {
            CaptureMark::new(attachment.host_ifindex, direction).ok_or_else(|| {
                KernelError::Record(format!(
                    "interface index {} is out of range",
                    attachment.host_ifindex
                ))
            })
        };
        let source = match anti_spoof {
            AntiSpoof::On => Some(Source::new(
                parse_mac(&attachment.pod_mac)?,
                &attachment.ips,
                attachment.link_local,
            )),
            AntiSpoof::Off => None,
        };
        let fail_mode = attachment.policy.fail_mode;
        Ok(Self {
            tag: KeyTag::of(&attachment.key),
            host_ifname: attachment.host_ifname.clone(),
            from_pod: rules::from_pod(fail_mode, mark(WireDirection::FromPod)?, source.as_ref()),
            to_pod: rules::to_pod(fail_mode, mark(WireDirection::ToPod)?),
            addresses: addresses(&attachment.ips),
        })
    }

    /// Name, hook and rules of its chains.
    fn chains(&self) -> [(String, u32, &[Rule]); 2] {
        let name = |prefix| format!("{prefix}{}", self.host_ifname);
        [
            (name(FROM_POD_PREFIX), INGRESS, &self.from_pod),
            (name(TO_POD_PREFIX), EGRESS, &self.to_pod),
        ]
    }

    /// Whether both chains, as `find` gives them by name, are this attachment's and lack no rule. Nothing jumps to a
    /// base chain, so that its uses are its rules.
    pub(super) fn is_whole<'c>(&self, find: impl Fn(&str) -> Option<&'c ChainInfo>) -> bool {
        self.chains().iter().all(|(name, _, rules)| {
            find(name).is_some_and(|chain| {
                chain.comment.as_deref() == Some(self.tag.as_str())
                    && usize::try_from(chain.uses).is_ok_and(|uses| uses >= rules.len())
            })
        })
    }

    fn write(&self, batch: &mut Batch<'_>) {
        for (name, hook, rules) in self.chains() {
            let chain = BaseChain {
                name: &name,
                device: &self.host_ifname,
                hook,
                priority: CHAIN_PRIORITY,
                comment: self.tag.as_str(),
            };
            batch.base_chain(&chain, MUST_BE_NEW);
            for rule in rules {
                batch.rule(&name, rule);
            }
        }
        for (set, key) in &self.addresses {
            let element = Element {
                key,
                comment: self.tag.as_str(),
                timeout_ms: None,
            };
            batch.add_elements(set, &[element]);
        }
    }
}

/// Host interface of an attachment's chain; `None` for the shared ones.
pub(super) fn interface_of(chain: &str) -> Option<&str> {
    chain
        .strip_prefix(FROM_POD_PREFIX)
        .or_else(|| chain.strip_prefix(TO_POD_PREFIX))
}

fn delete_element(batch: &mut Batch<'_>, set: &str, key: &[u8]) {
    let element = Element {
        key,
        comment: "",
        timeout_ms: None,
    };
    batch.delete_elements(set, &[element]);
}

/// Where the pod's addresses go, each once.
fn addresses(ips: &[IpAddr]) -> Vec<Address> {
    let mut addresses: Vec<Address> = Vec::new();
    for ip in ips {
        let address = match ip {
            IpAddr::V4(ip) => (LOCAL_V4_SET, ip.octets().to_vec()),
            IpAddr::V6(ip) => (LOCAL_V6_SET, ip.octets().to_vec()),
        };
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

fn check_ifname(ifname: &str) -> Result<(), KernelError> {
    let fits = (1..=MAX_IFNAME).contains(&ifname.len())
        && !matches!(ifname, "." | "..")
        && !ifname
            .bytes()
            .any(|byte| byte == b'/' || byte == b':' || byte == 0 || byte.is_ascii_whitespace());
    if fits {
        Ok(())
    } else {
        Err(KernelError::Record(format!(
            "`{ifname}` is no interface name (1 to {MAX_IFNAME} bytes, no slash, colon or space)"
        )))
    }
}

fn parse_mac(text: &str) -> Result<[u8; 6], KernelError> {
    let invalid = || {
        KernelError::Record(format!(
            "`{text}` is no MAC address (six hexadecimal bytes joined by colons)"
        ))
    };
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts
            .next()
            .filter(|part| is_hex_byte(part))
            .ok_or_else(invalid)?;
        *byte = u8::from_str_radix(part, 16).map_err(|_| invalid())?;
    }
    parts.next().is_none().then_some(mac).ok_or_else(invalid)
}

fn is_hex_byte(part: &str) -> bool {
    part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_are_read_strictly() {
        assert_eq!(
            parse_mac("02:aB:00:00:00:ff").unwrap(),
            [2, 0xab, 0, 0, 0, 255]
        );
        for bad in [
            "",
            "02:ab",
            "02:ab:00:00:00:ff:01",
            "02:ab:0:00:00:ff",
            "02:ab:+0:00:00:ff",
        ] {
            assert!(parse_mac(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn interface_names_that_the_kernel_refuses_are_refused() {
        assert!(check_ifname("veth0123456789a").is_ok());
        for bad in ["", ".", "..", "a/b", "a b", "a:1", "veth0123456789ab"] {
            assert!(check_ifname(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn attachment_chains_are_told_from_shared_ones() {
        assert_eq!(interface_of("from-veth1"), Some("veth1"));
        assert_eq!(interface_of("to-cali1"), Some("cali1"));
        assert_eq!(interface_of("from_open"), None);
        assert_eq!(interface_of("node"), None);
    }
}
