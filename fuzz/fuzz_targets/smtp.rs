//! Both sides of an SMTP session: see `weir_fuzz::peers`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::app_layer::Limits;
use weir_fuzz::peers::{Settling, check};

fuzz_target!(|data: &[u8]| check("smtp", &Limits::default(), Settling::AsTheEngine, data));
