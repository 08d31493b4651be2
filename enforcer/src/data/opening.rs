//! Sets opened for the rules that are being compiled.

use std::cell::RefCell;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use weir_engine::detect::{DataKind, DataRoom, DataSet, DataSource, DataSpec, Loaded, Note};

use super::{DataSets, Held, file};
use crate::settings::{Datasets, NamedSet};

/// Bytes of values that a set which traffic changes has room for, unless `memcap` says otherwise.
const ROOM: u64 = 4 << 20;
/// Values and bytes that a loaded set has room for beyond what is loaded.
const SPARE: DataRoom = DataRoom {
    entries: 1024,
    bytes: 64 << 10,
};
/// Bytes of room for each value that a set may hold.
const PER_VALUE: u64 = 64;
/// What a value takes beside its bytes: two slots and an entry.
const OVERHEAD: u64 = 64;

/// Opens sets for one load of the rules.
pub struct Opening<'a> {
    settings: &'a Datasets,
    /// Those in force: what traffic changes is taken over.
    previous: &'a DataSets,
    opened: RefCell<DataSets>,
    seed: [u64; 2],
    /// Sets in force are taken over as they are, whether or not traffic changes them.
    again: bool,
}

impl<'a> Opening<'a> {
    /// Nothing opened yet. `seed` keys the hashes of new sets.
    #[must_use]
    pub fn new(settings: &'a Datasets, previous: &'a DataSets, seed: [u64; 2]) -> Self {
        Self {
            settings,
            previous,
            opened: RefCell::default(),
            seed,
            again: false,
        }
    }

    /// For rules that are compiled again from the same texts: no file of a set in force is read again.
    #[must_use]
    pub fn again(self) -> Self {
        Self {
            again: true,
            ..self
        }
    }

    /// What was opened.
    #[must_use]
    pub fn finish(self) -> DataSets {
        self.opened.into_inner()
    }

    fn described(&self, spec: &DataSpec) -> Result<(DataSpec, bool), String> {
        let name = &spec.name;
        match self.settings.sets.get(name) {
            Some(set) => {
                let described = of_settings(name, set, spec.reputation);
                agree(&described, spec)?;
                Ok((described, true))
            }
            None if spec.kind.is_none() => Err(format!(
                "it lacks `type`, and nothing before it describes a set `{name}`"
            )),
            None => Ok((spec.clone(), false)),
        }
    }

    fn held(&self, spec: &DataSpec, rule_file: &str) -> Result<Held, String> {
        let (spec, settled) = self.described(spec)?;
        let kind = spec.kind.ok_or("it lacks `type`")?;
        let target = self.target(&spec, settled)?;
        if let Some(path) = &target {
            self.is_free(path, &spec.name)?;
        }
        let dynamic = settled || spec.load.is_none();
        if let Some(known) = self.previous.0.get(&spec.name)
            && (known.dynamic || self.again)
            && known.spec == spec
        {
            return Ok(known.clone());
        }
        let source = match &spec.load {
            Some(load) if settled => Some(self.in_data_dir(load)),
            Some(load) => Some(beside(rule_file, load)),
            // What a predecessor has not written yet is empty.
            None if spec.state.is_some() => target.clone().filter(|path| path.exists()),
            None => None,
        };
        let loaded = match source {
            Some(path) => file::read(&path, &spec, kind)?,
            None => Vec::new(),
        };
        let memory = self.room(&spec, &loaded, dynamic)?;
        let set = DataSet::new(kind, memory.0, self.seed, &loaded);
        Ok(Held {
            set: Arc::new(set.ok_or("it is larger than a set can be")?),
            memory: memory.1,
            spec,
            dynamic,
            target,
        })
    }

    /// Room of a set, and what it takes at most.
    fn room(
        &self,
        spec: &DataSpec,
        loaded: &[Loaded],
        dynamic: bool,
    ) -> Result<(DataRoom, u64), String> {
        let bytes: usize = loaded.iter().map(|loaded| loaded.value.len()).sum();
        let notes: usize = loaded.iter().map(|loaded| note_bytes(&loaded.note)).sum();
        let wanted = spec.memcap.unwrap_or(if dynamic { ROOM } else { 0 });
        let least = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        let room = DataRoom {
            entries: least(wanted / PER_VALUE).max(loaded.len().saturating_add(SPARE.entries)),
            bytes: least(wanted).max(bytes.saturating_add(SPARE.bytes)),
        };
        let memory = (room.entries as u64)
            .saturating_mul(OVERHEAD)
            .saturating_add(room.bytes as u64)
            .saturating_add(notes as u64);
        let opened = self.opened.borrow();
        let others: u64 = opened.0.values().map(|held| held.memory).sum();
        let most = self.settings.max_memory;
        if others.saturating_add(memory) > most {
            return Err(format!(
                "it needs {memory} bytes and other sets {others}, more than datasets.maxMemory {most}"
            ));
        }
        Ok((room, memory))
    }

    /// The file that the set is written to.
    fn target(&self, spec: &DataSpec, settled: bool) -> Result<Option<PathBuf>, String> {
        let Some(name) = spec.save.as_ref().or(spec.state.as_ref()) else {
            return Ok(None);
        };
        if !settled && !self.settings.allow_write {
            return Err("rules may not write files: datasets.allowWrite is false".to_owned());
        }
        let path = Path::new(name);
        if path.file_name().is_none() {
            return Err(format!(
                "`{name}` is not the name of a file to write the set to"
            ));
        }
        let inside = path
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        // `C:\\...` is a path of another system, not a name.
        if !settled && !self.settings.allow_absolute_names && (!inside || name.contains('\\')) {
            return Err(format!(
                "`{name}` leads out of the data directory: see datasets.allowAbsoluteNames"
            ));
        }
        let directory = self.settings.data_dir.as_ref();
        Ok(directory.map(|directory| directory.join(path)))
    }

    /// Of two sets that are written to one file, one would be lost.
    fn is_free(&self, path: &Path, name: &str) -> Result<(), String> {
        let opened = self.opened.borrow();
        let mut others = opened.0.iter();
        match others.find(|(other, held)| *other != name && held.target.as_deref() == Some(path)) {
            Some((other, _)) => Err(format!(
                "the set `{other}` is written to {} already: name another file",
                path.display()
            )),
            None => Ok(()),
        }
    }

    fn in_data_dir(&self, name: &str) -> PathBuf {
        let directory = self.settings.data_dir.as_ref();
        directory.map_or_else(|| PathBuf::from(name), |directory| directory.join(name))
    }
}

impl DataSource for Opening<'_> {
    fn open(&self, spec: &DataSpec, rule_file: &str) -> Result<Arc<DataSet>, String> {
        if let Some(held) = self.opened.borrow().0.get(&spec.name) {
            agree(&held.spec, spec)?;
            return Ok(Arc::clone(&held.set));
        }
        let held = self.held(spec, rule_file)?;
        let set = Arc::clone(&held.set);
        self.opened.borrow_mut().0.insert(spec.name.clone(), held);
        Ok(set)
    }
}

/// Whether a later description leaves an earlier one as it is.
fn agree(known: &DataSpec, other: &DataSpec) -> Result<(), String> {
    fn same<T: PartialEq>(known: &Option<T>, other: &Option<T>) -> bool {
        other.is_none() || other == known
    }
    let keys = other.format == known.format || other.format == weir_engine::detect::DataFormat::Csv;
    let agrees = same(&known.kind, &other.kind)
        && same(&known.load, &other.load)
        && same(&known.save, &other.save)
        && same(&known.state, &other.state)
        && same(&known.memcap, &other.memcap)
        && keys;
    if !agrees {
        let name = &known.name;
        return Err(format!(
            "a set `{name}` is described otherwise before: name it otherwise"
        ));
    }
    if known.reputation != other.reputation {
        let name = &known.name;
        return Err(format!(
            "`{name}` is named both by `dataset` and by `datarep`"
        ));
    }
    Ok(())
}

fn of_settings(name: &str, set: &NamedSet, reputation: bool) -> DataSpec {
    DataSpec {
        name: name.to_owned(),
        kind: DataKind::named(&set.kind),
        load: set.load.clone(),
        save: set.save.clone(),
        state: set.state.clone(),
        memcap: set.memcap,
        reputation,
        ..DataSpec::default()
    }
}

fn beside(rule_file: &str, name: &str) -> PathBuf {
    let directory = Path::new(rule_file).parent().unwrap_or(Path::new(""));
    directory.join(name)
}

fn note_bytes(note: &Note) -> usize {
    match note {
        Note::Json(text) => text.len().saturating_add(size_of::<Note>()),
        Note::None | Note::Reputation(_) => size_of::<Note>(),
    }
}
