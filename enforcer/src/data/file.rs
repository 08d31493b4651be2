//! Files of values.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
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

/// Reads a regular file: neither a pipe that nobody writes to nor a device without end.
fn text(path: &Path) -> Result<String, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("cannot read {shown}: {error}");
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .map_err(failed)?;
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(format!("{shown} is no regular file"));
    }
    let mut text = String::new();
    // It may grow meanwhile.
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text);
    if read.map_err(failed)? as u64 > MAX_FILE {
        return Err(format!(
            "{shown} has more than the {MAX_FILE} bytes allowed"
        ));
    }
    Ok(text)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        for path in ["/dev/zero", "/proc"] {
            let error = text(Path::new(path)).unwrap_err();
            assert!(error.contains("no regular file"), "{error}");
        }
        assert!(
            text(Path::new("/nowhere/at/all"))
                .unwrap_err()
                .contains("cannot read")
        );
    }
}
