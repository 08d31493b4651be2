//! Loading as `enforce` and `check` do it.

use super::*;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("weir-rules-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn settings(files: Vec<String>) -> Settings {
    Settings {
        shipped_rules: false,
        rule_files: files,
        ..Settings::default()
    }
}

const GOOD: &str = "alert tcp any any -> any any (msg:\"a\"; content:\"abc\"; sid:1; rev:1;)\n";

#[test]
fn refused_rule_is_reported_with_its_place_and_the_others_load() {
    let dir = Dir::new("refused");
    let text = format!(
        "# a comment\n{GOOD}alert tcp any any -> any any (msg:\"b\"; nonsense:1; sid:2;)\n"
    );
    let file = dir.write("a.rules", &text);
    let report = check(&settings(vec![file.clone()])).unwrap();
    assert_eq!((report.loaded, report.refused), (1, 1));
    let finding = report.first_refusal().unwrap();
    assert_eq!(
        (finding.file.as_str(), finding.line, finding.sid),
        (file.as_str(), 3, Some(2))
    );
    assert!(
        finding.to_string().starts_with(&format!("{file}:3:")),
        "{finding}"
    );
}

#[test]
fn nothing_that_loads_is_an_error_for_enforce_and_a_report_for_check() {
    let dir = Dir::new("nothing");
    let file = dir.write(
        "a.rules",
        "alert tcp any any -> any any (msg:\"b\"; nonsense:1; sid:2;)\n",
    );
    let settings = settings(vec![file]);
    let error = load(&settings, &[], &Before::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("nonsense"), "{error}");
    assert_eq!(check(&settings).unwrap().refused, 1);
}

#[test]
fn no_rules_at_all_is_no_error() {
    let dir = Dir::new("empty");
    let file = dir.write("a.rules", "# nothing here\n");
    assert_eq!(
        load(&settings(vec![file]), &[], &Before::default())
            .unwrap()
            .report
            .loaded,
        0
    );
}

#[test]
fn missing_file_and_pattern_without_files_are_named() {
    for name in ["/nowhere/a.rules", "/nowhere/*.rules"] {
        let error = load(&settings(vec![name.to_owned()]), &[], &Before::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(name), "{error}");
    }
}

#[test]
fn same_signature_in_two_files_is_used_once_and_told() {
    let dir = Dir::new("twice");
    let files = vec![dir.write("a.rules", GOOD), dir.write("b.rules", GOOD)];
    let report = check(&settings(files.clone())).unwrap();
    assert_eq!((report.loaded, report.refused), (1, 1));
    assert_eq!(report.diagnostics[0].file, files[1]);
}

#[test]
fn combination_holds_the_rules_of_its_sets() {
    let dir = Dir::new("sets");
    let mut settings = settings(vec![dir.write("a.rules", GOOD)]);
    let web = dir.write("b.rules", &GOOD.replace("sid:1", "sid:2"));
    settings.rule_sets.insert("web".to_owned(), vec![web]);
    let names = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect::<Combination>();
    let wanted = [
        names(&["default"]),
        names(&["web"]),
        names(&["default", "web"]),
    ];
    let loaded = load(&settings, &wanted, &Before::default()).unwrap();
    let sizes = [0, 1, 2].map(|id| loaded.sets.get(weir_engine::frame::RuleSetId(id)).len());
    assert_eq!(sizes, [1, 1, 2]);
    assert_eq!(loaded.report.refused, 0);
}

#[test]
fn every_shipped_rule_loads_with_the_default_settings() {
    let report = check(&Settings::default()).unwrap();
    assert_eq!(report.first_refusal(), None);
    assert!(report.loaded >= 40, "{} rules", report.loaded);
}

#[test]
fn lines_of_the_threshold_file_that_are_not_applied_are_reported() {
    let dir = Dir::new("thresholds");
    let mut settings = settings(vec![dir.write("a.rules", GOOD)]);
    let config = "suppress gen_id 1, sig_id 1\n\
                  suppress gen_id 1, sig_id 2\n\
                  suppress gen_id 1, sig_id 1, track by_src, ip $NOWHERE\n\
                  nonsense\n";
    settings.threshold_file = Some(dir.write("threshold.config", config).into());
    let report = check(&settings).unwrap();
    assert_eq!((report.loaded, report.refused), (1, 0));
    let lines: Vec<u32> = report.thresholds.iter().map(|f| f.line).collect();
    assert_eq!(lines, [2, 3, 4]);
    settings.threshold_file = Some(dir.0.join("absent"));
    let error = check(&settings).unwrap_err().to_string();
    assert!(error.contains("thresholdFile"), "{error}");
}

#[test]
fn rules_that_the_variables_leave_unable_to_fire_are_counted() {
    let dir = Dir::new("unable");
    let text = "alert tcp $EXTERNAL_NET any -> $HOME_NET any (sid:1;)\n\
                alert tcp $HOME_NET any <> 192.0.2.1 any (sid:2;)\n\
                alert tcp $HOME_NET any -> $HOME_NET any (sid:3;)\n\
                alert tcp any any -> 10.0.0.0/24 any (sid:4;)\n\
                alert tcp !$HTTP_SERVERS any -> any any (sid:5;)\n\
                alert udp any !$HTTP_PORTS -> any any (sid:6;)\n\
                alert udp any any -> any any (nonsense; sid:7;)\n";
    let mut settings = settings(vec![dir.write("a.rules", text)]);
    let report = check(&settings).unwrap();
    assert_eq!((report.loaded, report.never), (4, 2));
    assert_eq!(report.silent_at_home, None, "home is everywhere");
    let refused: Vec<String> = report
        .refused_by
        .iter()
        .map(|(keyword, by)| format!("{keyword} {by:?}"))
        .collect();
    assert_eq!(
        refused,
        [
            r#"nonsense {"unread": 1}"#,
            r#"source address {"tcp": 1}"#,
            r#"source port {"udp": 1}"#
        ]
    );
    settings.vars.set_address("HOME_NET", "10.0.0.0/8").unwrap();
    settings
        .vars
        .set_address("EXTERNAL_NET", "!$HOME_NET")
        .unwrap();
    assert_eq!(check(&settings).unwrap().silent_at_home, Some(2));
    settings.vars.set_address("EXTERNAL_NET", "any").unwrap();
    assert_eq!(check(&settings).unwrap().silent_at_home, Some(1));
}

#[test]
fn what_a_pod_needs_is_compiled_from_the_files_as_they_were_loaded() {
    let dir = Dir::new("kept");
    let rule = |sid: u32| format!("alert tcp any any -> any any (content:\"abc\"; sid:{sid};)\n");
    let base = dir.write("base.rules", &rule(1));
    dir.write("web-1.rules", &rule(2));
    let mut settings = settings(vec![base]);
    let pattern = dir.0.join("web-*.rules").display().to_string();
    settings.rule_sets.insert("web".to_owned(), vec![pattern]);
    let combination = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let default: Combination = combination(&["default"]);
    let web: Combination = combination(&["web"]);
    // Nothing needs the set yet.
    let first = load(
        &settings,
        std::slice::from_ref(&default),
        &Before::default(),
    )
    .unwrap();
    assert_eq!(first.report.loaded, 1);
    // Somebody is at work on the files, and has not asked for a reload.
    dir.write("base.rules", "alert tcp any any -> any any (msg:\"half");
    dir.write("web-1.rules", &format!("{}{}", rule(2), rule(3)));
    dir.write("web-2.rules", &rule(4));
    let before = Before {
        data: first.data,
        texts: Some(first.texts),
    };
    let both = [default, web];
    let again = load(&settings, &both, &before).unwrap();
    assert_eq!((again.report.loaded, again.report.refused), (1, 0));
    let sets: Vec<usize> = [0, 1]
        .map(|id| again.sets.get(weir_engine::frame::RuleSetId(id)).len())
        .to_vec();
    assert_eq!(sets, [1, 1]);
    // Now the reload is asked for.
    dir.write("base.rules", &rule(1));
    let anew = load(&settings, &both, &Before::default()).unwrap();
    let web = anew.sets.get(weir_engine::frame::RuleSetId(1));
    assert_eq!(web.len(), 3);
}

#[test]
fn without_other_rule_sets_no_text_is_kept() {
    let dir = Dir::new("not-kept");
    let file = dir.write("a.rules", GOOD);
    let loaded = load(&settings(vec![file]), &[], &Before::default()).unwrap();
    assert!(!loaded.texts.is_kept());
}
