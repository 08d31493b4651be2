//! The topology that the path tests share.
//!
//! ```text
//!   pod a ─┐                     ┌── uplink ── outside (knows no pod route: needs SNAT)
//!          ├─ br0 ── node ───────┤
//!   pod b ─┘                     └── link ──── remote node ── br0 ── remote pod (routed, not wired)
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use weir_tests::cni::Network;
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::netns::Netns;
use weir_tests::node::{Main, Node};
use weir_tests::pod::{Family, Pod};
use weir_tests::poll;
use weir_tests::scratch::unique;
use weir_tests::status::Status;

/// What the attack rule looks for.
pub const ATTACK: &[u8] = b"EVIL-BYTES-0123456789";

/// The rules of most tests.
pub const RULES: &str = concat!(
    r#"drop ip any any -> any any (msg:"test attack"; content:"EVIL-BYTES-0123456789"; sid:1;)"#,
    "\n",
    r#"alert ip any any -> any any (msg:"test notice"; content:"NOTICE-THIS"; sid:2;)"#,
    "\n",
);

/// sid of the rule that drops [`ATTACK`].
pub const ATTACK_SID: u64 = 1;

/// sid of the rule that only alerts.
pub const NOTICE_SID: u64 = 2;

/// A node with two wired pods and an enforcer.
pub struct Lab {
    pub enforcer: Enforcer,
    pub a: Pod,
    pub b: Pod,
    pub network: Network,
    pub node: Node,
}

impl Lab {
    /// Pods on a bridge, mode prevent, fail closed, [`RULES`].
    pub fn new(label: &str) -> Result<Self> {
        Self::with(label, Main::Bridge, &prevent(), &Options::rules(RULES))
    }

    /// The same with another main plugin, plugin options and enforcer options.
    pub fn with(label: &str, main: Main, weir: &Value, options: &Options) -> Result<Self> {
        let node = Node::new(label)?;
        let network = node.weir_network(main, weir);
        let enforcer = Enforcer::start(&node, options)?;
        let a = Pod::start(&network, "client")?;
        let b = Pod::start(&network, "server")?;
        Ok(Self {
            enforcer,
            a,
            b,
            network,
            node,
        })
    }

    /// The node's own address towards the pods.
    pub fn node_ip(&self, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.node.gateway4().into(),
            Family::V6 => self.node.gateway6().into(),
        }
    }

    /// Waits until no counter of frames moves: what pods say on their own when they start is over.
    pub fn settle(&self) -> Result<Status> {
        let mut last = self.enforcer.status()?;
        let mut calm = 0;
        let mut noise = std::collections::BTreeMap::new();
        let settled = poll::until("the frame counters to be still", || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            let now = self.enforcer.status()?;
            if seen(&now)? == seen(&last)? {
                calm += 1;
            } else {
                calm = 0;
                noise = now.growth(&last, "");
            }
            last = now;
            Ok((calm >= 4).then(|| last.clone()))
        });
        settled.with_context(|| format!("last noise: {noise:?}"))
    }
}

/// Plugin options: prevent, fail closed.
pub fn prevent() -> Value {
    json!({"mode": "prevent", "failMode": "closed"})
}

/// Plugin options: prevent, fail open. For tests without an enforcer: a closed pod's CHECK fails then.
pub fn prevent_open() -> Value {
    json!({"mode": "prevent", "failMode": "open"})
}

/// Frames that engines have seen.
pub fn seen(status: &Status) -> Result<u64> {
    status.counter("frames.seen")
}

/// A namespace beyond the node: `name` is linked to the node by a veth, with routes as the kind says.
pub struct Beyond {
    pub ns: Netns,
    node_ips: [IpAddr; 2],
    own_ips: [IpAddr; 2],
}

impl Beyond {
    /// Linked by `uplink`; it has no route to the pods, so what pods send needs SNAT.
    pub fn outside(node: &Node) -> Result<Self> {
        let ns = Netns::create(&unique("outside"))?;
        let beyond = Self {
            ns,
            node_ips: [
                Ipv4Addr::new(203, 0, 113, 1).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 1).into(),
            ],
            own_ips: [
                Ipv4Addr::new(203, 0, 113, 2).into(),
                Ipv6Addr::new(0x2001, 0xdb8, 0x99, 0, 0, 0, 0, 2).into(),
            ],
        };
        beyond.link(node, &beyond.ns, "uplink")?;
        Ok(beyond)
    }

    /// The addresses of the far end.
    pub fn ip(&self, family: Family) -> IpAddr {
        pick(self.own_ips, family)
    }

    /// The node's addresses on the link.
    pub fn node_ip(&self, family: Family) -> IpAddr {
        pick(self.node_ips, family)
    }

    fn link(&self, node: &Node, far: &Netns, ifname: &str) -> Result<()> {
        let [node4, node6] = self.node_ips;
        let [own4, own6] = self.own_ips;
        node.ns.sh(&format!(
            "ip link add {ifname} type veth peer name {ifname} netns {far}
             ip addr add {node4}/24 dev {ifname}; ip addr add {node6}/64 dev {ifname} nodad
             ip link set {ifname} up",
            far = far.name()
        ))?;
        far.sh(&format!(
            "ip addr add {own4}/24 dev {ifname}; ip addr add {own6}/64 dev {ifname} nodad
             ip link set {ifname} up"
        ))?;
        Ok(())
    }
}

/// A second node behind a routed link, with one pod that weir does not know.
pub struct Remote {
    pub pod: Pod,
    _node: Node,
}

impl Remote {
    pub fn beside(node: &Node) -> Result<Self> {
        let remote = Node::companion("remote", 2)?;
        node.ns.sh(&format!(
            "ip link add link0 type veth peer name link0 netns {far}
             ip addr add 192.0.2.1/24 dev link0; ip addr add fd99::1/64 dev link0 nodad
             ip link set link0 up",
            far = remote.ns.name()
        ))?;
        remote.ns.sh(
            "ip addr add 192.0.2.2/24 dev link0; ip addr add fd99::2/64 dev link0 nodad
             ip link set link0 up",
        )?;
        for (here, there, via4, via6) in [
            (node, &remote, "192.0.2.2", "fd99::2"),
            (&remote, node, "192.0.2.1", "fd99::1"),
        ] {
            for (family, via) in [(Family::V4, via4), (Family::V6, via6)] {
                let subnet = there.subnet(family.any());
                here.ns.sh(&format!("ip route add {subnet} via {via}"))?;
            }
        }
        let network = remote.network(Main::Bridge, "1.0.0", vec![]);
        let pod = Pod::start(&network, "remote")?;
        Ok(Self { pod, _node: remote })
    }
}

/// Service addresses: nothing owns them, DNAT rules translate them.
pub fn vip(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 96, 0, 10).into(),
        Family::V6 => Ipv6Addr::new(0xfd96, 0, 0, 0, 0, 0, 0, 10).into(),
    }
}

fn pick([v4, v6]: [IpAddr; 2], family: Family) -> IpAddr {
    match family {
        Family::V4 => v4,
        Family::V6 => v6,
    }
}
