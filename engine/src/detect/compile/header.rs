//! Protocol, addresses, ports and direction.

use std::collections::HashMap;
use std::sync::Arc;

use weir_policies::rule::ast::{AddressExpr, DirectionOp, Header, PortExpr, ProtocolExpr};

use super::env::Variables;
use crate::app_layer::ProtocolId;
use crate::detect::application::{protocols_named, transports};
use crate::detect::matcher::{AddressSet, Intervals};
use crate::detect::program::{Ends, Protocol, Scan, TransportKind, Version};

/// Why a rule whose addresses are none is refused.
pub(super) const NO_ADDRESS: &str = "it stands for no address at all";
/// Why a rule whose ports are none is refused.
pub(super) const NO_PORT: &str = "it stands for no port at all";
/// Variables within variables.
pub(super) const NESTING: usize = 32;

/// Compiles headers; shares equal address sets.
pub(super) struct Headers<'a> {
    vars: &'a dyn Variables,
    sets: HashMap<AddressSet, Arc<AddressSet>>,
}

/// A header, compiled.
pub(super) struct CompiledHeader {
    pub(super) protocol: Protocol,
    pub(super) ends: Box<[Ends]>,
    /// Where the protocol confines tests on the payload to.
    pub(super) scan: Option<Scan>,
    /// An address is negated.
    pub(super) negated_address: bool,
    /// Protocols of the application layer that the header names.
    pub(super) application: Box<[ProtocolId]>,
    /// `=>`: both directions of one transaction.
    pub(super) transactional: bool,
    /// The state of a transaction at which it is evaluated.
    pub(super) hook: Option<String>,
}

impl<'a> Headers<'a> {
    pub(super) fn new(vars: &'a dyn Variables) -> Self {
        Self {
            vars,
            sets: HashMap::new(),
        }
    }

    /// Compiles a header. The error names the part in the way, and says what is wrong with it.
    pub(super) fn compile(&mut self, header: &Header) -> Result<CompiledHeader, (String, String)> {
        let application = protocols_named(&header.protocol.name);
        let (protocol, scan) = protocol(&header.protocol, &application)?;
        let part = |result: Result<_, String>, name: &str| {
            result.map_err(|reason| (name.to_owned(), reason))
        };
        let source = part(self.address(&header.source), "source address")?;
        let destination = part(self.address(&header.destination), "destination address")?;
        let port = |expr, name: &str| {
            let ports = ports(expr, self.vars, NESTING).and_then(not_empty_ports);
            ports.map_err(|reason| (name.to_owned(), reason))
        };
        let ends = Ends {
            source,
            source_port: port(&header.source_port, "source port")?,
            destination,
            destination_port: port(&header.destination_port, "destination port")?,
        };
        let negated_address = [&header.source, &header.destination]
            .into_iter()
            .any(|expr| negates(expr, self.vars, NESTING));
        let ends = match header.direction {
            DirectionOp::To => vec![ends],
            DirectionOp::Both => vec![ends.clone(), turned(ends)],
            DirectionOp::Transaction if !application.is_empty() => {
                vec![ends.clone(), turned(ends)]
            }
            DirectionOp::Transaction => {
                let reason = "transactional rules need an application-layer protocol";
                return Err(("=>".to_owned(), reason.to_owned()));
            }
        };
        Ok(CompiledHeader {
            protocol,
            ends: ends.into_boxed_slice(),
            scan,
            negated_address,
            application,
            transactional: header.direction == DirectionOp::Transaction,
            hook: header.protocol.hook.clone(),
        })
    }

    fn address(&mut self, expr: &AddressExpr) -> Result<Arc<AddressSet>, String> {
        let set = addresses(expr, self.vars, NESTING)?;
        if set.is_empty() {
            return Err(NO_ADDRESS.to_owned());
        }
        if let Some(known) = self.sets.get(&set) {
            return Ok(Arc::clone(known));
        }
        let shared = Arc::new(set.clone());
        self.sets.insert(set, Arc::clone(&shared));
        Ok(shared)
    }
}

fn turned(ends: Ends) -> Ends {
    Ends {
        source: ends.destination,
        source_port: ends.destination_port,
        destination: ends.source,
        destination_port: ends.source_port,
    }
}

/// The transport that a header's protocol stands for. `application` are the protocols of the application
/// layer that it names.
fn protocol(
    expr: &ProtocolExpr,
    application: &[ProtocolId],
) -> Result<(Protocol, Option<Scan>), (String, String)> {
    if let Some(hook) = &expr.hook
        && application.is_empty()
    {
        let reason = format!("the hook `{hook}` is not evaluated");
        return Err((format!("{}:{hook}", expr.name), reason));
    }
    let transport = |kind| (Protocol::Transport(kind), None);
    Ok(match expr.name.as_str() {
        "pkthdr" => (Protocol::Any, None),
        "ip" => (Protocol::Ip(None), None),
        "ipv4" | "ip4" => (Protocol::Ip(Some(Version::V4)), None),
        "ipv6" | "ip6" => (Protocol::Ip(Some(Version::V6)), None),
        "tcp" => transport(TransportKind::Tcp),
        "tcp-pkt" => (Protocol::Transport(TransportKind::Tcp), Some(Scan::Packet)),
        "tcp-stream" => (
            Protocol::Transport(TransportKind::Tcp),
            Some(Scan::StreamOnly),
        ),
        "udp" => transport(TransportKind::Udp),
        "icmp" => transport(TransportKind::Icmp),
        "icmpv4" | "icmp4" => transport(TransportKind::Icmp4),
        "icmpv6" | "icmp6" => transport(TransportKind::Icmp6),
        "igmp" => (Protocol::Number(2), None),
        "gre" => (Protocol::Number(47), None),
        "esp" => (Protocol::Number(50), None),
        "ah" => (Protocol::Number(51), None),
        "sctp" => (Protocol::Number(132), None),
        _ if !application.is_empty() => match transports(application) {
            [true, false] => transport(TransportKind::Tcp),
            [false, true] => transport(TransportKind::Udp),
            _ => (Protocol::Ip(None), None),
        },
        name => {
            let reason = "this application-layer protocol is not evaluated";
            return Err((name.to_owned(), reason.to_owned()));
        }
    })
}

fn unknown(kind: &str, name: &str) -> String {
    format!("the {kind} variable `${name}` is not defined: define it under `vars`")
}

fn too_deep(name: &str) -> String {
    format!("the variable `${name}` refers to itself, or variables nest deeper than {NESTING}")
}

/// The addresses that an expression stands for.
pub(super) fn addresses(
    expr: &AddressExpr,
    vars: &dyn Variables,
    depth: usize,
) -> Result<AddressSet, String> {
    Ok(match expr {
        AddressExpr::Any => AddressSet::any(),
        AddressExpr::Net(address, prefix) => AddressSet::net(*address, *prefix),
        AddressExpr::Range(low, high) => AddressSet::range(*low, *high),
        AddressExpr::Not(inner) => addresses(inner, vars, depth)?.complement(),
        AddressExpr::Variable(name) => {
            let depth = depth.checked_sub(1).ok_or_else(|| too_deep(name))?;
            let inner = vars.address(name).ok_or_else(|| unknown("address", name))?;
            addresses(inner, vars, depth)?
        }
        AddressExpr::List(items) => {
            let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
            for item in items {
                match item {
                    AddressExpr::Not(inner) => unwanted.push(addresses(inner, vars, depth)?),
                    item => wanted.push(addresses(item, vars, depth)?),
                }
            }
            let base = if wanted.is_empty() {
                AddressSet::any()
            } else {
                AddressSet::union(&wanted)
            };
            base.minus(&AddressSet::union(&unwanted))
        }
    })
}

fn negates(expr: &AddressExpr, vars: &dyn Variables, depth: usize) -> bool {
    match expr {
        AddressExpr::Not(_) => true,
        AddressExpr::Any | AddressExpr::Net(..) | AddressExpr::Range(..) => false,
        AddressExpr::Variable(name) => match (depth.checked_sub(1), vars.address(name)) {
            (Some(depth), Some(inner)) => negates(inner, vars, depth),
            _ => false,
        },
        AddressExpr::List(items) => items.iter().any(|item| negates(item, vars, depth)),
    }
}

fn ports(expr: &PortExpr, vars: &dyn Variables, depth: usize) -> Result<Intervals<u16>, String> {
    Ok(match expr {
        PortExpr::Any => Intervals::full(),
        PortExpr::Range(low, high) => Intervals::union(vec![(*low, *high)]),
        PortExpr::Not(inner) => ports(inner, vars, depth)?.complement(),
        PortExpr::Variable(name) => {
            let depth = depth.checked_sub(1).ok_or_else(|| too_deep(name))?;
            let inner = vars.port(name).ok_or_else(|| unknown("port", name))?;
            ports(inner, vars, depth)?
        }
        PortExpr::List(items) => {
            let (mut wanted, mut unwanted) = (Vec::new(), Vec::new());
            for item in items {
                match item {
                    PortExpr::Not(inner) => unwanted.extend(ports(inner, vars, depth)?.iter()),
                    item => wanted.extend(ports(item, vars, depth)?.iter()),
                }
            }
            let only_negated = items.iter().all(|item| matches!(item, PortExpr::Not(_)));
            let base = if only_negated {
                Intervals::full()
            } else {
                Intervals::union(wanted)
            };
            base.minus(&Intervals::union(unwanted))
        }
    })
}

fn not_empty_ports(ports: Intervals<u16>) -> Result<Intervals<u16>, String> {
    if ports.is_empty() {
        return Err(NO_PORT.to_owned());
    }
    Ok(ports)
}
