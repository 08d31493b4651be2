//! Variables: the shapes they are written in, resolution, circles.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use weir_policies::rule::ast::{AddressExpr, PortExpr};
use weir_policies::rule::{parse_addresses, parse_ports};
use weir_policies::vars::{Vars, VarsError, VarsFile};

const FILE: &str = r#"
# as rule sets expect them
vars:
  address-groups:
    HOME_NET: "[192.168.0.0/16,10.0.0.0/8]"
    EXTERNAL_NET: "!$HOME_NET"
    AIM_SERVERS: any
  port-groups:
    HTTP_PORTS: "80"
    ORACLE_PORTS: 1521
    FILE_DATA_PORTS: "[$HTTP_PORTS,110]"
other: ignored
"#;

fn vars(addresses: &[(&str, &str)]) -> Vars {
    let mut vars = Vars::new();
    for (name, value) in addresses {
        vars.set_address(name, value).unwrap();
    }
    vars
}

#[test]
fn the_usual_file_is_read_with_numbers_and_text() {
    let vars = serde_saphyr::from_str::<VarsFile>(FILE).unwrap().vars;
    assert_eq!(
        vars.port("ORACLE_PORTS"),
        Some(&PortExpr::Range(1521, 1521))
    );
    assert_eq!(
        vars.address("EXTERNAL_NET"),
        Some(&AddressExpr::Not(Box::new(AddressExpr::Variable(
            "HOME_NET".to_owned()
        ))))
    );
    assert_eq!(vars.address("NO_SUCH"), None);
}

#[test]
fn expansion_replaces_every_variable() {
    let vars = serde_saphyr::from_str::<VarsFile>(FILE).unwrap().vars;
    let expression = parse_addresses("[$EXTERNAL_NET,1.2.3.4]").unwrap();
    assert_eq!(
        vars.expand_address(&expression),
        Ok(parse_addresses("[![192.168.0.0/16,10.0.0.0/8],1.2.3.4]").unwrap())
    );
    let expression = parse_ports("!$FILE_DATA_PORTS").unwrap();
    assert_eq!(
        vars.expand_port(&expression),
        Ok(parse_ports("![80,110]").unwrap())
    );
}

#[test]
fn circles_are_found_and_shown() {
    let vars = vars(&[("A", "$B"), ("B", "[10.0.0.1,!$C]"), ("C", "$A")]);
    let error = vars.resolve().unwrap_err();
    assert_eq!(
        error.to_string(),
        "variable A refers to itself: A -> B -> C -> A"
    );
    let error = vars
        .expand_address(&AddressExpr::Variable("A".to_owned()))
        .unwrap_err();
    assert!(matches!(error, VarsError::TooDeep { .. }));
}

#[test]
fn a_missing_variable_is_named_with_its_user() {
    let vars = vars(&[("A", "$NOPE")]);
    assert_eq!(
        vars.resolve().unwrap_err().to_string(),
        "variable A refers to $NOPE, which is not defined among the address-groups"
    );
}

#[test]
fn a_wide_net_of_variables_is_followed_once_each() {
    let mut wide = Vars::new();
    wide.set_address("V0", "10.0.0.1").unwrap();
    for index in 1..30 {
        let value = format!("[$V{0},$V{0},$V{0}]", index - 1);
        wide.set_address(&format!("V{index}"), &value).unwrap();
    }
    assert_eq!(wide.resolve(), Ok(()));
}

#[test]
fn bad_values_and_unknown_groups_are_refused() {
    let error = serde_json::from_str::<Vars>(r#"{"address-groups":{"A":"10.0.0.300"}}"#);
    assert!(error.unwrap_err().to_string().contains("variable A"));
    let error = serde_json::from_str::<Vars>(r#"{"port-groups":{"P":70000}}"#);
    assert!(error.unwrap_err().to_string().contains("variable P"));
    assert!(serde_json::from_str::<Vars>(r#"{"adress-groups":{}}"#).is_err());
}

#[test]
fn the_default_for_east_west_traffic_is_any() {
    let vars = Vars::east_west();
    assert_eq!(vars.resolve(), Ok(()));
    assert_eq!(vars.address("EXTERNAL_NET"), Some(&AddressExpr::Any));
    assert_eq!(vars.port("HTTP_PORTS"), Some(&PortExpr::Any));
    assert!(
        vars.addresses()
            .all(|(_, value)| *value == AddressExpr::Any)
    );
}
