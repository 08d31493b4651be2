//! A pod: a network namespace wired by a real CNI chain.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::{Context, Result};
use pnet::util::MacAddr;
use serde_json::Value;

use crate::cni::{Attach, Network};
use crate::netns::Netns;
use crate::scratch::unique;

/// An address family, for tests that run over both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The unspecified address, to listen on.
    #[must_use]
    pub fn any(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Self::V6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// A wired pod.
#[derive(Debug)]
pub struct Pod {
    /// Its network namespace.
    pub ns: Netns,
    /// What the CNI verbs are called with.
    pub attach: Attach,
    /// The result of ADD.
    pub result: Value,
    /// MAC address of its `eth0`.
    pub mac: MacAddr,
    /// Name of its interface on the node.
    pub host_ifname: String,
    v4: Option<Ipv4Addr>,
    v6: Option<Ipv6Addr>,
}

impl Pod {
    /// Makes a namespace and wires it by ADD, in Kubernetes namespace `default`.
    ///
    /// # Errors
    /// When a plugin refuses.
    pub fn start(network: &Network, name: &str) -> Result<Self> {
        Self::start_annotated(network, name, &[])
    }

    /// The same with pod annotations.
    ///
    /// # Errors
    /// When a plugin refuses.
    pub fn start_annotated(
        network: &Network,
        name: &str,
        annotations: &[(&str, &str)],
    ) -> Result<Self> {
        let id = unique(name);
        let ns = Netns::create(&id)?;
        let attach = Attach::pod(&id, ns.path(), name, "default").annotated(annotations);
        let result = network.add(&attach)?;
        Self::wired(ns, attach, result)
    }

    /// A pod from a namespace that has been wired.
    ///
    /// # Errors
    /// When `result` names no interface in the pod.
    pub fn wired(ns: Netns, attach: Attach, result: Value) -> Result<Self> {
        let interfaces = array(&result, "interfaces");
        let inside = interfaces
            .iter()
            .find(|interface| text(interface, "sandbox").is_some_and(|path| !path.is_empty()))
            .with_context(|| format!("no interface with a sandbox in {result}"))?;
        let mac = text(inside, "mac")
            .context("mac of the pod's interface")?
            .parse()?;
        let host_ifname = interfaces
            .iter()
            .filter(|interface| text(interface, "sandbox").is_none_or(str::is_empty))
            .filter_map(|interface| text(interface, "name"))
            .find(|name| name.starts_with("veth") || name.starts_with("cali"))
            .unwrap_or_default()
            .to_owned();
        let addresses: Vec<IpAddr> = array(&result, "ips")
            .iter()
            .filter_map(|ip| text(ip, "address")?.split('/').next()?.parse().ok())
            .collect();
        let v4 = addresses.iter().find_map(|ip| match ip {
            IpAddr::V4(v4) => Some(*v4),
            IpAddr::V6(_) => None,
        });
        let v6 = addresses.iter().find_map(|ip| match ip {
            IpAddr::V6(v6) => Some(*v6),
            IpAddr::V4(_) => None,
        });
        Ok(Self {
            ns,
            attach,
            result,
            mac,
            host_ifname,
            v4,
            v6,
        })
    }

    /// Its IPv4 address.
    ///
    /// # Errors
    /// When it has none.
    pub fn v4(&self) -> Result<Ipv4Addr> {
        self.v4
            .with_context(|| format!("no IPv4 address in {}", self.result))
    }

    /// Its IPv6 address.
    ///
    /// # Errors
    /// When it has none.
    pub fn v6(&self) -> Result<Ipv6Addr> {
        self.v6
            .with_context(|| format!("no IPv6 address in {}", self.result))
    }

    /// Its address of a family.
    ///
    /// # Errors
    /// When it has none.
    pub fn ip(&self, family: Family) -> Result<IpAddr> {
        match family {
            Family::V4 => self.v4().map(Into::into),
            Family::V6 => self.v6().map(Into::into),
        }
    }

    /// Its address of a family with a port.
    ///
    /// # Errors
    /// When it has no such address.
    pub fn at(&self, family: Family, port: u16) -> Result<SocketAddr> {
        Ok(SocketAddr::new(self.ip(family)?, port))
    }

    /// Its name, as CNI_ARGS say.
    #[must_use]
    pub fn name(&self) -> &str {
        self.attach
            .args
            .split(';')
            .find_map(|pair| pair.strip_prefix("K8S_POD_NAME="))
            .unwrap_or_default()
    }
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}
