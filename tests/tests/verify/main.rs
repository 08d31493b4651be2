//! The engine against the alerts that an outside engine raised: every case of `verify/` in the corpus,
//! through `weir replay`.
//!
//! A case passes when the whole multiset of alerts is the expected one. `tests/verify-expectations.json`
//! names the cases that pass; one of them that no longer does fails the test, so the file can only
//! improve. `WEIR_VERIFY_UPDATE=1` adds what newly passes. Needs no privileges; `WEIR_CORPUS` names the
//! corpus, `WEIR_VERIFY_ONLY` runs the cases whose name contains it.

mod captures;
mod case;
mod expectations;
mod file_store;
mod score;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result, ensure};

use case::{Case, Outcome};
use expectations::Expectations;

/// The corpus; `None`, with a message, where there is none.
fn corpus() -> Result<Option<PathBuf>> {
    let root = std::env::var_os("WEIR_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus"),
        PathBuf::from,
    );
    if root.join("verify/cases.jsonl").is_file() {
        return Ok(Some(root));
    }
    ensure!(
        std::env::var_os("CI").is_none(),
        "no corpus at {}: set WEIR_CORPUS",
        root.display()
    );
    eprintln!("not run: no corpus at {} (set WEIR_CORPUS)", root.display());
    Ok(None)
}

/// Runs every case, as many at once as there are processors. The order of the outcomes is that of the
/// cases.
fn run_all(weir: &Path, corpus: &Path, cases: &[Case]) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![None; cases.len()]);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { break };
                    let outcome = case.run(weir, corpus);
                    if let Ok(mut outcomes) = outcomes.lock() {
                        outcomes[index] = Some(outcome);
                    }
                }
            });
        }
    });
    let outcomes = outcomes.into_inner().unwrap_or_default();
    let finished: Vec<Outcome> = outcomes.into_iter().flatten().collect();
    ensure!(finished.len() == cases.len(), "a worker died");
    Ok(finished)
}

#[test]
fn alerts_are_those_of_the_outside_engine() -> Result<()> {
    let Some(corpus) = corpus()? else {
        return Ok(());
    };
    let weir = weir_tests::node::binary("weir")?;
    let only = std::env::var("WEIR_VERIFY_ONLY").unwrap_or_default();
    let cases: Vec<Case> = case::read(&corpus)?
        .into_iter()
        .filter(|case| case.name.contains(&only))
        .collect();
    ensure!(!cases.is_empty(), "no case matches {only:?}");
    let outcomes = run_all(&weir, &corpus, &cases)?;
    let results: Vec<_> = cases.iter().zip(&outcomes).collect();
    println!("{}", score::failures(&results));
    println!("{}", score::other_drops(&results));
    println!("{}", score::table(&results));
    let mut expectations = Expectations::read().context("the expectations")?;
    let lost = expectations.lost(&results);
    let gained = expectations.gain(&results);
    println!("{} newly pass, {} no longer do", gained.len(), lost.len());
    if std::env::var_os("WEIR_VERIFY_UPDATE").is_some() {
        expectations.write()?;
    } else if !gained.is_empty() {
        println!("WEIR_VERIFY_UPDATE=1 adds: {}", gained.join(" "));
    }
    ensure!(lost.is_empty(), "no longer pass: {}", lost.join(" "));
    Ok(())
}

#[test]
fn nothing_fires_on_captures_that_should_not() -> Result<()> {
    let Some(corpus) = corpus()? else {
        return Ok(());
    };
    let weir = weir_tests::node::binary("weir")?;
    let mut expectations = Expectations::read().context("the expectations")?;
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for folder in ["arkime", "tcpdump"] {
        let expected = captures::expected(&corpus, folder)?;
        let seen = captures::seen(&weir, &corpus, folder)?;
        println!(
            "{folder}: {} of {} alerts, {} more",
            expected.intersection(&seen).count(),
            expected.len(),
            seen.difference(&expected).count()
        );
        for hit in expected.difference(&seen) {
            println!("missing: {hit:?}");
        }
        wrong.extend(seen.difference(&expected).cloned());
        found.extend(captures::found(folder, &expected, &seen));
    }
    let lost = expectations.lost_captures(&found);
    expectations.gain_captures(found);
    if std::env::var_os("WEIR_VERIFY_UPDATE").is_some() {
        expectations.write()?;
    }
    ensure!(wrong.is_empty(), "false alarms: {wrong:?}");
    ensure!(lost.is_empty(), "no longer fire: {}", lost.join(" "));
    Ok(())
}

#[test]
fn files_that_a_rule_asks_for_are_stored_and_told() -> Result<()> {
    let Some(corpus) = corpus()? else {
        return Ok(());
    };
    let weir = weir_tests::node::binary("weir")?;
    file_store::check(&weir, &corpus)
}
