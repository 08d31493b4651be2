//! What a signature that matched does.

use super::Round;
use weir_policies::rule::ast::{Action, RejectSide, Threshold, Track};
use weir_policies::threshold_config::RateAction;

use crate::detect::program::{Kind, Program};
use crate::detect::state::{Count, Decision, ThresholdKey, decide};
use crate::detect::{Effect, HitSource, RuleSet, Scope, SignatureId};
use crate::frame::Mode;
use crate::packet::Transport;
use crate::verdict::RejectSides;

impl Round<'_> {
    pub(super) fn decide(&mut self, program: &Program) -> Decision {
        let every = Decision {
            alert: true,
            act: true,
        };
        let Some(rule) = &program.threshold else {
            return every;
        };
        if rule.track == Track::Flow {
            return self.decide_by_flow(rule, program.identity).unwrap_or(every);
        }
        let key = self.key(program, rule.track, self.distinct(rule));
        self.thresholds.decide(rule, &key, self.store.now)
    }

    fn key(&self, program: &Program, track: Track, distinct: Option<u16>) -> ThresholdKey {
        let packet = self.inspection.packet;
        let [outer, inner, _] = packet.vlan;
        ThresholdKey {
            identity: program.identity,
            track,
            source: packet.source,
            destination: packet.destination,
            vlan: [outer, inner],
            distinct,
        }
    }

    /// What a match asks for, and whether it raises an alert: as the signature says, unless that is changed
    /// from outside.
    pub(super) fn adjust(&mut self, program: &Program) -> (Action, bool) {
        let Some(adjusted) = &program.adjusted else {
            return (program.action, true);
        };
        let packet = self.inspection.packet;
        let alerts = !adjusted.suppresses(packet.source, packet.destination);
        let Some(filter) = &adjusted.rate else {
            return (program.action, alerts);
        };
        let key = self.key(program, filter.track, None);
        if !self.thresholds.exceeds(filter, &key, self.store.now) {
            return (program.action, alerts);
        }
        match filter.new_action {
            RateAction::Alert => (Action::Alert, alerts),
            RateAction::Drop => (Action::Drop, alerts),
            RateAction::Reject => (Action::Reject(RejectSide::Default), alerts),
            RateAction::Pass => (Action::Pass, false),
        }
    }

    /// The port that a threshold counts once each.
    fn distinct(&self, rule: &Threshold) -> Option<u16> {
        let (source, destination) = self.inspection.packet.ports();
        match rule.unique_on.as_deref() {
            Some("src_port") => Some(source),
            Some(_) => Some(destination),
            None => None,
        }
    }

    /// `None`: there is no flow, or it holds too many thresholds; then nothing is held back.
    fn decide_by_flow(&mut self, rule: &Threshold, identity: u64) -> Option<Decision> {
        let (now, limit) = (self.store.now, self.store.limit);
        let flow = self.store.flow.as_deref_mut()?;
        match flow.threshold(identity, now, limit) {
            Ok(state) => Some(decide(rule, state, now, Count::Match)),
            Err(_) => {
                self.store.full += 1;
                None
            }
        }
    }

    /// Applies an action; true ends the round.
    pub(super) fn act(
        &self,
        (program, action): (&Program, Action),
        (id, source): (SignatureId, HitSource),
        effect: &mut Effect,
    ) -> bool {
        let reject = match action {
            // Made a pass by its rate, it comes behind what has dropped the packet already.
            Action::Pass if matches!(effect, Effect::Drop { .. }) => return true,
            Action::Pass => {
                *effect = Effect::Pass {
                    scope: self.pass_scope(program, source),
                };
                return true;
            }
            Action::Reject(side) => Some(self.told(side)),
            Action::Drop => None,
            Action::Alert | Action::Config => return false,
        };
        if matches!(effect, Effect::None) {
            *effect = Effect::Drop {
                signature: id,
                scope: self.drop_scope(program),
                reject,
            };
        }
        false
    }

    /// The receiver of a TCP segment is told unless the rule says otherwise: it would keep half of a connection
    /// whose other half is gone.
    fn told(&self, side: RejectSide) -> RejectSides {
        let tcp = matches!(self.inspection.packet.transport, Transport::Tcp(_));
        RejectSides {
            source: side != RejectSide::Destination,
            destination: match side {
                RejectSide::Default => tcp,
                RejectSide::Source => false,
                RejectSide::Destination | RejectSide::Both => true,
            },
        }
    }

    /// As documented: a match on addresses alone, in the stream or in the application layer passes the
    /// flow, others the packet.
    fn pass_scope(&self, program: &Program, source: HitSource) -> Scope {
        let on_flow = matches!(program.kind, Kind::IpOnly | Kind::LikeIpOnly)
            || (matches!(source, HitSource::Stream { .. }) && self.established())
            || of_the_application(program);
        self.scope(on_flow)
    }

    /// Whether a match that ended the round lets signatures on the packet alone be tested all the same. Where
    /// nothing is in line, a stream is documented to be read when it is acknowledged: the packet that brought
    /// what passes the flow was inspected before, and only what follows is passed.
    pub(super) fn is_passed_later(&self, program: &Program, source: HitSource) -> bool {
        let tcp = matches!(self.inspection.packet.transport, Transport::Tcp(_));
        tcp && self.inspection.meta.mode == Mode::Detect
            && matches!(source, HitSource::Transaction { .. })
            && matches!(program.action, Action::Pass)
    }

    fn established(&self) -> bool {
        self.inspection.flow.is_some_and(|flow| flow.established)
    }

    /// A match on addresses alone or in a payload ends the flow; but not in a TCP packet that is not
    /// part of an established stream: it may not be the connection's at all. A match on headers drops
    /// the packet.
    fn drop_scope(&self, program: &Program) -> Scope {
        let tcp = matches!(self.inspection.packet.transport, Transport::Tcp(_));
        let of_flow = !tcp || (self.inspection.stream.is_some() && self.established());
        let on_flow = matches!(program.kind, Kind::IpOnly | Kind::LikeIpOnly)
            || of_the_application(program)
            || (program.payload.is_some() && of_flow);
        self.scope(on_flow)
    }

    fn scope(&self, on_flow: bool) -> Scope {
        if on_flow && self.inspection.flow.is_some() {
            Scope::Flow
        } else {
            Scope::Packet
        }
    }

    /// Lets the flow remember what ends it. In detect mode traffic goes on, and so does inspection.
    pub(super) fn remember(&mut self, rules: &RuleSet, effect: Effect) {
        let Some(flow) = self.store.flow.as_deref_mut() else {
            return;
        };
        match effect {
            Effect::Drop {
                signature,
                scope: Scope::Flow,
                ..
            } if self.inspection.meta.mode == Mode::Prevent => {
                flow.dropped_by = Some(rules.signature(signature).clone());
            }
            Effect::Pass { scope: Scope::Flow } => flow.passed = true,
            _ => {}
        }
    }
}

/// Whether a signature speaks of what the flow carries.
fn of_the_application(program: &Program) -> bool {
    program.application.is_some() || matches!(program.kind, Kind::Protocol | Kind::Recognition)
}
