//! What weir needs of this kernel and this process, each asked for separately, so that STATUS and error
//! messages can name what is missing and the fix.
//!
//! Asked by doing it, in a network namespace that a scratch thread makes for itself and that dies with it: a
//! version number or a configuration file would not tell what a module policy, a container's capabilities or
//! a seccomp filter forbid.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, unshare};

use crate::link::{LinkError, Links, pair, redirect};
use crate::netlink::NetlinkError;
use crate::nft::{BaseChain, Batch, Nft, Rule, Verdict};

/// How long the probe may take.
const DEADLINE: Duration = Duration::from_secs(3);
/// Table of the probe, in its own network namespace.
const TABLE: &str = "probe";
const INGRESS: u32 = 0;
const EGRESS: u32 = 1;

/// One thing that is missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// No `CAP_NET_ADMIN` over the network namespace.
    #[error("no CAP_NET_ADMIN (or CAP_SYS_ADMIN, to make a network namespace); run as root")]
    NetAdmin,
    /// No nf_tables in the kernel.
    #[error(
        "the kernel has no nf_tables; load module nf_tables or use a kernel with CONFIG_NF_TABLES"
    )]
    NfTables,
    /// No netdev family.
    #[error(
        "nf_tables has no netdev ingress chains; weir needs CONFIG_NF_TABLES_NETDEV and CONFIG_NETFILTER_INGRESS"
    )]
    NetdevFamily,
    /// No netdev egress hook.
    #[error(
        "nf_tables has no netdev egress hook; weir needs Linux 5.16 or later with CONFIG_NETFILTER_EGRESS"
    )]
    EgressHook,
    /// No `fwd` statement, or not in both hooks.
    #[error(
        "nf_tables cannot forward to a device; load module nft_fwd_netdev or use a kernel with CONFIG_NFT_FWD_NETDEV"
    )]
    Fwd,
    /// No veth devices.
    #[error(
        "the kernel cannot make veth devices; load module veth or use a kernel with CONFIG_VETH"
    )]
    Veth,
    /// No ethtool netlink.
    #[error(
        "the kernel has no ethtool netlink; weir needs Linux 5.6 or later with CONFIG_ETHTOOL_NETLINK"
    )]
    Ethtool,
    /// No `bpf(2)` or no tc classifier for it.
    #[error(
        "the kernel refuses the redirect program ({0}); weir needs CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF, CONFIG_NET_SCH_INGRESS and CAP_BPF or CAP_SYS_ADMIN"
    )]
    Redirect(String),
    /// The probe itself failed.
    #[error("cannot tell what the kernel supports: {0}")]
    Probe(String),
}

/// Looks for everything in a network namespace of its own that disappears with the probe; the caller's is not
/// touched. Empty: all there. Takes a few milliseconds.
#[must_use]
pub fn probe() -> Vec<Missing> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let spawned = thread::Builder::new()
        .name("weir-probe".to_owned())
        .spawn(move || {
            // The receiver is gone once the deadline has passed; then nobody wants the answer.
            let _ = sender.send(probe_here());
        });
    if let Err(error) = spawned {
        return vec![Missing::Probe(error.to_string())];
    }
    receiver.recv_timeout(DEADLINE).unwrap_or_else(|_| {
        vec![Missing::Probe(format!(
            "no answer within {} s",
            DEADLINE.as_secs()
        ))]
    })
}

fn probe_here() -> Vec<Missing> {
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
        return vec![match errno {
            nix::Error::EPERM => Missing::NetAdmin,
            errno => Missing::Probe(format!("make a network namespace: {errno}")),
        }];
    }
    let mut missing = Vec::new();
    let device = probe_devices(&mut missing);
    probe_nft(&mut missing, device);
    missing
}

/// Makes the capture pair; the index of its kernel end, or loopback's if there is none.
fn probe_devices(missing: &mut Vec<Missing>) -> (&'static str, u32) {
    let loopback = ("lo", 1);
    let mut links = match Links::open() {
        Ok(links) => links,
        Err(error) => {
            missing.push(Missing::Probe(error.to_string()));
            return loopback;
        }
    };
    match pair::ensure(&mut links) {
        Ok(pair) => {
            let index = pair.kernel_end.index;
            if let Err(error) = redirect::attach(&mut links, index) {
                missing.push(Missing::Redirect(error.to_string()));
            }
            (crate::layout::CAPTURE_KERNEL_END, index)
        }
        Err(error) => {
            missing.push(device_trouble(&error));
            loopback
        }
    }
}

fn device_trouble(error: &LinkError) -> Missing {
    match error.errno() {
        Some(libc::EPERM) => Missing::NetAdmin,
        Some(libc::EOPNOTSUPP) => Missing::Veth,
        Some(libc::ENOENT) => Missing::Ethtool,
        _ => Missing::Probe(error.to_string()),
    }
}

/// Each step needs the one before, so the first that fails is the answer.
fn probe_nft(missing: &mut Vec<Missing>, (device, index): (&str, u32)) {
    let mut nft = match Nft::open(TABLE) {
        Ok(nft) => nft,
        Err(NetlinkError::Socket(error)) if is_unsupported(&error) => {
            missing.push(Missing::NfTables);
            return;
        }
        Err(error) => {
            missing.push(Missing::Probe(error.to_string()));
            return;
        }
    };
    if nft.generation().is_err() {
        missing.push(Missing::NfTables);
        return;
    }
    let chain = |name, hook| BaseChain {
        name,
        device,
        hook,
        priority: 0,
        comment: "",
    };
    let (ingress, egress) = (chain("ingress", INGRESS), chain("egress", EGRESS));
    let hooked = |batch: &mut Batch<'_>, chains: &[BaseChain<'_>]| {
        batch.table("probe");
        for chain in chains {
            batch.base_chain(chain, 0);
        }
    };
    if !commits(&mut nft, |batch| hooked(batch, &[ingress])) {
        missing.push(Missing::NetdevFamily);
        return;
    }
    if !commits(&mut nft, |batch| hooked(batch, &[egress])) {
        missing.push(Missing::EgressHook);
        return;
    }
    let forwards = commits(&mut nft, |batch| {
        batch.chain("hold");
        batch.rule("hold", &Rule::new().forward_to(index));
        for chain in ["ingress", "egress"] {
            batch.rule(chain, &Rule::new().verdict(Verdict::Goto("hold")));
        }
    });
    if !forwards {
        missing.push(Missing::Fwd);
    }
}

fn commits(nft: &mut Nft, fill: impl FnOnce(&mut Batch<'_>)) -> bool {
    let mut batch = Batch::new(TABLE, None);
    fill(&mut batch);
    match nft.commit(&mut batch) {
        Ok(()) => true,
        Err(error) => {
            log::debug!("probe: {error}");
            false
        }
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EPROTONOSUPPORT | libc::EAFNOSUPPORT)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: i32) -> LinkError {
        LinkError::Refused {
            action: "create device `weir-cap0`".to_owned(),
            errno,
            text: None,
        }
    }

    #[test]
    fn what_devices_lack_is_told_apart() {
        assert_eq!(device_trouble(&refused(libc::EPERM)), Missing::NetAdmin);
        assert_eq!(device_trouble(&refused(libc::EOPNOTSUPP)), Missing::Veth);
        assert_eq!(device_trouble(&refused(libc::ENOENT)), Missing::Ethtool);
        let other = device_trouble(&refused(libc::ENOMEM)).to_string();
        assert!(
            other.contains("weir-cap0") && other.contains("memory"),
            "{other}"
        );
    }

    #[test]
    fn without_the_netdev_family_the_first_missing_thing_is_named() {
        // A device that does not exist stands for a hook that does not exist: the kernel refuses the chain.
        let missing = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare: these tests need root");
            let mut missing = Vec::new();
            probe_nft(&mut missing, ("a-name-that-is-too-long", 1));
            missing
        });
        assert_eq!(missing.join().unwrap(), vec![Missing::NetdevFamily]);
    }
}
