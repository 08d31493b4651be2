//! Hashes as text.

use md5::{Digest, Md5};

/// MD5 in lower-case hexadecimal.
pub(super) fn md5(bytes: &[u8]) -> [u8; 32] {
    let mut hex = [0; 32];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(Md5::digest(bytes)) {
        for (digit, nibble) in pair.iter_mut().zip([byte >> 4, byte & 0x0f]) {
            *digit = b"0123456789abcdef"[usize::from(nibble)];
        }
    }
    hex
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_is_md5() {
        assert_eq!(&super::md5(b""), b"d41d8cd98f00b204e9800998ecf8427e");
    }
}
