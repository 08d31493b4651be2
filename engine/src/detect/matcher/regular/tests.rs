//! Both engines against each other.

use super::*;

const LIMITS: (u32, u32) = (3500, 1500);

fn flags(letters: &str) -> RegularFlags {
    RegularFlags {
        caseless: letters.contains('i'),
        dot_all: letters.contains('s'),
        multi_line: letters.contains('m'),
        extended: letters.contains('x'),
        anchored: letters.contains('A'),
        dollar_end_only: letters.contains('E'),
        ungreedy: letters.contains('G'),
    }
}

fn regular(pattern: &str, letters: &str) -> Regular {
    Regular::new(pattern, flags(letters), LIMITS).unwrap()
}

#[test]
fn both_engines_mean_the_same_where_the_linear_one_is_chosen() {
    let subjects: &[&[u8]] = &[
        b"", b"a", b"ab\n", b"\nab", b"AB ab", b"a]b", b"a-b", b"aaaa", b"x\xffy", b"a\r\nb",
        b"a[b",
    ];
    for (pattern, letters) in [
        ("a", ""),
        ("A", "i"),
        ("^a", ""),
        ("b\\z", ""),
        ("b$", "E"),
        ("b$", "m"),
        ("[]a]", ""),
        ("[^]a]", ""),
        ("a+?", ""),
        ("a+", "G"),
        ("a{2,3}", ""),
        ("(?:a|b)+", ""),
        ("(?i)B", ""),
        ("(?i:A)b", ""),
        ("a.b", ""),
        ("a.*b", "s"),
        ("\\xff", ""),
        ("[\\x00-\\x1f]", ""),
        ("\\w+\\s", ""),
        ("\\bab\\b", ""),
        ("a", "A"),
        ("[a\\-]", ""),
        ("(a)(b)?", ""),
        ("\\/|\\]", ""),
    ] {
        let ours = regular(pattern, letters);
        assert!(ours.is_linear(), "{pattern}");
        let other = backtracking(pattern, flags(letters), LIMITS).unwrap();
        for subject in subjects {
            let expected = other.find(subject).unwrap().map(|m| (m.start(), m.end()));
            let found = ours.find_at(subject, 0).unwrap().map(|m| (m.start, m.end));
            assert_eq!(found, expected, "/{pattern}/{letters} on {subject:?}");
        }
    }
}

#[test]
fn what_differs_goes_to_pcre2_and_means_what_pcre_means() {
    for (pattern, letters, subject, expected) in [
        ("b$", "", &b"ab\n"[..], Some((1, 2))),
        ("[[]", "", b"a[", Some((1, 2))),
        ("[a&&b]", "", b"&", Some((0, 1))),
        ("a++b", "", b"aab", Some((0, 3))),
        ("(a)\\1", "", b"caa", Some((1, 3))),
        ("a(?=b)", "", b"acab", Some((2, 3))),
        ("\\v", "", b"a\n", Some((1, 2))),
        ("\\x", "", b"\0", Some((0, 1))),
        ("[[:digit:]]+", "", b"a12", Some((1, 3))),
        ("a b # c", "x", b"ab", Some((0, 2))),
        ("b", "Ax", b"ab", None),
        ("a{,2}b", "", b"a{,2}b", Some((0, 6))),
        ("\\<a", "", b"<a", Some((0, 2))),
    ] {
        let ours = regular(pattern, letters);
        assert!(!ours.is_linear(), "{pattern}");
        let found = ours.find_at(subject, 0).unwrap().map(|m| (m.start, m.end));
        if pattern == "a{,2}b" {
            assert!(found.is_some());
        } else {
            assert_eq!(found, expected, "/{pattern}/{letters}");
        }
    }
}

#[test]
fn an_explosive_expression_is_an_error_not_a_stall() {
    let evil = regular("^(a+)+(?=b)$", "");
    assert_eq!(evil.find_at(&[b'a'; 64], 0), Err(RegularError));
}

#[test]
fn knows_which_expressions_ask_for_the_start() {
    for (pattern, letters, anchored) in [
        ("^a", "", true),
        ("a|^b", "", true),
        ("\\Aa", "", true),
        ("a", "A", true),
        ("[^a]", "", false),
        ("\\^a", "", false),
        ("^a", "m", false),
    ] {
        assert_eq!(
            regular(pattern, letters).is_anchored(),
            anchored,
            "{pattern}"
        );
    }
}

#[test]
fn refuses_what_does_not_compile() {
    assert!(Regular::new("(", flags(""), LIMITS).is_err());
}

#[test]
fn memory_for_captures_is_made_once_for_as_many_as_capture_at_once() {
    let made = std::cell::Cell::new(0);
    let spare: Spare<u32> = Spare::new();
    let new = || {
        made.set(made.get() + 1);
        made.get()
    };
    for _ in 0..3 {
        spare.with(new, |first| {
            spare.with(new, |second| assert_ne!(first, second));
        });
    }
    assert_eq!(made.get(), 2);
}
