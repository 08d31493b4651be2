//! Properties: a generated tree, printed, reads back to itself; no text makes the parser panic.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weir_policies::rule::ast::{
    Action, AddressExpr, Buffer, Content, DirectionOp, FastPattern, FlagsModifier, FlowBitsCommand,
    FlowBitsTest, FlowDirection, FlowState, FlowTest, FragmentTest, Header, Located, Match, Meta,
    NumberTest, Operand, PayloadTest, Pcre, PortExpr, Position, ProtocolExpr, RejectSide, Rule,
    Setting, StreamTest, TcpFlagsTest, Threshold, ThresholdKind, Track, Written,
};
use weir_policies::rule::canonical;
use weir_policies::{parse, parse_bytes};

fn located<T>(value: T) -> Located<T> {
    Located {
        position: Position::default(),
        value,
    }
}

fn word() -> impl Strategy<Value = String> {
    "[a-zA-Z][a-zA-Z0-9_.-]{0,8}"
}

/// Text as a message or an identifier may hold it.
fn prose() -> impl Strategy<Value = String> {
    "[a-z\"\\\\;:|/é][a-z \"\\\\;:|/é]{0,10}[a-z\"\\\\;:|/é]"
}

fn address() -> impl Strategy<Value = AddressExpr> {
    let leaf = prop_oneof![
        (any::<u32>(), 0..=32_u8).prop_map(|(bits, length)| {
            let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
            AddressExpr::Net(IpAddr::V4(Ipv4Addr::from_bits(bits & mask)), length)
        }),
        (any::<u128>(), 0..=128_u8).prop_map(|(bits, length)| {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            AddressExpr::Net(IpAddr::V6(Ipv6Addr::from_bits(bits & mask)), length)
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(a, b)| AddressExpr::Range(
            Ipv4Addr::from_bits(a.min(b)).into(),
            Ipv4Addr::from_bits(a.max(b)).into()
        )),
        word().prop_map(AddressExpr::Variable),
    ];
    let tree = leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|inner| AddressExpr::Not(Box::new(inner))),
            vec(inner, 1..3).prop_map(AddressExpr::List),
        ]
    });
    prop_oneof![Just(AddressExpr::Any), tree]
}

fn port() -> impl Strategy<Value = PortExpr> {
    let leaf = prop_oneof![
        (any::<u16>(), any::<u16>()).prop_map(|(a, b)| PortExpr::Range(a.min(b), a.max(b))),
        word().prop_map(PortExpr::Variable),
    ];
    let tree = leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            inner
                .clone()
                .prop_map(|inner| PortExpr::Not(Box::new(inner))),
            vec(inner, 1..3).prop_map(PortExpr::List),
        ]
    });
    prop_oneof![Just(PortExpr::Any), tree]
}

fn header() -> impl Strategy<Value = Header> {
    let protocol = (
        prop_oneof![Just("tcp"), Just("http"), Just("tcp-pkt"), Just("ip")],
        option::of("<?[a-z_]{1,8}"),
    )
        .prop_map(|(name, hook)| ProtocolExpr {
            name: name.to_owned(),
            hook,
        });
    let direction = prop_oneof![
        Just(DirectionOp::To),
        Just(DirectionOp::Both),
        Just(DirectionOp::Transaction)
    ];
    (protocol, address(), port(), direction, address(), port()).prop_map(
        |(protocol, source, source_port, direction, destination, destination_port)| Header {
            protocol,
            source,
            source_port,
            direction,
            destination,
            destination_port,
        },
    )
}

fn operand(from: i32) -> impl Strategy<Value = Operand> {
    prop_oneof![
        (from..100_000).prop_map(Operand::Number),
        word().prop_map(Operand::Variable)
    ]
}

/// Where a content may be: nowhere in particular, absolute, relative, or at the start.
#[derive(Clone, Debug)]
enum Place {
    Anywhere,
    Absolute(Option<Operand>, Option<Operand>),
    Relative(Option<Operand>, Option<Operand>),
    Start,
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        Just(Place::Anywhere),
        (option::of(operand(0)), option::of(operand(40)))
            .prop_map(|(offset, depth)| Place::Absolute(offset, depth)),
        (option::of(operand(-9)), option::of(operand(40)))
            .prop_map(|(distance, within)| Place::Relative(distance, within)),
        Just(Place::Start),
    ]
}

fn content() -> impl Strategy<Value = PayloadTest> {
    let fast_pattern = prop_oneof![
        Just(None),
        Just(Some(FastPattern::Whole)),
        Just(Some(FastPattern::Only)),
        Just(Some(FastPattern::Chop {
            offset: 0,
            length: 1
        })),
    ];
    (
        vec(any::<u8>(), 1..40),
        any::<[bool; 4]>(),
        place(),
        fast_pattern,
    )
        .prop_map(|(pattern, flags, place, fast_pattern)| {
            let [negated, nocase, endswith, rawbytes] = flags;
            let mut content = Content {
                pattern,
                negated,
                nocase,
                endswith,
                rawbytes,
                fast_pattern,
                ..Content::default()
            };
            match place {
                Place::Anywhere => {}
                Place::Absolute(offset, depth) => {
                    content.offset = offset;
                    content.depth = depth;
                }
                Place::Relative(distance, within) => {
                    content.distance = distance;
                    content.within = within;
                }
                Place::Start => content.startswith = true,
            }
            PayloadTest::Content(content)
        })
}

fn payload_test() -> impl Strategy<Value = PayloadTest> {
    prop_oneof![
        4 => content(),
        1 => ("[a-z/\"(\\\\.)*]{0,6}[a-z]", any::<bool>(), "[ismxAEGRO]{0,1}")
            .prop_map(|(pattern, negated, flags)| {
            // Backslashes come in pairs, so that none escapes the delimiter.
            let pattern = pattern.replace('\\', "\\\\");
            PayloadTest::Pcre(Pcre { pattern, flags, negated, captures: vec!["flow:x".to_owned()] })
        }),
        1 => Just(PayloadTest::Other(Written {
            keyword: "isdataat".to_owned(),
            value: Some("!1,relative".to_owned()),
        })),
    ]
}

/// Runs of payload tests, each with the buffer's keyword and transforms.
fn payload() -> impl Strategy<Value = Vec<Match>> {
    let keyword = prop_oneof![
        Just(None),
        Just(Some("http.uri")),
        Just(Some("dns.query")),
        Just(Some("file.data"))
    ];
    let run = (keyword, 0..3_usize, vec(payload_test(), 1..3));
    vec(run, 0..5).prop_map(|runs| {
        let mut seen = std::collections::HashMap::new();
        let mut matches = Vec::new();
        for (keyword, transforms, tests) in runs {
            let buffer = match keyword {
                None => Buffer::Payload,
                Some(keyword) => {
                    let count = seen.entry(keyword).or_insert(0_u16);
                    let instance = if keyword == "http.uri" { 0 } else { *count };
                    *count += 1;
                    Buffer::Sticky {
                        keyword: keyword.to_owned(),
                        argument: None,
                        instance,
                        transforms: vec![
                            Written {
                                keyword: "to_lowercase".to_owned(),
                                value: None
                            };
                            transforms
                        ],
                    }
                }
            };
            matches.extend(tests.into_iter().map(|test| Match::Payload {
                buffer: buffer.clone(),
                test,
            }));
        }
        matches
    })
}

fn number_test() -> impl Strategy<Value = NumberTest> {
    let range = (0..1000_u64, 2..1000_u64).prop_map(|(from, more)| (from, from + more));
    prop_oneof![
        any::<u64>().prop_map(NumberTest::Equal),
        any::<u64>().prop_map(NumberTest::NotEqual),
        any::<u64>().prop_map(NumberTest::Less),
        any::<u64>().prop_map(NumberTest::LessOrEqual),
        any::<u64>().prop_map(NumberTest::Greater),
        any::<u64>().prop_map(NumberTest::GreaterOrEqual),
        range.clone().prop_map(|(a, b)| NumberTest::Between(a, b)),
        range.prop_map(|(a, b)| NumberTest::NotBetween(a, b)),
        any::<(u64, u64)>().prop_map(|(mask, n)| NumberTest::Mask(mask, n)),
        any::<(u64, u64)>().prop_map(|(mask, n)| NumberTest::NotMask(mask, n)),
    ]
}

fn flow() -> impl Strategy<Value = Match> {
    let state = prop_oneof![
        Just(FlowState::Established),
        Just(FlowState::NotEstablished),
        Just(FlowState::Stateless)
    ];
    let direction = prop_oneof![Just(FlowDirection::ToServer), Just(FlowDirection::ToClient)];
    (
        state,
        option::of(direction),
        option::of(any::<bool>()),
        option::of(any::<bool>()),
    )
        .prop_map(|(state, direction, stream, fragment)| {
            Match::Flow(FlowTest {
                direction,
                state: Some(state),
                stream: stream.map(|only| {
                    if only {
                        StreamTest::Only
                    } else {
                        StreamTest::No
                    }
                }),
                fragment: fragment.map(|only| {
                    if only {
                        FragmentTest::Only
                    } else {
                        FragmentTest::No
                    }
                }),
            })
        })
}

fn other_match() -> impl Strategy<Value = Match> {
    let command = prop_oneof![
        Just(FlowBitsCommand::Set),
        Just(FlowBitsCommand::Unset),
        Just(FlowBitsCommand::Toggle)
    ];
    let modifier = prop_oneof![
        Just(FlagsModifier::Exact),
        Just(FlagsModifier::All),
        Just(FlagsModifier::Any),
        Just(FlagsModifier::Not)
    ];
    prop_oneof![
        flow(),
        (command, word()).prop_map(|(command, name)| Match::FlowBits(FlowBitsTest {
            command,
            names: vec![name]
        })),
        (any::<bool>(), vec(word(), 1..4)).prop_map(|(set, names)| Match::FlowBits(FlowBitsTest {
            command: if set {
                FlowBitsCommand::IsSet
            } else {
                FlowBitsCommand::IsNotSet
            },
            names
        })),
        number_test().prop_map(Match::Dsize),
        number_test().prop_map(Match::IcmpType),
        number_test().prop_map(Match::IcmpCode),
        (modifier, any::<u8>(), any::<u8>()).prop_map(|(modifier, flags, ignore)| {
            Match::TcpFlags(TcpFlagsTest {
                modifier,
                flags,
                ignore,
            })
        }),
        Just(Match::Other(Written {
            keyword: "sameip".to_owned(),
            value: None
        })),
    ]
}

fn threshold() -> impl Strategy<Value = Threshold> {
    let track = prop_oneof![
        Just(Track::Source),
        Just(Track::Destination),
        Just(Track::Both),
        Just(Track::Rule),
        Just(Track::Flow)
    ];
    (0..5_u8, track, 1..=u32::MAX, any::<u32>(), 1..9_u32).prop_map(
        |(kind, track, count, seconds, multiplier)| {
            let mut threshold = Threshold {
                kind: ThresholdKind::Limit,
                track,
                count,
                seconds,
                multiplier: 0,
                unique_on: None,
            };
            match kind {
                0 => {}
                1 => threshold.kind = ThresholdKind::Threshold,
                2 => threshold.kind = ThresholdKind::Both,
                3 => {
                    threshold.kind = ThresholdKind::Backoff;
                    threshold.track = Track::Flow;
                    threshold.multiplier = multiplier;
                }
                _ => {
                    threshold.kind = ThresholdKind::DetectionFilter;
                    threshold.unique_on = Some("dst_port".to_owned());
                }
            }
            threshold
        },
    )
}

fn meta() -> impl Strategy<Value = Meta> {
    (
        (1..=u32::MAX, 1..9_u32, any::<u32>()),
        option::of(prose()),
        option::of(word()),
        option::of(1..=u8::MAX),
        vec((word(), prose()), 0..3),
        vec((word(), word()), 0..3),
    )
        .prop_map(
            |((sid, gid, rev), msg, classtype, priority, references, metadata)| Meta {
                sid,
                gid,
                rev,
                msg: msg.unwrap_or_default(),
                classtype,
                priority,
                references,
                metadata,
            },
        )
}

fn settings() -> impl Strategy<Value = Vec<Setting>> {
    vec(
        prop_oneof![
            Just(Setting::NoAlert),
            Just(Setting::Alert),
            Just(Setting::Prefilter),
            Just(Setting::Other(Written {
                keyword: "tag".to_owned(),
                value: Some("session,5,packets".to_owned())
            })),
        ],
        0..3,
    )
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Alert),
        Just(Action::Drop),
        Just(Action::Reject(RejectSide::Default)),
        Just(Action::Reject(RejectSide::Source)),
        Just(Action::Reject(RejectSide::Destination)),
        Just(Action::Reject(RejectSide::Both)),
        Just(Action::Pass),
        Just(Action::Config),
    ]
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        (any::<bool>(), action(), header()),
        meta(),
        (vec(other_match(), 0..4), payload()),
        option::of(threshold()),
        settings(),
    )
        .prop_map(
            |((enabled, action, header), meta, (mut matches, payload), threshold, settings)| {
                matches.extend(payload);
                Rule {
                    enabled,
                    position: Position::default(),
                    action,
                    header,
                    meta,
                    matches: matches.into_iter().map(located).collect(),
                    threshold,
                    settings: settings.into_iter().map(located).collect(),
                    body: Box::default(),
                }
            },
        )
}

/// The one rule of a text, positions cleared.
fn reread(text: &str) -> Rule {
    let mut parsed = parse(text);
    assert_eq!(parsed.diagnostics, [], "{text}");
    parsed
        .rules
        .pop()
        .unwrap_or_else(|| unreachable!("no rule in {text}"))
        .without_positions()
}

/// Bits of the language, for texts that are nearly rules.
fn scrap() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("alert tcp any any -> any any (".to_owned()),
        Just("#alert ".to_owned()),
        Just("content:\"a|00|\";".to_owned()),
        Just("http.uri; ".to_owned()),
        Just("pcre:\"/x/U\";".to_owned()),
        Just("\\\n".to_owned()),
        Just("sid:1;)\n".to_owned()),
        Just("[!$A,".to_owned()),
        "[ -~]{0,6}",
        ".{0,3}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_tree_printed_reads_back(rule in rule()) {
        let text = canonical(&rule);
        let again = reread(&text);
        prop_assert_eq!(&Rule { body: Box::default(), ..again.clone() }, &rule, "{}", text);
        prop_assert_eq!(reread(&again.to_string()), again);
    }

    #[test]
    fn no_text_makes_the_parser_panic(scraps in vec(scrap(), 0..12)) {
        let text = scraps.concat();
        let parsed = parse(&text);
        for rule in &parsed.rules {
            let expected = rule.clone().without_positions();
            prop_assert_eq!(reread(&rule.to_string()), expected);
        }
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse_bytes(&bytes);
    }
}
