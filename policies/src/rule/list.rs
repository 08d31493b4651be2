//! What address and port expressions share: `[a,b]` and `$NAME`.

use super::diagnostic::Fault;
use super::lexer::{MAX_LIST_DEPTH, Token};

/// The items of `[a, b]`, nested lists kept whole. An empty list or item is refused.
pub(crate) fn items(token: Token<'_>) -> Result<Vec<Token<'_>>, Fault> {
    let inner = token
        .strip_prefix('[')
        .and_then(|inner| {
            inner
                .text
                .strip_suffix(']')
                .map(|text| Token { text, ..inner })
        })
        .ok_or_else(|| Fault::at(token.offset, "expected a list that ends in `]`"))?;
    let mut items = Vec::new();
    let mut start = 0;
    let mut depth = 0_usize;
    for (index, byte) in inner.text.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => {
                depth = depth.checked_sub(1).ok_or_else(|| {
                    Fault::at(inner.offset + index, "`]` closes a list that is not open")
                })?;
            }
            b',' if depth == 0 => {
                items.push(item(inner, start, index)?);
                start = index + 1;
            }
            _ => {}
        }
    }
    items.push(item(inner, start, inner.text.len())?);
    Ok(items)
}

fn item(list: Token<'_>, start: usize, end: usize) -> Result<Token<'_>, Fault> {
    let item = Token {
        text: list.text.get(start..end).unwrap_or_default(),
        offset: list.offset + start,
    }
    .trim();
    if item.text.is_empty() {
        return Err(Fault::at(item.offset, "expected an item of the list"));
    }
    Ok(item)
}

/// The name of a variable, without its `$`.
pub(crate) fn variable(name: Token<'_>) -> Result<String, Fault> {
    let valid = !name.text.is_empty()
        && name
            .text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if valid {
        Ok(name.text.to_owned())
    } else {
        Err(Fault::at(
            name.offset,
            format!(
                "expected the name of a variable after `$`, found `{}`",
                name.text.escape_debug()
            ),
        ))
    }
}

/// The problem of an expression nested too deep.
pub(crate) fn too_deep(token: Token<'_>) -> Fault {
    Fault::at(
        token.offset,
        format!("expressions are nested more than {MAX_LIST_DEPTH} deep"),
    )
}
