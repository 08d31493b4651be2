//! How rules describe sets.

use super::DataKind;
use crate::detect::matcher::parse_size;

/// A set as a rule describes it. What is left out is as it was described before, or by default.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DataSpec {
    /// Its name.
    pub name: String,
    /// `type`
    pub kind: Option<DataKind>,
    /// `load`: file that is read.
    pub load: Option<String>,
    /// `save`: file that is written at the end.
    pub save: Option<String>,
    /// `state`: both.
    pub state: Option<String>,
    /// `memcap`, bytes.
    pub memcap: Option<u64>,
    /// `hashsize`, accepted: tables are sized by what they hold.
    pub hashsize: Option<u64>,
    /// `format`
    pub format: DataFormat,
    /// The file has a reputation behind each value (`datarep`).
    pub reputation: bool,
}

/// Form of a set's file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum DataFormat {
    /// A value a line.
    #[default]
    Csv,
    /// One JSON text.
    Json(JsonKeys),
    /// A JSON object a line.
    NdJson(JsonKeys),
}

/// Where the values of a JSON file are.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct JsonKeys {
    /// `value_key`: path of the value within its object.
    pub value: String,
    /// `array_key`: path of the array of objects within the text.
    pub array: Option<String>,
    /// `remove_key`: the alert does not show the value.
    pub remove: bool,
}

/// Options of a set, while they are read.
#[derive(Debug, Default)]
pub(in crate::detect) struct SpecReader {
    pub(in crate::detect) spec: DataSpec,
    pub(in crate::detect) context: Option<String>,
    pub(in crate::detect) subdomains: bool,
    form: Option<String>,
    keys: JsonKeys,
}

impl SpecReader {
    pub(in crate::detect) fn new(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Err("it lacks the name of a set".to_owned());
        }
        let mut reader = Self::default();
        reader.spec.name = name.to_owned();
        Ok(reader)
    }

    /// Takes one option, `name value`.
    pub(in crate::detect) fn option(&mut self, text: &str) -> Result<(), String> {
        let (name, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let value = value.trim();
        if value.is_empty() != (name == "remove_key") {
            return Err(format!("`{text}` is not an option and its value"));
        }
        let text = || Some(value.to_owned());
        match name {
            "type" => {
                let kind = DataKind::named(value).ok_or_else(|| {
                    format!("`{value}` is not a type: use string, md5, sha256, ipv4 or ip")
                })?;
                self.spec.kind = Some(kind);
            }
            "load" => self.spec.load = text(),
            "save" => self.spec.save = text(),
            "state" => self.spec.state = text(),
            "memcap" => self.spec.memcap = Some(parse_size(value)?),
            "hashsize" => self.spec.hashsize = Some(parse_size(value)?),
            "format" => self.form = text(),
            "context_key" => self.context = text(),
            "value_key" => self.keys.value = value.to_owned(),
            "array_key" => self.keys.array = text(),
            "remove_key" => self.keys.remove = true,
            "match" if value == "subdomain" => self.subdomains = true,
            "match" if value == "exact" => self.subdomains = false,
            other => return Err(format!("`{other}` is not an option of a set")),
        }
        Ok(())
    }

    /// Checks what the options say together.
    pub(in crate::detect) fn finish(mut self) -> Result<Self, String> {
        let spec = &mut self.spec;
        if spec.state.is_some() && (spec.load.is_some() || spec.save.is_some()) {
            return Err("`state` cannot be mixed with `load` or `save`".to_owned());
        }
        let json = self.keys != JsonKeys::default() || self.context.is_some();
        let needed = |keys: JsonKeys, context: &Option<String>| {
            if keys.value.is_empty() || context.is_none() {
                return Err("JSON needs `value_key` and `context_key`".to_owned());
            }
            Ok(keys)
        };
        spec.format = match self.form.as_deref() {
            None | Some("csv") if json => {
                return Err("keys are for `format json` or `ndjson`".to_owned());
            }
            None | Some("csv") => DataFormat::Csv,
            Some("json") => {
                DataFormat::Json(needed(std::mem::take(&mut self.keys), &self.context)?)
            }
            Some("ndjson") if self.keys.array.is_some() => {
                return Err("`array_key` is for `format json`".to_owned());
            }
            Some("ndjson") => {
                DataFormat::NdJson(needed(std::mem::take(&mut self.keys), &self.context)?)
            }
            Some(other) => {
                return Err(format!(
                    "`{other}` is not a format: use csv, json or ndjson"
                ));
            }
        };
        if spec.format != DataFormat::Csv && (spec.save.is_some() || spec.state.is_some()) {
            return Err("a JSON set is loaded, not saved".to_owned());
        }
        if self.subdomains && spec.kind.is_some_and(|kind| kind != DataKind::Text) {
            return Err("`match subdomain` is for strings".to_owned());
        }
        Ok(self)
    }
}
