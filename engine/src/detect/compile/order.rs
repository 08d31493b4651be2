//! The order in which signatures are evaluated.

use weir_policies::rule::ast::Action;

use crate::detect::program::{Program, StateChange, StateTest};

/// Sorts first what is evaluated first: by action, then what sets a flow variable before what asks for
/// it, then by priority.
pub(super) fn evaluation_key(program: &Program, priority: u8) -> (u8, u8, u8) {
    (
        action_rank(program.action),
        variable_rank(program),
        priority,
    )
}

/// pass, then drop, then reject, then alert.
pub(in crate::detect) fn action_rank(action: Action) -> u8 {
    match action {
        Action::Pass => 0,
        Action::Drop => 1,
        Action::Reject(_) => 2,
        Action::Alert => 3,
        Action::Config => 4,
    }
}

/// Writers, then those that read and write, then the rest.
fn variable_rank(program: &Program) -> u8 {
    let writes = program.captures
        || program
            .changes
            .iter()
            .any(|change| !matches!(change, StateChange::Bypass | StateChange::Keep));
    let reads = program.state.iter().any(|test| {
        matches!(
            test,
            StateTest::FlowBitSet(_)
                | StateTest::FlowBitClear(_)
                | StateTest::FlowIntSet(_)
                | StateTest::FlowIntClear(_)
                | StateTest::FlowInt(..)
                | StateTest::FlowIntPair(..)
                | StateTest::HostBit { .. }
                | StateTest::Captured { .. }
        )
    });
    match (writes, reads) {
        (true, false) => 0,
        (true, true) => 1,
        (false, _) => 2,
    }
}
