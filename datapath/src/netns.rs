//! Finds the host side of a pod's interface by looking from inside the pod's network namespace.

use std::fs::File;
use std::io;
use std::net::Ipv6Addr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::link::bypass;
use crate::link::{Link, LinkError, Links};

pub use crate::link::bypass::Bypass;

/// How long the scratch thread may take. It asks the kernel a handful of questions.
const DEADLINE: Duration = Duration::from_secs(3);
const OWN_NETNS: &str = "/proc/thread-self/ns/net";
const VETH: &str = "veth";

/// The host side of a pod's interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerLink {
    /// Name of the host interface, in the caller's network namespace.
    pub ifname: String,
    /// Index of the host interface.
    pub ifindex: u32,
    /// MAC address of the interface inside the pod, as `aa:bb:cc:dd:ee:ff`.
    pub pod_mac: String,
    /// IPv6 link-local address of the interface inside the pod, if it has one.
    pub link_local: Option<Ipv6Addr>,
    /// Kind of the interface inside the pod: `veth`.
    pub kind: String,
    /// What on the host interface may carry frames past weir's hook.
    pub bypass: Option<Bypass>,
}

/// Why there is no host side that weir could use.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// The path is no network namespace.
    #[error("network namespace `{path}`: {source}; the container may be gone already")]
    NoNetns {
        /// Path as given.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The namespace is the caller's own.
    #[error(
        "network namespace `{path}` is the host's own: a host-network pod has no interface of its own to inspect; exclude it or set `\"onUnsupported\": \"skip\"`"
    )]
    HostNetwork {
        /// Path as given.
        path: PathBuf,
    },
    /// No interface of this name inside.
    #[error(
        "network namespace `{path}` has no interface `{ifname}`; check that the main plugin runs before weir in the chain"
    )]
    NoInterface {
        /// Path as given.
        path: PathBuf,
        /// Interface name.
        ifname: String,
    },
    /// The interface is not a veth.
    #[error(
        "interface `{ifname}` is of kind `{kind}`, weir needs a veth (main plugins bridge, ptp, Calico and others make one); set `\"onUnsupported\": \"skip\"` to run such pods uninspected"
    )]
    NotVeth {
        /// Interface name.
        ifname: String,
        /// Link kind; `physical` where the kernel names none.
        kind: String,
    },
    /// The other end is in another namespace than the caller's.
    #[error(
        "the peer of interface `{ifname}` is not in the host's network namespace (peer index {peer}); weir must run in the namespace that the main plugin connects pods to"
    )]
    PeerElsewhere {
        /// Interface name.
        ifname: String,
        /// Peer index in the namespace it is in.
        peer: u32,
    },
    /// The scratch thread did not answer in time.
    #[error("no answer from network namespace `{path}` within {seconds} s")]
    Timeout {
        /// Path as given.
        path: PathBuf,
        /// Limit in seconds.
        seconds: u64,
    },
    /// Netlink trouble.
    #[error("interface `{ifname}`: {source}")]
    Netlink {
        /// Interface name.
        ifname: String,
        /// Cause.
        source: io::Error,
    },
}

/// Finds the host interface behind `ifname` of the network namespace at `netns`. The caller's thread stays
/// in its namespace; a scratch thread enters the other one.
///
/// The kernel is asked, not the main plugin's result: the peer's index is in `IFLA_LINK`, and
/// `IFLA_LINK_NETNSID` says in whose namespace it counts. Both directions must agree.
///
/// # Errors
/// [`PeerError`].
pub fn peer_of(netns: &Path, ifname: &str) -> Result<PeerLink, PeerError> {
    peer_within(netns, ifname, DEADLINE)
}

/// What the scratch thread saw inside.
struct Inside {
    link: Link,
    link_local: Option<Ipv6Addr>,
    /// The caller's namespace as the pod's knows it; `None` if it does not.
    caller_netnsid: Option<i32>,
}

fn peer_within(netns: &Path, ifname: &str, deadline: Duration) -> Result<PeerLink, PeerError> {
    let no_netns = |source| PeerError::NoNetns {
        path: netns.to_owned(),
        source,
    };
    let caller = File::open(OWN_NETNS).map_err(no_netns)?;
    let namespace = open_netns(netns).map_err(no_netns)?;
    if same_file(&caller, &namespace).map_err(no_netns)? {
        return Err(PeerError::HostNetwork {
            path: netns.to_owned(),
        });
    }
    let inside = look_inside(netns, ifname, (caller, namespace), deadline)?;
    let peer = peer_index(&inside, ifname)?;
    let (host, bypass) = host_side(&inside, ifname, peer)?;
    Ok(PeerLink {
        ifname: host.name,
        ifindex: host.index,
        pod_mac: format_mac(&inside.link.mac),
        link_local: inside.link_local,
        kind: VETH.to_owned(),
        bypass,
    })
}

/// Index of the host side, in the caller's namespace.
fn peer_index(inside: &Inside, ifname: &str) -> Result<u32, PeerError> {
    let kind = inside.link.kind.as_deref().unwrap_or("physical");
    let peer = inside.link.peer.filter(|_| kind == VETH);
    let Some(peer) = peer else {
        return Err(PeerError::NotVeth {
            ifname: ifname.to_owned(),
            kind: kind.to_owned(),
        });
    };
    let here =
        inside.link.peer_elsewhere.is_some() && inside.link.peer_elsewhere == inside.caller_netnsid;
    if here {
        Ok(peer)
    } else {
        Err(PeerError::PeerElsewhere {
            ifname: ifname.to_owned(),
            peer,
        })
    }
}

/// The device of that index here, which must name the pod's interface as its peer.
fn host_side(
    inside: &Inside,
    ifname: &str,
    peer: u32,
) -> Result<(Link, Option<Bypass>), PeerError> {
    let failed = |error| netlink_error(ifname, error);
    let mut links = Links::open().map_err(failed)?;
    let host = links
        .by_index(peer)
        .map_err(failed)?
        .filter(|host| host.kind.as_deref() == Some(VETH) && host.peer == Some(inside.link.index))
        .ok_or_else(|| PeerError::PeerElsewhere {
            ifname: ifname.to_owned(),
            peer,
        })?;
    let bypass = bypass::find(&mut links, &host).map_err(failed)?;
    Ok((host, bypass))
}

fn look_inside(
    netns: &Path,
    ifname: &str,
    namespaces: (File, File),
    deadline: Duration,
) -> Result<Inside, PeerError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let path = netns.to_owned();
    let name = ifname.to_owned();
    let spawned = thread::Builder::new()
        .name("weir-netns".to_owned())
        .spawn(move || {
            // The receiver is gone once the deadline has passed; then nobody wants the answer.
            let _ = sender.send(scratch(&path, &name, &namespaces));
        });
    spawned.map_err(|source| PeerError::Netlink {
        ifname: ifname.to_owned(),
        source,
    })?;
    receiver.recv_timeout(deadline).unwrap_or_else(|_| {
        Err(PeerError::Timeout {
            path: netns.to_owned(),
            seconds: deadline.as_secs(),
        })
    })
}

/// On a thread that ends afterwards: its namespace does not matter any more.
fn scratch(
    path: &Path,
    ifname: &str,
    (caller, namespace): &(File, File),
) -> Result<Inside, PeerError> {
    setns(namespace, CloneFlags::CLONE_NEWNET).map_err(|errno| PeerError::NoNetns {
        path: path.to_owned(),
        source: errno.into(),
    })?;
    let failed = |error| netlink_error(ifname, error);
    let mut links = Links::open().map_err(failed)?;
    let link = links
        .by_name(ifname)
        .map_err(failed)?
        .ok_or_else(|| PeerError::NoInterface {
            path: path.to_owned(),
            ifname: ifname.to_owned(),
        })?;
    Ok(Inside {
        link_local: links.link_local(link.index).map_err(failed)?,
        caller_netnsid: links.netnsid_of(caller).map_err(failed)?,
        link,
    })
}

/// Opens the file and makes sure that it is a network namespace.
fn open_netns(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    let magic = nix::sys::statfs::fstatfs(&file)?.filesystem_type();
    if magic == nix::sys::statfs::NSFS_MAGIC {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "not a namespace file",
        ))
    }
}

fn same_file(one: &File, other: &File) -> io::Result<bool> {
    let (one, other) = (one.metadata()?, other.metadata()?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

fn netlink_error(ifname: &str, error: LinkError) -> PeerError {
    PeerError::Netlink {
        ifname: ifname.to_owned(),
        source: io::Error::other(error),
    }
}

fn format_mac(mac: &[u8]) -> String {
    let parts: Vec<_> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(":")
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use nix::sched::unshare;

    use super::*;

    #[test]
    fn an_answer_after_the_deadline_is_a_timeout() {
        let other = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare: these tests need root");
            File::open(OWN_NETNS).unwrap()
        });
        let other = other.join().unwrap();
        let path = PathBuf::from(format!("/proc/self/fd/{}", other.as_raw_fd()));
        let error = peer_within(&path, "eth0", Duration::ZERO).unwrap_err();
        assert!(matches!(error, PeerError::Timeout { .. }), "{error}");
        let error = peer_within(&path, "eth0", DEADLINE).unwrap_err();
        assert!(matches!(error, PeerError::NoInterface { .. }), "{error}");
    }

    #[test]
    fn mac_addresses_are_written_as_they_are_read() {
        assert_eq!(format_mac(&[2, 0xab, 0, 0, 0, 0xff]), "02:ab:00:00:00:ff");
    }
}
