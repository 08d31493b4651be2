//! JSON files of values: each value in an object, which alerts show.

use serde_json::Value;
use weir_engine::detect::{DataKind, JsonKeys, Loaded, Note};

/// Objects in an array of one JSON text.
pub(super) fn document(text: &str, keys: &JsonKeys, kind: DataKind) -> Result<Vec<Loaded>, String> {
    let mut document: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let array = match &keys.array {
        Some(path) => {
            at(&mut document, path).ok_or_else(|| format!("it has nothing at array_key {path}"))?
        }
        None => &mut document,
    };
    let Value::Array(objects) = array else {
        return Err("there is no array of objects; check array_key".to_owned());
    };
    let mut loaded = Vec::new();
    for object in objects {
        loaded.extend(entry(object, keys, kind)?);
    }
    some(loaded, keys)
}

/// An object a line.
pub(super) fn lines(
    text: &str,
    keys: &JsonKeys,
    kind: DataKind,
) -> Result<Vec<Loaded>, (usize, String)> {
    let mut loaded = Vec::new();
    let filled = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    for (index, line) in filled {
        let parsed = serde_json::from_str(line).map_err(|error| error.to_string());
        let value = parsed.and_then(|mut object| entry(&mut object, keys, kind));
        loaded.extend(value.map_err(|message| (index + 1, message))?);
    }
    some(loaded, keys).map_err(|message| (1, message))
}

fn some(loaded: Vec<Loaded>, keys: &JsonKeys) -> Result<Vec<Loaded>, String> {
    if loaded.is_empty() {
        let key = &keys.value;
        return Err(format!("no object has a string at value_key {key}"));
    }
    Ok(loaded)
}

/// The value of an object; `None` where it has no string there.
fn entry(object: &mut Value, keys: &JsonKeys, kind: DataKind) -> Result<Option<Loaded>, String> {
    let Some(Value::String(text)) = at(object, &keys.value).map(|value| value.clone()) else {
        return Ok(None);
    };
    let value = kind.read_plain(&text).map_err(|error| error.to_string())?;
    if keys.remove {
        remove(object, &keys.value);
    }
    let note = Note::Json(object.to_string().into());
    Ok(Some(Loaded { value, note }))
}

/// What is at a path of keys with dots between them.
fn at<'v>(value: &'v mut Value, path: &str) -> Option<&'v mut Value> {
    path.split('.')
        .try_fold(value, |value, key| value.get_mut(key))
}

fn remove(object: &mut Value, path: &str) {
    let (outer, key) = match path.rsplit_once('.') {
        Some((outer, key)) => (at(object, outer), key),
        None => (Some(object), path),
    };
    if let Some(Value::Object(fields)) = outer {
        fields.remove(key);
    }
}
