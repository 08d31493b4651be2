//! Removes what killed test and benchmark runs left: namespaces, processes, directories.
//!
//! Test runs do this on their own when they start; the scripts do it when they are interrupted.

fn main() -> anyhow::Result<()> {
    weir_tests::netns::require_root()?;
    weir_tests::sweep::once();
    Ok(())
}
