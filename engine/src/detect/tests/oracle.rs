//! Content chains against an evaluator so plain that it is obviously right: it tries every assignment
//! of positions.

use proptest::prelude::*;

use super::lab::{Lab, datagram};

#[derive(Clone, Debug)]
struct Piece {
    pattern: String,
    negated: bool,
    nocase: bool,
    /// offset and depth, or distance and within.
    relative: bool,
    low: Option<i32>,
    span: Option<i32>,
    ends: bool,
}

impl Piece {
    fn text(&self) -> String {
        let mut text = format!(
            "content:{}\"{}\";",
            if self.negated { "!" } else { "" },
            self.pattern
        );
        let names = if self.relative {
            ["distance", "within"]
        } else {
            ["offset", "depth"]
        };
        for (name, value) in names.iter().zip([self.low, self.span]) {
            if let Some(value) = value {
                text.push_str(&format!(" {name}:{value};"));
            }
        }
        for (flag, name) in [(self.nocase, "nocase"), (self.ends, "endswith")] {
            if flag {
                text.push_str(&format!(" {name};"));
            }
        }
        text
    }

    fn is_relative(&self) -> bool {
        self.relative && (self.low.is_some() || self.span.is_some())
    }

    fn at(&self, bytes: &[u8], start: usize, cursor: usize) -> bool {
        let end = start + self.pattern.len();
        let Some(slice) = bytes.get(start..end) else {
            return false;
        };
        let same = if self.nocase {
            slice.eq_ignore_ascii_case(self.pattern.as_bytes())
        } else {
            slice == self.pattern.as_bytes()
        };
        let base = if self.is_relative() { cursor as i64 } else { 0 };
        let low = base + i64::from(self.low.unwrap_or(0));
        let above = start as i64 >= low;
        let below = self
            .span
            .is_none_or(|span| end as i64 <= low + i64::from(span));
        same && above && below && (!self.ends || end == bytes.len())
    }
}

fn naive(pieces: &[Piece], bytes: &[u8], cursor: usize) -> bool {
    let Some((piece, rest)) = pieces.split_first() else {
        return true;
    };
    let mut positions = (0..=bytes.len()).filter(|&start| piece.at(bytes, start, cursor));
    if piece.negated {
        return positions.next().is_none() && naive(rest, bytes, cursor);
    }
    positions.any(|start| naive(rest, bytes, start + piece.pattern.len()))
}

fn piece() -> impl Strategy<Value = Piece> {
    let shape = (
        any::<bool>(),
        proptest::bool::weighted(0.2),
        proptest::bool::weighted(0.6),
    );
    let numbers = (
        proptest::option::of(-2i32..5),
        proptest::option::of(0i32..8),
        proptest::bool::weighted(0.1),
    );
    ("[abAB]{1,3}", shape, numbers).prop_map(
        |(pattern, (nocase, negated, relative), (low, span, ends))| {
            let length = i32::try_from(pattern.len()).unwrap();
            Piece {
                negated,
                nocase,
                relative,
                low: low.map(|low| if relative { low } else { low.abs() }),
                // A span below the pattern's length is refused: it can never match.
                span: span.map(|span| span + length),
                ends,
                pattern,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn chains_match_what_trying_every_position_matches(
        pieces in proptest::collection::vec(piece(), 1..5),
        payload in "[abAB]{1,16}",
    ) {
        let options: Vec<String> = pieces.iter().map(Piece::text).collect();
        let options = options.join(" ");
        let rule = format!("alert udp any any -> any any ({options} sid:1;)");
        let fired = !Lab::new(&rule).packet(&datagram(payload.as_bytes())).is_empty();
        prop_assert_eq!(fired, naive(&pieces, payload.as_bytes(), 0), "{} on {}", options, payload);
    }

    #[test]
    fn a_stream_cut_anywhere_matches_like_the_whole(
        pieces in proptest::collection::vec(piece(), 1..4),
        payload in "[abAB]{2,14}",
        cuts in proptest::collection::vec(1usize..14, 0..4),
    ) {
        // Absence and the end of the data are asked of what is there, which a cut changes.
        prop_assume!(pieces.iter().all(|piece| !piece.negated && !piece.ends));
        let options: Vec<String> = pieces.iter().map(Piece::text).collect();
        let rule = format!("alert tcp-stream any any -> any any ({} sid:1;)", options.join(" "));
        let bytes = payload.as_bytes();
        let mut ends: Vec<usize> = cuts.into_iter().filter(|&cut| cut < bytes.len()).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        ends.dedup();
        let mut lab = Lab::new(&rule);
        let mut from = 0;
        let mut fired = false;
        for end in ends {
            fired |= !lab.stream(&bytes[..end], from, 0).is_empty();
            from = end;
        }
        prop_assert_eq!(fired, naive(&pieces, bytes, 0), "{} on {}", options.join(" "), payload);
    }
}
