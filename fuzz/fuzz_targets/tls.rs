//! Both sides of a TLS session: see `weir_fuzz::peers`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::app_layer::Limits;

fuzz_target!(|data: &[u8]| weir_fuzz::peers::check("tls", &Limits::default(), data));
