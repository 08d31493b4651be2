//! Files that a rule asks for, stored and told.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use weir_tests::command::Run;

const LIMIT: Duration = Duration::from_secs(60);

/// A capture with downloads, one of them an image.
const CASE: &str = "verify/data/filestore-filecontainer-http";

/// Replays the capture with a rule that stores images, and holds the store against the records.
pub(crate) fn check(weir: &Path, corpus: &Path) -> Result<()> {
    let folder = std::env::temp_dir().join(format!("weir-store-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let rules = folder.join("store.rules");
    std::fs::write(
        &rules,
        "alert http any any -> any any (filemagic:\"PNG image data\"; filestore; sid:1;)\n",
    )?;
    let store = folder.join("files");
    let mut command = Command::new(weir);
    command
        .args(["replay", "--events", "alert,files", "--eve", "-", "--pcap"])
        .arg(corpus.join(CASE).join("filecontainer-http.pcap"))
        .arg("--rules")
        .arg(&rules)
        .arg("--file-store")
        .arg(&store);
    let text = Run::new(&mut command).limit(LIMIT).succeed()?;
    let lines = text.lines().map(serde_json::from_str::<Value>);
    let events: Vec<Value> = lines.collect::<Result<_, _>>()?;
    let files = events
        .iter()
        .filter(|event| event["event_type"] == "fileinfo");
    let (stored, others): (Vec<_>, Vec<_>) = files
        .map(|event| &event["fileinfo"])
        .partition(|info| info["stored"] == true);
    ensure!(stored.len() == 1 && others.len() > 5, "{stored:?}");
    let info = stored[0];
    ensure!(
        info["sid"].as_array().is_some_and(|sids| sids.len() == 1),
        "{info}"
    );
    let name = info["sha256"].as_str().context("its digest")?;
    let path = store.join(&name[..2]).join(name);
    let bytes = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let digest: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    ensure!(digest == name && bytes.starts_with(b"\x89PNG"), "{digest}");
    ensure!(info["size"] == bytes.len(), "{info}");
    ensure!(
        info["magic"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("PNG")),
        "{info}"
    );
    let records = std::fs::read_dir(store.join(&name[..2]))?.count();
    ensure!(records == 2, "{records} files beside it");
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
