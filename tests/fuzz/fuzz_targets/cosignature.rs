#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    hutong_tests::fuzzing::cosignature(bytes);
});
