//! The flow table against a plain list of flows.

use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::flow::{Endpoint, FlowTimeouts};

const FLOWS: usize = 6;

/// What the table should hold: key number, class, last use.
type Model = Vec<(u16, Class, u64)>;

fn key(number: u16) -> (FlowKey, Side) {
    let end = |last: u8, port: u16| Endpoint {
        address: IpAddr::from([10, 0, 0, last]),
        port,
    };
    FlowKey::new(end(1, number), end(2, 80), 6, [0; 3])
}

fn table() -> FlowTable {
    let seconds = Duration::from_secs;
    let timeouts = FlowTimeouts {
        tcp_new: seconds(10),
        tcp_established: seconds(40),
        tcp_closed: seconds(5),
        ..FlowTimeouts::default()
    };
    let limits = FlowLimits {
        flows: FLOWS,
        when_full: FlowExceptionPolicy::EvictIdlest,
        timeouts,
        expire_batch: 100,
    };
    FlowTable::new(limits, [3, 4])
}

fn seconds_of(class: Class) -> u64 {
    match class {
        Class::TcpNew => 10,
        Class::TcpClosed => 5,
        _ => 40,
    }
}

/// Who gives way, by the words of the documentation.
fn victim(model: &Model) -> usize {
    let rank = |class: Class| match class {
        Class::TcpClosed => 0,
        Class::TcpNew => 1,
        _ => 2,
    };
    let order = |at: &usize| (rank(model[*at].1), model[*at].2, *at);
    (0..model.len()).min_by_key(order).unwrap()
}

#[derive(Clone, Debug)]
enum Op {
    Packet { flow: u16, class: Class },
    Pass { seconds: u64 },
}

fn op() -> impl Strategy<Value = Op> {
    let class = prop::sample::select(vec![Class::TcpNew, Class::TcpEstablished, Class::TcpClosed]);
    prop_oneof![
        5 => (0u16..12, class).prop_map(|(flow, class)| Op::Packet { flow, class }),
        1 => (1u64..30).prop_map(|seconds| Op::Pass { seconds }),
    ]
}

/// A packet of the flow `number`: found, or put in, and touched.
fn packet(table: &mut FlowTable, model: &mut Model, number: u16, class: Class, now: u64) {
    let (key, client) = key(number);
    let at = Timestamp(now * 1_000_000_000);
    let known = model.iter().position(|flow| flow.0 == number);
    assert_eq!(table.find(&key).is_some(), known.is_some());
    let index = match table.find(&key) {
        Some(index) => index,
        None => {
            let full = model.len() == FLOWS;
            let gone = full.then(|| model.remove(victim(model)).0);
            let mut ended = Vec::new();
            let inserted = table.insert(key, client, at, &mut |flow, _| {
                ended.push(*flow.key());
            });
            let expected: Vec<_> = gone.map(|number| self::key(number).0).into_iter().collect();
            assert_eq!(ended, expected);
            match inserted {
                Insertion::Created(index) if !full => index,
                Insertion::EvictedNew(index) | Insertion::EvictedEstablished(index) if full => {
                    index
                }
                other => panic!("{other:?}"),
            }
        }
    };
    model.retain(|flow| flow.0 != number);
    model.push((number, class, now));
    let meta = crate::flow::testing::meta(at);
    let flow = table.get_mut(index).unwrap();
    flow.count(crate::event::FlowDirection::ToServer, 1, 60, &meta);
    table.touch(index, class);
}

proptest! {
    #[test]
    fn flows_are_found_evicted_and_expired_as_in_a_plain_list(ops in prop::collection::vec(op(), 1..120)) {
        let mut table = table();
        let mut model = Model::new();
        let mut now = 1000;
        for op in ops {
            match op {
                Op::Packet { flow, class } => {
                    now += 1;
                    packet(&mut table, &mut model, flow, class, now);
                }
                Op::Pass { seconds } => {
                    now += seconds;
                    let before = model.len();
                    model.retain(|(_, class, last)| now - last <= seconds_of(*class));
                    let at = Timestamp(now * 1_000_000_000);
                    let gone = table.expire(at, 100, &mut |_, _| {});
                    prop_assert_eq!(gone, before - model.len());
                }
            }
            prop_assert_eq!(table.active(), model.len());
            for number in 0..12 {
                let known = model.iter().any(|flow| flow.0 == number);
                prop_assert_eq!(table.find(&key(number).0).is_some(), known);
            }
        }
        table.clear(&mut |_, _| {});
        prop_assert_eq!(table.active(), 0);
    }
}
