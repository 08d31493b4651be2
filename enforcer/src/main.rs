//! The `weir` binary.

fn main() -> std::process::ExitCode {
    weir_enforcer::main()
}
