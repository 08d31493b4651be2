//! What weir has in a node's kernel and run directory.

use std::fs;

use anyhow::{Result, ensure};
use weir_tests::node::Node;
use weir_tests::ruleset::hooked;

/// Listing of weir's table, `""` when there is none.
pub(crate) fn table(node: &Node) -> Result<String> {
    node.ns
        .sh("nft -s list table netdev weir 2>/dev/null || true")
}

/// Names of the record files, sorted.
pub(crate) fn records(node: &Node) -> Result<Vec<String>> {
    let directory = node.run_dir().join("attachments");
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// No attachment has left anything: chain, address, record or temporary file.
pub(crate) fn ensure_nothing_attached(node: &Node) -> Result<()> {
    let (hooked, records, table) = (hooked(node)?, records(node)?, table(node)?);
    ensure!(hooked.is_empty(), "chains are left on {hooked:?}:\n{table}");
    ensure!(records.is_empty(), "records are left: {records:?}");
    ensure!(!table.contains("elements"), "addresses are left:\n{table}");
    Ok(())
}

/// Exactly these host interfaces are wired, each in both directions and with a record.
pub(crate) fn ensure_wired(node: &Node, host_ifnames: &[&str]) -> Result<()> {
    let mut expected: Vec<_> = host_ifnames
        .iter()
        .flat_map(|name| [*name, *name])
        .collect();
    expected.sort_unstable();
    let (hooked, table) = (hooked(node)?, table(node)?);
    ensure!(
        hooked == expected,
        "wired: {hooked:?}, expected {expected:?}:\n{table}"
    );
    ensure!(table.contains("elements"), "no local addresses:\n{table}");
    let records = records(node)?;
    ensure!(records.len() == host_ifnames.len(), "records: {records:?}");
    Ok(())
}
