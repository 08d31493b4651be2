//! Files as they come.

use super::*;

fn service(needs: FileNeeds) -> FileService {
    FileService {
        needs,
        memory: FileMemory::new(16, 10),
    }
}

fn all() -> FileNeeds {
    FileNeeds {
        hashes: Digests {
            md5: true,
            sha1: true,
            sha256: true,
        },
        magic: true,
        keep: true,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_file_tells_name_size_kind_and_digests_once_it_is_over() {
    let mut file = File::default();
    file.open(b"a.txt", &service(all()));
    assert!(!file.has_begun() && file.buffer(FilePart::Name).is_none());
    file.push(b"ab");
    file.push(b"c");
    assert_eq!((file.magic(), file.digest(Algorithm::Md5)), (None, None));
    file.finish(true);
    assert_eq!(
        (file.size(), file.state(), file.is_whole()),
        (3, FileState::Closed, true)
    );
    assert_eq!(
        file.magic(),
        Some(&b"ASCII text, with no line terminators"[..])
    );
    let digest = |algorithm| hex(file.digest(algorithm).unwrap());
    assert_eq!(digest(Algorithm::Md5), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(
        digest(Algorithm::Sha1),
        "a9993e364706816aba3e25717850c26c9cd0d89d"
    );
    assert!(digest(Algorithm::Sha256).starts_with("ba7816bf8f01cfea"));
    assert_eq!(file.kept(), Some((&b"abc"[..], true)));
}

#[test]
fn a_file_that_broke_off_or_has_a_hole_has_no_digest() {
    let mut file = File::default();
    for (hole, whole) in [(0, false), (5, true)] {
        file.clear();
        file.open(b"", &service(all()));
        file.push(b"abc");
        if hole > 0 {
            file.skip(hole);
        }
        file.finish(whole);
        assert_eq!(file.state(), FileState::Truncated);
        assert_eq!(
            (file.digest(Algorithm::Sha256), file.size()),
            (None, 3 + hole)
        );
    }
}

#[test]
fn nothing_is_kept_or_computed_that_is_not_wanted() {
    let mut file = File::default();
    let service = service(FileNeeds::default());
    file.open(b"a", &service);
    file.push(b"abc");
    file.finish(true);
    assert_eq!(
        (file.magic(), file.digest(Algorithm::Md5), file.kept()),
        (None, None, None)
    );
    assert_eq!(service.memory.used(), 0);
}

#[test]
fn memory_for_whole_files_is_bounded_and_given_back() {
    let service = service(all());
    let (mut first, mut second) = (File::default(), File::default());
    first.open(b"", &service);
    first.push(b"0123456789ab");
    assert_eq!(first.kept(), Some((&b"0123456789"[..], false)));
    second.open(b"", &service);
    second.push(b"0123456");
    assert_eq!(second.kept(), Some((&b""[..], false)));
    assert_eq!(service.memory.used(), 10);
    first.clear();
    second.clear();
    second.open(b"", &service);
    second.push(b"0123456");
    assert_eq!(second.kept(), Some((&b"0123456"[..], true)));
    drop((first, second));
    assert_eq!(service.memory.used(), 0);
}
