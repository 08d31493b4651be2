//! Hashes as text.

use md5::{Digest, Md5};

/// MD5 in lower-case hexadecimal.
pub(super) fn md5(bytes: &[u8]) -> [u8; 32] {
    hex(&Md5::digest(bytes))
}

/// The MD5 of bytes that come in pieces.
#[derive(Debug, Default)]
pub(super) struct Running(Md5);

impl Running {
    /// Takes what follows.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all that came, in lower-case hexadecimal; what follows is of another.
    pub(super) fn take(&mut self) -> [u8; 32] {
        hex(&self.0.finalize_reset())
    }
}

fn hex(digest: &[u8]) -> [u8; 32] {
    let mut hex = [0; 32];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(digest) {
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
        let mut running = super::Running::default();
        for _ in 0..2 {
            running.update(b"a");
            running.update(b"bc");
            assert_eq!(running.take(), super::md5(b"abc"));
        }
    }
}
