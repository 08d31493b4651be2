//! One attack in every cut: the application never reads its last byte.

use weir_engine::verdict::Verdict;

use super::world::{World, client, server};

const ATTACK: &[u8] = b"GET /cgi-bin/attack?x HTTP/1.1\r\n\r\n";
const RULE: &str = "drop tcp any any -> any any (msg:\"a\"; flow:established,to_server; content:\"cgi-bin/attack?x\"; sid:1;)";

/// What a receiver's application could read: contiguous bytes of delivered segments.
#[derive(Default)]
struct Receiver {
    bytes: Vec<Option<u8>>,
}

impl Receiver {
    fn take(&mut self, at: usize, payload: &[u8]) {
        let end = at + payload.len();
        self.bytes.resize(self.bytes.len().max(end), None);
        for (place, byte) in self.bytes[at..].iter_mut().zip(payload) {
            place.get_or_insert(*byte);
        }
    }

    fn reads(&self) -> Vec<u8> {
        self.bytes.iter().map_while(|byte| *byte).collect()
    }
}

/// Sends the segments in order and gives what the application reads.
fn deliver(segments: &[(usize, &[u8])]) -> Vec<u8> {
    let mut world = World::prevent(RULE);
    world.handshake();
    let mut receiver = Receiver::default();
    for (at, payload) in segments {
        let sent = world.send(client().at(i64::try_from(*at).unwrap()).data(payload));
        if sent.verdict == Verdict::Pass {
            let delivered = sent.frame[sent.frame.len() - payload.len()..].to_vec();
            receiver.take(*at, &delivered);
        }
    }
    receiver.reads()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

fn assert_stopped(segments: &[(usize, &[u8])]) {
    let read = deliver(segments);
    assert!(!contains(&read, b"cgi-bin/attack?x"), "{segments:?}");
}

#[test]
fn at_every_boundary_in_order_and_reversed() {
    for cut in 1..ATTACK.len() {
        let (head, tail) = ATTACK.split_at(cut);
        assert_stopped(&[(0, head), (cut, tail)]);
        assert_stopped(&[(cut, tail), (0, head)]);
    }
}

#[test]
fn at_every_pair_of_boundaries_in_every_order() {
    for first in 1..ATTACK.len() - 1 {
        for second in first + 1..ATTACK.len() {
            let parts = [
                (0, &ATTACK[..first]),
                (first, &ATTACK[first..second]),
                (second, &ATTACK[second..]),
            ];
            for order in [
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ] {
                assert_stopped(&order.map(|index| parts[index]));
            }
        }
    }
}

#[test]
fn byte_by_byte_in_both_orders() {
    let mut bytes: Vec<(usize, &[u8])> = ATTACK.chunks(1).enumerate().collect();
    assert_stopped(&bytes);
    bytes.reverse();
    assert_stopped(&bytes);
}

#[test]
fn with_overlapping_decoys_before_and_behind() {
    let decoy = vec![b'.'; ATTACK.len()];
    for cut in 1..ATTACK.len() {
        for reach in 1..=4.min(ATTACK.len() - cut) {
            let (head, tail) = (&ATTACK[..cut], &ATTACK[cut..]);
            let cover = &decoy[cut..cut + reach];
            assert_stopped(&[(0, head), (cut, cover), (cut, tail)]);
            assert_stopped(&[(cut, cover), (0, head), (cut, tail)]);
            assert_stopped(&[(cut, tail), (cut, cover), (0, head)]);
        }
    }
}

#[test]
fn a_benign_request_in_every_cut_arrives_whole() {
    let request = b"GET /index.html HTTP/1.1\r\n\r\n";
    for cut in 1..request.len() {
        let (head, tail) = request.split_at(cut);
        assert_eq!(deliver(&[(0, head), (cut, tail)]), request);
        assert_eq!(deliver(&[(cut, tail), (0, head)]), request);
    }
}

#[test]
fn over_many_segments_with_acknowledgements_in_between() {
    let mut world = World::prevent(RULE);
    world.handshake();
    let mut stopped = false;
    for (at, byte) in ATTACK.iter().enumerate() {
        let offset = i64::try_from(at).unwrap();
        let sent = world.send(client().at(offset).data(&[*byte]));
        stopped |= sent.verdict != Verdict::Pass;
        let answer = world.send(server().ack(offset + 1));
        stopped |= answer.verdict != Verdict::Pass;
    }
    assert!(stopped);
}
