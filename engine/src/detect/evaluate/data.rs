//! A buffer looked up in a set.

use std::sync::Arc;

use super::Work;
use crate::detect::data::{Added, DataSet, Note};
use crate::detect::matcher::number_matches;
use crate::detect::outcome::Remark;
use crate::detect::program::{DataCommand, DataTest};

/// Bytes at the end of a name that are looked at for what it ends with: as long as a name can be.
const NAME: usize = 255;

/// Whether the test holds for all the bytes of a buffer.
pub(super) fn data_matches(test: &DataTest, bytes: &[u8], work: &mut Work) -> bool {
    let mut mapped = [0; 16];
    let Some(value) = test.set.kind().key(bytes, &mut mapped) else {
        return false;
    };
    match test.command {
        DataCommand::IsNotSet => find(test, value, work).is_some_and(|found| found.is_none()),
        DataCommand::IsSet => {
            let found = find(test, value, work).flatten();
            if let (Some(Note::Json(text)), Some(key)) = (found, &test.context) {
                work.remark(Remark::Context {
                    key: Arc::clone(key),
                    json: Arc::clone(text),
                });
            }
            found.is_some()
        }
        DataCommand::Reputation(wanted) => match find(test, value, work).flatten() {
            Some(Note::Reputation(value)) => number_matches(wanted, (*value).into()),
            _ => false,
        },
        DataCommand::Set => match test.set.add(value) {
            Added::New => true,
            Added::Known => false,
            Added::Full => {
                work.data_full += 1;
                false
            }
        },
        DataCommand::Unset => test.set.remove(value),
    }
}

/// Looks the value up; a name also by what it ends with from any dot on, where that is asked for. Outer
/// `None` when out of work.
fn find<'a>(test: &'a DataTest, value: &[u8], work: &mut Work) -> Option<Option<&'a Note>> {
    let set: &DataSet = &test.set;
    if !work.spend(value.len()) {
        return None;
    }
    let whole = set.get(value);
    if whole.is_some() || !test.subdomains {
        return Some(whole);
    }
    let first = value.len().saturating_sub(NAME).max(1);
    for at in first..value.len() {
        let ending = value.get(at..).unwrap_or_default();
        if !ending.starts_with(b".") {
            continue;
        }
        if !work.spend(ending.len()) {
            return None;
        }
        let found = set.get(ending);
        if found.is_some() {
            return Some(found);
        }
    }
    Some(None)
}
