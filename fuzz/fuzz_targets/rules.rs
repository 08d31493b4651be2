//! Any bytes as a file of rules: no panic, and whatever is read prints back to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_policies::rule::canonical;
use weir_policies::{parse, parse_bytes};

fuzz_target!(|data: &[u8]| {
    for rule in parse_bytes(data).rules {
        let expected = rule.clone().without_positions();
        let again = parse(&rule.to_string());
        assert!(again.diagnostics.is_empty(), "{rule}: {again:?}");
        let again = again
            .rules
            .into_iter()
            .next()
            .map(|rule| rule.without_positions());
        assert_eq!(again.as_ref(), Some(&expected), "{rule}");

        let text = canonical(&rule);
        let again = parse(&text);
        assert!(again.diagnostics.is_empty(), "{text}: {again:?}");
        let again = again.rules.into_iter().next().map(|rule| {
            let mut rule = rule.without_positions();
            rule.body = Box::default();
            rule
        });
        let mut expected = expected;
        expected.body = Box::default();
        assert_eq!(again, Some(expected), "{text}");
    }
});
