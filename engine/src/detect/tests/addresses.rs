//! Signatures on addresses alone, against a walk through all of them.

use std::net::IpAddr;

use proptest::prelude::*;

use super::lab::{Lab, datagram, ipv6};

/// The ends of the frames here.
const V4: [&str; 2] = ["10.0.0.1", "10.0.0.2"];
const V6: [&str; 2] = ["fd00::1", "fd00::2"];

/// Addresses as a rule writes them, and what they stand for: pairs of first and last.
fn expression() -> impl Strategy<Value = (String, Vec<(IpAddr, IpAddr)>)> {
    let v4 = (0u8..4, 24u8..=32).prop_map(|(last, prefix)| {
        let low = u32::from(last) & (u32::MAX << (32 - prefix).min(31));
        let high = low | u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
        let address = |bits: u32| IpAddr::from((0x0a00_0000 | bits).to_be_bytes());
        (
            format!("10.0.0.{last}/{prefix}"),
            (address(low), address(high)),
        )
    });
    let v6 = (0u16..4, 0u16..4).prop_map(|(a, b)| {
        let address = |last: u16| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last]);
        let (low, high) = (address(a.min(b)), address(a.max(b)));
        (format!("{low}-{high}"), (low, high))
    });
    let list = proptest::collection::vec(prop_oneof![3 => v4, 1 => v6], 1..4);
    let any = [
        "0.0.0.0",
        "255.255.255.255",
        "::",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    ];
    let any = any.map(|text| text.parse::<IpAddr>().unwrap());
    prop_oneof![
        1 => Just(("any".to_owned(), vec![(any[0], any[1]), (any[2], any[3])])),
        3 => list.prop_map(|items| {
            let (texts, ranges): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            (format!("[{}]", texts.join(",")), ranges)
        }),
    ]
}

fn holds(ranges: &[(IpAddr, IpAddr)], address: &str) -> bool {
    let address: IpAddr = address.parse().unwrap();
    let mut ranges = ranges.iter();
    ranges.any(|(low, high)| {
        low.is_ipv4() == address.is_ipv4() && *low <= address && address <= *high
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_signatures_found_by_address_are_those_that_a_walk_finds(
        rules in proptest::collection::vec((expression(), any::<bool>(), expression()), 1..12),
    ) {
        let mut text = String::new();
        for (sid, ((source, _), both, (destination, _))) in (1..).zip(&rules) {
            let direction = if *both { "<>" } else { "->" };
            text.push_str(&format!("alert ip {source} any {direction} {destination} any (sid:{sid};)\n"));
        }
        let udp6 = ipv6(17, &[4, 0, 0, 53, 0, 8, 0, 0]);
        for (frame, [from, to]) in [(datagram(b""), V4), (udp6, V6)] {
            let fits = |((_, source), both, (_, destination)): &((String, Vec<_>), bool, (String, Vec<_>))| {
                let one = holds(source, from) && holds(destination, to);
                one || (*both && holds(source, to) && holds(destination, from))
            };
            let walked: Vec<u32> = (1..).zip(&rules).filter(|(_, rule)| fits(rule)).map(|(sid, _)| sid).collect();
            let mut lab = Lab::new(&text);
            let mut found = lab.packet(&frame);
            found.sort_unstable();
            prop_assert_eq!(&found, &walked, "{}", text);
            prop_assert!(lab.packet(&frame).is_empty(), "once for each direction of a flow");
        }
    }
}

#[test]
fn signatures_that_name_other_addresses_are_not_looked_at() {
    let mut text = String::new();
    for sid in 1..=1000 {
        let (high, low) = (sid / 200, sid % 200);
        text.push_str(&format!(
            "alert ip [198.51.{high}.{low},203.0.{high}.{low}] any -> $HOME_NET any (sid:{sid};)\n"
        ));
    }
    text.push_str("alert ip [10.0.0.1,192.0.2.1] any -> $HOME_NET any (sid:1001;)\n");
    let mut lab = Lab::new(&text);
    assert_eq!(lab.packet(&datagram(b"")), [1001]);
    assert_eq!(lab.detector.counters().evaluated, 1);
}
