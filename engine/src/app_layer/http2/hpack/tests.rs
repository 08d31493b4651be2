//! The examples of RFC 7541, and what is no block.

use super::*;
use proptest::prelude::*;

/// Decodes a block, its bytes in pieces.
fn block(decoder: &mut Decoder, pieces: &[&[u8]]) -> Result<Vec<String>, Failure> {
    let mut shown = Vec::new();
    let mut put = |item: Item<'_>| match item {
        Item::Field { name, value } => shown.push(format!(
            "{}: {}",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        )),
        Item::SizeUpdate(size) => shown.push(format!("size {size}")),
    };
    for piece in pieces {
        decoder.decode(piece, &mut put)?;
    }
    decoder.end().map(|()| shown)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Blocks in order, and their fields.
type Session = &'static [(&'static str, &'static [&'static str])];

const REQUESTS: &[&[&str]] = &[
    &[
        ":method: GET",
        ":scheme: http",
        ":path: /",
        ":authority: www.example.com",
    ],
    &[
        ":method: GET",
        ":scheme: http",
        ":path: /",
        ":authority: www.example.com",
        "cache-control: no-cache",
    ],
    &[
        ":method: GET",
        ":scheme: https",
        ":path: /index.html",
        ":authority: www.example.com",
        "custom-key: custom-value",
    ],
];

const RESPONSES: &[&[&str]] = &[
    &[
        ":status: 302",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 307",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:21 GMT",
        "location: https://www.example.com",
    ],
    &[
        ":status: 200",
        "cache-control: private",
        "date: Mon, 21 Oct 2013 20:13:22 GMT",
        "location: https://www.example.com",
        "content-encoding: gzip",
        "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
    ],
];

/// Sections C.2 to C.6; the responses with a table of 256 bytes.
const SESSIONS: &[Session] = &[
    &[(
        "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572",
        &["custom-key: custom-header"],
    )],
    &[(
        "040c 2f73 616d 706c 652f 7061 7468",
        &[":path: /sample/path"],
    )],
    &[(
        "1008 7061 7373 776f 7264 0673 6563 7265 74",
        &["password: secret"],
    )],
    &[("82", &[":method: GET"])],
    &[
        (
            "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            REQUESTS[0],
        ),
        ("8286 84be 5808 6e6f 2d63 6163 6865", REQUESTS[1]),
        (
            "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
            REQUESTS[2],
        ),
    ],
    &[
        ("8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", REQUESTS[0]),
        ("8286 84be 5886 a8eb 1064 9cbf", REQUESTS[1]),
        (
            "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
            REQUESTS[2],
        ),
    ],
    &[
        ("3fe101", &["size 256"]),
        (
            "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a \
             3133 3a32 3120 474d 546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
            RESPONSES[0],
        ),
        ("4803 3330 37c1 c0bf", RESPONSES[1]),
        (
            "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 \
             677a 6970 7738 666f 6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 \
             553b 206d 6178 2d61 6765 3d33 3630 303b 2076 6572 7369 6f6e 3d31",
            RESPONSES[2],
        ),
    ],
    &[
        ("3fe101", &["size 256"]),
        (
            "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e \
             919d 29ad 1718 63c7 8f0b 97c8 e9ae 82ae 43d3",
            RESPONSES[0],
        ),
        ("4883 640e ffc1 c0bf", RESPONSES[1]),
        (
            "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 \
             821d d7f2 e6c7 b335 dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed \
             4ee5 b106 3d50 07",
            RESPONSES[2],
        ),
    ],
];

#[test]
fn the_examples_of_the_standard_are_decoded_whatever_the_cut() {
    for session in SESSIONS {
        for cut in [1, 2, 7, usize::MAX] {
            let mut decoder = Decoder::default();
            for (bytes, fields) in *session {
                let bytes = hex(bytes);
                let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
                assert_eq!(block(&mut decoder, &pieces).unwrap(), *fields);
            }
        }
    }
}

#[test]
fn numbers_of_the_standard_are_read() {
    // C.1.1 and C.1.2: 10 and 1337 in five bits.
    let mut decoder = Decoder::default();
    assert_eq!(block(&mut decoder, &[b"\x2a"]).unwrap(), ["size 10"]);
    assert_eq!(
        block(&mut decoder, &[b"\x3f\x9a\x0a"]).unwrap(),
        ["size 1337"]
    );
    // C.1.3: 42 in eight bits, here in seven.
    assert_eq!(block(&mut decoder, &[b"\x04\x01x"]).unwrap(), [":path: x"]);
}

#[test]
fn what_is_no_block_is_told_and_the_next_one_is_read() {
    for (bytes, failure) in [
        (&b"\x3f\xff\xff\xff\xff\x7f"[..], Failure::Number),
        (
            b"\xff\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
            Failure::Number,
        ),
        (b"\x80", Failure::Entry),
        (b"\xbe", Failure::Entry),
        (b"\x7e\x01a", Failure::Entry),
        (b"\x04\x81\xff", Failure::Code),
        (b"\x04\x05ab", Failure::Rest),
        (b"\x40", Failure::Rest),
        (b"\x3f", Failure::Rest),
    ] {
        let mut decoder = Decoder::default();
        assert_eq!(block(&mut decoder, &[bytes]), Err(failure), "{bytes:?}");
        // What is left of the block says nothing.
        if decoder.state == State::Failed {
            assert_eq!(decoder.decode(b"ignored", &mut |_| ()), Ok(()));
            assert_eq!(decoder.end(), Ok(()));
        }
        assert_eq!(block(&mut decoder, &[b"\x82"]).unwrap(), [":method: GET"]);
    }
}

#[test]
fn long_texts_are_cut_and_empty_the_table() {
    let mut decoder = Decoder::default();
    block(&mut decoder, &[b"\x40\x01a\x01b"]).unwrap();
    // A byte more than is kept.
    let mut long = b"\x40\x01c\x7f\x82\xff\x03".to_vec();
    long.extend(vec![b'x'; LONGEST + 1]);
    let shown = block(&mut decoder, &[&long]).unwrap();
    assert_eq!(shown[0].len(), LONGEST + 3);
    assert_eq!(block(&mut decoder, &[b"\xbe"]), Err(Failure::Entry));
}

proptest! {
    #[test]
    fn no_bytes_panic_and_the_cut_does_not_matter(
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), Just(0x40), Just(0x82), Just(0xbe), Just(0x3f), Just(0x01)], 0..200),
        cut in 1_usize..20,
    ) {
        let shown = |pieces: &[&[u8]]| {
            let (mut decoder, mut items) = (Decoder::default(), Vec::new());
            let mut ends = Vec::new();
            for piece in pieces {
                let step = decoder.decode(piece, &mut |item| items.push(format!("{item:?}")));
                ends.extend(step.err());
            }
            ends.extend(decoder.end().err());
            (items, ends)
        };
        let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
        prop_assert_eq!(shown(&pieces), shown(&[&bytes]));
    }
}
