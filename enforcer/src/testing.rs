//! What tests against the real kernel share: network namespaces of their own. Need root.

use std::process::Command;

/// Runs `test` on a thread in a fresh network namespace, which goes away with the thread.
pub(crate) fn in_own_netns(test: impl FnOnce() + Send + 'static) {
    let run = std::thread::Builder::new()
        .name("own-netns".to_owned())
        .spawn(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
                .expect("a network namespace of one's own needs root");
            ip("link set lo up");
            test();
        });
    if let Err(panic) = run.expect("a thread").join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `ip` in the thread's namespace; panics when it fails.
pub(crate) fn ip(arguments: &str) {
    let output = Command::new("ip")
        .args(arguments.split_whitespace())
        .output();
    let output = output.expect("ip(8) is needed (package iproute2)");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {stderr}");
}

/// Waits until interfaces run: the kernel discards what is sent before, for up to a second.
pub(crate) fn wait_until_running(names: &[&str]) {
    use nix::net::if_::InterfaceFlags;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let interfaces: Vec<_> = nix::ifaddrs::getifaddrs().expect("interfaces").collect();
        let runs = |name: &&str| {
            let own = interfaces.iter().find(|i| i.interface_name == **name);
            own.is_some_and(|i| i.flags.contains(InterfaceFlags::IFF_RUNNING))
        };
        if names.iter().all(runs) {
            return;
        }
        assert!(std::time::Instant::now() < end, "{names:?} do not come up");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
}
