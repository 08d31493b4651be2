//! HTTP/2 connections, DNS in them included: see `weir_fuzz::peers`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_engine::app_layer::Limits;
use weir_fuzz::peers::{Settling, check};

fuzz_target!(|data: &[u8]| check("http2", &Limits::default(), Settling::AsTheEngine, data));
