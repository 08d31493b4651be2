//! Variables that `byte_extract` and `byte_math` define, within one buffer of one signature.

use weir_policies::rule::ast::Operand;

use super::bytes::signed;
use crate::detect::program::{MAX_VARIABLES, Value};

/// Names to indices.
#[derive(Debug, Default)]
pub(super) struct VariableNames(Vec<String>);

impl VariableNames {
    /// Whether any is defined.
    pub(super) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    /// The index of a name; defining it again writes the same variable.
    pub(super) fn define(&mut self, name: &str) -> Result<u8, String> {
        let known = self.0.iter().position(|known| known == name);
        let index = match known {
            Some(index) => index,
            None if self.0.len() >= MAX_VARIABLES => {
                return Err(format!(
                    "a rule may define {MAX_VARIABLES} variables at most"
                ));
            }
            None => {
                self.0.push(name.to_owned());
                self.0.len() - 1
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

    fn variable(&self, name: &str) -> Result<Value, String> {
        let index = self.0.iter().position(|known| known == name);
        let index = index.and_then(|index| u8::try_from(index).ok());
        index.map(Value::Variable).ok_or_else(|| {
            format!("the variable `{name}` is not defined before it in the same buffer")
        })
    }
}
