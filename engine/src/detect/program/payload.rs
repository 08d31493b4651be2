//! Tests on the bytes of a buffer.

use std::sync::Arc;

use weir_policies::rule::ast::NumberTest;

use crate::detect::buffers::BufferId;
use crate::detect::data::DataSet;
use crate::detect::matcher::{Asn1Checks, EntropyTest, Literal, Regular};
use crate::detect::outcome::CaptureKind;

/// Tests on one buffer. All chains must match, each on its own.
#[derive(Debug, Default)]
pub(in crate::detect) struct Chains {
    pub(in crate::detect) chains: Box<[Chain]>,
    /// The literal that decides whether the buffer is worth looking at.
    pub(in crate::detect) fast_pattern: Option<FastPattern>,
    /// Some test is bound to where the data begins.
    pub(in crate::detect) anchored: bool,
    /// Some test cannot be asked unless the data is there from its beginning on; patterns with an offset
    /// or a depth can, and sizes.
    pub(in crate::detect) from_start: bool,
    /// A pattern says by offset or depth where it lies, so that it speaks of packets as well as of streams.
    pub(in crate::detect) placed: bool,
    /// Some test reads bytes; without one, the absence of bytes is all that is asked for.
    pub(in crate::detect) reads: bool,
    /// Some test uses a variable that is read from another buffer: that one is asked first.
    pub(in crate::detect) imports: bool,
    /// `absent`
    pub(in crate::detect) absent: Option<Absent>,
}

/// The fast pattern of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) struct FastPattern {
    pub(in crate::detect) bytes: Box<[u8]>,
    pub(in crate::detect) nocase: bool,
    /// The rule says so.
    pub(in crate::detect) explicit: bool,
    /// It is all that the payload tests ask for: its presence is their match.
    pub(in crate::detect) whole: bool,
}

/// Tests that depend on each other by position or variable, in order.
#[derive(Debug)]
pub(in crate::detect) struct Chain {
    pub(in crate::detect) tests: Box<[Test]>,
}

/// Tests on a sticky buffer.
#[derive(Debug)]
pub(in crate::detect) struct BufferTests {
    pub(in crate::detect) buffer: BufferId,
    pub(in crate::detect) tests: Chains,
}

/// `absent`: what is asked of a buffer that may not be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Absent {
    /// It must not be there.
    Only,
    /// It is not there, or the tests match.
    OrElse,
}

/// A number, or a variable by index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Value {
    Number(i64),
    Variable(u8),
}

/// One test on the bytes of a buffer.
#[derive(Debug)]
pub(in crate::detect) enum Test {
    Content(ContentTest),
    Pcre(PcreTest),
    ByteTest(ByteTest),
    ByteJump(ByteJump),
    ByteExtract(ByteExtract),
    ByteMath(ByteMath),
    IsDataAt(IsDataAt),
    Size(NumberTest),
    Base64(Base64Test),
    Data(DataTest),
    Entropy(EntropyOf),
    Asn1(Asn1Test),
}

/// `content`
#[derive(Debug)]
pub(in crate::detect) struct ContentTest {
    pub(in crate::detect) literal: Literal,
    pub(in crate::detect) negated: bool,
    pub(in crate::detect) relative: bool,
    pub(in crate::detect) offset: Option<Value>,
    pub(in crate::detect) depth: Option<Value>,
    pub(in crate::detect) distance: Option<Value>,
    pub(in crate::detect) within: Option<Value>,
    pub(in crate::detect) ends_with: bool,
}

/// `pcre`
#[derive(Debug)]
pub(in crate::detect) struct PcreTest {
    pub(in crate::detect) regular: Arc<Regular>,
    pub(in crate::detect) negated: bool,
    pub(in crate::detect) relative: bool,
    /// What an alert shows of its groups.
    pub(in crate::detect) captures: Box<[Capture]>,
}

/// A group whose bytes an alert shows.
#[derive(Debug)]
pub(in crate::detect) struct Capture {
    pub(in crate::detect) group: usize,
    pub(in crate::detect) kind: CaptureKind,
    pub(in crate::detect) name: CaptureName,
}

/// Name of what was captured.
#[derive(Debug)]
pub(in crate::detect) enum CaptureName {
    Given(Arc<str>),
    /// What another group captured.
    Group(usize),
}

/// How bytes become a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Reading {
    /// Bytes to read.
    pub(in crate::detect) count: Value,
    pub(in crate::detect) offset: Value,
    pub(in crate::detect) relative: bool,
    pub(in crate::detect) format: NumberFormat,
    /// Applied to the number, which is then shifted right by the mask's trailing zeros.
    pub(in crate::detect) bitmask: Option<u64>,
}

/// Form of a number in a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum NumberFormat {
    Big,
    Little,
    /// Digits of that radix.
    Text(u32),
}

/// `byte_test`
#[derive(Debug)]
pub(in crate::detect) struct ByteTest {
    pub(in crate::detect) reading: Reading,
    pub(in crate::detect) operator: ByteOperator,
    pub(in crate::detect) negated: bool,
    pub(in crate::detect) value: Value,
}

/// Comparison of `byte_test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum ByteOperator {
    Less,
    Greater,
    Equal,
    LessOrEqual,
    GreaterOrEqual,
    And,
    Xor,
}

/// `byte_jump`
#[derive(Debug)]
pub(in crate::detect) struct ByteJump {
    pub(in crate::detect) reading: Reading,
    pub(in crate::detect) multiplier: u64,
    pub(in crate::detect) align: bool,
    pub(in crate::detect) origin: JumpOrigin,
    pub(in crate::detect) post_offset: Value,
}

/// Where a jump starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum JumpOrigin {
    /// Behind the bytes that were read.
    Here,
    Beginning,
    End,
}

/// `byte_extract`
#[derive(Debug)]
pub(in crate::detect) struct ByteExtract {
    pub(in crate::detect) reading: Reading,
    pub(in crate::detect) multiplier: u64,
    /// Round up to a multiple of this; 1: leave.
    pub(in crate::detect) align: u64,
    pub(in crate::detect) variable: u8,
}

/// `byte_math`
#[derive(Debug)]
pub(in crate::detect) struct ByteMath {
    pub(in crate::detect) reading: Reading,
    pub(in crate::detect) operator: MathOperator,
    pub(in crate::detect) right: Value,
    pub(in crate::detect) variable: u8,
}

/// Operation of `byte_math`, on unsigned 64-bit integers that wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum MathOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    ShiftLeft,
    ShiftRight,
}

/// `isdataat`
#[derive(Debug)]
pub(in crate::detect) struct IsDataAt {
    pub(in crate::detect) position: Value,
    pub(in crate::detect) relative: bool,
    pub(in crate::detect) negated: bool,
}

/// `entropy`: of a part of the buffer.
#[derive(Debug)]
pub(in crate::detect) struct EntropyOf {
    /// Length of the part; 0: up to the end.
    pub(in crate::detect) bytes: usize,
    pub(in crate::detect) offset: usize,
    pub(in crate::detect) test: EntropyTest,
    /// Under which name an alert shows it.
    pub(in crate::detect) buffer: Arc<str>,
}

/// `asn1`
#[derive(Debug)]
pub(in crate::detect) struct Asn1Test {
    pub(in crate::detect) checks: Asn1Checks,
    pub(in crate::detect) relative: bool,
    pub(in crate::detect) offset: i64,
}

/// `dataset`, `datarep`: all the bytes of the buffer looked up in a set.
#[derive(Debug)]
pub(in crate::detect) struct DataTest {
    pub(in crate::detect) set: Arc<DataSet>,
    pub(in crate::detect) command: DataCommand,
    /// A name is looked up also by what it ends with, from any dot on.
    pub(in crate::detect) subdomains: bool,
    /// Under which key an alert shows what the set knows of the value.
    pub(in crate::detect) context: Option<Arc<str>>,
}

/// What is asked of a set, or done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum DataCommand {
    IsSet,
    IsNotSet,
    /// Adds the value; holds where it is new.
    Set,
    /// Removes it; holds where it was there.
    Unset,
    Reputation(NumberTest),
}

impl DataTest {
    /// Whether asking changes the set: then it is asked last of all.
    pub(in crate::detect) fn changes(&self) -> bool {
        matches!(self.command, DataCommand::Set | DataCommand::Unset)
    }
}

impl Chains {
    /// Whether testing changes a set.
    pub(in crate::detect) fn change(&self) -> bool {
        let mut tests = self.chains.iter().flat_map(|chain| &chain.tests);
        tests.any(|test| matches!(test, Test::Data(test) if test.changes()))
    }
}

/// `base64_decode` and the tests on `base64_data` behind it.
#[derive(Debug)]
pub(in crate::detect) struct Base64Test {
    /// Encoded bytes to decode at most.
    pub(in crate::detect) bytes: Option<u32>,
    pub(in crate::detect) offset: u32,
    pub(in crate::detect) relative: bool,
    pub(in crate::detect) then: Chains,
}
