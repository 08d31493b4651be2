//! Digests of files, as they come.

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::Sha256;

/// An algorithm that rules may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// `filemd5`.
    Md5,
    /// `filesha1`.
    Sha1,
    /// `filesha256`.
    Sha256,
}

impl Algorithm {
    /// Length of its digests, bytes.
    #[must_use]
    pub fn length(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Its name, as EVE has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }
}

/// A set of algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// MD5.
    pub md5: bool,
    /// SHA-1.
    pub sha1: bool,
    /// SHA-256.
    pub sha256: bool,
}

impl Digests {
    /// The algorithm alone.
    #[must_use]
    pub fn of(algorithm: Algorithm) -> Self {
        let mut all = Self::default();
        match algorithm {
            Algorithm::Md5 => all.md5 = true,
            Algorithm::Sha1 => all.sha1 = true,
            Algorithm::Sha256 => all.sha256 = true,
        }
        all
    }

    /// Those of either.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self {
            md5: self.md5 || other.md5,
            sha1: self.sha1 || other.sha1,
            sha256: self.sha256 || other.sha256,
        }
    }

    /// There is at least one.
    #[must_use]
    pub fn any(self) -> bool {
        self.md5 || self.sha1 || self.sha256
    }
}

/// The digests of one file while it comes, and then what they are.
#[derive(Debug, Default)]
pub(super) struct Hashers {
    wanted: Digests,
    md5: Md5,
    sha1: Sha1,
    sha256: Sha256,
    done: bool,
    results: [[u8; 32]; 3],
}

impl Hashers {
    /// Begins a file.
    pub(super) fn start(&mut self, wanted: Digests) {
        self.wanted = wanted;
        self.done = false;
        self.md5.reset();
        self.sha1.reset();
        self.sha256.reset();
    }

    /// Takes what follows of it.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if self.wanted.md5 {
            self.md5.update(bytes);
        }
        if self.wanted.sha1 {
            self.sha1.update(bytes);
        }
        if self.wanted.sha256 {
            self.sha256.update(bytes);
        }
    }

    /// The file is over. Digests of a part of it say nothing, and are not given.
    pub(super) fn finish(&mut self, whole: bool) {
        self.done = whole;
        let [md5, sha1, sha256] = &mut self.results;
        put(&self.md5.finalize_reset(), md5);
        put(&self.sha1.finalize_reset(), sha1);
        put(&self.sha256.finalize_reset(), sha256);
    }

    /// A digest, once it is known.
    pub(super) fn digest(&self, algorithm: Algorithm) -> Option<&[u8]> {
        let (wanted, result) = match algorithm {
            Algorithm::Md5 => (self.wanted.md5, self.results.first()),
            Algorithm::Sha1 => (self.wanted.sha1, self.results.get(1)),
            Algorithm::Sha256 => (self.wanted.sha256, self.results.get(2)),
        };
        let result = result.filter(|_| wanted && self.done)?;
        result.get(..algorithm.length())
    }
}

fn put(digest: &[u8], result: &mut [u8; 32]) {
    for (to, from) in result.iter_mut().zip(digest) {
        *to = *from;
    }
}
