//! Rule files that are edited while the enforcer runs.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use weir_tests::pod::Family;
use weir_tests::poll;
use weir_tests::traffic::{Answer, Collector, echo};

use crate::lab::{ATTACK, ATTACK_SID, Lab, RULES};

/// Two looks at the files, five seconds apart, and the compilation of a debug build.
const PICKED_UP: Duration = Duration::from_secs(60);

/// A rule that is written while the enforcer runs.
const NEW_SID: u64 = 77;
const NEW_RULE: &str = r#"alert ip any any -> any any (msg:"new"; content:"BRAND-NEW"; sid:77;)"#;

#[test]
fn an_edited_rule_file_is_picked_up_and_a_broken_one_leaves_the_rules_as_they_are() -> Result<()> {
    let lab = Lab::new("watch")?;
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
    let mut stream = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
    echo(&mut stream, b"BRAND-NEW, and nobody minds")?;

    let scratch = lab.node.scratch();
    scratch.write("test.rules", &format!("{RULES}{NEW_RULE}\n"))?;
    poll::until_within("the edited rules", PICKED_UP, || {
        let loaded = lab.enforcer.status()?.counter("rules.loaded")?;
        Ok((loaded == 3).then_some(()))
    })?;
    ensure!(lab.enforcer.eve.alerts(NEW_SID)?.is_empty());
    echo(&mut stream, b"BRAND-NEW on a connection from before")?;
    lab.enforcer.eve.wait_alerts(NEW_SID, 1)?;

    scratch.write("test.rules", "drop ip any any -> any any (msg:\"half an")?;
    poll::until_within("the broken rules", PICKED_UP, || {
        let refused = lab.enforcer.log().contains("reload refused");
        Ok(refused.then_some(()))
    })?;
    ensure!(lab.enforcer.status()?.counter("rules.loaded")? == 3);
    echo(&mut stream, b"BRAND-NEW again")?;
    lab.enforcer.eve.wait_alerts(NEW_SID, 2)?;
    let mut attack = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
    std::io::Write::write_all(&mut attack, ATTACK)?;
    let alerts = lab.enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    let alert = alerts.first().context("alert")?;
    ensure!(alert["alert"]["action"] == json!("blocked"), "{alert}");
    ensure!(!service.saw(ATTACK));
    Ok(())
}
