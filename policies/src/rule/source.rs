//! Physical lines to logical ones: continuation, comments, disabled rules, and the way back from a
//! byte of a logical line to its line and column.
//!
//! A line that ends in `\` goes on in the next. A comment is never continued, except that a
//! commented-out rule may go on in lines that are commented out too.

use std::borrow::Cow;

use super::ast::Position;

/// Words a rule can start with, apart from the firewall's.
const ACTIONS: [&str; 8] = [
    "alert",
    "drop",
    "reject",
    "rejectsrc",
    "rejectdst",
    "rejectboth",
    "pass",
    "config",
];

/// Where a stretch of a logical line comes from.
#[derive(Clone, Copy, Debug)]
struct Piece {
    /// First byte of the stretch in the logical line.
    offset: usize,
    /// Where that byte stands in the file.
    position: Position,
}

/// One line as the grammar sees it.
#[derive(Debug)]
pub(crate) struct LogicalLine<'a> {
    /// The text, continuation joined, `#` of a disabled rule removed, trailing blanks kept.
    pub(crate) text: Cow<'a, str>,
    /// The line stood behind `#`.
    pub(crate) commented: bool,
    /// In ascending order of offset, never empty.
    pieces: Vec<Piece>,
}

impl LogicalLine<'_> {
    /// The place of a byte; offsets past the end give the place after the last byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let index = self
            .pieces
            .partition_point(|piece| piece.offset <= offset)
            .saturating_sub(1);
        self.pieces
            .get(index)
            .map_or_else(Position::default, |piece| Position {
                line: piece.position.line,
                column: piece
                    .position
                    .column
                    .saturating_add(narrow(offset.saturating_sub(piece.offset))),
            })
    }

    /// Whether the first word is that of an action. `accept` starts firewall rules.
    pub(crate) fn starts_like_a_rule(&self) -> bool {
        starts_with_action(&self.text)
    }
}

/// Byte counts of one file fit `u32` or saturate there: a position is for people.
fn narrow(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn starts_with_action(text: &str) -> bool {
    let word = text
        .split(|c: char| c.is_ascii_whitespace() || c == ':' || c == ',')
        .next()
        .unwrap_or_default();
    word == "accept" || ACTIONS.contains(&word)
}

/// Iterator over the logical lines of a file; blank lines and plain comments are left out.
pub(crate) struct LogicalLines<'a> {
    lines: std::iter::Peekable<Physical<'a>>,
}

/// One physical line.
#[derive(Clone, Copy, Debug)]
struct PhysicalLine<'a> {
    number: u32,
    text: &'a str,
}

type Physical<'a> = Box<dyn Iterator<Item = PhysicalLine<'a>> + 'a>;

impl<'a> LogicalLines<'a> {
    /// Reads `text`; a byte-order mark at its start is ignored.
    pub(crate) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines: Physical<'a> =
            Box::new(
                text.split('\n')
                    .enumerate()
                    .map(|(index, line)| PhysicalLine {
                        number: narrow(index).saturating_add(1),
                        text: line.strip_suffix('\r').unwrap_or(line),
                    }),
            );
        Self {
            lines: lines.peekable(),
        }
    }

    /// Joins what follows to `first`, which starts `start` bytes into its line.
    fn join(&mut self, line: PhysicalLine<'a>, first: &'a str, commented: bool) -> LogicalLine<'a> {
        let mut pieces = vec![piece(0, line, first)];
        let Some(head) = first.strip_suffix('\\') else {
            return LogicalLine {
                text: Cow::Borrowed(first),
                commented,
                pieces,
            };
        };
        let mut text = head.to_owned();
        while let Some(next) = self.lines.peek().copied() {
            let Some(part) = continuation(next.text, commented) else {
                break;
            };
            self.lines.next();
            pieces.push(piece(text.len(), next, part));
            if let Some(more) = part.strip_suffix('\\') {
                text.push_str(more);
            } else {
                text.push_str(part);
                break;
            }
        }
        LogicalLine {
            text: Cow::Owned(text),
            commented,
            pieces,
        }
    }
}

/// The part of a following line that continues the one before, or `None` if it cannot.
fn continuation(text: &str, commented: bool) -> Option<&str> {
    if commented {
        let rest = text.trim_start().strip_prefix('#')?;
        Some(rest.trim_start_matches('#'))
    } else {
        Some(text)
    }
}

/// The piece that `part`, a suffix of `line`, makes at `offset` of the logical line.
fn piece(offset: usize, line: PhysicalLine<'_>, part: &str) -> Piece {
    let skipped = line.text.len().saturating_sub(part.len());
    Piece {
        offset,
        position: Position {
            line: line.number,
            column: narrow(skipped).saturating_add(1),
        },
    }
}

impl<'a> Iterator for LogicalLines<'a> {
    type Item = LogicalLine<'a>;

    fn next(&mut self) -> Option<LogicalLine<'a>> {
        loop {
            let line = self.lines.next()?;
            let text = line.text.trim_start();
            if text.is_empty() || text.starts_with(';') {
                continue;
            }
            let Some(comment) = text.strip_prefix('#') else {
                return Some(self.join(line, text, false));
            };
            let body = comment.trim_start_matches(|c: char| c == '#' || c.is_ascii_whitespace());
            if starts_with_action(body) {
                return Some(self.join(line, body, true));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(String, bool)> {
        LogicalLines::new(text)
            .map(|line| (line.text.into_owned(), line.commented))
            .collect()
    }

    #[test]
    fn continuation_is_joined_and_positions_lead_back() {
        let lines: Vec<_> = LogicalLines::new("\n  alert tcp \\\r\n   any\nnext").collect();
        assert_eq!(lines[0].text, "alert tcp    any");
        assert_eq!(lines[0].position(0), Position { line: 2, column: 3 });
        assert_eq!(lines[0].position(10), Position { line: 3, column: 1 });
        assert_eq!(lines[0].position(13), Position { line: 3, column: 4 });
        assert_eq!(lines[1].position(0), Position { line: 4, column: 1 });
    }

    #[test]
    fn a_comment_does_not_swallow_the_next_line() {
        assert_eq!(
            texts("# note \\\nalert a\n#alert b \\\nalert c"),
            [
                ("alert a".to_owned(), false),
                ("alert b ".to_owned(), true),
                ("alert c".to_owned(), false)
            ]
        );
    }

    #[test]
    fn a_disabled_rule_goes_on_behind_hashes() {
        assert_eq!(
            texts("## alert a \\\n#  b"),
            [("alert a   b".to_owned(), true)]
        );
    }

    #[test]
    fn unfinished_continuation_ends_with_the_file() {
        assert_eq!(texts("alert a \\"), [("alert a ".to_owned(), false)]);
    }
}
