//! Reading stdin, bounded.

use std::io::{self, Read};

use crate::config::MAX_STDIN;

/// Why stdin could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// Reading failed.
    #[error("cannot read the network configuration from stdin: {0}")]
    Read(#[source] io::Error),
    /// More than any network configuration needs.
    #[error(
        "the network configuration on stdin is larger than {MAX_STDIN} bytes, which weir-cni refuses: look for a runaway value in the .conflist or in prevResult"
    )]
    TooLarge,
}

/// Reads all of `stdin`, at most [`MAX_STDIN`] bytes.
///
/// # Errors
/// Reading fails, or there is more.
pub fn read_bounded(stdin: impl Read) -> Result<Vec<u8>, InputError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(MAX_STDIN).unwrap_or(u64::MAX);
    stdin
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(InputError::Read)?;
    if bytes.len() > MAX_STDIN {
        Err(InputError::TooLarge)
    } else {
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_itself_is_accepted_and_one_more_is_not() {
        let exact = vec![b' '; MAX_STDIN];
        assert_eq!(read_bounded(exact.as_slice()).unwrap().len(), MAX_STDIN);
        assert!(matches!(
            read_bounded(io::repeat(b' ')),
            Err(InputError::TooLarge)
        ));
        assert!(read_bounded(io::empty()).unwrap().is_empty());
    }
}
