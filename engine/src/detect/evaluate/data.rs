//! A buffer looked up in a set.

use std::sync::Arc;

use super::Work;
use crate::detect::data::{Added, DataSet, Note};
use crate::detect::matcher::number_matches;
use crate::detect::outcome::Remark;
use crate::detect::program::{DataCommand, DataTest};

/// Places in a name from which on it is looked up.
const LABELS: usize = 128;

/// Whether the test holds for all the bytes of a buffer.
pub(super) fn data_matches(test: &DataTest, bytes: &[u8], work: &mut Work) -> bool {
    let mut mapped = [0; 16];
    let Some(value) = test.set.kind().key(bytes, &mut mapped) else {
        return false;
    };
    match test.command {
        DataCommand::IsNotSet => find(test, value).is_none(),
        DataCommand::IsSet => {
            let found = find(test, value);
            if let (Some(Note::Json(text)), Some(key)) = (found, &test.context) {
                work.remark(Remark::Context {
                    key: Arc::clone(key),
                    json: Arc::clone(text),
                });
            }
            found.is_some()
        }
        DataCommand::Reputation(wanted) => match find(test, value) {
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

/// Looks the value up; a name also by what it ends with from any dot on, where that is asked for.
fn find<'a>(test: &'a DataTest, value: &[u8]) -> Option<&'a Note> {
    let set: &DataSet = &test.set;
    let whole = set.get(value);
    if whole.is_some() || !test.subdomains {
        return whole;
    }
    let dots = (1..value.len()).filter(|&at| value.get(at) == Some(&b'.'));
    dots.take(LABELS)
        .find_map(|at| set.get(value.get(at..).unwrap_or_default()))
}
