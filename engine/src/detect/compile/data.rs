//! `dataset` and `datarep`.

use std::sync::Arc;

use super::rule::Shared;
use crate::detect::data::{DataFormat, DataKind, SpecReader};
use crate::detect::matcher::parse_number_test;
use crate::detect::program::{DataCommand, DataTest};

/// `dataset:command,name[,option ...]`
pub(super) fn dataset(value: &str, shared: &Shared<'_>) -> Result<DataTest, String> {
    let mut parts = value.split(',').map(str::trim);
    let command = match parts.next().unwrap_or_default() {
        "isset" => DataCommand::IsSet,
        "isnotset" => DataCommand::IsNotSet,
        "set" => DataCommand::Set,
        "unset" => DataCommand::Unset,
        other => {
            return Err(format!(
                "`{other}` is not a command: use set, unset, isset or isnotset"
            ));
        }
    };
    let reader = options(parts)?;
    let changes = matches!(command, DataCommand::Set | DataCommand::Unset);
    if changes && reader.spec.format != DataFormat::Csv {
        return Err("a JSON set is not changed: use isset or isnotset".to_owned());
    }
    if changes && reader.subdomains {
        return Err("`match subdomain` is for isset and isnotset".to_owned());
    }
    open(reader, command, shared)
}

/// `datarep:name,operator,value[,option ...]`
pub(super) fn datarep(value: &str, shared: &Shared<'_>) -> Result<DataTest, String> {
    let mut parts = value.split(',').map(str::trim);
    let (Some(name), Some(operator), Some(number)) = (parts.next(), parts.next(), parts.next())
    else {
        return Err("it is not `name, operator, value`".to_owned());
    };
    let operator = match operator {
        "==" => "=",
        "<" | "<=" | ">" | ">=" | "=" => operator,
        other => return Err(format!("`{other}` is not an operator: use < <= > >= or =")),
    };
    let test = parse_number_test(&format!("{operator}{number}"), u16::MAX.into())?;
    let mut reader = options(std::iter::once(name).chain(parts))?;
    let spec = &mut reader.spec;
    if spec.state.is_some() || spec.save.is_some() || spec.format != DataFormat::Csv {
        return Err("reputation is loaded from a file of values, `load` it".to_owned());
    }
    spec.reputation = true;
    open(reader, DataCommand::Reputation(test), shared)
}

fn options<'v>(mut parts: impl Iterator<Item = &'v str>) -> Result<SpecReader, String> {
    let mut reader = SpecReader::new(parts.next().unwrap_or_default())?;
    parts.try_for_each(|part| reader.option(part))?;
    reader.finish()
}

fn open(reader: SpecReader, command: DataCommand, shared: &Shared<'_>) -> Result<DataTest, String> {
    let source = shared.env.data.ok_or("no sets are to be had here")?;
    let set = source.open(&reader.spec, shared.lists.file())?;
    if set.is_fixed() && matches!(command, DataCommand::Set | DataCommand::Unset) {
        return Err("a set that is loaded with JSON or reputation is not changed".to_owned());
    }
    if reader.subdomains && set.kind() != DataKind::Text {
        return Err("`match subdomain` is for strings".to_owned());
    }
    Ok(DataTest {
        set,
        command,
        subdomains: reader.subdomains,
        context: reader.context.map(Arc::from),
    })
}
