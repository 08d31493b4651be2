//! `threshold` and `detection_filter`.

use weir_policies::rule::ast::{Rule, Threshold, Track};

use super::env::{CompileEnv, Problem};
use crate::detect::program::{Protocol, TransportKind};

/// IANA's number of SCTP.
const SCTP: u8 = 132;

/// The rule's threshold, or the one that is set in its place.
pub(super) fn threshold(
    rule: &Rule,
    env: &CompileEnv<'_>,
    protocol: Protocol,
) -> Result<Option<Threshold>, Problem> {
    let ports = matches!(
        protocol,
        Protocol::Transport(TransportKind::Tcp | TransportKind::Udp) | Protocol::Number(SCTP)
    );
    let adjustments = env.adjustments;
    let instead = adjustments.and_then(|adjustments| adjustments.threshold(rule));
    let threshold = instead.or(rule.threshold.as_ref()).cloned();
    if let Some(by) = threshold.as_ref().and_then(|rule| rule.unique_on.as_ref()) {
        let by_flow = threshold
            .as_ref()
            .is_some_and(|rule| rule.track == Track::Flow);
        if by_flow || !["src_port", "dst_port"].contains(&by.as_str()) {
            let reason = format!("counting distinct values of `{by}` is not evaluated here");
            return Err(Problem::new(rule.position, "unique_on", reason));
        }
        if !ports {
            let reason = "it counts ports: the protocol must be tcp, udp or sctp";
            return Err(Problem::new(rule.position, "unique_on", reason));
        }
    }
    Ok(threshold)
}
