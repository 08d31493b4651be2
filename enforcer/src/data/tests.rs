//! Sets from files and back.

use weir_engine::detect::{DataFormat, DataSource as _, JsonKeys};

use super::*;
use crate::settings::Datasets;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-data-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn rules(&self) -> String {
        self.0.join("a.rules").display().to_string()
    }

    fn settings(&self) -> Datasets {
        Datasets {
            data_dir: Some(self.0.join("data")),
            ..Datasets::default()
        }
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn spec(name: &str, kind: &str) -> DataSpec {
    DataSpec {
        name: name.to_owned(),
        kind: weir_engine::detect::DataKind::named(kind),
        ..DataSpec::default()
    }
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn values(set: &DataSet) -> Vec<String> {
    let mut values = Vec::new();
    set.for_each(|value| values.push(set.kind().write(value)));
    values
}

#[test]
fn what_is_loaded_is_read_anew_and_what_changes_is_kept_and_written() {
    let dir = Dir::new("reload");
    let settings = dir.settings();
    dir.write("list", "YQ==\n\nYg==\n");
    let fixed = DataSpec {
        load: some("list"),
        ..spec("fixed", "string")
    };
    let state = DataSpec {
        state: some("sub/seen"),
        ..spec("seen", "ip")
    };
    std::fs::create_dir_all(dir.0.join("data/sub")).unwrap();
    dir.write("data/sub/seen", "10.0.0.1\n");
    let nothing = DataSets::default();
    let opening = Opening::new(&settings, &nothing, [1, 2]);
    assert_eq!(
        values(&opening.open(&fixed, &dir.rules()).unwrap()),
        ["YQ==", "Yg=="]
    );
    let seen = opening.open(&state, &dir.rules()).unwrap();
    assert_eq!(values(&seen), ["10.0.0.1"]);
    let first = opening.finish();

    dir.write("list", "Yw==\n");
    dir.write("data/sub/seen", "10.0.0.9\n");
    let opening = Opening::new(&settings, &first, [1, 2]);
    assert_eq!(
        values(&opening.open(&fixed, &dir.rules()).unwrap()),
        ["Yw=="]
    );
    assert!(Arc::ptr_eq(
        &seen,
        &opening.open(&state, &dir.rules()).unwrap()
    ));
    opening.finish().save().unwrap();
    let written = std::fs::read_to_string(dir.0.join("data/sub/seen")).unwrap();
    assert_eq!(written, "10.0.0.1\n");
}

#[test]
fn json_is_read_by_its_keys() {
    let dir = Dir::new("json");
    let settings = dir.settings();
    dir.write(
        "a.json",
        r#"{"response": {"threats": [{"host": {"name": "a.b"}, "origin": 1}, {"other": 2}]}}"#,
    );
    dir.write(
        "b.json",
        "{\"host\": \"c\", \"why\": [1]}\n{\"host\": true}\n",
    );
    let keys = |value: &str, array: Option<&str>| JsonKeys {
        value: value.to_owned(),
        array: array.map(str::to_owned),
        remove: true,
    };
    let nothing = DataSets::default();
    for (file, format, expected) in [
        (
            "a.json",
            DataFormat::Json(keys("host.name", Some("response.threats"))),
            Ok("a.b"),
        ),
        ("b.json", DataFormat::NdJson(keys("host", None)), Ok("c")),
        (
            "a.json",
            DataFormat::Json(keys("host", None)),
            Err("array_key"),
        ),
        (
            "b.json",
            DataFormat::NdJson(keys("nothing", None)),
            Err("value_key"),
        ),
        (
            "b.json",
            DataFormat::Json(keys("host", None)),
            Err("line 2"),
        ),
        (
            "c.json",
            DataFormat::Json(keys("host", None)),
            Err("c.json"),
        ),
    ] {
        let wanted = DataSpec {
            load: some(file),
            format: format.clone(),
            ..spec("set", "string")
        };
        let opening = Opening::new(&settings, &nothing, [1, 2]);
        match (opening.open(&wanted, &dir.rules()), expected) {
            (Ok(set), Ok(value)) => {
                let value = weir_engine::detect::DataKind::Text.write(value.as_bytes());
                assert_eq!(values(&set), [value]);
            }
            (Err(error), Err(word)) => assert!(error.contains(word), "{error}"),
            (got, _) => panic!("{file}: {got:?}"),
        }
    }
}

#[test]
fn what_cannot_be_had_is_refused_with_the_reason() {
    let dir = Dir::new("refused");
    dir.write("list", "YQ==\n%\n");
    let settings = Datasets {
        max_memory: 1 << 20,
        ..dir.settings()
    };
    let nothing = DataSets::default();
    let refused = |settings: &Datasets, spec: DataSpec| {
        let opening = Opening::new(settings, &nothing, [1, 2]);
        opening.open(&spec, &dir.rules()).unwrap_err()
    };
    let load = |name: &str| DataSpec {
        load: some(name),
        ..spec("set", "string")
    };
    let state = |name: &str| DataSpec {
        state: some(name),
        memcap: Some(1),
        ..spec("set", "string")
    };
    assert!(refused(&settings, load("absent")).contains("absent"));
    assert!(refused(&settings, load("list")).contains("list:2: `%`"));
    assert!(refused(&settings, spec("set", "")).contains("lacks `type`"));
    for name in ["/etc/passwd", "../x", "C:\\x"] {
        assert!(
            refused(&settings, state(name)).contains("leads out"),
            "{name}"
        );
    }
    let large = DataSpec {
        memcap: Some(1 << 30),
        ..state("x")
    };
    assert!(refused(&settings, large).contains("maxMemory"));
    let reading = Datasets {
        allow_write: false,
        ..settings.clone()
    };
    assert!(refused(&reading, state("x")).contains("allowWrite"));

    let opening = Opening::new(&settings, &nothing, [1, 2]);
    opening.open(&state("x"), &dir.rules()).unwrap();
    opening.open(&spec("set", ""), &dir.rules()).unwrap();
    let other = opening.open(&spec("set", "md5"), &dir.rules());
    assert!(other.unwrap_err().contains("otherwise before"));
    let reputation = DataSpec {
        reputation: true,
        ..spec("set", "")
    };
    let other = opening.open(&reputation, &dir.rules());
    assert!(other.unwrap_err().contains("datarep"));
}

#[test]
fn a_set_of_the_settings_is_known_by_its_name() {
    let dir = Dir::new("settings");
    let mut settings = dir.settings();
    settings.sets = serde_saphyr::from_str("seen: {type: string, state: seen.lst}").unwrap();
    let nothing = DataSets::default();
    let opening = Opening::new(&settings, &nothing, [1, 2]);
    opening.open(&spec("seen", ""), &dir.rules()).unwrap();
    opening.finish().save().unwrap();
    assert!(dir.0.join("data/seen.lst").exists());
}

#[test]
fn a_file_is_of_one_set_and_has_a_name() {
    let dir = Dir::new("one-file");
    let mut settings = dir.settings();
    settings.sets.insert(
        "nameless".to_owned(),
        crate::settings::NamedSet {
            kind: "ip".to_owned(),
            load: None,
            save: None,
            state: some(""),
            memcap: None,
        },
    );
    let nothing = DataSets::default();
    let opening = Opening::new(&settings, &nothing, [1, 2]);
    let state = |name: &str, file: &str| DataSpec {
        state: some(file),
        ..spec(name, "ip")
    };
    opening.open(&state("a", "seen"), &dir.rules()).unwrap();
    opening.open(&state("a", "seen"), &dir.rules()).unwrap();
    let saved = DataSpec {
        save: some("./seen"),
        ..spec("b", "ip")
    };
    for (spec, part) in [
        (state("b", "seen"), "`a` is written to"),
        (saved, "data directory"),
        (state("c", "sub/.."), "not the name of a file"),
        (spec("nameless", "ip"), "not the name of a file"),
    ] {
        let error = opening.open(&spec, &dir.rules()).unwrap_err();
        assert!(error.contains(part), "{}: {error}", spec.name);
    }
}
