//! What two peers send, cut anywhere, read by the application layer: no panic, bounded memory, an end to
//! every loop, and for one flow the same transactions however it is cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::app_layer::{
    AppFlow, BufferShape, Feed, Limits, ParserPool, Peers, ProtocolId, Recognition, Transaction,
    Window, buffers,
};
use weir_engine::event::FlowDirection::{self, ToClient, ToServer};
use weir_engine::frame::Timestamp;

/// Settlings after which a feed must be taken; each takes a transaction more.
const ROUNDS: usize = 100_000;

fuzz_target!(|data: &[u8]| {
    let Some((flags, data)) = data.split_first() else {
        return;
    };
    let datagram = flags & 1 != 0;
    let small = flags & 2 != 0;
    let settle = flags & 4 != 0;
    let mut limits = Limits::default();
    if small {
        limits.transactions = 2;
        limits.field = 64;
        limits.head = 256;
        limits.tail = 4;
    }
    let mut pool = ParserPool::new(limits);
    let pieces = cut(data);
    let first = run(&pieces, datagram, settle, &mut pool);
    // At a limit it may matter how much of a field has come.
    if !datagram && !settle && !small {
        // Neighbours of one direction as one piece: nothing that is shown may change.
        let joined = join(&pieces);
        let second = run(&joined, datagram, settle, &mut pool);
        let differs = first.iter().zip(&second).find(|(one, other)| one != other);
        assert_eq!(differs, None);
        assert_eq!(first.len(), second.len());
    }
});

/// Pieces of the two directions: a byte that says whose it is and how long, then the bytes.
fn cut(mut data: &[u8]) -> Vec<(FlowDirection, Vec<u8>)> {
    let mut pieces = Vec::new();
    while let Some((head, rest)) = data.split_first() {
        let direction = if head & 0x80 == 0 { ToServer } else { ToClient };
        let length = usize::from(head & 0x7f).min(rest.len());
        let (piece, rest) = rest.split_at(length);
        pieces.push((direction, piece.to_vec()));
        data = rest;
    }
    pieces
}

fn join(pieces: &[(FlowDirection, Vec<u8>)]) -> Vec<(FlowDirection, Vec<u8>)> {
    let mut joined: Vec<(FlowDirection, Vec<u8>)> = Vec::new();
    for (direction, piece) in pieces {
        match joined.last_mut() {
            Some((last, bytes)) if last == direction => bytes.extend_from_slice(piece),
            _ => joined.push((*direction, piece.clone())),
        }
    }
    joined
}

/// Feeds all pieces and returns what the transactions show at the end: empty unless nothing was settled.
fn run(
    pieces: &[(FlowDirection, Vec<u8>)],
    datagram: bool,
    settle: bool,
    pool: &mut ParserPool,
) -> Vec<String> {
    let mut flow = AppFlow::default();
    let mut sent = [Vec::new(), Vec::new()];
    let mut settled = settle;
    for (direction, piece) in pieces {
        let side = usize::from(*direction == ToClient);
        let fresh_from = if datagram { 0 } else { sent[side].len() };
        if datagram {
            sent[side].clone_from(piece);
        } else {
            sent[side].extend_from_slice(piece);
        }
        let window = |side: usize| Window {
            offset: 0,
            bytes: &sent[side],
        };
        let feed = Feed {
            direction: *direction,
            window: window(side),
            fresh_from,
            other: window(1 - side),
            eof: false,
            datagram,
            from_start: true,
            peers: Peers::of_port(if piece.len() % 2 == 0 { 53 } else { 80 }),
            at: Timestamp(0),
        };
        let mut rounds = 0;
        while flow.feed(&feed, pool) > 0 {
            settled = true;
            look(&flow, false);
            flow.settle(*direction, |_, _| ());
            rounds += 1;
            assert!(rounds < ROUNDS, "a feed is never taken");
        }
        look(&flow, false);
        if settle {
            flow.settle(*direction, |_, _| ());
        }
    }
    // Only one protocol's promise is held against another cut: recognition itself may differ by when.
    let shown = match flow.view().recognition() {
        Recognition::Known(_) if !settled => look(&flow, true),
        _ => Vec::new(),
    };
    flow.close(pool, |_, _| ());
    shown
}

/// Looks into everything, as rules would.
fn look(flow: &AppFlow, keep: bool) -> Vec<String> {
    let Recognition::Known(protocol) = flow.view().recognition() else {
        return Vec::new();
    };
    let mut shown = Vec::new();
    for transaction in flow.view().transactions() {
        let all = show(protocol, transaction);
        if keep {
            shown.extend(all);
        }
    }
    shown
}

fn show(protocol: ProtocolId, transaction: &dyn Transaction) -> Vec<String> {
    let mut shown = Vec::new();
    for spec in protocol.protocol().buffers() {
        for id in buffers(spec.keyword, Some(spec.direction)).filter(|id| id.protocol() == protocol)
        {
            for index in 0..4096 {
                let Some(found) = transaction.buffer(id, index) else {
                    break;
                };
                assert!(found.fresh_from <= found.bytes.len());
                assert!(index == 0 || spec.shape != BufferShape::Single);
                shown.push(format!(
                    "{} {} {}",
                    spec.keyword,
                    found.bytes.escape_ascii(),
                    found.complete
                ));
            }
        }
    }
    let mut events = transaction.events().to_vec();
    events.sort();
    shown.push(format!("{:?} {:?}", transaction.id(), events));
    shown
}
