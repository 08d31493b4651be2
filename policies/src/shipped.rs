//! The rules that weir ships, embedded.
//!
//! One file a category; `README.md` beside them says how sids are given out and how the rules are
//! written. `cases.yaml` has traffic for every signature.

/// Name and text of every shipped rule file.
pub const RULE_FILES: &[(&str, &str)] = &[
    (
        "web-attacks.rules",
        include_str!("../rules/web-attacks.rules"),
    ),
    (
        "cloud-metadata.rules",
        include_str!("../rules/cloud-metadata.rules"),
    ),
    (
        "orchestrator.rules",
        include_str!("../rules/orchestrator.rules"),
    ),
    (
        "data-stores.rules",
        include_str!("../rules/data-stores.rules"),
    ),
    ("shells.rules", include_str!("../rules/shells.rules")),
    ("mining.rules", include_str!("../rules/mining.rules")),
    ("smb.rules", include_str!("../rules/smb.rules")),
    ("scan.rules", include_str!("../rules/scan.rules")),
    ("protocols.rules", include_str!("../rules/protocols.rules")),
    ("http.rules", include_str!("../rules/http.rules")),
];

/// Traffic that fires each shipped signature, and near misses that do not, as YAML.
pub const CASES: &str = include_str!("../rules/cases.yaml");

/// First and last sid of the shipped rules.
pub const SIDS: std::ops::RangeInclusive<u32> = 9_200_000..=9_200_999;

/// Address variables of the default settings, each `any`: between pods no side is home or away.
pub const ADDRESS_VARIABLES: [&str; 15] = [
    "HOME_NET",
    "EXTERNAL_NET",
    "HTTP_SERVERS",
    "SMTP_SERVERS",
    "SQL_SERVERS",
    "DNS_SERVERS",
    "TELNET_SERVERS",
    "AIM_SERVERS",
    "DC_SERVERS",
    "DNP3_SERVER",
    "DNP3_CLIENT",
    "MODBUS_CLIENT",
    "MODBUS_SERVER",
    "ENIP_CLIENT",
    "ENIP_SERVER",
];

/// Port variables of the default settings, each `any`: a pod's port says little about its service.
pub const PORT_VARIABLES: [&str; 12] = [
    "HTTP_PORTS",
    "SHELLCODE_PORTS",
    "ORACLE_PORTS",
    "SSH_PORTS",
    "DNP3_PORTS",
    "MODBUS_PORTS",
    "FILE_DATA_PORTS",
    "FTP_PORTS",
    "GENEVE_PORTS",
    "VXLAN_PORTS",
    "TEREDO_PORTS",
    "SIP_PORTS",
];
