//! Variables that `byte_extract` and `byte_math` define, within one signature. Each belongs to the buffer that
//! it is read from.

use std::cell::RefCell;

use weir_policies::rule::ast::Operand;

use super::bytes::signed;
use crate::detect::program::{MAX_VARIABLES, Value};

/// A buffer of a signature, by number.
pub(super) type Owner = usize;

/// Names to indices.
#[derive(Debug, Default)]
pub(super) struct VariableNames {
    known: Vec<(String, Owner)>,
    /// The buffer whose tests are read.
    reader: Owner,
    /// What was used since the reader was named, by whom it belongs to.
    used: RefCell<Vec<Owner>>,
}

impl VariableNames {
    /// Says whose tests are read next.
    pub(super) fn read_for(&mut self, reader: Owner) {
        self.reader = reader;
        self.used.get_mut().clear();
    }

    /// The other buffers whose variables were used since.
    pub(super) fn foreign(&self) -> Vec<Owner> {
        let mut foreign = self.used.borrow().clone();
        foreign.retain(|owner| *owner != self.reader);
        foreign
    }

    /// Whether the buffer defines any.
    pub(super) fn any(&self, owner: Owner) -> bool {
        self.known.iter().any(|(_, of)| *of == owner)
    }

    /// The index of a name; defining it again in the same buffer writes the same variable.
    pub(super) fn define(&mut self, name: &str) -> Result<u8, String> {
        let mut known = self.known.iter();
        let known = known.position(|(known, owner)| known == name && *owner == self.reader);
        let index = match known {
            Some(index) => index,
            None if self.known.len() >= MAX_VARIABLES => {
                return Err(format!(
                    "a rule may define {MAX_VARIABLES} variables at most"
                ));
            }
            None => {
                self.known.push((name.to_owned(), self.reader));
                self.known.len() - 1
            }
        };
        u8::try_from(index).map_err(|_| "too many variables".to_owned())
    }

    /// A number, or a variable that was defined before.
    pub(super) fn value(&self, text: &str) -> Result<Value, String> {
        let text = text.trim();
        if text.starts_with(|letter: char| letter.is_ascii_digit() || "+-".contains(letter)) {
            return signed(text).map(Value::Number);
        }
        self.variable(text)
    }

    /// A modifier's operand.
    pub(super) fn operand(&self, operand: &Operand) -> Result<Value, String> {
        match operand {
            Operand::Number(number) => Ok(Value::Number((*number).into())),
            Operand::Variable(name) => self.variable(name),
        }
    }

    /// The buffer's own variable of that name, else the one that another buffer defined last.
    fn variable(&self, name: &str) -> Result<Value, String> {
        let own = |(known, owner): &(String, Owner)| known == name && *owner == self.reader;
        let own = self.known.iter().position(own);
        let index = own.or_else(|| self.known.iter().rposition(|(known, _)| known == name));
        let found =
            index.and_then(|index| Some((u8::try_from(index).ok()?, self.known.get(index)?)));
        let (index, (_, owner)) =
            found.ok_or_else(|| format!("the variable `{name}` is not defined before it"))?;
        self.used.borrow_mut().push(*owner);
        Ok(Value::Variable(index))
    }
}
