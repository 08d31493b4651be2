//! Text to rules and diagnostics.

use super::ast::{Located, Match, Position, Rule};
use super::diagnostic::{Diagnostic, Fault};
use super::header;
use super::lexer::{self, Options, Token};
use super::options::{self, Builder};
use super::source::{LogicalLine, LogicalLines};

/// Longest logical line, bytes.
pub const MAX_RULE_LENGTH: usize = 256 * 1024;

/// What a text of rules holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// The rules that could be read, disabled ones among them, in written order.
    pub rules: Vec<Rule>,
    /// The problems of the others, in written order.
    pub diagnostics: Vec<Diagnostic>,
    /// Rules that a `requires` of their own sets aside: neither loaded nor refused.
    pub skipped: Vec<Skipped>,
}

/// A rule whose `requires` is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Where the rule starts.
    pub position: Position,
    /// The rule's sid, where one could be read.
    pub sid: Option<u32>,
    /// The requirement that is not met.
    pub requirement: String,
    /// False for a rule that is commented out.
    pub enabled: bool,
}

/// What became of one line.
enum Line {
    Rule(Box<Rule>),
    Skipped(Skipped),
}

/// Reads rules. A rule that cannot be read costs a diagnostic, not the others.
///
/// Within the text a sid may occur once per gid among the enabled rules: of two, the higher `rev`
/// stays and the other is diagnosed.
#[must_use]
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    for line in LogicalLines::new(text) {
        match parse_line(&line) {
            Ok(Line::Rule(rule)) => parsed.rules.push(*rule),
            Ok(Line::Skipped(skipped)) => parsed.skipped.push(skipped),
            Err(Some(diagnostic)) => parsed.diagnostics.push(diagnostic),
            Err(None) => {}
        }
    }
    super::duplicates::remove(&mut parsed);
    parsed
}

/// As [`parse`], for bytes: lines that are not UTF-8 are diagnosed, the others read.
#[must_use]
pub fn parse_bytes(bytes: &[u8]) -> Parsed {
    match std::str::from_utf8(bytes) {
        Ok(text) => parse(text),
        Err(_) => parse_mixed(bytes),
    }
}

/// Blanks the lines that are not UTF-8, so that the others keep their numbers.
fn parse_mixed(bytes: &[u8]) -> Parsed {
    let mut text = String::with_capacity(bytes.len());
    let mut bad = Vec::new();
    for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
        if index > 0 {
            text.push('\n');
        }
        match std::str::from_utf8(line) {
            Ok(line) => text.push_str(line),
            Err(error) => bad.push(not_utf8(index, line, error.valid_up_to())),
        }
    }
    let mut parsed = parse(&text);
    parsed.diagnostics.extend(bad);
    parsed
        .diagnostics
        .sort_by_key(|diagnostic| diagnostic.position);
    parsed
}

fn not_utf8(index: usize, line: &[u8], valid: usize) -> Diagnostic {
    Diagnostic {
        position: Position {
            line: u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1),
            column: u32::try_from(valid).unwrap_or(u32::MAX).saturating_add(1),
        },
        sid: None,
        keyword: None,
        message: "the line is not UTF-8; write such bytes in hex, as in |ff|".to_owned(),
        enabled: !line.trim_ascii_start().starts_with(b"#"),
    }
}

/// One logical line. `Err(None)` is a comment after all.
fn parse_line(line: &LogicalLine<'_>) -> Result<Line, Option<Diagnostic>> {
    if line.text.len() > MAX_RULE_LENGTH {
        let fault = Fault::at(0, format!("a rule has at most {MAX_RULE_LENGTH} bytes"));
        return Err(Some(diagnose(line, fault, None)));
    }
    if !line.starts_like_a_rule() {
        let fault = not_a_rule(&line.text);
        return Err(Some(diagnose(line, fault, None)));
    }
    let split = match lexer::split(&line.text) {
        Ok(split) => split,
        // Prose behind `#` may start with a word like "alert".
        Err(_) if line.commented => return Err(None),
        Err(fault) => return Err(Some(diagnose(line, fault, sid_anywhere(&line.text)))),
    };
    let diagnosed = |fault| Some(diagnose(line, fault, options::read_sid(split.body)));
    if let Some(skipped) = requirement(line, split.body).map_err(diagnosed)? {
        return Ok(Line::Skipped(skipped));
    }
    let (action, header) = match header::parse(&split.fields) {
        Ok(parsed) => parsed,
        Err(_) if line.commented && !line.text.contains("sid") => return Err(None),
        Err(fault) => return Err(diagnosed(fault)),
    };
    let mut builder = Builder::new();
    read_options(&mut builder, line, split.body).map_err(diagnosed)?;
    Ok(Line::Rule(Box::new(Rule {
        enabled: !line.commented,
        position: line.position(0),
        action,
        header,
        meta: builder.meta.into_meta(),
        matches: shrunk(builder.matches),
        threshold: builder.threshold,
        settings: shrunk(builder.settings),
        body: split.body.text.into(),
    })))
}

/// Rules are kept by the ten thousand: without the room that growing left.
fn shrunk<T>(mut items: Vec<T>) -> Vec<T> {
    items.shrink_to_fit();
    items
}

fn read_options(
    builder: &mut Builder,
    line: &LogicalLine<'_>,
    body: Token<'_>,
) -> Result<(), Fault> {
    for option in Options::new(body) {
        let option = option?;
        builder.option(option, line.position(option.keyword.offset))?;
    }
    builder.finish().map_err(|(keyword, message)| Fault {
        offset: body.offset + body.text.len(),
        keyword: keyword.map(str::to_owned),
        message,
    })
}

/// `requires` is weighed before anything else of the rule is judged.
fn requirement(line: &LogicalLine<'_>, body: Token<'_>) -> Result<Option<Skipped>, Fault> {
    for option in Options::new(body).filter_map(Result::ok) {
        if option.keyword.text != "requires" {
            continue;
        }
        let value = option.value.map_or("", |value| value.text);
        let unmet = options::unmet(value).map_err(|message| Fault {
            offset: option.keyword.offset,
            keyword: Some("requires".to_owned()),
            message,
        })?;
        if let Some(requirement) = unmet {
            return Ok(Some(Skipped {
                position: line.position(0),
                sid: options::read_sid(body),
                requirement,
                enabled: !line.commented,
            }));
        }
    }
    Ok(None)
}

fn not_a_rule(text: &str) -> Fault {
    let word: String = text
        .chars()
        .take_while(|c| !c.is_whitespace())
        .take(40)
        .collect();
    Fault::at(
        0,
        format!(
            "expected an action (alert, drop, reject, rejectsrc, rejectdst, rejectboth, pass or \
             config), found `{}`",
            word.escape_debug()
        ),
    )
}

/// The sid of a line whose header cannot be split.
fn sid_anywhere(text: &str) -> Option<u32> {
    let start = text.find('(')? + 1;
    options::read_sid(Token {
        text: text.get(start..)?,
        offset: start,
    })
}

fn diagnose(line: &LogicalLine<'_>, fault: Fault, sid: Option<u32>) -> Diagnostic {
    Diagnostic {
        position: line.position(fault.offset),
        sid,
        keyword: fault.keyword,
        message: fault.message,
        enabled: !line.commented,
    }
}

impl Rule {
    /// Every option as written: keyword and raw value, in order.
    pub fn written(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        Options::new(Token {
            text: &self.body,
            offset: 0,
        })
        .filter_map(Result::ok)
        .map(|option| (option.keyword.text, option.value.map(|value| value.text)))
    }

    /// The rule with every position cleared, for comparing rules read from different places.
    #[must_use]
    pub fn without_positions(mut self) -> Self {
        fn clear<T>(items: &mut [Located<T>]) {
            for item in items {
                item.position = Position::default();
            }
        }
        self.position = Position::default();
        clear::<Match>(&mut self.matches);
        clear(&mut self.settings);
        self
    }
}
