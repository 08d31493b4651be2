//! Variables that expressions capture, of a flow or of a packet.

use crate::detect::outcome::Excerpt;

/// Variables that one flow, or one packet, may have.
const VARIABLES: usize = 16;

/// Named values; the first bytes of each name and value.
#[derive(Debug, Default)]
pub(crate) struct Captured(Vec<(Excerpt, Excerpt)>);

impl Captured {
    /// Forgets all, keeping the memory.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Gives a variable its value. False: there are too many.
    pub(crate) fn set(&mut self, name: Excerpt, value: Excerpt) -> bool {
        if let Some((_, known)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *known = value;
            return true;
        }
        let room = self.0.len() < VARIABLES;
        if room {
            self.0.push((name, value));
        }
        room
    }

    /// The value of a variable.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let mut known = self.0.iter();
        let found = known.find(|(known, _)| known.bytes() == name);
        found.map(|(_, value)| value.bytes())
    }

    /// All of them, in the order in which they were captured first.
    pub(crate) fn all(&self) -> &[(Excerpt, Excerpt)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_its_latest_value_and_there_are_no_more_than_fit() {
        let mut captured = Captured::default();
        let text = |number: usize| Excerpt::of(number.to_string().as_bytes());
        for number in 0..VARIABLES {
            assert!(captured.set(text(number), text(number)));
        }
        assert!(!captured.set(text(99), text(0)));
        assert!(captured.set(text(3), text(77)));
        assert_eq!(captured.get(b"3"), Some(&b"77"[..]));
        assert_eq!(captured.get(b"99"), None);
        assert_eq!(captured.all().len(), VARIABLES);
        captured.clear();
        assert_eq!(captured.get(b"3"), None);
    }
}
