//! Why keywords that the language has are refused.

/// The reason to give for a keyword that is not evaluated.
pub(super) fn unavailable(keyword: &str) -> String {
    let why = match keyword {
        "geoip" => "there is no database of places: name the networks, or use `iprep` or `dataset`",
        "lua" | "luaxform" => "there is no interpreter of Lua",
        "replace" => {
            "weir delivers the bytes that it inspected, or none: a rule cannot change them; use `drop`"
        }
        "flow.elephant" => "flows are not told apart by rate: use `flow.bytes` and `flow.age`",
        "nfq_set_mark" => "packets do not pass through NFQUEUE",
        "vxlan_vni" | "geneve_vni" => "the number of the virtual network is not kept of a tunnel",
        _ => return "this keyword is not evaluated".to_owned(),
    };
    format!("not evaluated: {why}")
}
