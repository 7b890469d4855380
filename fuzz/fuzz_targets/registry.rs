#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| dns_drift_fuzz::registry(data));
