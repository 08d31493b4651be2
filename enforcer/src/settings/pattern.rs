//! Names with `*` (any run of characters) and `?` (any one), and files by such names.

use std::path::{Path, PathBuf};

/// True when the whole `text` fits `pattern`. Linear in the text for each `*`, never exponential.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == '?' || text.get(t) == Some(&c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == '*')
}

/// Files whose path fits `pattern`, sorted; `*` and `?` do not cross a `/` and do not fit a leading
/// dot. A pattern without them is returned as it is, whether or not the file exists.
///
/// # Errors
///
/// When a directory on the way cannot be listed.
pub fn expand(pattern: &str) -> std::io::Result<Vec<PathBuf>> {
    if !pattern.contains(['*', '?']) {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let mut found = vec![PathBuf::from(if pattern.starts_with('/') {
        "/"
    } else {
        ""
    })];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if part.contains(['*', '?']) {
                next.extend(entries(base, part)?);
            } else if base.join(part).exists() {
                next.push(base.join(part));
            }
        }
        found = next;
    }
    found.sort();
    Ok(found)
}

fn entries(base: &Path, part: &str) -> std::io::Result<Vec<PathBuf>> {
    let directory = if base.as_os_str().is_empty() {
        Path::new(".")
    } else {
        base
    };
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        if (!name.starts_with('.') || part.starts_with('.')) && matches(part, name) {
            found.push(base.join(name));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn oracle(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                oracle(rest, text) || text.split_first().is_some_and(|(_, t)| oracle(pattern, t))
            }
            (Some((c, rest)), Some((d, text))) => (*c == '?' || c == d) && oracle(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_naive_matcher(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let p: Vec<char> = pattern.chars().collect();
            let t: Vec<char> = text.chars().collect();
            prop_assert_eq!(matches(&pattern, &text), oracle(&p, &t));
        }
    }

    #[test]
    fn files_are_found_by_pattern() {
        let dir = std::env::temp_dir().join(format!("weir-pattern-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("a")).unwrap();
        for name in ["a/x.rules", "a/y.rules", "a/.z.rules", "a/z.txt"] {
            std::fs::write(dir.join(name), "").unwrap();
        }
        let found = expand(&format!("{}/?/*.rules", dir.display())).unwrap();
        assert_eq!(found, [dir.join("a/x.rules"), dir.join("a/y.rules")]);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
