//! Records on a real file system.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::*;
use crate::attachment::{Pod, WiredPolicy};
use crate::policy::{FailMode, Mode};

/// A directory that goes away with the test.
pub(super) struct RunDir(PathBuf);

impl RunDir {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-record-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    pub(super) fn store(&self) -> RecordStore {
        RecordStore::new(&self.0)
    }
}

impl Drop for RunDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(super) fn record(network: &str, container_id: &str) -> Attachment {
    Attachment {
        version: RECORD_VERSION,
        key: AttachmentKey {
            network: network.to_owned(),
            container_id: container_id.to_owned(),
            ifname: "eth0".to_owned(),
        },
        netns: PathBuf::from("/run/netns/a"),
        host_ifname: "veth1".to_owned(),
        host_ifindex: 7,
        pod_mac: "02:00:00:00:00:01".to_owned(),
        link_local: None,
        anti_spoof: true,
        ips: vec![Ipv4Addr::new(10, 0, 0, 2).into()],
        pod: Pod::default(),
        policy: WiredPolicy {
            mode: Mode::Prevent,
            fail_mode: FailMode::Closed,
            rule_sets: vec!["lateral".to_owned()],
        },
    }
}

#[test]
fn written_record_reads_back_and_is_replaced() {
    let run = RunDir::new("roundtrip");
    let store = run.store();
    let mut attachment = record("net", "c1");
    assert_eq!(store.read(&attachment.key).unwrap(), None);
    store.write(&attachment).unwrap();
    attachment.host_ifindex = 8;
    store.write(&attachment).unwrap();
    assert_eq!(
        store.read(&attachment.key).unwrap(),
        Some(attachment.clone())
    );
    assert_eq!(
        store.read_path(&store.path_of(&attachment.key)).unwrap(),
        Some(attachment.clone())
    );
    assert!(store.remove(&attachment.key).unwrap());
    assert!(!store.remove(&attachment.key).unwrap());
    let (records, errors) = store.load_all();
    assert!(records.is_empty() && errors.is_empty());
}

#[test]
fn one_bad_file_hides_no_other() {
    let run = RunDir::new("bad");
    let store = run.store();
    let good = record("net", "good");
    store.write(&good).unwrap();
    let misplaced = fs::read(store.path_of(&good.key)).unwrap();
    let newer = String::from_utf8(misplaced.clone())
        .unwrap()
        .replace("\"version\": 1", "\"version\": 9");
    let directory = store.directory();
    fs::write(directory.join("net+empty+eth0.json"), "").unwrap();
    fs::write(directory.join("net+misplaced+eth0.json"), misplaced).unwrap();
    fs::write(directory.join("net+newer+eth0.json"), newer).unwrap();
    fs::write(directory.join("net+huge+eth0.json"), vec![b' '; 100_000]).unwrap();
    fs::write(
        directory.join("net+typed+eth0.json"),
        "{\"version\":1,\"netns\":3}",
    )
    .unwrap();
    fs::create_dir(directory.join("net+folder+eth0.json")).unwrap();
    fs::write(directory.join(".tmp-1-1"), "half").unwrap();
    fs::write(directory.join("README"), "not a record").unwrap();

    let (records, errors) = store.load_all();
    assert_eq!(records, vec![good]);
    let kinds: Vec<_> = errors
        .iter()
        .map(|error| match error {
            RecordError::Io { .. } => "io",
            RecordError::Corrupt { .. } => "corrupt",
            RecordError::Version { found, .. } => {
                assert_eq!(*found, 9);
                "version"
            }
        })
        .collect();
    assert_eq!(
        kinds,
        ["corrupt", "io", "corrupt", "corrupt", "version", "corrupt"],
        "{errors:?}"
    );
}

#[test]
fn stale_names_only_this_networks_unknown_attachments() {
    let run = RunDir::new("stale");
    let store = run.store();
    for (network, id) in [("a", "1"), ("a", "2"), ("b", "3")] {
        store.write(&record(network, id)).unwrap();
    }
    let (stale, errors) = store.stale("a", |key| key.container_id == "1");
    assert!(errors.is_empty());
    assert_eq!(stale, vec![record("a", "2")]);
}

#[test]
fn ids_that_look_like_paths_stay_inside_the_directory() {
    let run = RunDir::new("paths");
    let store = run.store();
    let attachment = record("../..", "../../../etc/passwd");
    store.write(&attachment).unwrap();
    assert_eq!(
        store.path_of(&attachment.key).parent(),
        Some(store.directory().as_path())
    );
    assert_eq!(store.load_all().0, vec![attachment]);
}

#[test]
fn unwritable_run_directory_is_a_clear_error() {
    let run = RunDir::new("unwritable");
    fs::write(&run.0, "a file where the directory should be").unwrap();
    let error = run
        .store()
        .write(&record("net", "c"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("create directory") && error.contains("writable"),
        "{error}"
    );
    fs::remove_file(&run.0).unwrap();
}

#[test]
fn readers_never_see_half_a_record() {
    let run = RunDir::new("atomic");
    let store = run.store();
    store.write(&record("net", "c")).unwrap();
    let writer = store.clone();
    let thread = thread::spawn(move || {
        for round in 0..100 {
            let mut attachment = record("net", "c");
            attachment.pod.name = Some("x".repeat(round * 100));
            writer.write(&attachment).unwrap();
        }
    });
    while !thread.is_finished() {
        let (records, errors) = store.load_all();
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(records.len(), 1);
    }
    thread.join().unwrap();
}

#[test]
fn lock_excludes_within_a_network_only() {
    let run = RunDir::new("lock");
    let store = run.store();
    let held = store.lock("a").unwrap();
    drop(store.lock("b").unwrap());
    let waiting = store.clone();
    let started = Instant::now();
    let thread = thread::spawn(move || {
        drop(waiting.lock("a").unwrap());
        started.elapsed()
    });
    thread::sleep(Duration::from_millis(100));
    drop(held);
    assert!(thread.join().unwrap() >= Duration::from_millis(100));
}

#[test]
fn sweep_removes_temporaries_of_dead_writers_only() {
    let run = RunDir::new("sweep");
    let store = run.store();
    assert_eq!(store.sweep_temporaries().unwrap(), 0);
    store.write(&record("net", "c")).unwrap();
    let dead = store.directory().join(".tmp-1-0");
    let alive = store.directory().join(".tmp-1-1");
    let past = SystemTime::now() - ORPHAN_AGE - Duration::from_secs(1);
    File::create(&dead).unwrap().set_modified(past).unwrap();
    fs::write(&alive, "").unwrap();
    assert_eq!(store.sweep_temporaries().unwrap(), 1);
    assert!(alive.exists() && !dead.exists());
    assert_eq!(store.load_all().0.len(), 1);
}
