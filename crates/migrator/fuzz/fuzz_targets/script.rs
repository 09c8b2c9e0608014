//! Any text as a migration: see `sysndd_migrator::fuzzing`.
#![no_main]

libfuzzer_sys::fuzz_target!(|script: &str| sysndd_migrator::fuzzing::script(script));
