//! Modes and actions: detect, off, reject, alert, pass; annotations that tighten and loosen.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use weir_tests::enforcer::{Enforcer, Options};
use weir_tests::eve::text;
use weir_tests::node::{Main, Node};
use weir_tests::pod::{Family, Pod};
use weir_tests::ruleset::hooked;
use weir_tests::traffic::{Answer, Collector, READ_LIMIT, echo};

use crate::lab::{ATTACK, ATTACK_SID, Lab, NOTICE_SID, RULES, prevent};

/// For how long nothing is taken for no reset at all.
const QUIET: Duration = Duration::from_millis(500);

#[test]
fn detect_mode_delivers_and_says_what_prevent_would_have_dropped() -> Result<()> {
    let lab = Lab::with(
        "detect",
        Main::Bridge,
        &json!({"mode": "detect"}),
        &Options::rules(RULES),
    )?;
    delivered_as_would_drop(&lab)
}

#[test]
fn detect_mode_by_flag_overrides_the_attachments() -> Result<()> {
    let options = Options::rules(RULES).flags(&["--mode", "detect"]);
    let lab = Lab::with("flag", Main::Bridge, &prevent(), &options)?;
    delivered_as_would_drop(&lab)
}

fn delivered_as_would_drop(lab: &Lab) -> Result<()> {
    for family in Family::BOTH {
        let known = lab.enforcer.eve.alerts(ATTACK_SID)?.len();
        let service = Collector::start(&lab.b.ns, lab.b.at(family, 80)?, Answer::Echo)?;
        let mut stream = lab.a.ns.connect(lab.b.at(family, 80)?)?;
        echo(&mut stream, ATTACK).context("detect mode must deliver")?;
        echo(&mut stream, b"and more on the same connection")?;
        ensure!(service.saw(ATTACK));
        let alerts = lab.enforcer.eve.wait_alerts(ATTACK_SID, known + 1)?;
        let alert = alerts.last().context("alert")?;
        ensure!(
            alert["would_drop"] == json!(true),
            "no would_drop in {alert}"
        );
        ensure!(text(alert, "/alert/action") == "allowed", "{alert}");
    }
    Ok(())
}

#[test]
fn alert_rules_report_and_deliver() -> Result<()> {
    let lab = Lab::new("alert")?;
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
    let mut stream = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
    echo(&mut stream, b"please NOTICE-THIS")?;
    ensure!(service.saw(b"NOTICE-THIS"));
    let alerts = lab.enforcer.eve.wait_alerts(NOTICE_SID, 1)?;
    ensure!(
        text(&alerts[0], "/alert/action") == "allowed",
        "{}",
        alerts[0]
    );
    ensure!(text(&alerts[0], "/alert/signature") == "test notice");
    ensure!(text(&alerts[0], "/src_pod/container_id") == lab.a.attach.id);
    Ok(())
}

#[test]
fn pass_rules_let_through_what_a_drop_rule_would_catch() -> Result<()> {
    let rules = format!("pass tcp any any -> any 8443 (msg:\"trusted\"; sid:9;)\n{RULES}",);
    let lab = Lab::with("pass", Main::Bridge, &prevent(), &Options::rules(&rules))?;
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 8443)?, Answer::Nothing)?;
    let mut stream = lab.a.ns.connect(lab.b.at(Family::V4, 8443)?)?;
    stream.write_all(ATTACK)?;
    service.wait_for(ATTACK)?;
    ensure!(lab.enforcer.eve.alerts(ATTACK_SID)?.is_empty());
    Ok(())
}

#[test]
fn reject_resets_the_ends_that_its_action_names() -> Result<()> {
    for (action, client_reset, server_reset) in [
        ("reject", true, true),
        ("rejectsrc", true, false),
        ("rejectdst", false, true),
        ("rejectboth", true, true),
    ] {
        let lab = reject_lab(action)?;
        for family in Family::BOTH {
            let listener = lab.b.ns.listen(lab.b.at(family, 80)?)?;
            let mut client = lab.a.ns.connect(lab.b.at(family, 80)?)?;
            let mut server = listener.accept()?.0;
            echo_between(&mut client, &mut server)?;
            client.write_all(ATTACK)?;
            for (end, name, reset) in [
                (&mut client, "client", client_reset),
                (&mut server, "server", server_reset),
            ] {
                expect_end(end, reset).with_context(|| format!("{action} {family:?} {name}"))?;
            }
        }
        let answers = lab.enforcer.status()?.counter("inject.reject_answers")?;
        let expected = 2 * (u64::from(client_reset) + u64::from(server_reset));
        ensure!(
            answers == expected,
            "{action}: {answers} answers, not {expected}"
        );
    }
    Ok(())
}

/// One exchange, so that both ends have sent and acknowledged.
fn echo_between(client: &mut TcpStream, server: &mut TcpStream) -> Result<()> {
    let mut buffer = [0; 5];
    client.write_all(b"hello")?;
    server.read_exact(&mut buffer)?;
    server.write_all(b"hello")?;
    client.read_exact(&mut buffer)?;
    Ok(())
}

/// The end of a rejected connection sees a reset, or nothing at all for as long as a reset would take.
fn expect_end(stream: &mut TcpStream, reset: bool) -> Result<()> {
    let limit = if reset { READ_LIMIT } else { QUIET };
    stream.set_read_timeout(Some(limit))?;
    let read = stream.read(&mut [0; 256]);
    let expected = if reset {
        std::io::ErrorKind::ConnectionReset
    } else {
        std::io::ErrorKind::WouldBlock
    };
    match read {
        Err(error) if error.kind() == expected => Ok(()),
        other => bail!("not {expected:?} but {other:?}"),
    }
}

#[test]
fn reject_rules_answer_datagrams_with_port_unreachable() -> Result<()> {
    let lab = reject_lab("reject")?;
    for family in Family::BOTH {
        let _server = lab.b.ns.udp(lab.b.at(family, 53)?)?;
        let client = lab.a.ns.udp(lab.a.at(family, 0)?)?;
        client.connect(lab.b.at(family, 53)?)?;
        client.set_read_timeout(Some(Duration::from_secs(10)))?;
        client.send(ATTACK)?;
        let mut buffer = [0; 64];
        let answer = client.recv(&mut buffer);
        let refused = answer
            .as_ref()
            .is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused);
        ensure!(refused, "{family:?}: no ICMP error but {answer:?}");
    }
    Ok(())
}

fn reject_lab(action: &str) -> Result<Lab> {
    let rules = RULES.replace("drop ip", &format!("{action} ip"));
    Lab::with("reject", Main::Bridge, &prevent(), &Options::rules(&rules))
}

#[test]
fn mode_off_leaves_the_pod_unwired() -> Result<()> {
    let node = Node::new("off")?;
    let network = node.weir_network(Main::Bridge, &json!({"mode": "off", "failMode": "closed"}));
    let (a, b) = (Pod::start(&network, "a")?, Pod::start(&network, "b")?);
    let service = Collector::start(&b.ns, b.at(Family::V4, 80)?, Answer::Echo)?;
    echo(&mut a.ns.connect(b.at(Family::V4, 80)?)?, ATTACK)?;
    ensure!(service.saw(ATTACK));
    let hooked = hooked(&node)?;
    ensure!(!hooked.contains(&a.host_ifname), "{hooked:?}");
    network.del(&a.attach)?;
    Ok(())
}

#[test]
fn annotations_may_tighten_and_loosen_only_where_allowed() -> Result<()> {
    let node = Node::new("annotate")?;
    let _enforcer = Enforcer::start(&node, &Options::rules(RULES))?;
    let detect = node.weir_network(
        Main::Bridge,
        &json!({"mode": "detect", "failMode": "closed"}),
    );
    let tightened = Pod::start_annotated(&detect, "tight", &[("weir.dev/mode", "prevent")])?;
    detect.check(&tightened.attach)?;
    let loosened = Pod::start_annotated(&detect, "loose", &[("weir.dev/mode", "off")]);
    let error = format!("{:#}", loosened.unwrap_err());
    ensure!(error.contains("weir.dev/mode"), "{error}");
    let unknown = Pod::start_annotated(&detect, "unknown", &[("weir.dev/mode", "paranoid")]);
    let error = format!("{:#}", unknown.unwrap_err());
    for word in ["paranoid", "off", "detect", "prevent"] {
        ensure!(error.contains(word), "{word} is not in: {error}");
    }
    let weir = json!({"mode": "prevent", "annotations": {"loosen": ["default"]}});
    let allowing = node.weir_network(Main::Bridge, &weir);
    let allowed = Pod::start_annotated(&allowing, "allowed", &[("weir.dev/mode", "detect")])?;
    allowing.check(&allowed.attach)?;
    Ok(())
}

/// One pod's flow that ends by a drop verdict does not touch another flow of the same pods.
#[test]
fn drop_ends_its_flow_and_no_other() -> Result<()> {
    let lab = Lab::new("flow")?;
    let service = Collector::start(&lab.b.ns, lab.b.at(Family::V4, 80)?, Answer::Echo)?;
    let mut steady = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
    echo(&mut steady, b"steady")?;
    let mut evil = lab.a.ns.connect(lab.b.at(Family::V4, 80)?)?;
    evil.write_all(ATTACK)?;
    lab.enforcer.eve.wait_alerts(ATTACK_SID, 1)?;
    let before = lab.enforcer.status()?;
    evil.write_all(b"benign afterthought")?;
    // The sender retransmits; all of that is dropped with the flow.
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        echo(&mut steady, b"steady goes on")?;
    }
    let dropped = lab.enforcer.status()?.growth(&before, "dropped.");
    ensure!(
        !dropped.is_empty(),
        "nothing of the dropped flow was counted"
    );
    ensure!(!service.saw(b"EVIL") && !service.saw(b"afterthought"));
    Ok(())
}
