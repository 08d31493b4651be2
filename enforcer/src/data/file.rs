//! Files of values.

use std::path::Path;

use weir_engine::detect::{DataFormat, DataKind, DataSpec, Loaded, Note};

use super::json;

/// Largest file that is read.
const MAX_FILE: u64 = 256 << 20;

/// Reads the values of a set. The error says what to check.
pub(super) fn read(path: &Path, spec: &DataSpec, kind: DataKind) -> Result<Vec<Loaded>, String> {
    let text = text(path)?;
    let place = |line: usize, message: String| format!("{}:{line}: {message}", path.display());
    match &spec.format {
        DataFormat::Csv => text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty())
            .map(|(number, line)| {
                value(line, spec.reputation, kind).map_err(|message| place(number, message))
            })
            .collect(),
        DataFormat::Json(keys) => json::document(&text, keys, kind)
            .map_err(|message| format!("{}: {message}", path.display())),
        DataFormat::NdJson(keys) => {
            json::lines(&text, keys, kind).map_err(|(line, message)| place(line, message))
        }
    }
}

fn text(path: &Path) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let bytes = std::fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_FILE {
        let path = path.display();
        return Err(format!(
            "{path} has {bytes} bytes, more than the {MAX_FILE} allowed"
        ));
    }
    std::fs::read_to_string(path).map_err(failed)
}

fn value(line: &str, reputation: bool, kind: DataKind) -> Result<Loaded, String> {
    let (text, note) = if reputation {
        let (text, number) = line.split_once(',').ok_or("it is not `value,reputation`")?;
        let number = number.trim().parse();
        let number = number.map_err(|_| format!("`{line}` lacks a reputation from 0 to 65535"))?;
        (text.trim(), Note::Reputation(number))
    } else {
        (line, Note::None)
    };
    let value = kind.read(text).map_err(|error| error.to_string())?;
    Ok(Loaded { value, note })
}
