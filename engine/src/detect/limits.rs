//! Every bound of the detection stage, in one place.

/// Bounds on work and memory. Each one that is hit is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Steps that matching one signature against one buffer may take, backtracking included, before
    /// it counts as not matching (`inspection-recursion-limit` in the documentation: 3000).
    pub match_steps: u32,
    /// Alerts one packet may raise (`packet-alert-max`: 15). The weightiest are kept.
    pub alerts: usize,
    /// Flowbits, and integer variables, that one flow may hold.
    pub flow_variables: usize,
    /// Entries of a worker's threshold table.
    pub thresholds: usize,
    /// Entries of a worker's table of bits on hosts and host pairs.
    pub host_bits: usize,
    /// Entries of a worker's table of tagged hosts.
    pub tagged_hosts: usize,
    /// `(*LIMIT_MATCH=...)` of the backtracking regular-expression engine
    /// (`pcre.match-limit`: 3500).
    pub pcre_match: u32,
    /// `(*LIMIT_DEPTH=...)` of the same (`pcre.match-limit-recursion`: 1500).
    pub pcre_depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            match_steps: 3000,
            alerts: 15,
            flow_variables: 64,
            thresholds: 16_384,
            host_bits: 16_384,
            tagged_hosts: 1024,
            pcre_match: 3500,
            pcre_depth: 1500,
        }
    }
}
