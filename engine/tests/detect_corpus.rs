//! Every rule of the public rule sets is compiled or refused by the name of the keyword in the way.
//!
//! Reads the corpus that `WEIR_CORPUS` names. Without one it is not run, which is a failure where `CI`
//! is set.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use weir_engine::detect::{
    CompileEnv, Limits, NoClassifications, Refusal, RuleSet, Variables, evaluated_keywords,
};
use weir_policies::rule::ast::{AddressExpr, PortExpr, Rule};

struct AllAny;

impl Variables for AllAny {
    fn address(&self, _: &str) -> Option<&AddressExpr> {
        Some(&AddressExpr::Any)
    }

    fn port(&self, _: &str) -> Option<&PortExpr> {
        Some(&PortExpr::Any)
    }
}

fn corpus() -> Option<PathBuf> {
    let named = std::env::var_os("WEIR_CORPUS").map(PathBuf::from);
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let found = named.unwrap_or_else(beside);
    if found.join("rules").is_dir() {
        return Some(found);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "no corpus at {}: set WEIR_CORPUS",
        found.display()
    );
    eprintln!("not run: no corpus at {}; set WEIR_CORPUS", found.display());
    None
}

fn read_rules(corpus: &Path) -> Vec<(String, Vec<Rule>)> {
    let mut rules = Vec::new();
    for folder in ["rules/etopen", "rules/engine-events"] {
        for entry in fs::read_dir(corpus.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|kind| kind == "rules") {
                let text = fs::read(&path).unwrap();
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                rules.push((name, weir_policies::parse_bytes(&text).rules));
            }
        }
    }
    rules
}

fn print_table(refused: &[Refusal]) {
    let mut by_keyword: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for refusal in refused {
        let key = (refusal.keyword.as_str(), refusal.reason.as_str());
        *by_keyword.entry(key).or_default() += 1;
    }
    let mut table: Vec<_> = by_keyword.into_iter().collect();
    table.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for ((keyword, reason), count) in &table {
        println!("{count:6} {keyword}: {reason}");
    }
}

#[test]
fn every_public_rule_is_compiled_or_refused_by_name() {
    let Some(corpus) = corpus() else {
        return;
    };
    let rules = read_rules(&corpus);
    let all = rules
        .iter()
        .flat_map(|(name, rules)| rules.iter().map(move |rule| (rule, name.as_str())));
    let env = CompileEnv::new(&AllAny, &NoClassifications, Limits::default());
    let start = Instant::now();
    let compiled = RuleSet::compile(all, &env);
    println!("{:?} in {:?}", compiled.counts, start.elapsed());
    print_table(&compiled.refused);
    for refusal in &compiled.refused {
        assert!(!refusal.keyword.is_empty() && !refusal.reason.is_empty());
        let evaluated = evaluated_keywords().contains(&refusal.keyword.as_str());
        assert!(
            !evaluated || !refusal.reason.contains("keyword is not evaluated"),
            "`{}` is said to be evaluated",
            refusal.keyword
        );
    }
    assert!(compiled.counts.loaded > 3000, "{:?}", compiled.counts);
}
