//! `classification.config`: classes of rules, their meaning and default priority.
//!
//! One line a class: `config classification: name,description,priority`. `#` starts a comment.

use std::collections::HashMap;

use crate::config_line::{self, LineError};

/// The classes weir ships.
pub const SHIPPED: &str = include_str!("../classification.config");

/// What a class means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// For people, as events name it.
    pub description: String,
    /// Default priority of the class's rules, 1 (highest) to 255.
    pub priority: u8,
}

/// Classes by the name that `classtype` gives; names are matched in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    classes: HashMap<String, Class>,
}

impl Classes {
    /// Reads a file. Lines that cannot be read are returned beside the classes; of two classes of one
    /// name the first stays.
    #[must_use]
    pub fn parse(text: &str) -> (Self, Vec<LineError>) {
        let mut classes = HashMap::new();
        let mut errors = Vec::new();
        for (line, body) in config_line::entries(text) {
            match class(body) {
                Ok((name, class)) => {
                    classes.entry(name).or_insert(class);
                }
                Err(message) => errors.push(LineError { line, message }),
            }
        }
        (Self { classes }, errors)
    }

    /// The shipped classes.
    #[must_use]
    pub fn shipped() -> Self {
        Self::parse(SHIPPED).0
    }

    /// The class of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Class> {
        self.classes.get(&name.to_ascii_lowercase())
    }

    /// How many classes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }
}

fn class(body: &str) -> Result<(String, Class), String> {
    let body = config_line::value(body, "config classification:")?;
    let mut parts = body.splitn(2, ',');
    let name = parts.next().unwrap_or_default().trim();
    let (description, priority) = parts
        .next()
        .and_then(|rest| rest.rsplit_once(','))
        .ok_or_else(|| {
            format!(
                "expected `name,description,priority`, found `{}`",
                body.escape_debug()
            )
        })?;
    if !config_line::is_name(name) {
        return Err(format!(
            "expected the name of a class, found `{}`",
            name.escape_debug()
        ));
    }
    let priority = priority
        .trim()
        .parse()
        .ok()
        .filter(|priority| *priority > 0)
        .ok_or_else(|| {
            format!(
                "expected a priority from 1 to 255, found `{}`",
                priority.trim().escape_debug()
            )
        })?;
    Ok((
        name.to_ascii_lowercase(),
        Class {
            description: description.trim().to_owned(),
            priority,
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_found_by_name_in_any_case() {
        let (classes, errors) = Classes::parse(
            "# note\nconfig classification: Web-Attack,An attack, on a web server ,1\n",
        );
        assert_eq!(errors, []);
        let class = classes.get("web-attack").unwrap();
        assert_eq!(class.description, "An attack, on a web server");
        assert_eq!(class.priority, 1);
        assert_eq!(classes.get("other"), None);
    }

    #[test]
    fn bad_lines_are_named_and_the_others_stand() {
        let (classes, errors) = Classes::parse(
            "config classification: a,b,0\nconfig reference: x y\nconfig classification: a b,c,1\n\
             config classification: ok,fine,3\nnonsense",
        );
        assert_eq!(
            errors.iter().map(|error| error.line).collect::<Vec<_>>(),
            [1, 2, 3, 5]
        );
        assert_eq!(classes.len(), 1);
    }

    #[test]
    fn the_shipped_file_reads_clean() {
        let (classes, errors) = Classes::parse(SHIPPED);
        assert_eq!(errors, []);
        assert_eq!(
            classes.get("web-application-attack").map(|c| c.priority),
            Some(1)
        );
    }
}
