//! Samples and the table that is printed.

use std::collections::BTreeMap;

use crate::Plan;

/// What is measured, in the table's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Measure {
    TcpOne,
    CpuTime,
    TcpFour,
    RoundTripMedian,
    RoundTripTail,
    SmallPackets,
    AddEmpty,
    AddFull,
}

impl Measure {
    fn title(self, attachments: usize) -> String {
        match self {
            Self::TcpOne => "TCP, 1 stream, Gbit/s".to_owned(),
            Self::CpuTime => "  weir's CPU time, s/GB".to_owned(),
            Self::TcpFour => "TCP, 4 streams, Gbit/s".to_owned(),
            Self::RoundTripMedian => "1-byte round trip p50, us".to_owned(),
            Self::RoundTripTail => "1-byte round trip p99, us".to_owned(),
            Self::SmallPackets => "UDP 64 B delivered, k/s".to_owned(),
            Self::AddEmpty => "ADD, empty node, ms".to_owned(),
            Self::AddFull => format!("ADD, {attachments} attachments, ms"),
        }
    }

    /// What weir aims at, in words, and whether the medians reach it.
    fn target(self, raw: f64, weir: f64) -> Option<(&'static str, bool)> {
        match self {
            Self::TcpOne | Self::TcpFour => Some((">= 0.5 x raw", weir >= 0.5 * raw)),
            Self::RoundTripMedian => Some(("<= 2.2 x raw", weir <= 2.2 * raw)),
            Self::AddEmpty | Self::AddFull => Some(("<= raw + 10 ms", weir <= raw + 10.0)),
            Self::CpuTime | Self::RoundTripTail | Self::SmallPackets => None,
        }
    }
}

/// The samples of one measure by subject.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    raw: Vec<f64>,
    weir: Vec<f64>,
}

impl Samples {
    /// Adds a sample of `raw` or `weir`.
    pub(crate) fn push(&mut self, subject: &str, value: f64) {
        if subject == "raw" {
            self.raw.push(value);
        } else {
            self.weir.push(value);
        }
    }
}

/// Prints the table to standard output.
pub(crate) fn print(samples: &BTreeMap<Measure, Samples>, plan: Plan) {
    let Plan {
        rounds,
        attachments,
        ..
    } = plan;
    println!();
    println!(
        "medians of {rounds} interleaved rounds (ADD: of 41); raw = bridge without weir; weir = shipped rules, prevent"
    );
    println!(
        "ADD: the whole chain, ptp with host-local on a node without weir (raw), the same and weir-cni (weir)"
    );
    println!();
    println!(
        "| {:<28} | {:>9} | {:>9} | {:>8} | {:<22} |",
        "measure", "raw", "weir", "weir/raw", "target"
    );
    println!(
        "| {:-<28} | {:->9} | {:->9} | {:->8} | {:-<22} |",
        "", "", "", "", ""
    );
    for (measure, values) in samples {
        let (raw, weir) = (median(&values.raw), median(&values.weir));
        let target = match measure.target(raw, weir) {
            Some((text, true)) => format!("{text}: met"),
            Some((text, false)) => format!("{text}: missed"),
            None => String::new(),
        };
        let title = measure.title(attachments);
        if *measure == Measure::CpuTime {
            println!(
                "| {title:<28} | {:>9} | {weir:>9.2} | {:>8} | {:<22} |",
                "", "", ""
            );
            continue;
        }
        println!(
            "| {title:<28} | {raw:>9.2} | {weir:>9.2} | {:>8.2} | {target:<22} |",
            weir / raw
        );
    }
    println!();
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
