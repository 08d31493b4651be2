//! Tests on the bytes of one buffer: from the rule's list to chains.

use std::collections::HashMap;
use std::sync::Arc;

use weir_policies::rule::ast::{Content, Pcre};

use super::bytes::ByteOption;
use super::captures;
use super::fast_pattern;
use super::variables::{Owner, VariableNames};
use crate::detect::matcher::{Literal, Regular, RegularFlags, parse_number_test};
use crate::detect::program::{
    Absent, Base64Test, Chain, Chains, ContentTest, DataTest, JumpOrigin, MAX_TESTS, PcreTest,
    Test, Value,
};

/// Distance between a buffer's number and that of what is decoded from it.
const DECODED: Owner = 1 << 16;

/// Compiled expressions by text and flags: many rules share theirs.
pub(super) type Expressions = HashMap<(String, RegularFlags), Arc<Regular>>;

/// A test and how it hangs together with the others.
pub(super) struct Item {
    test: Test,
    /// Follows the match before it.
    relative: bool,
    /// Later relative tests follow it.
    moves: bool,
    /// Bound to the buffer's beginning or end, if nothing before it moves.
    absolute: bool,
    /// Asks for bytes to be there.
    reads: bool,
}

/// The tests of one buffer, while they are collected.
#[derive(Default)]
pub(super) struct BufferBuilder {
    items: Vec<Item>,
    /// Its number among the signature's buffers.
    pub(super) owner: Owner,
    /// Other buffers whose variables it uses.
    pub(super) foreign: Vec<Owner>,
    /// It defines variables.
    defines: bool,
    patterns: Vec<fast_pattern::Candidate>,
    /// What stands behind the last `base64_decode`.
    decoded: Option<(usize, Box<BufferBuilder>)>,
    absent: Option<Absent>,
    /// Asked behind all others, as asking may change a set.
    data: Vec<Test>,
    /// An expression captures something.
    pub(super) captures: bool,
    /// Keyword of the buffer; empty for the payload.
    keyword: String,
}

impl BufferBuilder {
    /// A builder for the tests of the buffer of that keyword and number.
    pub(super) fn of(keyword: &str, owner: Owner) -> Self {
        Self {
            keyword: keyword.to_owned(),
            owner,
            ..Self::default()
        }
    }

    /// `dataset`, `datarep`.
    pub(super) fn data(&mut self, test: DataTest, decoded: bool) -> Result<(), String> {
        if decoded && test.changes() {
            return Err("what is decoded can be looked up in a set, not put into it".to_owned());
        }
        if self.data.len() >= MAX_TESTS {
            return Err(format!("a rule may hold {MAX_TESTS} payload tests at most"));
        }
        self.data.push(Test::Data(test));
        Ok(())
    }

    pub(super) fn content(
        &mut self,
        content: &Content,
        names: &VariableNames,
    ) -> Result<(), String> {
        let item = content_item(content, names)?;
        if let Some(candidate) = fast_pattern::Candidate::new(content)? {
            self.patterns.push(candidate);
        }
        self.push(item)
    }

    pub(super) fn pcre(
        &mut self,
        pcre: &Pcre,
        expressions: &mut Expressions,
        limits: (u32, u32),
    ) -> Result<(), String> {
        let (flags, relative) = pcre_flags(&pcre.flags)?;
        let key = (pcre.pattern.clone(), flags);
        let regular = match expressions.get(&key) {
            Some(known) => Arc::clone(known),
            None => {
                let new = Arc::new(Regular::new(&pcre.pattern, flags, limits)?);
                expressions.insert(key, Arc::clone(&new));
                new
            }
        };
        let captures = captures::of(pcre, &regular)?;
        self.captures |= !captures.is_empty();
        self.push(Item {
            relative,
            moves: !pcre.negated,
            absolute: relative || regular.is_anchored(),
            reads: !pcre.negated,
            test: Test::Pcre(PcreTest {
                captures,
                regular,
                negated: pcre.negated,
                relative,
            }),
        })
    }

    /// A payload keyword by name and value; `None` where it is no such keyword.
    pub(super) fn other(
        &mut self,
        (name, value): (&str, &str),
        names: &mut VariableNames,
    ) -> Option<Result<(), String>> {
        let option = match name {
            "byte_test" => super::bytes::byte_test(value, names),
            "byte_jump" => super::bytes::byte_jump(value, names),
            "byte_extract" => super::bytes::byte_extract(value, names),
            "byte_math" => super::bytes::byte_math(value, names),
            "entropy" => super::measure::entropy(value, &self.keyword),
            "asn1" => super::measure::asn1(value),
            "isdataat" => super::bytes::is_data_at(value, names),
            "bsize" => parse_number_test(value, u64::MAX).map(|test| ByteOption {
                test: Test::Size(test),
                relative: false,
                absolute: true,
            }),
            "base64_decode" => return Some(self.base64(value)),
            "absent" => return Some(self.absence(value)),
            _ => return None,
        };
        self.defines |= names.any(self.owner);
        Some(option.and_then(|option| self.push(Item::of(option))))
    }

    fn absence(&mut self, value: &str) -> Result<(), String> {
        self.absent = Some(match value {
            "" => Absent::Only,
            "or_else" => Absent::OrElse,
            other => return Err(format!("`{other}` is not `or_else`")),
        });
        Ok(())
    }

    fn base64(&mut self, value: &str) -> Result<(), String> {
        self.finish_base64()?;
        let (bytes, offset, relative) = super::bytes::base64_decode(value)?;
        // Its number is no other buffer's: rules are not as long.
        let decoded = Self::of("base64_data", self.owner.saturating_add(DECODED));
        self.decoded = Some((self.items.len(), Box::new(decoded)));
        self.push(Item {
            test: Test::Base64(Base64Test {
                bytes,
                offset,
                relative,
                then: Chains::default(),
            }),
            relative,
            moves: false,
            absolute: true,
            reads: true,
        })
    }

    /// The tests on `base64_data`.
    pub(super) fn decoded(&mut self) -> Result<&mut Self, String> {
        match &mut self.decoded {
            Some((_, builder)) => Ok(builder),
            None => Err("`base64_data` needs a `base64_decode` before it".to_owned()),
        }
    }

    fn finish_base64(&mut self) -> Result<(), String> {
        let Some((at, builder)) = self.decoded.take() else {
            return Ok(());
        };
        let chains = builder.finish()?;
        if let Some(Item {
            test: Test::Base64(test),
            ..
        }) = self.items.get_mut(at)
        {
            test.then = chains;
        }
        Ok(())
    }

    fn push(&mut self, item: Item) -> Result<(), String> {
        if self.items.len() >= MAX_TESTS {
            return Err(format!("a buffer may have {MAX_TESTS} tests at most"));
        }
        self.items.push(item);
        Ok(())
    }

    /// The collected tests as chains.
    pub(super) fn finish(mut self) -> Result<Chains, String> {
        self.finish_base64()?;
        let single = self.items.len() == 1;
        let together = self.defines;
        let mut chains: Vec<Vec<Test>> = Vec::new();
        let mut current: Option<usize> = None;
        let (mut anchored, mut placed, mut reads) = (false, false, false);
        let mut from_start = !self.data.is_empty();
        for item in self.items {
            // A relative test with nothing before it is relative to the beginning.
            let bound = item.absolute && !(item.relative && current.is_some());
            anchored |= bound;
            from_start |= bound && !counts_from_start(&item);
            from_start |= jumps_from_an_end(&item.test);
            anchored |= jumps_from_an_end(&item.test);
            placed |= is_placed(&item.test);
            reads |= item.reads;
            let home = match (current, chains.len()) {
                _ if together && !chains.is_empty() => Some(0),
                (Some(current), _) if item.relative => Some(current),
                _ => None,
            };
            let at = home.unwrap_or(chains.len());
            match chains.get_mut(at) {
                Some(chain) => chain.push(item.test),
                None => chains.push(vec![item.test]),
            }
            if item.moves {
                current = Some(at);
            }
        }
        chains.extend((!self.data.is_empty()).then_some(self.data));
        let chain = |tests: Vec<Test>| Chain {
            tests: tests.into_boxed_slice(),
        };
        Ok(Chains {
            chains: chains.into_iter().map(chain).collect(),
            // A buffer that is not there holds no pattern.
            fast_pattern: fast_pattern::choose(self.patterns, single)
                .filter(|_| self.absent.is_none()),
            anchored,
            from_start,
            placed,
            reads,
            imports: !self.foreign.is_empty(),
            absent: self.absent,
        })
    }
}

fn content_item(content: &Content, names: &VariableNames) -> Result<Item, String> {
    if content.pattern.is_empty() {
        return Err("the pattern is empty".to_owned());
    }
    let length = i64::try_from(content.pattern.len()).unwrap_or(i64::MAX);
    let value = |operand: &Option<_>| {
        let value = operand.as_ref().map(|operand| names.operand(operand));
        value.transpose()
    };
    let mut test = ContentTest {
        literal: Literal::new(&content.pattern, content.nocase),
        negated: content.negated,
        relative: content.distance.is_some() || content.within.is_some(),
        offset: value(&content.offset)?,
        depth: value(&content.depth)?,
        distance: value(&content.distance)?,
        within: value(&content.within)?,
        ends_with: content.endswith,
    };
    if content.startswith {
        test.offset = Some(Value::Number(0));
        test.depth = Some(Value::Number(length));
    }
    for (name, value) in [("depth", test.depth), ("within", test.within)] {
        if let Some(Value::Number(number)) = value
            && number < length
        {
            return Err(format!(
                "`{name}` {number} is less than the pattern's {length} bytes: it can never match"
            ));
        }
    }
    let bound = test.depth.is_some() || test.offset.is_some_and(|v| v != Value::Number(0));
    Ok(Item {
        relative: test.relative,
        moves: !test.negated,
        absolute: bound || test.relative,
        reads: !test.negated,
        test: Test::Content(test),
    })
}

/// Whether a test is a pattern with an offset or a depth.
fn is_placed(test: &Test) -> bool {
    let Test::Content(content) = test else {
        return false;
    };
    content.depth.is_some() || content.offset.is_some_and(|v| v != Value::Number(0))
}

/// Whether a test that is bound to where the data begins only needs to know how far away that is.
fn counts_from_start(item: &Item) -> bool {
    match &item.test {
        Test::Content(content) => !content.negated && !item.relative,
        Test::Size(_) => true,
        _ => false,
    }
}

fn jumps_from_an_end(test: &Test) -> bool {
    matches!(test, Test::ByteJump(jump) if jump.origin != JumpOrigin::Here)
}

impl Item {
    fn of(option: ByteOption) -> Self {
        let moves = matches!(
            option.test,
            Test::ByteJump(_) | Test::ByteExtract(_) | Test::ByteMath(_)
        );
        let reads = match &option.test {
            Test::IsDataAt(test) => !test.negated,
            Test::Size(_) => false,
            _ => true,
        };
        Self {
            relative: option.relative,
            moves,
            absolute: option.absolute || option.relative,
            reads,
            test: option.test,
        }
    }
}

fn pcre_flags(letters: &str) -> Result<(RegularFlags, bool), String> {
    let mut flags = RegularFlags::default();
    let mut relative = false;
    for letter in letters.chars() {
        match letter {
            'i' => flags.caseless = true,
            's' => flags.dot_all = true,
            'm' => flags.multi_line = true,
            'x' => flags.extended = true,
            'A' => flags.anchored = true,
            'E' => flags.dollar_end_only = true,
            'G' => flags.ungreedy = true,
            'R' => relative = true,
            // Raw bytes, and its own match limits: the bytes are raw, the limits stay.
            'B' | 'O' => {}
            other => return Err(format!("the flag `{other}` is not evaluated")),
        }
    }
    Ok((flags, relative))
}
