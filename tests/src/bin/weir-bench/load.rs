//! The loads: iperf3 for bulk, one-byte TCP round trips, 64-byte datagrams at full rate.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use weir_tests::command::Run;
use weir_tests::poll;

use crate::Subject;

/// Payload of a small packet.
const SMALL: usize = 64;

/// Ports used on the server.
const IPERF_PORT: u16 = 5201;

/// Gbit/s that arrive over `streams` TCP connections.
pub(crate) fn tcp(subject: &Subject, streams: usize, length: Duration) -> Result<f64> {
    let server = subject.b.v4()?.to_string();
    let port = IPERF_PORT.to_string();
    let mut listener = subject.b.ns.run(|| {
        Command::new("iperf3")
            .args(["-s", "-1", "-B", &server, "-p", &port])
            .stdout(std::process::Stdio::null())
            .spawn()
            .context("start iperf3: install it")
    })?;
    let result = wait_listening(subject).and_then(|()| {
        subject.a.ns.run(|| {
            Run::new(Command::new("iperf3").args([
                "-c",
                &server,
                "-p",
                &port,
                "-P",
                &streams.to_string(),
                "-t",
                &length.as_secs().to_string(),
                "-J",
            ]))
            .limit(length + Duration::from_secs(30))
            .succeed()
        })
    });
    let _ended = listener.kill();
    listener.wait()?;
    let report: Value = serde_json::from_str(&result?)?;
    let bits = report
        .pointer("/end/sum_received/bits_per_second")
        .and_then(Value::as_f64);
    Ok(bits.context("iperf3's report holds no rate")? / 1e9)
}

/// A connection attempt would end the one-shot server, so the kernel's list of listeners is asked.
fn wait_listening(subject: &Subject) -> Result<()> {
    poll::until("iperf3 to listen", || {
        let listening = subject
            .b
            .ns
            .sh(&format!("ss -Hltn sport = :{IPERF_PORT}"))?;
        Ok((!listening.is_empty()).then_some(()))
    })
}

/// Median and 99th percentile, in microseconds, of one-byte TCP round trips.
pub(crate) fn round_trips(subject: &Subject, length: Duration) -> Result<(f64, f64)> {
    let listener = subject.b.ns.listen((subject.b.v4()?, 0))?;
    let address = SocketAddr::from((subject.b.v4()?, listener.local_addr()?.port()));
    let client = subject.a.ns.connect(address)?;
    let server = listener.accept()?.0;
    server.set_nodelay(true)?;
    let echo = std::thread::spawn(move || echo_bytes(server));
    let times = ping(client, length)?;
    match echo.join() {
        Ok(outcome) => outcome?,
        Err(_) => bail!("the echo thread panicked"),
    }
    Ok((percentile(&times, 50)?, percentile(&times, 99)?))
}

fn ping(mut client: TcpStream, length: Duration) -> Result<Vec<u32>> {
    let mut times = Vec::with_capacity(1 << 20);
    let end = Instant::now() + length;
    let mut byte = [0];
    loop {
        let start = Instant::now();
        if start > end {
            return Ok(times);
        }
        client.write_all(&[1])?;
        client.read_exact(&mut byte)?;
        times.push(u32::try_from(start.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }
}

fn echo_bytes(mut server: TcpStream) -> Result<()> {
    let mut byte = [0];
    while server.read(&mut byte)? == 1 {
        server.write_all(&byte)?;
    }
    Ok(())
}

fn percentile(times: &[u32], rank: usize) -> Result<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let nanoseconds = sorted
        .get(sorted.len() * rank / 100)
        .context("no round trip was made")?;
    Ok(f64::from(*nanoseconds) / 1e3)
}

/// Thousands of 64-byte datagrams that arrive per second while a sender sends as fast as it can.
pub(crate) fn small_packets(subject: &Subject, length: Duration) -> Result<f64> {
    let server = subject.b.ns.udp((subject.b.v4()?, 0))?;
    let address = SocketAddr::from((subject.b.v4()?, server.local_addr()?.port()));
    server.set_read_timeout(Some(Duration::from_millis(100)))?;
    let client = subject.a.ns.udp((Ipv4Addr::UNSPECIFIED, 0))?;
    client.connect(address)?;
    let stop = Arc::new(AtomicBool::new(false));
    let halt = Arc::clone(&stop);
    let sender = std::thread::spawn(move || flood(&client, &halt));
    let counted = count(&server, length);
    stop.store(true, Ordering::Relaxed);
    if sender.join().is_err() {
        bail!("the sending thread panicked");
    }
    Ok(counted / 1e3)
}

fn flood(client: &UdpSocket, stop: &AtomicBool) {
    let payload = [0x5a; SMALL];
    while !stop.load(Ordering::Relaxed) {
        // A full queue is what is measured: a refused send is one packet less.
        let _full = client.send(&payload);
    }
}

fn count(server: &UdpSocket, length: Duration) -> f64 {
    let mut buffer = [0; SMALL];
    let mut packets = 0_u32;
    let start = Instant::now();
    while start.elapsed() < length {
        if server.recv(&mut buffer).is_ok() {
            packets += 1;
        }
    }
    f64::from(packets) / start.elapsed().as_secs_f64()
}
