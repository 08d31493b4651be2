//! Regular expressions with PCRE's meaning.
//!
//! Two engines: `regex` runs in linear time and is used where its meaning is provably the same;
//! everything else goes to PCRE2 (JIT), whose work is bounded by match limits. An expression that hits
//! a limit gives an error, never a silent "no match".

mod scan;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::sync::{Mutex, OnceLock};

use regex::bytes::RegexBuilder;

use scan::scan;

/// PCRE2's JIT stack: the default of 32 KiB is too small for a fifth of the public rules.
const JIT_STACK: usize = 1 << 20;
/// Largest compiled form of a linear-time expression, bytes; larger ones go to PCRE2.
const LINEAR_SIZE: usize = 1 << 20;
/// Largest cache of a linear-time expression, bytes for each thread.
const LINEAR_CACHE: usize = 256 << 10;

/// Workers that can capture with one expression at once without making memory for it.
const SPARES: usize = 16;

/// Letters behind the closing delimiter that change what the expression means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct RegularFlags {
    /// `i`
    pub(crate) caseless: bool,
    /// `s`
    pub(crate) dot_all: bool,
    /// `m`
    pub(crate) multi_line: bool,
    /// `x`
    pub(crate) extended: bool,
    /// `A`
    pub(crate) anchored: bool,
    /// `E`
    pub(crate) dollar_end_only: bool,
    /// `G`
    pub(crate) ungreedy: bool,
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Regular {
    engine: Engine,
    anchored: bool,
}

#[derive(Debug)]
enum Engine {
    Linear(regex::bytes::Regex, Spare<regex::bytes::CaptureLocations>),
    Backtracking(
        Box<pcre2::bytes::Regex>,
        Spare<pcre2::bytes::CaptureLocations>,
    ),
}

/// Memories for the captures of one expression, for as many workers at once: taken for the time of a match, and
/// made by the first that find none. A worker beyond those makes its own each time.
#[derive(Debug)]
struct Spare<T>(OnceLock<Box<[Mutex<Option<T>>; SPARES]>>);

impl<T> Spare<T> {
    fn new() -> Self {
        Self(OnceLock::new())
    }

    fn with<R>(&self, new: impl FnOnce() -> T, then: impl FnOnce(&mut T) -> R) -> R {
        // Most expressions capture nothing, and need no places.
        let places = || Box::new([const { Mutex::new(None) }; SPARES]);
        let all = self.0.get_or_init(places);
        let mut places = all.iter();
        let kept = places.find_map(|place| place.try_lock().ok()?.take());
        let mut memory = kept.unwrap_or_else(new);
        let answer = then(&mut memory);
        let mut free = all.iter().filter_map(|place| place.try_lock().ok());
        if let Some(mut place) = free.find(|place| place.is_none()) {
            *place = Some(memory);
        }
        answer
    }
}

/// Where an expression matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// First byte.
    pub(crate) start: usize,
    /// Index behind the last.
    pub(crate) end: usize,
}

/// The engine gave up (match limit, depth limit, stack): there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RegularError;

impl Regular {
    /// Compiles `pattern`; `limits` are PCRE2's match and depth limit.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression.
    pub(crate) fn new(
        pattern: &str,
        flags: RegularFlags,
        limits: (u32, u32),
    ) -> Result<Self, String> {
        let scan = scan(pattern, flags);
        let engine = match scan.linear.and_then(|text| linear(&text, flags)) {
            Some(regex) => Engine::Linear(regex, Spare::new()),
            None => {
                let regex = Box::new(backtracking(pattern, flags, limits)?);
                Engine::Backtracking(regex, Spare::new())
            }
        };
        Ok(Self {
            engine,
            anchored: scan.anchored,
        })
    }

    /// First match that starts at `start` or later. Assertions see the bytes before `start`.
    pub(crate) fn find_at(
        &self,
        haystack: &[u8],
        start: usize,
    ) -> Result<Option<Found>, RegularError> {
        if start > haystack.len() {
            return Ok(None);
        }
        match &self.engine {
            Engine::Linear(regex, _) => Ok(regex.find_at(haystack, start).map(|found| Found {
                start: found.start(),
                end: found.end(),
            })),
            Engine::Backtracking(regex, _) => match regex.find_at(haystack, start) {
                Ok(found) => Ok(found.map(|found| Found {
                    start: found.start(),
                    end: found.end(),
                })),
                Err(_) => Err(RegularError),
            },
        }
    }

    /// Groups that it captures, beside the whole match.
    pub(crate) fn groups(&self) -> usize {
        let all = match &self.engine {
            Engine::Linear(regex, _) => regex.captures_len(),
            Engine::Backtracking(regex, _) => regex.captures_len(),
        };
        all.saturating_sub(1)
    }

    /// Names of its groups; `None` for one that has none, and for the whole match, which is the first.
    pub(crate) fn names(&self) -> Vec<Option<String>> {
        match &self.engine {
            Engine::Linear(regex, _) => {
                let names = regex.capture_names();
                names.map(|name| name.map(str::to_owned)).collect()
            }
            Engine::Backtracking(regex, _) => regex.capture_names().to_vec(),
        }
    }

    /// Calls `each` with every group that took part in the first match from `start` on, and what it captured.
    /// False: it does not match.
    pub(crate) fn captures_at<'h>(
        &self,
        haystack: &'h [u8],
        start: usize,
        mut each: impl FnMut(usize, &'h [u8]),
    ) -> Result<bool, RegularError> {
        if start > haystack.len() {
            return Ok(false);
        }
        let groups = 0..=self.groups();
        let mut tell = |group: usize, range: Option<(usize, usize)>| {
            let bytes = range.and_then(|(from, to)| haystack.get(from..to));
            bytes.into_iter().for_each(|bytes| each(group, bytes));
        };
        match &self.engine {
            Engine::Linear(regex, spare) => Ok(spare.with(
                || regex.capture_locations(),
                |places| {
                    let found = regex.captures_read_at(places, haystack, start).is_some();
                    let groups = groups.filter(|_| found);
                    groups.for_each(|group| tell(group, places.get(group)));
                    found
                },
            )),
            Engine::Backtracking(regex, spare) => spare.with(
                || regex.capture_locations(),
                |places| {
                    let found = regex.captures_read_at(places, haystack, start);
                    let found = found.map_err(|_| RegularError)?.is_some();
                    let groups = groups.filter(|_| found);
                    groups.for_each(|group| tell(group, places.get(group)));
                    Ok(found)
                },
            ),
        }
    }

    /// Whether it can only match from the subject's first byte on, or may ask where that is.
    pub(crate) fn is_anchored(&self) -> bool {
        self.anchored
    }

    /// Whether the linear-time engine runs it.
    #[cfg(test)]
    fn is_linear(&self) -> bool {
        matches!(self.engine, Engine::Linear(..))
    }
}

fn linear(text: &str, flags: RegularFlags) -> Option<regex::bytes::Regex> {
    RegexBuilder::new(text)
        .unicode(false)
        .case_insensitive(flags.caseless)
        .dot_matches_new_line(flags.dot_all)
        .multi_line(flags.multi_line)
        .swap_greed(flags.ungreedy)
        .size_limit(LINEAR_SIZE)
        .dfa_size_limit(LINEAR_CACHE)
        .build()
        .ok()
}

fn backtracking(
    pattern: &str,
    flags: RegularFlags,
    (matches, depth): (u32, u32),
) -> Result<pcre2::bytes::Regex, String> {
    let mut text = String::new();
    let _ = write!(text, "(*LIMIT_MATCH={matches})(*LIMIT_DEPTH={depth})");
    if flags.ungreedy {
        text.push_str("(?U)");
    }
    let pattern = if flags.dollar_end_only && !flags.multi_line {
        rewrite_dollar(pattern)
    } else {
        pattern.to_owned()
    };
    if flags.anchored {
        let _ = write!(text, "\\A(?:{pattern}\n)");
        // The line break ends a trailing comment; outside extended mode it would be matched.
        if !flags.extended {
            text.truncate(text.len() - 2);
            text.push(')');
        }
    } else {
        text.push_str(&pattern);
    }
    pcre2::bytes::RegexBuilder::new()
        .caseless(flags.caseless)
        .dotall(flags.dot_all)
        .multi_line(flags.multi_line)
        .extended(flags.extended)
        .jit_if_available(true)
        .max_jit_stack_size(Some(JIT_STACK))
        .build(&text)
        .map_err(|error| format!("the regular expression does not compile: {error}"))
}

/// `$` outside classes, unescaped, becomes `\z`.
fn rewrite_dollar(pattern: &str) -> String {
    let mut text = String::with_capacity(pattern.len() + 4);
    let mut escaped = false;
    let mut in_class = false;
    for letter in pattern.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => in_class = true,
            ']' => in_class = false,
            '$' if !in_class => {
                text.push_str("\\z");
                continue;
            }
            _ => {}
        }
        text.push(letter);
    }
    text
}
