//! Identity and documentation of a rule.

use super::text::{quoted, shortened, unescape};
use crate::rule::ast::Meta;
use crate::rule::diagnostic::Reason;
use crate::rule::keywords::MetaField;

/// [`Meta`] while it is read.
#[derive(Debug, Default)]
pub(crate) struct MetaBuilder {
    sid: Option<u32>,
    gid: Option<u32>,
    rev: Option<u32>,
    msg: Option<String>,
    classtype: Option<String>,
    priority: Option<u8>,
    references: Vec<(String, String)>,
    metadata: Vec<(String, String)>,
}

impl MetaBuilder {
    pub(super) fn set(&mut self, field: MetaField, value: &str) -> Result<(), Reason> {
        match field {
            MetaField::Msg => once(&mut self.msg, unescape(quoted(value)?)),
            MetaField::Sid => once(&mut self.sid, number(value, 1, u32::MAX)?),
            MetaField::Gid => once(&mut self.gid, number(value, 1, u32::MAX)?),
            MetaField::Rev => once(&mut self.rev, number(value, 0, u32::MAX)?),
            MetaField::Classtype => once(&mut self.classtype, value.to_owned()),
            MetaField::Priority => {
                let priority = number(value, 1, 255)?;
                once(
                    &mut self.priority,
                    u8::try_from(priority).unwrap_or(u8::MAX),
                )
            }
            MetaField::Reference => {
                self.references.push(reference(value)?);
                Ok(())
            }
            MetaField::Metadata => {
                self.metadata.extend(value.split(',').filter_map(pair));
                Ok(())
            }
        }
    }

    pub(super) fn finish(&self) -> Result<(), (Option<&'static str>, Reason)> {
        if self.sid.is_none() {
            return Err((
                Some("sid"),
                "is missing: every rule needs a signature id".to_owned(),
            ));
        }
        Ok(())
    }

    /// The finished record; `sid` is 0 only where [`Self::finish`] failed.
    pub(crate) fn into_meta(mut self) -> Meta {
        self.references.shrink_to_fit();
        self.metadata.shrink_to_fit();
        Meta {
            sid: self.sid.unwrap_or(0),
            gid: self.gid.unwrap_or(1),
            rev: self.rev.unwrap_or(0),
            msg: self.msg.unwrap_or_default(),
            classtype: self.classtype,
            priority: self.priority,
            references: self.references,
            metadata: self.metadata,
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Reason> {
    if slot.is_some() {
        return Err("is given twice".to_owned());
    }
    *slot = Some(value);
    Ok(())
}

fn number(value: &str, from: u32, to: u32) -> Result<u32, Reason> {
    let text = value
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(value);
    text.parse()
        .ok()
        .filter(|number| (from..=to).contains(number))
        .ok_or_else(|| {
            format!(
                "expected a number from {from} to {to}, found `{}`",
                shortened(value)
            )
        })
}

fn reference(value: &str) -> Result<(String, String), Reason> {
    match value.split_once(',') {
        Some((scheme, id)) if !scheme.trim().is_empty() && !id.trim().is_empty() => {
            Ok((scheme.trim().to_owned(), unescape(id.trim())))
        }
        _ => Err(format!(
            "expected `scheme,id`, found `{}`",
            shortened(value)
        )),
    }
}

/// `key value`; a lone word has an empty value.
fn pair(text: &str) -> Option<(String, String)> {
    let text = text.trim();
    let (key, value) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (!key.is_empty()).then(|| (key.to_owned(), value.trim().to_owned()))
}
