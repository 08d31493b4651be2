//! Exception policies: what befalls traffic that the engine cannot follow as it should.
//!
//! The policies and their names are Suricata's; what each exception is to weir:
//!
//! - *midstream*: the beginning of a TCP flow was not seen, whether it is picked up or not;
//! - *reassembly memcap*: stream bytes that cannot be kept;
//! - *flow memcap*: a new flow, and a table that holds nothing that may give way;
//! - *defrag memcap*: a fragment that cannot be held;
//! - *application layer error*: a parser that gave a flow up.
//!
//! `auto` fails closed in prevent mode and open in detect mode. Nothing is dropped in detect mode,
//! whatever the policy: it is reported as what would have been.

use crate::flow::FlowIndex;
use crate::frame::{FrameMeta, Mode};
use crate::stream::Admission;
use crate::verdict::{DropReason, RejectSides};

use super::Engine;
use super::ruling::{Condemned, Ruling};
use super::tracking::Tracked;

/// What to do with traffic that cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum ExceptionPolicy {
    /// Prevent mode: drop the flow, or the packet where no flow is at hand. Detect mode: ignore.
    /// Midstream: ignore where flows are picked up midstream.
    #[default]
    Auto,
    /// Go on as far as can be.
    Ignore,
    /// Drop the packet.
    DropPacket,
    /// Drop the packet and the rest of its flow, uninspected.
    DropFlow,
    /// As [`Self::DropFlow`], and tell the sender.
    Reject,
    /// Let the flow through, neither inspected nor tracked.
    Bypass,
    /// Let the packet through uninspected; state follows it.
    PassPacket,
    /// Let the flow through uninspected; state and application layer follow it.
    PassFlow,
}

/// A policy for an exception that it makes no sense for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{policy} is not possible for {exception}: {why}")]
pub struct ImpossiblePolicy {
    policy: &'static str,
    exception: &'static str,
    why: &'static str,
}

/// A policy for each exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ExceptionPolicies {
    /// A TCP flow whose beginning was not seen.
    pub midstream: ExceptionPolicy,
    /// Stream bytes that cannot be kept.
    pub reassembly_memcap: ExceptionPolicy,
    /// A new flow and no room. Packet policies only.
    pub flow_memcap: ExceptionPolicy,
    /// A fragment and no room. Packet policies only.
    pub defrag_memcap: ExceptionPolicy,
    /// A parser that gave up.
    pub app_layer_error: ExceptionPolicy,
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exception {
    Midstream,
    ReassemblyMemcap,
    FlowMemcap,
    DefragMemcap,
    AppLayerError,
}

impl ExceptionPolicy {
    /// Every policy with its name in settings.
    pub const ALL: [(&'static str, Self); 8] = [
        ("auto", Self::Auto),
        ("ignore", Self::Ignore),
        ("drop-packet", Self::DropPacket),
        ("drop-flow", Self::DropFlow),
        ("reject", Self::Reject),
        ("bypass", Self::Bypass),
        ("pass-packet", Self::PassPacket),
        ("pass-flow", Self::PassFlow),
    ];

    /// Its name in settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        let named = Self::ALL.iter().find(|(_, policy)| *policy == self);
        named.map_or("auto", |(name, _)| name)
    }

    /// The policy of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let named = Self::ALL.iter().find(|(known, _)| *known == name);
        named.map(|(_, policy)| *policy)
    }
}

impl ExceptionPolicies {
    /// The same policy for every exception, or the closest that it knows.
    #[must_use]
    pub fn all(policy: ExceptionPolicy) -> Self {
        let for_packet = match policy {
            ExceptionPolicy::DropFlow | ExceptionPolicy::Reject => ExceptionPolicy::DropPacket,
            ExceptionPolicy::Bypass | ExceptionPolicy::PassFlow => ExceptionPolicy::PassPacket,
            other => other,
        };
        let for_flow = match policy {
            ExceptionPolicy::DropPacket => ExceptionPolicy::DropFlow,
            ExceptionPolicy::PassPacket => ExceptionPolicy::PassFlow,
            other => other,
        };
        Self {
            midstream: for_flow,
            reassembly_memcap: policy,
            flow_memcap: for_packet,
            defrag_memcap: for_packet,
            app_layer_error: policy,
        }
    }

    /// For inspection in line between pods: a segment or fragment that finds no room is dropped and will
    /// be sent again, and what a parser cannot read is still searched as a stream.
    #[must_use]
    pub fn inline() -> Self {
        Self {
            midstream: ExceptionPolicy::Auto,
            reassembly_memcap: ExceptionPolicy::DropPacket,
            flow_memcap: ExceptionPolicy::DropPacket,
            defrag_memcap: ExceptionPolicy::DropPacket,
            app_layer_error: ExceptionPolicy::Ignore,
        }
    }

    /// Whether every policy makes sense for its exception; `midstream`: flows are picked up midstream.
    ///
    /// # Errors
    ///
    /// Names the policy and the exception that do not go together.
    pub fn check(&self, midstream: bool) -> Result<(), ImpossiblePolicy> {
        use ExceptionPolicy::{Auto, DropPacket, Ignore, PassFlow, PassPacket};
        let impossible = |policy: ExceptionPolicy, exception, why| ImpossiblePolicy {
            policy: policy.name(),
            exception,
            why,
        };
        for (policy, exception) in [
            (self.flow_memcap, "flow memcap"),
            (self.defrag_memcap, "defrag memcap"),
        ] {
            if !matches!(policy, Auto | Ignore | DropPacket | PassPacket) {
                return Err(impossible(
                    policy,
                    exception,
                    "there is no flow to apply it to",
                ));
            }
        }
        if matches!(self.midstream, DropPacket | PassPacket) {
            let why = "every packet of such a flow would meet it; say what befalls the flow";
            return Err(impossible(self.midstream, "midstream", why));
        }
        if midstream && !matches!(self.midstream, Auto | Ignore | PassFlow) {
            let why = "flows are picked up midstream";
            return Err(impossible(self.midstream, "midstream", why));
        }
        Ok(())
    }

    /// The policy for an exception in that mode; never `auto`.
    fn of(&self, exception: Exception, mode: Mode, midstream: bool) -> ExceptionPolicy {
        let (policy, closed) = match exception {
            Exception::Midstream if midstream => (self.midstream, ExceptionPolicy::Ignore),
            Exception::Midstream => (self.midstream, ExceptionPolicy::DropFlow),
            Exception::ReassemblyMemcap => (self.reassembly_memcap, ExceptionPolicy::DropFlow),
            Exception::AppLayerError => (self.app_layer_error, ExceptionPolicy::DropFlow),
            Exception::FlowMemcap => (self.flow_memcap, ExceptionPolicy::DropPacket),
            Exception::DefragMemcap => (self.defrag_memcap, ExceptionPolicy::DropPacket),
        };
        match (policy, mode) {
            (ExceptionPolicy::Auto, Mode::Prevent) => closed,
            (ExceptionPolicy::Auto, Mode::Detect) => ExceptionPolicy::Ignore,
            (policy, _) => policy,
        }
    }
}

impl Exception {
    fn reason(self) -> DropReason {
        match self {
            Self::Midstream => DropReason::StreamMidstream,
            Self::ReassemblyMemcap => DropReason::StreamMemcap,
            Self::FlowMemcap => DropReason::FlowMemcap,
            Self::DefragMemcap => DropReason::FragmentMemcap,
            Self::AppLayerError => DropReason::AppLayerError,
        }
    }
}

impl Engine {
    /// Applies the policy for `exception` to the packet at hand and its flow. Returns why it is to be
    /// dropped, where it is.
    pub(super) fn except(
        &mut self,
        exception: Exception,
        (index, meta): (Option<FlowIndex>, &FrameMeta),
    ) -> Ruling {
        let policies = self.config.exceptions;
        let policy = policies.of(exception, meta.mode, self.config.midstream);
        let reason = exception.reason();
        let mut flow = index.and_then(|index| self.flows.get_mut(index));
        let condemned = || Some(Condemned::new(reason, None));
        if let Some(flow) = flow
            .as_deref_mut()
            .filter(|_| policy != ExceptionPolicy::Ignore)
        {
            flow.exception = Some((reason.name(), policy.name()));
        }
        match (policy, flow) {
            (ExceptionPolicy::Auto | ExceptionPolicy::Ignore | ExceptionPolicy::PassPacket, _)
            | (ExceptionPolicy::Bypass | ExceptionPolicy::PassFlow, None) => None,
            (ExceptionPolicy::PassFlow, Some(flow)) => {
                flow.detect.pass();
                None
            }
            (ExceptionPolicy::Bypass, Some(flow)) => {
                flow.detect.pass();
                flow.bypassed = true;
                None
            }
            (ExceptionPolicy::DropPacket, _)
            | (ExceptionPolicy::DropFlow | ExceptionPolicy::Reject, None) => condemned(),
            (ExceptionPolicy::DropFlow | ExceptionPolicy::Reject, Some(flow)) => {
                if meta.mode == Mode::Prevent {
                    flow.given_up = Some(reason);
                }
                let tell = policy == ExceptionPolicy::Reject;
                condemned().map(|condemned| Condemned {
                    reject: tell.then_some(RejectSides {
                        source: true,
                        destination: false,
                    }),
                    ..condemned
                })
            }
        }
    }

    /// Whether a packet that an exception policy lets through is not to be inspected.
    pub(super) fn passes_uninspected(&self, exception: Exception, meta: &FrameMeta) -> bool {
        let policies = self.config.exceptions;
        policies.of(exception, meta.mode, self.config.midstream) == ExceptionPolicy::PassPacket
    }

    /// Asks the policy about a TCP flow whose beginning was not seen, picked up or not; true when the rest
    /// of it is dropped.
    pub(super) fn is_refused_midstream(
        &mut self,
        admission: Admission,
        meta: &FrameMeta,
        tracked: &mut Tracked,
    ) -> bool {
        let index = tracked.flow.map(|(index, _)| index);
        let flow = index.and_then(|index| self.flows.get_mut(index));
        let picked_up = flow.is_some_and(|flow| flow.tcp.take_pickup());
        if !picked_up && admission != Admission::Midstream {
            return false;
        }
        tracked.refused = self.except(Exception::Midstream, (index, meta));
        tracked.uninspected = tracked.refused.is_some() && meta.mode == Mode::Prevent;
        tracked.uninspected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for (name, policy) in ExceptionPolicy::ALL {
            assert_eq!(ExceptionPolicy::from_name(name), Some(policy));
            assert_eq!(policy.name(), name);
        }
        assert_eq!(ExceptionPolicy::from_name("drop"), None);
    }

    #[test]
    fn one_policy_for_all_is_possible_for_each() {
        for (name, policy) in ExceptionPolicy::ALL {
            let all = ExceptionPolicies::all(policy);
            assert_eq!(all.check(false), Ok(()), "{name}");
        }
        assert_eq!(ExceptionPolicies::inline().check(true), Ok(()));
    }

    #[test]
    fn policies_that_make_no_sense_are_refused() {
        let refused = |policies: ExceptionPolicies, midstream| {
            let problem = policies.check(midstream);
            problem.map_err(|problem| problem.to_string()).unwrap_err()
        };
        let flow = ExceptionPolicies {
            flow_memcap: ExceptionPolicy::DropFlow,
            ..ExceptionPolicies::default()
        };
        assert!(refused(flow, false).contains("drop-flow is not possible for flow memcap"));
        let packet = ExceptionPolicies {
            midstream: ExceptionPolicy::DropPacket,
            ..ExceptionPolicies::default()
        };
        assert!(refused(packet, false).contains("midstream"));
        let drop = ExceptionPolicies {
            midstream: ExceptionPolicy::DropFlow,
            ..ExceptionPolicies::default()
        };
        assert_eq!(drop.check(false), Ok(()));
        assert!(refused(drop, true).contains("picked up midstream"));
    }

    #[test]
    fn auto_fails_closed_in_prevent_mode_and_open_in_detect_mode() {
        let policies = ExceptionPolicies::default();
        let of = |exception, mode| policies.of(exception, mode, false);
        assert_eq!(
            of(Exception::Midstream, Mode::Prevent),
            ExceptionPolicy::DropFlow
        );
        assert_eq!(
            of(Exception::FlowMemcap, Mode::Prevent),
            ExceptionPolicy::DropPacket
        );
        assert_eq!(
            of(Exception::Midstream, Mode::Detect),
            ExceptionPolicy::Ignore
        );
        assert_eq!(
            policies.of(Exception::Midstream, Mode::Prevent, true),
            ExceptionPolicy::Ignore
        );
    }
}
