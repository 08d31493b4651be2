//! A node in a network namespace of its own: pods behind veths on a bridge, and an nft table that plays the
//! enforcer without user space (`accept_all`).

use std::fs::File;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns, unshare};
use weir_datapath::attachment::{Attachment, AttachmentKey, Pod, RECORD_VERSION, WiredPolicy};
use weir_datapath::kernel::{AntiSpoof, Kernel};
use weir_datapath::policy::{FailMode, Mode};

/// How long a packet that should arrive is waited for.
const ARRIVES: Duration = Duration::from_secs(2);
/// How long a packet that should not arrive is waited for.
const STAYS_AWAY: Duration = Duration::from_millis(200);

/// A network namespace, alive as long as this value.
pub(crate) struct Netns {
    handle: File,
}

impl Netns {
    /// A new one with loopback up.
    pub(crate) fn new() -> Self {
        let handle = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).expect("unshare: these tests need root");
            ip("link set lo up");
            File::open("/proc/thread-self/ns/net").unwrap()
        });
        Self {
            handle: handle.join().unwrap(),
        }
    }

    /// That of the calling thread.
    pub(crate) fn current() -> Self {
        Self {
            handle: File::open("/proc/thread-self/ns/net").unwrap(),
        }
    }

    /// Path by which others may open it.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!(
            "/proc/{}/fd/{}",
            std::process::id(),
            self.handle.as_raw_fd()
        ))
    }

    /// Runs `body` on a thread inside.
    pub(crate) fn run<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                setns(&self.handle, CloneFlags::CLONE_NEWNET).unwrap();
                body()
            });
            thread.join().unwrap_or_else(|panic| resume_unwind(panic))
        })
    }
}

/// Runs a test in a fresh node namespace, on a thread of its own.
pub(crate) fn in_node(body: impl FnOnce() + Send) {
    Netns::new().run(body);
}

/// Runs `ip` with these words; panics with its complaint if it fails.
pub(crate) fn ip(words: &str) {
    run("ip", &words.split_whitespace().collect::<Vec<_>>());
}

/// Runs `nft` on this text.
pub(crate) fn nft(text: &str) -> String {
    run("nft", &[text])
}

pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Index of a device in the calling thread's namespace.
pub(crate) fn ifindex(name: &str) -> u32 {
    nix::net::if_::if_nametoindex(name).unwrap()
}

/// One pod: namespace, host interface, addresses.
pub(crate) struct TestPod {
    pub(crate) netns: Netns,
    pub(crate) attachment: Attachment,
    pub(crate) v4: IpAddr,
    pub(crate) v6: IpAddr,
}

/// Creates bridge `br0` with the gateway addresses; no router advertisement, no DAD, no waiting.
pub(crate) fn bridge() {
    for setting in ["default/accept_dad", "all/accept_dad", "default/accept_ra"] {
        std::fs::write(format!("/proc/sys/net/ipv6/conf/{setting}"), "0").unwrap();
    }
    ip("link add br0 type bridge forward_delay 0 mcast_snooping 0");
    ip("addr add 10.66.0.1/24 dev br0");
    ip("addr add fd66::1/64 dev br0 nodad");
    quiet("br0");
    ip("link set br0 up");
}

/// Keeps group membership reports, which come at random times, off the wire: tests count packets.
fn quiet(device: &str) {
    nft(&format!(
        "table netdev quiet {{
            chain leaving {{
                type filter hook egress device {device} priority 0;
                meta protocol ip6 ip6 saddr != :: icmpv6 type {{ 130, 131, 132, 143 }} drop
                meta protocol ip ip protocol igmp drop
            }}
        }}"
    ));
}

/// Puts pod `number` on the bridge: host interface `vp<number>`, 10.66.0.<number>, fd66::<number>.
pub(crate) fn pod(number: u8, fail_mode: FailMode) -> TestPod {
    let netns = Netns::new();
    let host_ifname = format!("vp{number}");
    let pod_mac = format!("02:66:00:00:00:{number:02x}");
    ip(&format!(
        "link add {host_ifname} type veth peer name eth0 address {pod_mac} netns {}",
        netns.path().display()
    ));
    ip(&format!(
        "link set {host_ifname} multicast off addrgenmode none"
    ));
    ip(&format!("link set {host_ifname} master br0 up"));
    netns.run(|| {
        std::fs::write("/proc/sys/net/ipv6/conf/all/accept_dad", "0").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/eth0/router_solicitations", "0").unwrap();
        ip(&format!("addr add 10.66.0.{number}/24 dev eth0"));
        ip(&format!("addr add fd66::{number:x}/64 dev eth0 nodad"));
        quiet("eth0");
        ip("link set eth0 up");
        ip("route add default via 10.66.0.1");
        ip("-6 route add default via fd66::1");
    });
    let v4: IpAddr = format!("10.66.0.{number}").parse().unwrap();
    let v6: IpAddr = format!("fd66::{number:x}").parse().unwrap();
    let attachment = Attachment {
        version: RECORD_VERSION,
        key: key(&format!("pod{number}")),
        netns: netns.path(),
        host_ifindex: ifindex(&host_ifname),
        host_ifname,
        pod_mac,
        link_local: None,
        anti_spoof: true,
        ips: vec![v4, v6],
        pod: Pod::default(),
        policy: WiredPolicy {
            mode: Mode::Prevent,
            fail_mode,
            rule_sets: Vec::new(),
        },
    };
    TestPod {
        netns,
        attachment,
        v4,
        v6,
    }
}

pub(crate) fn key(container_id: &str) -> AttachmentKey {
    AttachmentKey {
        network: "net".to_owned(),
        container_id: container_id.to_owned(),
        ifname: "eth0".to_owned(),
    }
}

/// A node with two attached pods.
pub(crate) fn two_pods(fail_mode: FailMode) -> (Kernel, TestPod, TestPod) {
    bridge();
    let mut kernel = Kernel::open().unwrap();
    kernel.ensure_node().unwrap();
    let one = pod(11, fail_mode);
    let two = pod(12, fail_mode);
    for pod in [&one, &two] {
        kernel.attach(&pod.attachment, AntiSpoof::On).unwrap();
    }
    (kernel, one, two)
}

/// An enforcer that lives in the kernel and passes everything: frames from pods go back out of weir-cap1 with
/// their mark, as an enforcer injects them; frames to pods leave by their host interface with mark SETTLED.
/// Counts them, and what bears another mark.
pub(crate) fn accept_all(pods: &[&TestPod]) {
    let mut rules = String::new();
    for pod in pods {
        let index = pod.attachment.host_ifindex;
        let host = &pod.attachment.host_ifname;
        rules += &format!("meta mark {index} counter name from_pods fwd to weir-cap1\n");
        rules += &format!(
            "meta mark {} counter name to_pods meta mark set 0x1000 fwd to {host}\n",
            index | 0x8000_0000
        );
    }
    nft(&format!(
        "table netdev enforcer {{
            counter from_pods {{}}
            counter to_pods {{}}
            counter strays {{}}
            chain decide {{
                type filter hook ingress device weir-cap1 priority -2147483648;
                {rules}
                counter name strays drop
            }}
        }}"
    ));
}

/// Packets that [`accept_all`] has seen: (from, to, stray).
pub(crate) fn seen() -> (u64, u64, u64) {
    let read = |name: &str| {
        let text = nft(&format!("list counter netdev enforcer {name}"));
        let words: Vec<_> = text.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "packets").unwrap();
        words[at + 1].parse().unwrap()
    };
    (read("from_pods"), read("to_pods"), read("strays"))
}

/// Sends one datagram from one namespace to a socket in another; whether it arrived.
pub(crate) fn datagram_arrives(from: &Netns, to: &Netns, address: IpAddr) -> bool {
    send_datagram(from, to, address, ARRIVES)
}

/// As [`datagram_arrives`], for one that should not.
pub(crate) fn datagram_stays_away(from: &Netns, to: &Netns, address: IpAddr) -> bool {
    !send_datagram(from, to, address, STAYS_AWAY)
}

fn send_datagram(from: &Netns, to: &Netns, address: IpAddr, wait: Duration) -> bool {
    let receiver = to.run(|| UdpSocket::bind((address, 0)).unwrap());
    receiver.set_read_timeout(Some(wait)).unwrap();
    let target = receiver.local_addr().unwrap();
    from.run(|| {
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let sender = UdpSocket::bind(any).unwrap();
        sender.send_to(b"attack", target).unwrap();
    });
    let mut bytes = [0; 16];
    receiver
        .recv(&mut bytes)
        .is_ok_and(|length| &bytes[..length] == b"attack")
}
