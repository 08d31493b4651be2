//! Files of IP reputation: categories, and the scores of hosts and networks in them.
//!
//! ```text
//! 1,BadHosts,Known bad hosts            categories: number, name, description
//! 1.1.1.0/24,1,88                       scores: address or network, category, 1 to 127 (0: none)
//! ```

use std::net::IpAddr;

use crate::config_line::{LineError, entries, is_name};

/// Highest number of a category.
pub const MAX_CATEGORY: u8 = 60;
/// Highest score.
pub const MAX_SCORE: u8 = 127;

/// A category.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its number, 1 to [`MAX_CATEGORY`].
    pub id: u8,
    /// Its name in rules.
    pub name: String,
}

/// The score of a host or network in a category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Address, or any of the network.
    pub address: IpAddr,
    /// Leading bits of it that count.
    pub prefix: u8,
    /// Category by number.
    pub category: u8,
    /// 1 to [`MAX_SCORE`].
    pub score: u8,
}

/// Reads a file of categories. Lines that cannot be read are returned beside them.
#[must_use]
pub fn categories(text: &str) -> (Vec<Category>, Vec<LineError>) {
    read(text, |line| {
        let mut fields = line.splitn(3, ',').map(str::trim);
        let id = number(fields.next(), 1, MAX_CATEGORY, "a category's number")?;
        let name = fields.next().filter(|name| is_name(name));
        let name = name.ok_or("expected a name of letters, digits, `-`, `_` and `.`")?;
        Ok(Some(Category {
            id,
            name: name.to_owned(),
        }))
    })
}

/// Reads a file of scores. Lines that cannot be read are returned beside them.
#[must_use]
pub fn scores(text: &str) -> (Vec<Score>, Vec<LineError>) {
    read(text, |line| {
        let mut fields = line.split(',').map(str::trim);
        let (address, prefix) = network(fields.next().unwrap_or_default())?;
        let category = number(fields.next(), 1, MAX_CATEGORY, "a category's number")?;
        let score = number(fields.next(), 0, MAX_SCORE, "a score")?;
        if fields.next().is_some() {
            return Err("expected address, category and score, found more".to_owned());
        }
        Ok((score > 0).then_some(Score {
            address,
            prefix,
            category,
            score,
        }))
    })
}

fn read<T>(
    text: &str,
    mut one: impl FnMut(&str) -> Result<Option<T>, String>,
) -> (Vec<T>, Vec<LineError>) {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    for (line, text) in entries(text) {
        match one(text) {
            Ok(item) => all.extend(item),
            Err(message) => errors.push(LineError { line, message }),
        }
    }
    (all, errors)
}

fn number(text: Option<&str>, low: u8, high: u8, what: &str) -> Result<u8, String> {
    let text = text.unwrap_or_default();
    let number = text
        .parse()
        .ok()
        .filter(|number| (low..=high).contains(number));
    number.ok_or_else(|| {
        format!(
            "expected {what} from {low} to {high}, found `{}`",
            text.escape_debug()
        )
    })
}

fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let wrong = || {
        format!(
            "expected an address or network, found `{}`",
            text.escape_debug()
        )
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => most,
        Some(prefix) => number(Some(prefix), 0, most, "a prefix length")?,
    };
    Ok((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_lines_are_named_and_the_others_stand() {
        let (found, errors) = categories("# list\n1,BadHosts,Known, bad\n61,X,y\n2\n3,Good,\n");
        let names: Vec<&str> = found.iter().map(|category| &*category.name).collect();
        assert_eq!(names, ["BadHosts", "Good"]);
        assert_eq!(errors.iter().map(|e| e.line).collect::<Vec<_>>(), [3, 4]);
        let text = "1.2.3.4,1,101\n1.1.1.0/24,6,88\n2001:db8::/32,1,1\n1.1.1.1,1,0\n\
                    1.1.1.1/33,1,1\n1.1.1.1,1,128\nhost,1,1\n1.1.1.1,1\n1.1.1.1,1,1,1\n";
        let (found, errors) = scores(text);
        let prefixes: Vec<u8> = found.iter().map(|score| score.prefix).collect();
        assert_eq!(prefixes, [32, 24, 32]);
        let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
        assert_eq!(lines, [5, 6, 7, 8, 9]);
    }
}
