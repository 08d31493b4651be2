//! The Suricata rule language.
//!
//! text -> lexer -> [`ast::Rule`] (typed, variables still by name) -> [`vars`] resolves addresses and
//! ports. Nothing here evaluates a rule.

pub mod ast;
