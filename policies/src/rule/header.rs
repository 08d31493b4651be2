//! Parses the header: action, protocol, addresses, ports, direction.

use super::address;
use super::ast::{Action, DirectionOp, Header, ProtocolExpr, RejectSide};
use super::diagnostic::Fault;
use super::lexer::Token;
use super::port;
use super::protocol;

/// Action and header of a rule from its seven fields.
pub(crate) fn parse(fields: &[Token<'_>; 7]) -> Result<(Action, Header), Fault> {
    let [
        action,
        protocol,
        source,
        source_port,
        direction,
        destination,
        destination_port,
    ] = fields;
    Ok((
        parse_action(*action)?,
        Header {
            protocol: parse_protocol(*protocol)?,
            source: address::parse(*source)?,
            source_port: port::parse(*source_port)?,
            direction: parse_direction(*direction)?,
            destination: address::parse(*destination)?,
            destination_port: port::parse(*destination_port)?,
        },
    ))
}

fn parse_action(field: Token<'_>) -> Result<Action, Fault> {
    Ok(match field.text {
        "alert" => Action::Alert,
        "drop" => Action::Drop,
        "reject" => Action::Reject(RejectSide::Default),
        "rejectsrc" => Action::Reject(RejectSide::Source),
        "rejectdst" => Action::Reject(RejectSide::Destination),
        "rejectboth" => Action::Reject(RejectSide::Both),
        "pass" => Action::Pass,
        "config" => Action::Config,
        other if other.contains(':') => {
            return Err(Fault::at(
                field.offset,
                format!("`{other}` is an action of firewall rules, which are not supported"),
            ));
        }
        other => {
            return Err(Fault::at(
                field.offset,
                format!(
                    "expected an action (alert, drop, reject, rejectsrc, rejectdst, rejectboth, \
                     pass or config), found `{}`",
                    other.escape_debug()
                ),
            ));
        }
    })
}

fn parse_protocol(field: Token<'_>) -> Result<ProtocolExpr, Fault> {
    let (name, hook) = match field.text.split_once(':') {
        Some((name, hook)) => (name, Some(hook)),
        None => (field.text, None),
    };
    let name = name.to_ascii_lowercase();
    if !protocol::is_known(&name) {
        return Err(Fault::at(
            field.offset,
            format!(
                "expected a protocol such as tcp, udp, icmp, ip, http, dns or tls, found `{}`",
                name.escape_debug()
            ),
        ));
    }
    match hook {
        Some(hook) if !is_hook(hook) => Err(Fault::at(
            field.offset + name.len() + 1,
            format!(
                "expected the name of a hook, found `{}`",
                hook.escape_debug()
            ),
        )),
        _ => Ok(ProtocolExpr {
            name,
            hook: hook.map(str::to_owned),
        }),
    }
}

/// `state`, `<state` or `part:state`.
fn is_hook(hook: &str) -> bool {
    let hook = hook.strip_prefix('<').unwrap_or(hook);
    !hook.is_empty()
        && hook.split(':').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        })
}

fn parse_direction(field: Token<'_>) -> Result<DirectionOp, Fault> {
    Ok(match field.text {
        "->" => DirectionOp::To,
        "<>" => DirectionOp::Both,
        "=>" => DirectionOp::Transaction,
        "<-" => {
            return Err(Fault::at(
                field.offset,
                "`<-` is not a direction: swap the two sides and write `->`",
            ));
        }
        other => {
            return Err(Fault::at(
                field.offset,
                format!(
                    "expected `->`, `<>` or `=>`, found `{}`",
                    other.escape_debug()
                ),
            ));
        }
    })
}
