//! Any bytes as a network configuration: no panic, and `prevResult` comes out as it went in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use weir_cni_plugin::config::{NetworkConfig, stated_version};
use weir_cni_plugin::pod_args::pod_from_args;
use weir_cni_plugin::policy;

fuzz_target!(|data: &[u8]| {
    let _ = stated_version(data);
    let Ok(config) = NetworkConfig::parse(data) else {
        return;
    };
    let _ = config.run_dir_or_default();
    let _ = config.valid_attachments();
    if let (Ok(options), Ok(annotations)) = (config.options(), config.pod_annotations()) {
        let pod = pod_from_args(config.name());
        if let Ok(tight) = policy::resolve(&options, &annotations, &pod) {
            let may_loosen = options.loosen.iter().any(|pattern| pattern.matches(None));
            assert!(may_loosen || tight.wired.mode >= options.mode);
            assert!(may_loosen || tight.wired.fail_mode >= options.fail_mode);
            assert!(may_loosen || tight.anti_spoof >= options.anti_spoof);
        }
    }
    if let Ok(prev_result) = config.prev_result() {
        let _ = prev_result.pod_ips("eth0");
        let printed = prev_result
            .print(config.version())
            .expect("prints what it read");
        passes_through(data, &printed, config.version().as_str());
    }
});

/// Compares as `serde_json` reads both, where it can (it limits the depth).
fn passes_through(stdin: &[u8], printed: &[u8], version: &str) {
    let Ok(mut expected) = serde_json::from_slice::<Value>(stdin) else {
        return;
    };
    let mut expected = expected["prevResult"].take();
    expected["cniVersion"] = version.into();
    assert_eq!(
        serde_json::from_slice::<Value>(printed).ok(),
        Some(expected)
    );
}
