//! What happens to a held frame, by the engine's verdict. The only place that permits injection.

use weir_engine::verdict::{DropReason, RejectSides, Verdict};

/// Leave to put a frame into the kernel. Minted here only.
#[derive(Debug)]
pub struct Permit(());

/// What a worker does with a frame.
#[derive(Debug)]
pub enum Decision {
    /// Put it back.
    Deliver(Permit),
    /// Nothing.
    Drop(DropReason),
    /// Nothing, and tell the sides; the permits are for what tells them.
    Reject(RejectSides),
    /// Nothing yet: the engine keeps a copy.
    Kept,
}

/// Turns a verdict into what is done.
pub fn decide(verdict: Verdict) -> Decision {
    match verdict {
        Verdict::Pass => Decision::Deliver(Permit(())),
        Verdict::Drop(reason) => Decision::Drop(reason),
        Verdict::Reject(sides) => Decision::Reject(sides),
        Verdict::Held => Decision::Kept,
    }
}

/// Leave to deliver a frame that the engine kept and now releases: calling its output is the verdict.
pub fn released() -> Permit {
    Permit(())
}

/// Leave to send what tells a side of a reject.
pub fn reject_answer(_: &RejectSides) -> Permit {
    Permit(())
}
