//! `threshold.config` applied to signatures.

use super::lab::{CLIENT, Lab, SERVER, request, tcp};
use crate::detect::Effect;

const NONE: [u32; 0] = [];

#[test]
fn suppressing_holds_alerts_back_and_nothing_else() {
    let text = "alert tcp any any -> any any (dsize:>0; flowbits:set,seen; sid:1;)\n\
                alert tcp any any -> any any (flowbits:isset,seen; sid:2;)\n\
                drop tcp any any -> any any (dsize:>0; sid:3;)";
    let answer = tcp((SERVER, 80), (CLIENT, 1024), 0x18, b"x");
    for (config, to_server, to_client) in [
        ("", &[3, 1, 2][..], &[3, 1, 2][..]),
        ("suppress gen_id 1, sig_id 1", &[3, 2], &[3, 2]),
        ("suppress gen_id 1, sig_id 0", &[], &[]),
        ("suppress gen_id 7, sig_id 0", &[3, 1, 2], &[3, 1, 2]),
        (
            "suppress gen_id 0, sig_id 0, track by_src, ip 10.0.0.1",
            &[],
            &[3, 1, 2],
        ),
        (
            "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1",
            &[3, 2],
            &[3, 1, 2],
        ),
        (
            "suppress gen_id 1, sig_id 1, track by_dst, ip 10.0.0.1",
            &[3, 1, 2],
            &[3, 2],
        ),
        (
            "suppress gen_id 1, sig_id 1, track by_either, ip 10.0.0.1",
            &[3, 2],
            &[3, 2],
        ),
        (
            "suppress gen_id 1, sig_id 1, track by_src, ip $HOME_NET",
            &[3, 2],
            &[3, 2],
        ),
        (
            "suppress gen_id 1, sig_id 1, track by_src, ip !$HOME_NET",
            &[3, 1, 2],
            &[3, 1, 2],
        ),
        (
            "suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.1\n\
             suppress gen_id 1, sig_id 1, track by_src, ip 10.0.0.2",
            &[3, 2],
            &[3, 2],
        ),
    ] {
        // Each in a flow of its own: the drop would end it.
        let mut lab = Lab::adjusted(text, config);
        assert_eq!(lab.packet(&request(b"x")), to_server, "{config}");
        assert!(matches!(lab.effect, Effect::Drop { .. }), "{config}");
        let mut lab = Lab::adjusted(text, config);
        assert_eq!(lab.packet(&answer), to_client, "{config}");
    }
}

#[test]
fn a_threshold_takes_the_place_of_the_rules_own() {
    let text = "alert tcp any any -> any any (dsize:>0; sid:1;)\n\
                alert tcp any any -> any any (dsize:>0; \
                threshold:type limit, track by_src, count 1, seconds 60; sid:2;)";
    let config = "event_filter gen_id 1, sig_id 1, type limit, track by_src, count 1, seconds 60\n\
                  threshold gen_id 1, sig_id 2, type threshold, track by_rule, count 2, seconds 60";
    let mut lab = Lab::adjusted(text, config);
    let fired = [0; 4].map(|_| lab.packet(&request(b"x")));
    assert_eq!(fired, [vec![1], vec![2], vec![], vec![2]]);
}

#[test]
fn a_rate_filter_changes_the_action() {
    let rule = "alert tcp any any -> any any (dsize:>0; sid:1;)";
    let filter = |action: &str| {
        format!(
            "rate_filter gen_id 1, sig_id 1, track by_src, count 1, seconds 60, new_action {action}, timeout 10"
        )
    };
    for (action, drops) in [("drop", true), ("reject", true), ("alert", false)] {
        let mut lab = Lab::adjusted(rule, &filter(action));
        assert_eq!(lab.packet(&request(b"x")), [1]);
        assert_eq!(lab.effect, Effect::None);
        assert_eq!(lab.packet(&request(b"x")), [1]);
        assert_eq!(matches!(lab.effect, Effect::Drop { .. }), drops, "{action}");
    }
    let mut lab = Lab::adjusted(&rule.replace("alert", "drop"), &filter("pass"));
    lab.packet(&request(b"x"));
    assert!(matches!(lab.effect, Effect::Drop { .. }));
    assert_eq!(lab.packet(&request(b"x")), NONE);
    assert!(matches!(lab.effect, Effect::Pass { .. }));
}
