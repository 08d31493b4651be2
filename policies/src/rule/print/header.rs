//! The header as text.

use std::fmt;
use std::net::IpAddr;

use crate::rule::ast::{AddressExpr, DirectionOp, Header, PortExpr, ProtocolExpr};

impl fmt::Display for Header {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} {} {} {} {} {}",
            self.protocol,
            self.source,
            self.source_port,
            self.direction,
            self.destination,
            self.destination_port
        )
    }
}

impl fmt::Display for ProtocolExpr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        match &self.hook {
            Some(hook) => write!(out, ":{hook}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for DirectionOp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::To => "->",
            Self::Both => "<>",
            Self::Transaction => "=>",
        })
    }
}

impl fmt::Display for AddressExpr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("any"),
            Self::Net(address @ IpAddr::V4(_), 32) | Self::Net(address @ IpAddr::V6(_), 128) => {
                write!(out, "{address}")
            }
            Self::Net(address, length) => write!(out, "{address}/{length}"),
            Self::Range(from, to) => write!(out, "{from}-{to}"),
            Self::Variable(name) => write!(out, "${name}"),
            Self::Not(inner) => write!(out, "!{inner}"),
            Self::List(items) => list(items, out),
        }
    }
}

impl fmt::Display for PortExpr {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("any"),
            Self::Range(from, to) if from == to => write!(out, "{from}"),
            Self::Range(from, to) => write!(out, "{from}:{to}"),
            Self::Variable(name) => write!(out, "${name}"),
            Self::Not(inner) => write!(out, "!{inner}"),
            Self::List(items) => list(items, out),
        }
    }
}

fn list<T: fmt::Display>(items: &[T], out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_str("[")?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.write_str(",")?;
        }
        item.fmt(out)?;
    }
    out.write_str("]")
}
