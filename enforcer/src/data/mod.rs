//! Sets of data that rules look buffers up in: from files, kept across reloads, written at the end.
//!
//! A set that is only loaded is read anew with each reload; one that traffic changes lives on as long as
//! rules describe it the same way. A name in `load` is relative to the rule's file; one in `state` or `save`
//! to the data directory, which it must not leave unless the settings allow it.

mod file;
mod json;
mod opening;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_engine::detect::{DataSet, DataSpec};

pub use opening::Opening;

/// The sets in use, by name.
#[derive(Clone, Debug, Default)]
pub struct DataSets(BTreeMap<String, Held>);

/// A set and how it was described.
#[derive(Clone, Debug)]
struct Held {
    spec: DataSpec,
    set: Arc<DataSet>,
    /// What it may take, bytes.
    memory: u64,
    /// Traffic changes it: it outlives reloads.
    dynamic: bool,
    /// File that it is written to.
    target: Option<PathBuf>,
}

/// Why a set could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write data set {name} to {path}: {source}; check datasets.dataDir", path = path.display())]
pub struct SaveError {
    name: String,
    path: PathBuf,
    source: std::io::Error,
}

impl DataSets {
    /// Writes every set that is to be kept. A file is replaced as a whole.
    ///
    /// # Errors
    ///
    /// The sets that could not be written; the others are.
    pub fn save(&self) -> Result<(), Vec<SaveError>> {
        let errors: Vec<SaveError> = self
            .0
            .iter()
            .filter_map(|(name, held)| {
                let path = held.target.as_deref()?;
                let source = write(path, &held.set).err()?;
                Some(SaveError {
                    name: name.clone(),
                    path: path.to_owned(),
                    source,
                })
            })
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }

    /// Writes every set that is to be kept; what goes wrong is logged.
    pub fn save_or_log(&self) {
        for error in self.save().err().into_iter().flatten() {
            log::error!("{error}");
        }
    }
}

fn write(path: &Path, set: &DataSet) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut text = String::new();
    set.for_each(|value| {
        text.push_str(&set.kind().write(value));
        text.push('\n');
    });
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}
