//! Payload keywords, one line for each case of the rule language's documentation.

use super::lab::{Lab, compile, datagram, fires};
use crate::detect::Remark;

#[rustfmt::skip]
const CASES: &[(&str, &[u8], bool)] = &[
    // content: case, hex, escapes, negation
    ("content:\"abc\";", b"xabcx", true),
    ("content:\"abc\";", b"xABCx", false),
    ("content:\"abc\"; nocase;", b"xAbCx", true),
    ("content:\"a|00 0D|b\";", b"a\x00\rb", true),
    ("content:!\"abc\";", b"xyz", true),
    ("content:!\"abc\";", b"xabc", false),
    ("content:!\"abc\";", b"", false),
    ("content:\"a\"; content:\"b\";", b"ba", true),
    // offset, depth
    ("content:\"def\"; offset:3;", b"abcdef", true),
    ("content:\"def\"; offset:4;", b"abcdef", false),
    ("content:\"def\"; offset:3; depth:3;", b"abcdef", true),
    ("content:\"def\"; offset:2; depth:3;", b"abcdef", false),
    ("content:\"abc\"; depth:3;", b"abcd", true),
    ("content:\"abc\"; depth:3;", b"xabc", false),
    ("content:!\"abc\"; depth:3;", b"xabc", true),
    ("content:!\"abc\"; offset:10;", b"abc", true),
    // startswith, endswith
    ("content:\"GET \"; startswith;", b"GET /", true),
    ("content:\"GET \"; startswith;", b"xGET /", false),
    ("content:\".php\"; endswith;", b"a.php", true),
    ("content:\".php\"; endswith;", b"a.php?", false),
    ("content:\".php\"; endswith;", b".php.php", true),
    ("content:!\".php\"; endswith;", b".php?", true),
    ("content:\"abc\"; startswith; endswith;", b"abc", true),
    ("content:\"abc\"; startswith; endswith;", b"abcabc", false),
    ("content:\"a\"; content:\"c\"; distance:1; endswith;", b"abc", true),
    // distance, within
    ("content:\"abc\"; content:\"def\"; distance:0;", b"abcdef", true),
    ("content:\"abc\"; content:\"def\"; distance:1;", b"abcdef", false),
    ("content:\"abc\"; content:\"def\"; distance:1;", b"abcxdef", true),
    ("content:\"abc\"; content:\"def\"; within:3;", b"abcdef", true),
    ("content:\"abc\"; content:\"def\"; within:3;", b"abcxdef", false),
    ("content:\"abc\"; content:\"def\"; distance:1; within:3;", b"abcxdef", true),
    ("content:\"abc\"; content:\"def\"; distance:1; within:3;", b"abcxxdef", false),
    ("content:\"abc\"; content:\"bc\"; distance:-2; within:2;", b"abc", true),
    ("content:\"abc\"; content:\"abcd\"; distance:-3;", b"abcd", true),
    ("content:\"a\"; content:!\"b\"; within:1;", b"acb", true),
    ("content:\"a\"; content:!\"b\"; within:1;", b"ab", false),
    // backtracking: an earlier content tries its next occurrence
    ("content:\"a\"; content:\"b\"; within:1;", b"axab", true),
    ("content:\"a\"; content:!\"b\"; within:1;", b"abac", true),
    ("content:\"a\"; content:\"b\"; distance:0; content:\"c\"; within:1;", b"abxabc", true),
    ("content:\"a\"; content:\"b\"; distance:1; within:1; content:\"c\"; distance:1; within:1;", b"a-b-xa-b-c", true),
    ("content:\"a\"; content:\"b\"; distance:1; within:1; content:\"c\"; distance:1; within:1;", b"a-b-xa-b--c", false),
    ("content:\"yYY\"; distance:2; within:5; endswith;", b"xxyYY", true),
    // isdataat, as the documentation's tables say
    ("isdataat:7;", b"abcdefgh", true),
    ("isdataat:8;", b"abcdefgh", false),
    ("isdataat:!8;", b"abcdefgh", true),
    ("isdataat:8,relative;", b"abcdefgh", true),
    ("isdataat:9,relative;", b"abcdefgh", false),
    ("content:\"c\"; isdataat:5,relative;", b"abcdefgh", true),
    ("content:\"c\"; isdataat:6,relative;", b"abcdefgh", false),
    ("content:\"c\"; isdataat:!1,relative;", b"abc", true),
    ("content:\"c\"; isdataat:!1,relative;", b"cbc", true),
    ("content:\"c\"; isdataat:!1,relative;", b"abcd", false),
    // byte_test
    ("content:\"|00 01 00 02|\"; byte_test:2,=,0x01,0;", b"\0\x01\0\x02", true),
    ("content:\"|00 01 00 02|\"; byte_test:2,=,0x03,2,relative;", b"\0\x01\0\x02..\0\x03", true),
    ("content:\"|00 01 00 02|\"; byte_test:2,!=,0x06,0;", b"\0\x01\0\x02", true),
    ("content:\"|00 01|\"; byte_test:2,>,1000,1,relative;", b"\0\x01.\x04\x00", true),
    ("byte_test:2,&,0x01,0;", b"\0\x01", true),
    ("byte_test:2,!&,0x01,0;", b"\0\x02", true),
    ("byte_test:2,^,0x01,0;", b"\0\x01", false),
    ("byte_test:2,<,0x200,0,little;", b"\x01\x01", true),
    ("byte_test:2,<,0x100,0,little;", b"\x00\x01", false),
    ("content:\"foobar\"; byte_test:4,=,1337,1,relative,string,dec;", b"foobar 1337", true),
    ("byte_test:4,=,0x1f,0,string,hex;", b"0x1f", true),
    ("byte_test:3,=,8,0,string,oct;", b"010", true),
    ("byte_test:3,=,8,0,string,dec;", b"abc", false),
    ("byte_test:1,>=,5,0; byte_test:1,<=,5,0;", b"\x05", true),
    ("byte_test:2,=,1,3;", b"\0\x01", false),
    ("byte_test:2,=,0x12,0,bitmask 0xff00;", b"\x12\x34", true),
    ("byte_test:1,!>,5,0;", b"\x05", true),
    // byte_jump
    ("content:\"Alice\"; byte_jump:2,0; content:\"Bob\"; distance:0; within:3;", b"\0\x06AliceBob", false),
    ("content:\"Alice\"; byte_jump:2,0; content:\"Bob\"; distance:0; within:3;", b"\0\x05AliceBob", true),
    ("byte_jump:1,0; byte_jump:1,0,relative; content:\"foo\"; distance:0; within:3;", b"\x01x\x02yyfoo", true),
    ("byte_jump:0,0,from_end,post_offset -4; content:\"l33t\"; distance:0; within:4;", b"xxxl33t", true),
    ("content:\"|0A 95|\"; byte_jump:0,0,relative,post_offset -10; content:\"NS\"; distance:0; within:2;", b"NS\x0a\x95", true),
    ("byte_jump:1,0,multiplier 2; content:\"z\"; distance:0; within:1;", b"\x02....z", true),
    ("byte_jump:1,0,align; content:\"z\"; distance:0; within:1;", b"\x03....z", true),
    ("byte_jump:1,0,from_beginning; content:\"z\"; distance:0; within:1;", b"\x03..z", true),
    ("byte_jump:1,0; isdataat:!1,relative;", b"\x02ab", true),
    ("byte_jump:1,0;", b"\x03ab", false),
    ("byte_jump:1,0,string,dec; content:\"z\"; distance:0; within:1;", b"2abz", true),
    ("content:\"x\"; byte_jump:1,-2,relative; content:\"z\"; distance:0; within:1;", b"\x01xz", true),
    // byte_extract and byte_math
    ("byte_extract:2,0,size; content:\"Bob\"; distance:size; within:3;", b"\0\x02..Bob", true),
    ("byte_extract:2,0,size; content:\"Bob\"; distance:size; within:3;", b"\0\x03..Bob", false),
    ("content:\"|00 FF|\"; byte_extract:1,0,len,relative; content:\"|5c 00|\"; distance:2; within:len;", b"\0\xff\x02..\\\0", true),
    ("content:\"|00 FF|\"; byte_extract:2,0,v,relative; content:\"Foo\"; distance:0; byte_test:2,=,v,0;", b"\x12\x34\0\xff\x12\x34Foo", true),
    ("byte_extract:1,0,n; isdataat:n;", b"\x02ab", true),
    ("byte_extract:1,0,n; isdataat:n;", b"\x03ab", false),
    ("byte_extract:1,0,n; content:\"b\"; offset:n; depth:1;", b"\x02ab", true),
    ("byte_extract:1,0,n,multiplier 2; content:\"b\"; offset:n; depth:1;", b"\x01ab", true),
    ("byte_extract:1,0,n; byte_jump:n,0; isdataat:!1,relative;", b"\x01b", true),
    ("byte_math:bytes 1, offset 0, oper +, rvalue 3, result v; byte_test:1,=,v,1;", b"\x02\x05", true),
    ("byte_extract:1,0,a; byte_math:bytes 1, offset 1, oper *, rvalue a, result v; byte_test:1,=,v,2;", b"\x03\x04\x0c", true),
    ("byte_math:bytes 1, offset 0, oper /, rvalue 0, result v;", b"\x02\x05", false),
    ("byte_math:bytes 1, offset 0, oper <<, rvalue 1, result v; byte_test:1,=,v,1;", b"\x02\x04", true),
    ("content:\"a\"; byte_extract:1,0,n,relative; content:\"z\"; distance:n; within:1;", b"a\x09a\x01.z", true),
    // pcre
    ("pcre:\"/ab+c/\";", b"xabbbc", true),
    ("pcre:\"/ab+c/i\";", b"xABBBC", true),
    ("pcre:!\"/ab+c/\";", b"xac", true),
    ("content:\"x\"; pcre:\"/^ab/R\";", b"xab", true),
    ("content:\"x\"; pcre:\"/^ab/R\";", b"x.ab", false),
    ("content:\"x\"; pcre:\"/^ab/R\";", b"x.xab", true),
    ("pcre:\"/a\\d/\"; content:\"z\"; within:1;", b"a1.a2z", true),
    ("pcre:\"/a.c$/\";", b"abc\n", true),
    ("pcre:\"/a.c$/E\";", b"abc\n", false),
    ("pcre:\"/(ab)\\1/\";", b"abab", true),
    ("pcre:\"/a(?!b)/\";", b"abac", true),
    ("pcre:\"/a.c/\";", b"a\nc", false),
    ("pcre:\"/a.c/s\";", b"a\nc", true),
    ("pcre:\"/b/A\";", b"ab", false),
    // dsize
    ("dsize:10;", b"0123456789", true),
    ("dsize:<10;", b"0123456789", false),
    ("dsize:8<>20;", b"0123456789", true),
    ("dsize:!9;", b"0123456789", true),
    ("dsize:0;", b"", true),
    // base64
    ("base64_decode; base64_data; content:\"hello\";", b"aGVsbG8=", true),
    ("content:\"=\"; base64_decode:relative; base64_data; content:\"hello\"; depth:5;", b"x=aGVsbG8=", true),
    ("content:\"=\"; base64_decode:relative; base64_data; content:\"hello\"; depth:5;", b"=.=aGVsbG8=", true),
    ("base64_decode:offset 2; base64_data; content:\"hello\";", b"..aGVsbG8=", true),
    ("base64_decode:bytes 4, offset 0; base64_data; content:\"hello\";", b"aGVsbG8=", false),
    ("base64_decode:bytes 4, offset 0; base64_data; content:\"hel\"; bsize:3;", b"aGVsbG8=", true),
    ("base64_decode; base64_data; content:\"nope\";", b"aGVsbG8=", false),
    // variables reach into what is decoded, and those read there are others
    ("byte_extract:1,0,n; base64_decode:offset 1; base64_data; byte_test:1,=,n,0;", b"haGVsbG8=", true),
    ("byte_extract:1,0,n; base64_decode:offset 1; base64_data; byte_test:1,=,n,0;", b"iaGVsbG8=", false),
    ("byte_extract:1,0,n; base64_decode:offset 1; base64_data; byte_extract:1,1,m; pkt_data; byte_test:1,=,n,0;", b"haGVsbG8=", true),
    ("byte_extract:1,0,n; base64_decode:offset 1; base64_data; byte_extract:1,1,n; byte_test:1,=,n,1;", b"haGVsbG8=", true),
    // entropy
    ("entropy:2;", b"abcd", true),
    ("entropy:value >= 2;", b"abcd", true),
    ("entropy:value > 2;", b"abcd", false),
    ("entropy:bytes 2, offset 1, value =1;", b"xabx", true),
    ("entropy:value 0.5-1.5, offset 2;", b"xxabab", true),
    ("entropy:bytes 9, value >= 0;", b"abcd", false),
    // asn1
    ("asn1:oversize_length 500, absolute_offset 0;", b"\x04\x82\x01\xf5", true),
    ("asn1:oversize_length 500, absolute_offset 0;", b"\x04\x82\x01\xf4", false),
    ("asn1:oversize_length 500, absolute_offset 1;", b".\x04\x82\x01\xf5", true),
    ("content:\"ab\"; asn1:bitstring_overflow, relative_offset 1;", b"ab.\x03\x01\x01", true),
    ("content:\"ab\"; asn1:double_overflow, bitstring_overflow, relative_offset 0, oversize_length 9;", b"ab.\x03\x01\x01", false),
    ("content:\"|03|\"; asn1:bitstring_overflow,relative_offset -1;", b"ab\x03\x01\x01", true),
    // rpc
    ("rpc:100009,*,*;", b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa9\0\0\0\x02\0\0\0\x03", true),
    ("rpc:100009,2,3;", b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa9\0\0\0\x02\0\0\0\x03", true),
    ("rpc:100009,*,4;", b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa9\0\0\0\x02\0\0\0\x03", false),
    ("rpc:100009,1,*;", b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa9\0\0\0\x02\0\0\0\x03", false),
    ("rpc:100009,*,*;", b"\0\0\0\x01\0\0\0\x01\0\0\0\x02\0\x01\x86\xa9\0\0\0\x02\0\0\0\x03", false),
    ("rpc:100009,*,*;", b"\0\0\0\x01\0\0\0\0\0\0\0\x02\0\x01\x86\xa9\0\0\0\x02", false),
    // pkt_data, fast_pattern, rawbytes
    ("pkt_data; content:\"abc\";", b"abc", true),
    ("content:\"abc\"; content:\"d\"; fast_pattern;", b"abcd", true),
    ("content:\"abcdef\"; fast_pattern:2,3;", b"abcdef", true),
    ("content:\"abc\"; rawbytes;", b"abc", true),
    ("content:!\"x\"; content:\"abc\";", b"abcx", false),
];

#[test]
fn each_payload_keyword_means_what_is_documented() {
    let wrong: Vec<_> = CASES
        .iter()
        .filter(|(options, payload, expected)| fires(options, payload) != *expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_rule_that_would_stall_is_given_up_and_counted() {
    let mut options = String::new();
    for _ in 0..6 {
        options.push_str("content:\"a\"; within:50; ");
    }
    let rule = format!("alert udp any any -> any any ({options} content:\"b\"; within:2; sid:1;)");
    let mut lab = Lab::new(&rule);
    let mut payload = vec![b'a'; 1400];
    payload.push(b'c');
    payload.extend(b"b");
    payload.insert(0, b'b');
    assert!(lab.packet(&datagram(&payload)).is_empty());
    assert_eq!(lab.detector.counters().match_steps_exceeded, 1);
}

#[test]
fn an_explosive_expression_is_counted_as_an_error() {
    let rule = "alert udp any any -> any any (pcre:\"/^(a+)+(?=b)$/\"; sid:1;)";
    let mut lab = Lab::new(rule);
    assert!(lab.packet(&datagram(&[b'a'; 64])).is_empty());
    assert_eq!(lab.detector.counters().pcre_errors, 1);
}

#[test]
fn what_an_expression_captures_is_told_with_the_alert() {
    let captured = |pcre: &str, payload: &[u8]| -> Vec<String> {
        let rule = format!("alert udp any any -> any any (pcre:\"{pcre}\"; sid:1;)");
        let mut lab = Lab::new(&rule);
        lab.packet(&datagram(payload));
        let told = lab.remarks.iter().map(|remark| match remark {
            Remark::Captured { kind, name, value } => format!("{kind:?} {name:?}={value:?}"),
            other => format!("{other:?}"),
        });
        told.collect()
    };
    let row = [r#"Packet "a"="x""#, r#"Flow "b"="y""#, r#"Alert "c"="z""#];
    assert_eq!(
        captured("/(.)-(.)-(.)/, pkt:a, flow:b, alert:c", b"0 x-y-z"),
        row
    );
    assert_eq!(
        captured(
            "/(?P<pkt_a>.)-(?P<flow_b>.)-(?P<alert_c>.)-(?P<other>.)/",
            b"x-y-z-0"
        ),
        row
    );
    let pair = [r#"Flow "Mozilla"="5.0""#];
    assert_eq!(
        captured(r"/^(.*)\/(\d+\.\d+)/, flow:key, flow:value", b"Mozilla/5.0"),
        pair
    );
    assert_eq!(
        captured("/(a)(?=b)/, pkt:n", b"acab"),
        [r#"Packet "n"="a""#]
    );
    assert!(captured("/(a)b/, pkt:n", b"ac").is_empty());
    for wrong in ["/a/, pkt:n", "/(a)/, flow:key", "/(a)(b)/, pkt:x, pkt:key"] {
        let rule = format!("alert udp any any -> any any (pcre:\"{wrong}\"; sid:1;)");
        assert_eq!(compile(&rule).refused.len(), 1, "{wrong}");
    }
}
