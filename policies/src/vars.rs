//! Address and port variables in the shape of Suricata's `vars:`.
//!
//! ```yaml
//! vars:
//!   address-groups:
//!     HOME_NET: "[10.0.0.0/8,192.168.0.0/16]"
//!   port-groups:
//!     HTTP_PORTS: "[80,8080]"
//! ```
//!
//! Values are parsed by the grammar of the rule header. [`Vars::resolve`] checks that every variable a
//! value names exists and that none leads back to itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use crate::rule::ast::{AddressExpr, PortExpr};
use crate::rule::{parse_addresses, parse_ports};
use crate::shipped;

/// Longest chain of variables that name each other.
pub const MAX_DEPTH: usize = 32;

/// Why variables cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VarsError {
    /// A value is no address or port expression.
    #[error("variable {name}: {message}")]
    Value {
        /// The variable.
        name: String,
        /// What is wrong with its value.
        message: String,
    },
    /// A value names a variable that does not exist.
    #[error("variable {name} refers to ${missing}, which is not defined among the {group}")]
    Missing {
        /// The variable.
        name: String,
        /// What it names.
        missing: String,
        /// `address-groups` or `port-groups`.
        group: &'static str,
    },
    /// A variable leads back to itself.
    #[error("variable {name} refers to itself: {}", path.join(" -> "))]
    Cycle {
        /// The variable.
        name: String,
        /// The way round.
        path: Vec<String>,
    },
    /// Variables name each other in too long a chain.
    #[error("variable {name} leads through more than {MAX_DEPTH} other variables")]
    TooDeep {
        /// The variable.
        name: String,
    },
}

/// The variables of a configuration. Deserialises from `address-groups` and `port-groups`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Vars {
    addresses: BTreeMap<String, AddressExpr>,
    ports: BTreeMap<String, PortExpr>,
}

/// A file whose only interesting key is `vars`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct VarsFile {
    /// The variables.
    #[serde(default)]
    pub vars: Vars,
}

/// The shape as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, rename = "address-groups")]
    addresses: BTreeMap<String, Scalar>,
    #[serde(default, rename = "port-groups")]
    ports: BTreeMap<String, Scalar>,
}

/// A value: text, or a lone port number.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Number(u64),
    Text(String),
}

impl fmt::Display for Scalar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(out),
            Self::Text(text) => text.fmt(out),
        }
    }
}

impl TryFrom<Written> for Vars {
    type Error = VarsError;

    fn try_from(written: Written) -> Result<Self, VarsError> {
        let mut vars = Self::new();
        for (name, value) in &written.addresses {
            vars.set_address(name, &value.to_string())?;
        }
        for (name, value) in &written.ports {
            vars.set_port(name, &value.to_string())?;
        }
        vars.resolve()?;
        Ok(vars)
    }
}

impl Vars {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The default variables for traffic between pods: the usual names, each `any`.
    #[must_use]
    pub fn east_west() -> Self {
        let addresses = shipped::ADDRESS_VARIABLES.iter();
        let ports = shipped::PORT_VARIABLES.iter();
        Self {
            addresses: addresses
                .map(|&name| (name.to_owned(), AddressExpr::Any))
                .collect(),
            ports: ports
                .map(|&name| (name.to_owned(), PortExpr::Any))
                .collect(),
        }
    }

    /// Defines or replaces an address variable; `name` has no `$`.
    ///
    /// # Errors
    /// `value` is no address expression.
    pub fn set_address(&mut self, name: &str, value: &str) -> Result<(), VarsError> {
        let value = parse_addresses(value).map_err(|message| bad_value(name, message))?;
        self.addresses.insert(name.to_owned(), value);
        Ok(())
    }

    /// Defines or replaces a port variable; `name` has no `$`.
    ///
    /// # Errors
    /// `value` is no port expression.
    pub fn set_port(&mut self, name: &str, value: &str) -> Result<(), VarsError> {
        let value = parse_ports(value).map_err(|message| bad_value(name, message))?;
        self.ports.insert(name.to_owned(), value);
        Ok(())
    }

    /// What an address variable says, variables in it still by name.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<&AddressExpr> {
        self.addresses.get(name)
    }

    /// What a port variable says, variables in it still by name.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<&PortExpr> {
        self.ports.get(name)
    }

    /// All address variables, by name.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, &AddressExpr)> {
        self.addresses
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// All port variables, by name.
    pub fn ports(&self) -> impl Iterator<Item = (&str, &PortExpr)> {
        self.ports
            .iter()
            .map(|(name, value)| (name.as_str(), value))
    }

    /// Takes over the variables of `others`, replacing those of the same name.
    pub fn extend(&mut self, others: Vars) {
        self.addresses.extend(others.addresses);
        self.ports.extend(others.ports);
    }

    /// Checks that variables refer only to existing ones and not in a circle.
    ///
    /// # Errors
    /// The first variable that does not hold.
    pub fn resolve(&self) -> Result<(), VarsError> {
        check(&self.addresses, "address-groups", address_names)?;
        check(&self.ports, "port-groups", port_names)
    }

    /// The expression with every variable replaced by what it says.
    ///
    /// # Errors
    /// A variable that is not defined, or [`Self::resolve`]'s.
    pub fn expand_address(&self, expression: &AddressExpr) -> Result<AddressExpr, VarsError> {
        self.address_at(expression, 0)
    }

    /// The expression with every variable replaced by what it says.
    ///
    /// # Errors
    /// A variable that is not defined, or [`Self::resolve`]'s.
    pub fn expand_port(&self, expression: &PortExpr) -> Result<PortExpr, VarsError> {
        self.port_at(expression, 0)
    }

    fn address_at(&self, expression: &AddressExpr, depth: usize) -> Result<AddressExpr, VarsError> {
        Ok(match expression {
            AddressExpr::Variable(name) => {
                let value = self
                    .addresses
                    .get(name)
                    .ok_or_else(|| missing(name, name, "address-groups"))?;
                self.address_at(value, deeper(depth, name)?)?
            }
            AddressExpr::Not(inner) => AddressExpr::Not(Box::new(self.address_at(inner, depth)?)),
            AddressExpr::List(items) => AddressExpr::List(
                items
                    .iter()
                    .map(|item| self.address_at(item, depth))
                    .collect::<Result<_, _>>()?,
            ),
            other => other.clone(),
        })
    }

    fn port_at(&self, expression: &PortExpr, depth: usize) -> Result<PortExpr, VarsError> {
        Ok(match expression {
            PortExpr::Variable(name) => {
                let value = self
                    .ports
                    .get(name)
                    .ok_or_else(|| missing(name, name, "port-groups"))?;
                self.port_at(value, deeper(depth, name)?)?
            }
            PortExpr::Not(inner) => PortExpr::Not(Box::new(self.port_at(inner, depth)?)),
            PortExpr::List(items) => PortExpr::List(
                items
                    .iter()
                    .map(|item| self.port_at(item, depth))
                    .collect::<Result<_, _>>()?,
            ),
            other => other.clone(),
        })
    }
}

fn bad_value(name: &str, message: String) -> VarsError {
    VarsError::Value {
        name: name.to_owned(),
        message,
    }
}

fn missing(name: &str, missing: &str, group: &'static str) -> VarsError {
    VarsError::Missing {
        name: name.to_owned(),
        missing: missing.to_owned(),
        group,
    }
}

fn deeper(depth: usize, name: &str) -> Result<usize, VarsError> {
    if depth >= MAX_DEPTH {
        return Err(VarsError::TooDeep {
            name: name.to_owned(),
        });
    }
    Ok(depth + 1)
}

/// Names of the variables in an expression.
fn address_names<'e>(expression: &'e AddressExpr, out: &mut Vec<&'e str>) {
    match expression {
        AddressExpr::Variable(name) => out.push(name),
        AddressExpr::Not(inner) => address_names(inner, out),
        AddressExpr::List(items) => items.iter().for_each(|item| address_names(item, out)),
        AddressExpr::Any | AddressExpr::Net(..) | AddressExpr::Range(..) => {}
    }
}

/// Names of the variables in an expression.
fn port_names<'e>(expression: &'e PortExpr, out: &mut Vec<&'e str>) {
    match expression {
        PortExpr::Variable(name) => out.push(name),
        PortExpr::Not(inner) => port_names(inner, out),
        PortExpr::List(items) => items.iter().for_each(|item| port_names(item, out)),
        PortExpr::Any | PortExpr::Range(..) => {}
    }
}

/// Follows every variable once; `names` lists the variables of an expression.
fn check<E>(
    group: &BTreeMap<String, E>,
    label: &'static str,
    names: for<'e> fn(&'e E, &mut Vec<&'e str>),
) -> Result<(), VarsError> {
    let mut done = BTreeSet::new();
    for name in group.keys() {
        let mut path = Vec::new();
        follow(name, group, (label, names), &mut path, &mut done)?;
    }
    Ok(())
}

/// Names of a group's label and how to list an expression's variables.
type Lister<E> = (&'static str, for<'e> fn(&'e E, &mut Vec<&'e str>));

fn follow<'g, E>(
    name: &'g str,
    group: &'g BTreeMap<String, E>,
    lister: Lister<E>,
    path: &mut Vec<&'g str>,
    done: &mut BTreeSet<&'g str>,
) -> Result<(), VarsError> {
    if path.contains(&name) {
        path.push(name);
        return Err(VarsError::Cycle {
            name: name.to_owned(),
            path: path.iter().map(|&step| step.to_owned()).collect(),
        });
    }
    if done.contains(name) {
        return Ok(());
    }
    deeper(path.len(), name)?;
    let Some(value) = group.get(name) else {
        let user = path.last().copied().unwrap_or(name);
        return Err(missing(user, name, lister.0));
    };
    let mut used = Vec::new();
    (lister.1)(value, &mut used);
    path.push(name);
    for next in used {
        follow(next, group, lister, path, done)?;
    }
    path.pop();
    done.insert(name);
    Ok(())
}
