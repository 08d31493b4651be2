//! Variables as rules see them.

use std::path::Path;

use weir_engine::detect::Variables;
use weir_policies::rule::ast::{AddressExpr, PortExpr};
use weir_policies::shipped::{ADDRESS_VARIABLES, PORT_VARIABLES};
use weir_policies::vars::Vars;

use crate::settings::{SettingsError, read_yaml};

/// What a variable is that nothing defines.
const ANY_ADDRESS: AddressExpr = AddressExpr::Any;
const ANY_PORT: PortExpr = PortExpr::Any;

/// Variables of the settings, and `any` for those in circulation that the settings do not define:
/// traffic between pods has no inside and outside. A name that is neither makes its rules refused.
#[derive(Clone, Debug)]
pub struct RuleVars(Vars);

impl RuleVars {
    /// These variables, the defaults behind them.
    #[must_use]
    pub fn with_defaults(vars: Vars) -> Self {
        Self(vars)
    }
}

impl Variables for RuleVars {
    fn address(&self, name: &str) -> Option<&AddressExpr> {
        let default = ADDRESS_VARIABLES.contains(&name).then_some(&ANY_ADDRESS);
        self.0.address(name).or(default)
    }

    fn port(&self, name: &str) -> Option<&PortExpr> {
        let default = PORT_VARIABLES.contains(&name).then_some(&ANY_PORT);
        self.0.port(name).or(default)
    }
}

/// A file whose variables stand below `vars:`; other keys are none of ours.
#[derive(serde::Deserialize)]
struct Wrapped {
    vars: Vars,
}

/// `vars` with those of a file on top: `vars:` with groups below, or the groups at the top.
///
/// # Errors
///
/// When the file cannot be read or has another shape.
pub fn vars_from(mut vars: Vars, file: &Path) -> Result<Vars, SettingsError> {
    // Tried one after the other, as an untagged enum would not say what is wrong.
    let on_top = match read_yaml::<Wrapped>(file) {
        Ok(document) => document.vars,
        Err(error @ SettingsError::Read { .. }) => return Err(error),
        Err(wrapped) => read_yaml::<Vars>(file)
            .map_err(|bare| if has_vars_key(file) { wrapped } else { bare })?,
    };
    vars.extend(on_top);
    Ok(vars)
}

fn has_vars_key(file: &Path) -> bool {
    std::fs::read_to_string(file)
        .is_ok_and(|text| text.lines().any(|line| line.trim_end() == "vars:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(text: &str) -> Result<Vars, String> {
        let name = format!("weir-vars-{}-{:p}", std::process::id(), text.as_ptr());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        let vars = vars_from(Vars::new(), &path).map_err(|error| error.to_string());
        std::fs::remove_file(&path).unwrap();
        vars
    }

    #[test]
    fn both_shapes_are_read() {
        for text in [
            "vars:\n  address-groups:\n    HOME_NET: '[10.0.0.0/8]'\n  port-groups:\n    HTTP_PORTS: 80\n",
            "address-groups:\n  HOME_NET: '[10.0.0.0/8]'\nport-groups:\n  HTTP_PORTS: 80\n",
        ] {
            let vars = RuleVars::with_defaults(from(text).unwrap());
            assert!(
                vars.address("HOME_NET")
                    .is_some_and(|a| *a != AddressExpr::Any)
            );
            assert_eq!(vars.port("HTTP_PORTS"), Some(&PortExpr::Range(80, 80)));
        }
    }

    #[test]
    fn what_is_not_defined_is_any_or_unknown() {
        let vars = RuleVars::with_defaults(Vars::new());
        assert_eq!(vars.address("EXTERNAL_NET"), Some(&AddressExpr::Any));
        assert_eq!(vars.port("SSH_PORTS"), Some(&PortExpr::Any));
        assert_eq!(vars.address("MY_NET"), None);
    }

    #[test]
    fn bad_value_is_named_with_its_line() {
        let error = from("vars:\n  address-groups:\n    HOME_NET: '10.0.0.0/99'\n").unwrap_err();
        assert!(error.contains("HOME_NET"), "{error}");
    }
}
