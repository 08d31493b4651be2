//! The Huffman code of HPACK (RFC 7541 section 5.2 and appendix B), decoded four bits at a time.
//!
//! The code is canonical: the lengths of its words give the words. No word is shorter than five bits, so that
//! four bits end one word at most.

/// Bits of each symbol's word; the last is EOS, which no text may have.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// Longest word.
const LONGEST: u8 = 30;

/// Symbol that ends a text, whose bits only pad.
const EOS: u16 = 256;

/// Inner nodes of the tree of words: one less than there are words.
const NODES: usize = 256;

/// In a child: the rest is a symbol, not a node.
const LEAF: u16 = 0x8000;

/// Where four bits lead from a node.
#[derive(Clone, Copy)]
struct Step {
    node: u8,
    symbol: u8,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// No word has ended.
    None,
    /// The symbol's has.
    Symbol,
    /// That of EOS has.
    Failed,
}

/// Where each four bits lead from each node, and at which nodes a text may end.
struct Machine {
    steps: [[Step; 16]; NODES],
    ends: [bool; NODES],
}

static MACHINE: Machine = machine();

/// The tree of the canonical code: two children of each node.
const fn tree() -> [[u16; 2]; NODES] {
    let mut nodes = [[0_u16; 2]; NODES];
    let mut used = 1;
    let (mut word, mut length) = (0_u32, 1_u8);
    while length <= LONGEST {
        let mut symbol = 0_u16;
        while symbol <= EOS {
            if LENGTHS[symbol as usize] == length {
                let mut node = 0;
                let mut bit = length - 1;
                while bit > 0 {
                    let side = (word >> bit & 1) as usize;
                    if nodes[node][side] == 0 {
                        nodes[node][side] = used;
                        used += 1;
                    }
                    node = nodes[node][side] as usize;
                    bit -= 1;
                }
                nodes[node][(word & 1) as usize] = LEAF | symbol;
                word += 1;
            }
            symbol += 1;
        }
        word <<= 1;
        length += 1;
    }
    nodes
}

const fn machine() -> Machine {
    let nodes = tree();
    let nothing = Step {
        node: 0,
        symbol: 0,
        outcome: Outcome::None,
    };
    let mut steps = [[nothing; 16]; NODES];
    let mut node = 0;
    while node < NODES {
        let mut bits = 0;
        while bits < 16 {
            steps[node][bits] = walk(&nodes, node, bits);
            bits += 1;
        }
        node += 1;
    }
    // Padding is less than a byte of ones.
    let mut ends = [false; NODES];
    let (mut node, mut depth) = (0, 0);
    while depth < 8 {
        ends[node] = true;
        node = nodes[node][1] as usize;
        depth += 1;
    }
    Machine { steps, ends }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "nodes are 256, symbols are below EOS there"
)]
const fn walk(nodes: &[[u16; 2]; NODES], from: usize, bits: usize) -> Step {
    let mut step = Step {
        node: 0,
        symbol: 0,
        outcome: Outcome::None,
    };
    let mut node = from;
    let mut bit = 4;
    while bit > 0 {
        bit -= 1;
        let child = nodes[node][bits >> bit & 1];
        if child & LEAF == 0 {
            node = child as usize;
            continue;
        }
        if child & !LEAF == EOS {
            step.outcome = Outcome::Failed;
            return step;
        }
        step.symbol = child as u8;
        step.outcome = Outcome::Symbol;
        node = 0;
    }
    step.node = node as u8;
    step
}

/// A text being decoded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Huffman {
    node: u8,
}

/// The bits are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadCode;

impl Huffman {
    /// Decodes what comes next of the text.
    pub(super) fn decode(&mut self, bytes: &[u8], mut put: impl FnMut(u8)) -> Result<(), BadCode> {
        let mut node = self.node;
        for byte in bytes {
            for bits in [byte >> 4, byte & 0x0f] {
                let step = MACHINE.steps[usize::from(node)][usize::from(bits)];
                match step.outcome {
                    Outcome::None => {}
                    Outcome::Symbol => put(step.symbol),
                    Outcome::Failed => return Err(BadCode),
                }
                node = step.node;
            }
        }
        self.node = node;
        Ok(())
    }

    /// The text ends here: what is left may only pad.
    pub(super) fn end(&mut self) -> Result<(), BadCode> {
        let node = std::mem::take(&mut self.node);
        if MACHINE.ends[usize::from(node)] {
            Ok(())
        } else {
            Err(BadCode)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Each symbol's word, from the lengths alone.
    fn words() -> Vec<(u32, u8)> {
        let mut symbols: Vec<usize> = (0..LENGTHS.len()).collect();
        symbols.sort_by_key(|symbol| (LENGTHS[*symbol], *symbol));
        let (mut word, mut before) = (0_u32, 0);
        let mut words = vec![(0, 0); LENGTHS.len()];
        for symbol in symbols {
            word <<= LENGTHS[symbol] - before;
            before = LENGTHS[symbol];
            words[symbol] = (word, before);
            word += 1;
        }
        words
    }

    fn encode(text: &[u8]) -> Vec<u8> {
        let words = words();
        let mut bits: Vec<bool> = Vec::new();
        for byte in text {
            let (word, length) = words[usize::from(*byte)];
            bits.extend((0..length).rev().map(|bit| word >> bit & 1 != 0));
        }
        while !bits.len().is_multiple_of(8) {
            bits.push(true);
        }
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        bits.chunks(8).map(byte).collect()
    }

    fn decode(pieces: &[&[u8]]) -> Result<Vec<u8>, BadCode> {
        let (mut huffman, mut text) = (Huffman::default(), Vec::new());
        for piece in pieces {
            huffman.decode(piece, |byte| text.push(byte))?;
        }
        huffman.end().map(|()| text)
    }

    #[test]
    fn words_are_those_of_the_standard() {
        let words = words();
        for (symbol, word) in [
            (b'0', (0x0, 5)),
            (b' ', (0x14, 6)),
            (b'?', (0x3fc, 10)),
            (b'\\', (0x7fff0, 19)),
            (0xff, (0x03ff_ffee, 26)),
        ] {
            assert_eq!(words[usize::from(symbol)], word, "{symbol}");
        }
        assert_eq!(words[256], (0x3fff_ffff, 30));
    }

    #[test]
    fn texts_of_the_standard_are_decoded() {
        let host = b"\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        assert_eq!(decode(&[host]).unwrap(), b"www.example.com");
        assert_eq!(decode(&[b"\xa8\xeb\x10\x64\x9c\xbf"]).unwrap(), b"no-cache");
    }

    #[test]
    fn what_only_pads_is_short_and_of_ones() {
        assert_eq!(decode(&[b"\x1f"]).unwrap(), b"a");
        for bad in [&b"\x18"[..], b"\x1f\xff", b"\xff", b"\xff\xff\xff\xff"] {
            assert_eq!(decode(&[bad]), Err(BadCode), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back_whatever_the_cut(
            text in prop::collection::vec(any::<u8>(), 0..60), cut in 0_usize..100,
        ) {
            let encoded = encode(&text);
            let (front, back) = encoded.split_at(cut.min(encoded.len()));
            prop_assert_eq!(decode(&[front, back]), Ok(text));
        }
    }
}
