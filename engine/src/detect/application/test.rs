//! One signature against one transaction.

use super::{Application, BufferCondition};
use crate::app_layer::{BufferBytes, BufferShape, ProtocolId, Transaction};
use crate::detect::evaluate::{Subject, Work, chains_match};
use crate::detect::program::Absent;
use crate::detect::transform::Transform;
use crate::event::FlowDirection;

/// What the transaction says to a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::detect) enum Answer {
    /// It does not match, whatever comes.
    Never,
    /// It may match when more has come.
    Later,
    /// It matches.
    Now,
}

/// Tests a transaction of `protocol` in one direction; `None`: in both at once.
pub(in crate::detect) fn test(
    application: &Application,
    (protocol, transaction): (ProtocolId, &dyn Transaction),
    direction: Option<FlowDirection>,
    work: &mut Work,
) -> Answer {
    let mut answer = Answer::Now;
    let events = application.events.iter();
    for (owner, event) in events {
        // An anomaly may come with any byte that follows.
        if !protocol.is(*owner) || !transaction.has_event(*owner, *event) {
            answer = answer.min(Answer::Later);
        }
    }
    for condition in application.states.iter() {
        if protocol.is(condition.protocol) {
            answer = answer.min(condition.test((protocol, transaction)));
        }
    }
    if answer == Answer::Never {
        return answer;
    }
    let mut directions = application.directions;
    if let Some(only) = direction {
        directions[only.opposite().index()] = false;
    }
    for condition in &application.numbers {
        answer = answer.min(condition.test((protocol, transaction), directions));
        if answer == Answer::Never {
            return answer;
        }
    }
    if !application.files.is_empty() {
        let files = application.files.test((protocol, transaction), directions);
        answer = answer.min(files);
        if answer == Answer::Never {
            return answer;
        }
    }
    for condition in &application.buffers {
        // Those that change a set come last, behind those that use what is read from others.
        if (condition.changes || condition.imports) && answer != Answer::Now {
            return answer;
        }
        answer = answer.min(buffer(condition, (protocol, transaction), direction, work));
        if answer == Answer::Never {
            return answer;
        }
    }
    answer
}

/// The best answer of all the buffers that go by the condition's keyword.
fn buffer(
    condition: &BufferCondition,
    (protocol, transaction): (ProtocolId, &dyn Transaction),
    direction: Option<FlowDirection>,
    work: &mut Work,
) -> Answer {
    let mut best = Answer::Never;
    let (mut there, mut over) = (false, true);
    let asked = condition.ids.iter().filter(|id| protocol.is(id.protocol()));
    for id in asked {
        let spec = id.spec();
        if direction.is_some_and(|only| only != spec.direction) {
            continue;
        }
        let whole = transaction.progress(spec.direction);
        let progress = protocol.progress_as(id.protocol(), whole);
        if progress < spec.progress {
            best = best.max(Answer::Later);
            over = false;
            continue;
        }
        let ended = whole >= protocol.protocol().complete(spec.direction);
        let streaming = spec.shape == BufferShape::Streaming;
        let mut all_here = !streaming || ended;
        for bytes in (0..).map_while(|index| transaction.buffer(*id, index)) {
            all_here &= bytes.complete;
            there = true;
            if condition.tests.absent == Some(Absent::Only) {
                return Answer::Never;
            }
            let answer = if !condition.is_decided_by(&bytes, work) {
                Answer::Later
            } else if condition.matches(&bytes, work) {
                return Answer::Now;
            } else {
                Answer::Never
            };
            best = best.max(answer);
        }
        if !all_here {
            best = best.max(Answer::Later);
            over = false;
        }
    }
    if condition.tests.absent.is_some() && !there && over {
        return Answer::Now;
    }
    best
}

impl BufferCondition {
    /// Whether what may still come of a buffer cannot change what its tests say.
    fn is_decided_by(&self, bytes: &BufferBytes<'_>, work: &mut Work) -> bool {
        if bytes.complete {
            return true;
        }
        let wanted = match self.decided_by {
            None => return false,
            Some(0) => return true,
            Some(wanted) => wanted,
        };
        // Of what was given up in front nothing is known: it does not match.
        let mut decided = bytes.offset > 0 || bytes.bytes.len() >= wanted;
        if decided && bytes.offset == 0 && !self.transforms.is_empty() {
            work.transformed(&self.transforms, bytes.bytes, |bytes, _| {
                decided = bytes.len() >= wanted;
            });
        }
        decided
    }

    /// Whether a buffer satisfies its tests.
    pub(super) fn matches(&self, bytes: &BufferBytes<'_>, work: &mut Work) -> bool {
        if bytes.offset > 0 && self.needs_start() {
            return false;
        }
        if self.transforms.is_empty() {
            let subject = Subject {
                origin: bytes.offset,
                ..Subject::whole(bytes.bytes)
            };
            return chains_match(&self.tests, subject, work).is_some();
        }
        let mut matched = false;
        work.transformed(&self.transforms, bytes.bytes, |bytes, work| {
            matched = chains_match(&self.tests, Subject::whole(bytes), work).is_some();
        });
        matched
    }

    /// Whether it can only be asked of a buffer that is there from its beginning on: of a long one that
    /// streams, what was inspected is given up but for a tail.
    fn needs_start(&self) -> bool {
        let transformed = !self.transforms.is_empty();
        self.tests.from_start
            || transformed && self.tests.anchored
            || self.transforms.iter().any(Transform::needs_start)
    }
}
