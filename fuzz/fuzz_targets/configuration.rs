//! Any text as one of the configuration files beside rules: no panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_policies::classification::Classes;
use weir_policies::reference::References;
use weir_policies::rule::{parse_addresses, parse_ports};
use weir_policies::threshold_config;
use weir_policies::vars::Vars;

fuzz_target!(|text: &str| {
    let _ = Classes::parse(text);
    let _ = References::parse(text);
    let _ = threshold_config::parse(text);
    let mut vars = Vars::new();
    for line in text.lines() {
        if let Ok(expression) = parse_addresses(line) {
            assert_eq!(
                parse_addresses(&expression.to_string()).as_ref(),
                Ok(&expression)
            );
            let _ = vars.expand_address(&expression);
        }
        if let Ok(expression) = parse_ports(line) {
            assert_eq!(
                parse_ports(&expression.to_string()).as_ref(),
                Ok(&expression)
            );
            let _ = vars.expand_port(&expression);
        }
        if let Some((name, value)) = line.split_once('=') {
            let _ = vars.set_address(name, value);
            let _ = vars.set_port(name, value);
        }
    }
    let _ = vars.resolve();
});
