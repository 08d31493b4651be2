//! The Suricata rule language.
//!
//! text -> [`source`] (logical lines) -> [`lexer`] (fields and options) -> [`ast::Rule`] (typed,
//! variables still by name). Nothing here evaluates a rule.
//!
//! Bounds: [`parser::MAX_RULE_LENGTH`] bytes a rule, [`options::MAX_OPTIONS`] options a rule,
//! [`lexer::MAX_LIST_DEPTH`] levels of nested lists.

mod address;
pub mod ast;
mod diagnostic;
mod duplicates;
mod header;
pub mod keywords;
mod lexer;
mod list;
mod options;
mod parser;
mod port;
mod print;
mod protocol;
mod source;

pub use diagnostic::Diagnostic;
pub use parser::{MAX_RULE_LENGTH, Parsed, Skipped, parse, parse_bytes};
pub use print::canonical;

use ast::{AddressExpr, PortExpr};
use lexer::Token;

/// Reads an address expression as it stands in a rule's header.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_addresses(text: &str) -> Result<AddressExpr, String> {
    address::parse(Token { text, offset: 0 }).map_err(|fault| fault.message)
}

/// Reads a port expression as it stands in a rule's header.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_ports(text: &str) -> Result<PortExpr, String> {
    port::parse(Token { text, offset: 0 }).map_err(|fault| fault.message)
}

/// Reads a pattern as `content` writes it, without its quotes: hexadecimal between `|`, escapes.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_pattern(text: &str) -> Result<Vec<u8>, String> {
    options::pattern(text)
}

/// Reads the value of a `threshold`, as rules and `threshold.config` write it.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn parse_threshold(text: &str) -> Result<ast::Threshold, String> {
    options::threshold::threshold(text)
}

/// Reads the word behind `track`.
///
/// # Errors
/// What is wrong with the word.
pub(crate) fn parse_track(word: &str) -> Result<ast::Track, String> {
    options::threshold::track(word)
}
