//! Matching in the reassembled stream.

use super::lab::{Lab, request};

/// Feeds `bytes` in the given pieces, the whole stream kept as window: sids in order.
fn feed(lab: &mut Lab, pieces: &[&[u8]]) -> Vec<u32> {
    let mut window = Vec::new();
    let mut fired = Vec::new();
    for piece in pieces {
        let fresh_from = window.len();
        window.extend_from_slice(piece);
        fired.extend(lab.stream(&window, fresh_from, 0));
    }
    fired
}

const RULES: &str = "\
    alert tcp any any -> any any (content:\"attack\"; sid:1;)\n\
    alert tcp any any -> any any (content:\"an\"; content:\"attack\"; distance:1; within:6; sid:2;)\n\
    alert tcp any any -> any any (content:\"ATTACK\"; nocase; content:\"here\"; sid:3;)\n\
    alert tcp any any -> any any (pcre:\"/att[a-z]+ h/\"; sid:4;)\n\
    alert tcp any any -> any any (content:\"an \"; depth:3; sid:5;)\n\
    alert tcp any any -> any any (content:\"here\"; fast_pattern; content:\"attack\"; sid:6;)\n\
    alert tcp any any -> any any (content:\"an attack\"; startswith; sid:7;)\n\
    alert tcp-stream any any -> any any (content:\"tack h\"; sid:8;)\n\
    alert ip any any -> any any (content:\"attack here\"; sid:9;)\n\
    alert tcp any any -> any any (content:\"n\"; byte_test:1,=,0x20,0,relative; content:\"k\"; distance:0; isdataat:4,relative; sid:10;)";

#[test]
fn every_split_of_the_bytes_fires_every_rule_exactly_once() {
    let bytes: &[u8] = b"an attack here";
    for split in 0..=bytes.len() {
        let (left, right) = bytes.split_at(split);
        let mut fired = feed(&mut Lab::new(RULES), &[left, right]);
        fired.sort_unstable();
        assert_eq!(fired, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "split at {split}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    let mut fired = feed(&mut Lab::new(RULES), &single);
    fired.sort_unstable();
    assert_eq!(fired, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
}

#[test]
fn old_bytes_do_not_fire_again_and_new_ones_do() {
    let mut lab = Lab::new("alert tcp any any -> any any (content:\"attack\"; sid:1;)");
    assert_eq!(
        feed(&mut lab, &[b"attack", b"x", b"attack", b"", b"y"]),
        [1, 1]
    );
}

#[test]
fn a_fast_pattern_far_back_is_remembered_until_it_leaves_the_window() {
    let rule = "alert tcp any any -> any any (content:\"longpattern\"; content:\"z\"; sid:1;)";
    let mut lab = Lab::new(rule);
    let mut window = b"longpattern".to_vec();
    assert!(lab.stream(&window, 0, 0).is_empty());
    window.extend([b'.'; 100]);
    assert!(lab.stream(&window, 11, 0).is_empty());
    window.push(b'z');
    assert_eq!(lab.stream(&window, 111, 0), [1]);

    let mut lab = Lab::new(rule);
    assert!(lab.stream(b"longpattern", 0, 0).is_empty());
    assert!(
        lab.stream(b"................z", 16, 20).is_empty(),
        "it left the window"
    );
}

#[test]
fn more_pending_signatures_than_a_flow_keeps_are_found_by_searching_anew() {
    let mut text = String::new();
    for sid in 1..=20 {
        text.push_str(&format!(
            "alert tcp any any -> any any (content:\"pattern\"; content:\"z{sid}_\"; distance:0; sid:{sid};)\n"
        ));
    }
    for sid in 1..=20u32 {
        let mut lab = Lab::new(&text);
        let end = format!("z{sid}_");
        let fired = feed(
            &mut lab,
            &[b"pattern", b"..........................", end.as_bytes()],
        );
        assert_eq!(fired, [sid]);
    }
}

#[test]
fn what_is_bound_to_the_beginning_does_not_match_later_windows() {
    let text = "alert tcp-stream any any -> any any (content:\"abc\"; depth:3; sid:1;)\n\
        alert tcp-stream any any -> any any (content:!\"xyz\"; depth:3; content:\"abc\"; sid:2;)\n\
        alert tcp any any -> any any (content:\"abc\"; depth:3; sid:3;)";
    let mut lab = Lab::new(text);
    assert!(
        lab.stream(b"abc", 0, 100).iter().all(|&sid| sid == 3),
        "the packet begins with it"
    );
    assert_eq!(Lab::new(text).stream(b"abc", 0, 0), [1, 2, 3]);
}

#[test]
fn packet_rules_do_not_look_across_packets_and_stream_rules_not_at_packets() {
    let text = "alert tcp-pkt any any -> any any (content:\"attack\"; sid:1;)\n\
        alert tcp-stream any any -> any any (content:\"attack\"; sid:2;)\n\
        alert tcp any any -> any any (content:\"attack\"; flags:PA; sid:3;)\n\
        alert tcp any any -> any any (content:\"attack\"; flow:only_stream; sid:4;)\n\
        alert tcp any any -> any any (content:\"attack\"; flow:no_stream; sid:5;)";
    assert_eq!(feed(&mut Lab::new(text), &[b"att", b"ack"]), [2, 4]);
    assert_eq!(feed(&mut Lab::new(text), &[b"attack"]), [1, 2, 3, 4, 5]);
    assert_eq!(Lab::new(text).packet(&request(b"attack")), [1, 3, 5]);
}

#[test]
fn a_segment_that_fills_no_gap_is_looked_at_by_packet_rules_only() {
    let text = "alert tcp-pkt any any -> any any (content:\"attack\"; sid:1;)\n\
        alert tcp any any -> any any (content:\"attack\"; sid:2;)";
    let mut lab = Lab::new(text);
    assert!(
        lab.stream(b"attack", 6, 0).is_empty(),
        "no fresh bytes, and the packet is empty"
    );
    assert_eq!(lab.packet(&request(b"attack")), [1, 2]);
}

#[test]
fn absence_is_asked_of_what_is_there() {
    let mut lab = Lab::new("alert tcp any any -> any any (content:!\"ok\"; sid:1;)");
    assert_eq!(feed(&mut lab, &[b"bad"]), [1]);
    let mut lab = Lab::new("alert tcp any any -> any any (content:\"a\"; content:!\"ok\"; sid:1;)");
    assert_eq!(feed(&mut lab, &[b"ok", b"a"]), Vec::<u32>::new());
}
