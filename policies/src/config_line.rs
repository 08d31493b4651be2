//! What the line-based configuration files share.

/// A line of a configuration file that cannot be read. The other lines stand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct LineError {
    /// 1-based line.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// The lines that are neither blank nor comments, trimmed, with their 1-based numbers.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index.saturating_add(1), line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// What stands behind `prefix`, trimmed. Blanks in the prefix may be any number of blanks.
pub(crate) fn value<'a>(line: &'a str, prefix: &str) -> Result<&'a str, String> {
    let mut rest = line;
    for word in prefix.split(' ') {
        rest = rest
            .trim_start()
            .strip_prefix(word)
            .ok_or_else(|| format!("expected `{prefix} ...`, found `{}`", line.escape_debug()))?;
    }
    Ok(rest.trim())
}

/// Letters, digits, `-`, `_`, `.`.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
