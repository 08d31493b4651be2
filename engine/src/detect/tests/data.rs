//! `dataset` and `datarep`.

use super::lab::{Lab, compile};
use super::transactions::{answer, question};
use crate::detect::Remark;
use crate::event::FlowDirection::{ToClient, ToServer};

const NONE: [u32; 0] = [];

#[test]
fn a_value_matches_when_it_is_new_to_the_set_or_in_it() {
    let mut lab = Lab::new(
        r#"alert dns any any -> any any (dns.query; dataset:set,seen,type string; sid:1;)
        alert dns any any -> any any (dns.query; content:"b"; dataset:unset,seen; sid:2;)
        alert dns any any -> any any (dns.query; dataset:isset,known,type string,load a.b+c.d; sid:3;)
        alert dns any any -> any any (dns.query; dataset:isnotset,known; sid:4;)
        alert dns any any -> any any (dns.query; to_md5; dataset:isset,digests,type md5,load 187ef4436122d1cc2f40dc2b92f0eba0; sid:5;)"#,
    );
    assert_eq!(lab.datagram(ToServer, &question(&["a", "c"])), [1, 4]);
    assert_eq!(lab.datagram(ToServer, &question(&["a", "c"])), [4]);
    assert_eq!(lab.datagram(ToServer, &question(&["a", "b"])), [1, 2, 3]);
    assert_eq!(lab.datagram(ToServer, &question(&["ab"])), [1, 2, 4, 5]);
    assert_eq!(lab.datagram(ToServer, &question(&["c", "d"])), [1, 3]);
    // a.c, c.d and two more fill it.
    assert_eq!(lab.datagram(ToServer, &question(&["x"])), [1, 4]);
    assert_eq!(lab.datagram(ToServer, &question(&["y"])), [1, 4]);
    assert_eq!(lab.datagram(ToServer, &question(&["z"])), [4]);
    assert_eq!(lab.detector.counters().data_full, 1);
}

#[test]
fn a_set_changes_only_when_all_else_matches() {
    let mut lab = Lab::new(
        r#"alert dns any any => any any (dns.query; dataset:set,seen,type string; dns.response.rrname; content:"b"; sid:1;)
        alert dns any any -> any any (flow:to_server; dns.query; dataset:isset,seen,type string; sid:2;)
        alert udp any any -> any any (ip.dst; dataset:set,hosts,type ip; content:"b"; sid:3;)
        alert udp any any -> any any (ip.src; dataset:isset,hosts; ip.dst; dataset:isnotset,hosts; sid:4;)"#,
    );
    assert_eq!(lab.datagram(ToServer, &question(&["a"])), NONE);
    assert_eq!(
        lab.datagram(ToServer, &question(&["a"])),
        NONE,
        "no answer yet"
    );
    assert_eq!(lab.datagram(ToClient, &answer(&["a"])), NONE);
    assert_eq!(lab.datagram(ToServer, &question(&["b"])), NONE);
}

#[test]
fn a_name_is_found_by_what_it_ends_with() {
    let mut lab = Lab::new(
        "alert dns any any -> any any (dns.query; dotprefix; \
         dataset:isset,bad,type string,match subdomain,load .evil.com; sid:1;)",
    );
    for (labels, fires) in [
        (&["evil", "com"][..], true),
        (&["www", "evil", "com"], true),
        (&["notevil", "com"], false),
        (&["evil", "com", "au"], false),
    ] {
        let fired = lab.datagram(ToServer, &question(labels));
        assert_eq!(!fired.is_empty(), fires, "{labels:?}");
    }
}

#[test]
fn reputation_is_compared_and_context_is_told() {
    let mut lab = Lab::new(
        r#"alert dns any any -> any any (dns.query; datarep:rep,>,200,load a=255+b=100,type string; sid:1;)
        alert dns any any -> any any (dns.query; datarep:rep,<=,100; sid:2;)
        alert dns any any -> any any (dns.query; dataset:isset,json,type string,load c={},format ndjson,value_key v,context_key why; sid:3;)"#,
    );
    assert_eq!(lab.datagram(ToServer, &question(&["a"])), [1]);
    assert_eq!(lab.datagram(ToServer, &question(&["b"])), [2]);
    assert!(lab.remarks.is_empty());
    assert_eq!(lab.datagram(ToServer, &question(&["c"])), [3]);
    let (key, json) = ("why".into(), "{}".into());
    assert_eq!(lab.remarks, [Remark::Context { key, json }]);
}

#[test]
fn options_that_say_nothing_sensible_are_refused() {
    for options in [
        "dataset:isset,x",
        "dataset:isset,",
        "dataset:look,x,type string",
        "dataset:isset,x,type number",
        "dataset:isset,x,type string,state a,load a",
        "dataset:isset,x,type string,load a,format xml",
        "dataset:isset,x,type string,load a,format json,value_key v",
        "dataset:set,x,type string,load a,format json,value_key v,context_key k",
        "dataset:isset,x,type string,value_key v",
        "dataset:isset,x,type ip,match subdomain",
        "dataset:isset,x,type string,memcap much",
        "datarep:x,~,1,type string",
        "datarep:x,>,70000,type string",
        "datarep:x,>,1,type string,state a",
    ] {
        let rule = format!("alert dns any any -> any any (dns.query; {options}; sid:1;)");
        let compiled = compile(&rule);
        assert_eq!(compiled.refused.len(), 1, "{options}");
    }
}
