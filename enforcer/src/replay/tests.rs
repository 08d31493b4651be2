//! Capture files in every format, whole, cut short and broken.

use std::io::Cursor;
use std::path::Path;

use proptest::prelude::*;

use super::capture_file::{CaptureError, CaptureFile, MAX_RECORD, Record};
use super::*;

/// Numbers in one byte order.
#[derive(Clone, Copy, Debug)]
enum Order {
    Little,
    Big,
}

impl Order {
    fn u16(self, number: u16) -> [u8; 2] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }

    fn u32(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}

const ORDERS: [Order; 2] = [Order::Little, Order::Big];
const FRAMES: [&[u8]; 3] = [b"first frame", b"", b"third"];

fn pcap(order: Order, magic: u32, link: u32, frames: &[&[u8]]) -> Vec<u8> {
    let mut file = order.u32(magic).to_vec();
    file.extend(order.u16(2));
    file.extend(order.u16(4));
    for word in [0, 0, 65_535, link] {
        file.extend(order.u32(word));
    }
    for (index, frame) in frames.iter().enumerate() {
        let len = u32::try_from(frame.len()).expect("small");
        let index = u32::try_from(index).expect("small");
        for word in [100 + index, 7, len, len] {
            file.extend(order.u32(word));
        }
        file.extend_from_slice(frame);
    }
    file
}

fn block(order: Order, kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().div_ceil(4) * 4, 0);
    let len = u32::try_from(body.len() + 12).expect("small");
    let mut block = order.u32(kind).to_vec();
    block.extend(order.u32(len));
    block.extend(body);
    block.extend(order.u32(len));
    block
}

fn section(order: Order) -> Vec<u8> {
    let mut body = order.u32(0x1a2b_3c4d).to_vec();
    body.extend(order.u16(1));
    body.extend(order.u16(0));
    body.extend([0xff; 8]);
    block(order, 0x0a0d_0d0a, &body)
}

fn interface(order: Order, link: u16, resolution: u8, offset: i64) -> Vec<u8> {
    let mut body = order.u16(link).to_vec();
    body.extend(order.u16(0));
    body.extend(order.u32(0));
    body.extend(order.u16(9));
    body.extend(order.u16(1));
    body.extend([resolution, 0, 0, 0]);
    body.extend(order.u16(14));
    body.extend(order.u16(8));
    body.extend(match order {
        Order::Little => offset.to_le_bytes(),
        Order::Big => offset.to_be_bytes(),
    });
    body.extend([0; 4]);
    block(order, 1, &body)
}

fn enhanced(order: Order, interface: u32, ticks: u64, frame: &[u8]) -> Vec<u8> {
    let len = u32::try_from(frame.len()).expect("small");
    let mut body = Vec::new();
    let (high, low) = ((ticks >> 32) as u32, (ticks & 0xffff_ffff) as u32);
    for word in [interface, high, low, len, len] {
        body.extend(order.u32(word));
    }
    body.extend_from_slice(frame);
    block(order, 6, &body)
}

fn simple(order: Order, frame: &[u8]) -> Vec<u8> {
    let mut body = order
        .u32(u32::try_from(frame.len()).expect("small"))
        .to_vec();
    body.extend_from_slice(frame);
    block(order, 3, &body)
}

type Read = (Vec<(Record, Vec<u8>)>, Option<CaptureError>);

fn read(bytes: &[u8]) -> Read {
    let mut records = Vec::new();
    let mut frame = Vec::new();
    let path = Path::new("test.pcap");
    let mut file = match CaptureFile::read(path, Cursor::new(bytes.to_vec())) {
        Ok(file) => file,
        Err(error) => return (records, Some(error)),
    };
    loop {
        match file.next(&mut frame) {
            Ok(Some(record)) => records.push((record, frame.clone())),
            Ok(None) => return (records, None),
            Err(error) => return (records, Some(error)),
        }
    }
}

fn bytes_of((records, error): &Read) -> Vec<&[u8]> {
    assert!(error.is_none(), "{error:?}");
    records.iter().map(|(_, bytes)| bytes.as_slice()).collect()
}

#[test]
fn pcap_is_read_in_both_byte_orders_and_units() {
    for order in ORDERS {
        for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            let read = read(&pcap(order, magic, 1, &FRAMES));
            assert_eq!(bytes_of(&read), FRAMES, "{order:?} {magic:x}");
            for (index, (record, _)) in read.0.iter().enumerate() {
                assert_eq!(record.link, Ok(LinkType::Ethernet));
                let expected = (100 + index as u64) * 1_000_000_000 + 7 * unit;
                assert_eq!(record.at, Timestamp(expected));
            }
        }
    }
}

#[test]
fn check_sequence_bits_are_not_part_of_the_link_type() {
    let (records, _) = read(&pcap(Order::Little, 0xa1b2_c3d4, 0x3000_0001, &FRAMES));
    assert!(
        records
            .iter()
            .all(|(r, _)| r.link == Ok(LinkType::Ethernet))
    );
    let (records, _) = read(&pcap(Order::Little, 0xa1b2_c3d4, 127, &FRAMES));
    assert!(records.iter().all(|(r, _)| r.link.is_err()));
}

#[test]
fn pcapng_has_interfaces_with_their_own_clocks_and_link_types() {
    for order in ORDERS {
        let mut file = section(order);
        file.extend(interface(order, 1, 6, 0));
        file.extend(interface(order, 101, 9, 10));
        file.extend(interface(order, 113, 0x80 | 10, -1));
        file.extend(enhanced(order, 0, 5_000_007, b"ethernet"));
        file.extend(block(order, 0x4000_0bad, b"custom or unknown"));
        file.extend(enhanced(order, 1, 5_000_000_007, b"raw"));
        file.extend(enhanced(order, 2, 5 << 10, b"cooked"));
        file.extend(simple(order, b"simple"));
        let read = read(&file);
        assert_eq!(
            bytes_of(&read),
            [b"ethernet".as_slice(), b"raw", b"cooked", b"simple"]
        );
        let seen: Vec<_> = read.0.iter().map(|(r, _)| (r.at.0, r.link)).collect();
        assert_eq!(
            seen,
            [
                (5_000_007_000, Ok(LinkType::Ethernet)),
                (15_000_000_007, Ok(LinkType::RawIp)),
                (4_000_000_000, Ok(LinkType::LinuxSll)),
                (4_000_000_000, Ok(LinkType::Ethernet)),
            ],
            "{order:?}"
        );
    }
}

#[test]
fn a_new_section_forgets_interfaces_and_may_change_the_byte_order() {
    let mut file = section(Order::Little);
    file.extend(interface(Order::Little, 1, 6, 0));
    file.extend(enhanced(Order::Little, 0, 1, b"one"));
    file.extend(section(Order::Big));
    file.extend(interface(Order::Big, 101, 6, 0));
    file.extend(enhanced(Order::Big, 0, 1, b"two"));
    assert_eq!(bytes_of(&read(&file)), [b"one".as_slice(), b"two"]);
    file.extend(section(Order::Little));
    file.extend(enhanced(Order::Little, 0, 1, b"three"));
    let (records, error) = read(&file);
    assert_eq!(records.len(), 2);
    let error = error.expect("the interface is not described").to_string();
    assert!(error.contains("not described at byte"), "{error}");
}

#[test]
fn a_file_cut_anywhere_yields_what_was_whole_and_says_where_it_ends() {
    let whole = pcap(Order::Little, 0xa1b2_c3d4, 1, &FRAMES);
    let starts = [24, 24 + 16 + 11, 24 + 16 + 11 + 16];
    for cut in 24..whole.len() {
        let (records, error) = read(&whole[..cut]);
        let before = starts.iter().filter(|start| **start <= cut).count() - 1;
        assert_eq!(records.len(), before, "cut at {cut}");
        match error {
            None => assert!(starts.contains(&cut), "cut at {cut}"),
            Some(CaptureError::Truncated { offset, frames, .. }) => {
                assert_eq!(offset, starts[before], "cut at {cut}");
                assert_eq!(frames, before as u64);
            }
            Some(other) => panic!("cut at {cut}: {other}"),
        }
    }
    for cut in 0..24 {
        let (_, error) = read(&whole[..cut]);
        assert!(
            matches!(error, Some(CaptureError::NotACapture { .. })),
            "cut at {cut}: {error:?}"
        );
    }
}

#[test]
fn frames_beyond_the_first_buffer_are_read_and_impossible_ones_refused() {
    let large = vec![7u8; 1 << 20];
    let read_back = read(&pcap(Order::Little, 0xa1b2_c3d4, 1, &[&large, b"next"]));
    assert_eq!(bytes_of(&read_back), [&large[..], b"next"]);
    let mut file = pcap(Order::Little, 0xa1b2_c3d4, 1, &[b"good"]);
    for word in [0, 0, u32::MAX, u32::MAX] {
        file.extend(word.to_le_bytes());
    }
    file.resize(file.len() + 2 * MAX_RECORD, 0);
    let (records, error) = read(&file);
    assert_eq!(records.len(), 1);
    let error = error.expect("refused").to_string();
    assert!(error.contains("impossible length at byte 44"), "{error}");
}

#[test]
fn what_is_no_capture_is_refused_by_name() {
    let (_, error) = read(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n");
    let error = error.expect("refused").to_string();
    assert!(
        error.contains("test.pcap: neither pcap nor pcapng"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_files_never_panic_and_end(
        order in prop::sample::select(&ORDERS[..]),
        next_generation: bool,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut file = if next_generation {
            let mut file = section(order);
            file.extend(interface(order, 1, 6, 0));
            file.extend(enhanced(order, 0, 1, b"some frame"));
            file.extend(simple(order, b"other"));
            file
        } else {
            pcap(order, 0xa1b2_c3d4, 1, &FRAMES)
        };
        for (at, value) in damage {
            let at = at.index(file.len());
            file[at] = value;
        }
        let (records, _) = read(&file);
        prop_assert!(records.len() <= 8);
    }
}
