//! What the frames of one direction of a transaction said: the numbers that rules compare.
//!
//! Types and priorities are sets, the rest are the last values, [`REMEMBERED`] of each kind: what comes is
//! always there to be compared.

/// Values of a kind that are remembered.
const REMEMBERED: usize = 64;

/// Values whose memory is kept for the next transaction.
const KEPT: usize = 4;

/// Numbers below 256, each once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    fn iter(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |byte| self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0)
    }
}

/// What the frames said.
#[derive(Debug, Default)]
pub(super) struct Facts {
    types: Bytes,
    priorities: Bytes,
    pub(super) errors: Last<u32>,
    windows: Last<u32>,
    size_updates: Last<u64>,
    pub(super) settings: Last<(u16, u32)>,
}

/// The last values of a kind.
#[derive(Debug)]
pub(super) struct Last<T> {
    values: Vec<T>,
    next: usize,
}

impl<T> Default for Last<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            next: 0,
        }
    }
}

/// A value more than is remembered came: an older one is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forgot;

impl<T: Copy + PartialEq> Last<T> {
    fn add(&mut self, value: T) -> Result<(), Forgot> {
        if self.values.contains(&value) {
            return Ok(());
        }
        if self.values.len() < REMEMBERED {
            self.values.push(value);
            return Ok(());
        }
        if let Some(oldest) = self.values.get_mut(self.next) {
            *oldest = value;
        }
        self.next = (self.next + 1) % REMEMBERED;
        Err(Forgot)
    }

    pub(super) fn get(&self, index: usize) -> Option<T> {
        self.values.get(index).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    fn clear(&mut self) {
        self.values.clear();
        self.values.shrink_to(KEPT);
        self.next = 0;
    }
}

impl Facts {
    pub(super) fn frame(&mut self, kind: u8) {
        self.types.add(kind);
    }

    pub(super) fn priority(&mut self, weight: u8) {
        self.priorities.add(weight);
    }

    pub(super) fn error(&mut self, code: u32) -> Result<(), Forgot> {
        self.errors.add(code)
    }

    pub(super) fn window(&mut self, increment: u32) -> Result<(), Forgot> {
        self.windows.add(increment)
    }

    pub(super) fn size_update(&mut self, size: u64) -> Result<(), Forgot> {
        self.size_updates.add(size)
    }

    pub(super) fn setting(&mut self, setting: (u16, u32)) -> Result<(), Forgot> {
        self.settings.add(setting)
    }

    pub(super) fn first_priority(&self) -> Option<u8> {
        self.priorities.iter().next()
    }

    /// The `index`th number of a keyword.
    pub(super) fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        let setting = |id: u16| {
            let mut all = (0..self.settings.len()).filter_map(|at| self.settings.get(at));
            let value = all.by_ref().filter(|(known, _)| *known == id).nth(index)?.1;
            Some(u64::from(value))
        };
        match keyword {
            "http2.frametype" => self.types.iter().nth(index).map(u64::from),
            "http2.priority" => self.priorities.iter().nth(index).map(u64::from),
            "http2.errorcode" => self.errors.get(index).map(u64::from),
            "http2.window" => self.windows.get(index).map(u64::from),
            "http2.size_update" => self.size_updates.get(index),
            _ => super::buffers::setting(keyword).and_then(setting),
        }
    }

    pub(super) fn clear(&mut self) {
        self.types = Bytes::default();
        self.priorities = Bytes::default();
        self.errors.clear();
        self.windows.clear();
        self.size_updates.clear();
        self.settings.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_values_are_remembered() {
        let mut facts = Facts::default();
        for value in 0..64 {
            assert_eq!(facts.window(value), Ok(()));
        }
        assert_eq!(facts.window(3), Ok(()));
        assert_eq!(facts.window(1000), Err(Forgot));
        let all: Vec<u64> = (0..)
            .map_while(|at| facts.number("http2.window", at))
            .collect();
        assert_eq!(
            (all.len(), all.contains(&1000), all.contains(&0)),
            (64, true, false)
        );
        facts.frame(4);
        facts.frame(200);
        facts.frame(4);
        let types: Vec<u64> = (0..)
            .map_while(|at| facts.number("http2.frametype", at))
            .collect();
        assert_eq!(types, [4, 200]);
        facts.setting((2, 0)).unwrap();
        facts.setting((1, 7)).unwrap();
        assert_eq!(facts.number("http2.settings.enable_push", 0), Some(0));
        assert_eq!(facts.number("http2.settings.max_frame_size", 0), None);
    }
}
