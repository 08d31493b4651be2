//! `weir replay`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use weir_engine::event::{
    Alert, Anomaly, Drop, FileRecord, FlowEnd, Output, TaggedPacket, TransactionRecord,
};
use weir_engine::frame::FrameMeta;

use crate::events::eve::EveFormatter;
use crate::events::file_store::{FileStore, StoredFile};
use crate::events::pods::NoPods;
use crate::replay::{self, ReplayArgs, Report};
use crate::rules::{self, Before};
use crate::settings::{Datasets, Eve, ReputationFiles, Settings};

/// Replays captures. The exit code is 1 when one could not be read at all.
///
/// # Errors
///
/// When rules cannot be loaded or events not be written.
pub fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    let mut settings = Settings {
        shipped_rules: false,
        rule_files: args.rules.clone(),
        threshold_file: args.threshold_config.clone(),
        reputation: ReputationFiles::of(args.iprep_categories.clone(), args.iprep.clone()),
        datasets: Datasets {
            data_dir: args.data_dir.clone(),
            ..Datasets::default()
        },
        ..Settings::default()
    };
    if let Some(vars) = &args.vars {
        settings.vars = rules::vars_from(settings.vars, vars)?;
    }
    let loaded = rules::load(&settings, &[], &Before::default())?;
    for finding in loaded.report.diagnostics.iter().filter(|f| f.enabled) {
        log::warn!("refused: {finding}");
    }
    for finding in &loaded.report.thresholds {
        log::warn!("not applied: {finding}");
    }
    let mut output = EveOutput::open(args)?;
    let summary = replay::run(args, loaded.sets, &mut output)
        .context("check --exception-policy and its kin")?;
    output
        .finish()
        .with_context(|| format!("cannot write events to {}", args.eve))?;
    loaded.data.save_or_log();
    for warning in summary.warnings() {
        log::warn!("{warning}");
    }
    log::info!(
        "{} frames, {} bytes: {} not delivered",
        summary.frames,
        summary.bytes,
        summary.dropped
    );
    Ok(if summary.failed() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Writes events as they come; the first error ends the writing and is kept.
struct EveOutput {
    formatter: EveFormatter,
    line: Vec<u8>,
    target: Box<dyn Write>,
    files: FileStore,
    /// Length of the frame that the engine judges; `None` before the first.
    frame_len: Option<usize>,
    result: io::Result<()>,
}

impl EveOutput {
    fn open(args: &ReplayArgs) -> anyhow::Result<Self> {
        let path = args.eve.as_str();
        let target: Box<dyn Write> = if path == "-" {
            Box::new(BufWriter::new(io::stdout().lock()))
        } else {
            let file = File::create(path)
                .with_context(|| format!("cannot create the EVE file {path}; check --eve"))?;
            Box::new(BufWriter::new(file))
        };
        Ok(Self {
            formatter: EveFormatter::new(&Eve {
                types: args.events.clone(),
                ..Eve::default()
            }),
            line: Vec::new(),
            target,
            files: FileStore::start(&args.files())?,
            frame_len: None,
            result: Ok(()),
        })
    }

    fn finish(mut self) -> io::Result<()> {
        self.files.finish();
        self.result.and_then(|()| self.target.flush())
    }

    fn write(&mut self, form: impl FnOnce(&EveFormatter, &mut Vec<u8>) -> bool) {
        self.line.clear();
        if form(&self.formatter, &mut self.line) && self.result.is_ok() {
            self.result = self.target.write_all(&self.line);
        }
    }
}

impl Report for EveOutput {
    fn judging(&mut self, length: usize) {
        self.frame_len = Some(length);
    }
}

impl Output for EveOutput {
    fn alert(&mut self, alert: &Alert<'_>) {
        self.write(|eve, line| eve.alert(alert, &NoPods, line));
    }

    fn tagged(&mut self, packet: &TaggedPacket<'_>) {
        self.write(|eve, line| eve.tagged(packet, &NoPods, line));
    }

    fn drop(&mut self, drop: &Drop<'_>) {
        let len = self.frame_len;
        self.write(|eve, line| eve.drop(drop, len, &NoPods, line));
    }

    fn flow(&mut self, flow: &FlowEnd<'_>) {
        self.write(|eve, line| eve.flow(flow, &NoPods, line));
    }

    fn transaction(&mut self, record: &TransactionRecord<'_>) {
        self.write(|eve, line| eve.transaction(record, &NoPods, line));
    }

    fn anomaly(&mut self, anomaly: &Anomaly<'_>) {
        self.write(|eve, line| eve.anomaly(anomaly, &NoPods, line));
    }

    fn file(&mut self, record: &FileRecord<'_>) {
        let wanted = record.store && self.files.sink.is_on();
        let kept = record.file.kept().filter(|_| wanted);
        let stored = kept.is_some();
        self.write(|eve, line| eve.file(record, stored, &NoPods, line));
        if let Some((bytes, _)) = kept {
            let file = StoredFile::new(&self.formatter, record, bytes, &NoPods);
            // A replay waits for its files: no frame waits for it.
            self.files.sink.store_waiting(file);
        }
    }

    fn release(&mut self, _: &[u8], _: &FrameMeta) {}
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: ReplayArgs,
    }

    /// A capture of one Ethernet frame.
    fn pcap(frame: &[u8]) -> Vec<u8> {
        let length = u32::try_from(frame.len()).unwrap();
        let head = [
            0xa1b2_c3d4,
            0x0004_0002,
            0,
            0,
            65_535,
            1,
            100,
            0,
            length,
            length,
        ];
        let mut file: Vec<u8> = head
            .iter()
            .flat_map(|word: &u32| word.to_ne_bytes())
            .collect();
        file.extend(frame);
        file
    }

    #[test]
    fn a_drop_record_has_the_length_of_its_frame() {
        let dir = std::env::temp_dir().join(format!("weir-replay-len-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let at = |name: &str| dir.join(name).display().to_string();
        // IPv4 whose header length says four bytes.
        let mut frame = vec![2; 12];
        frame.extend([0x08, 0x00, 0x41]);
        frame.resize(60, 0);
        std::fs::write(at("in.pcap"), pcap(&frame)).unwrap();
        std::fs::write(at("none.rules"), "").unwrap();
        let (capture, rules, eve) = (at("in.pcap"), at("none.rules"), at("eve.json"));
        let words = [
            "replay", "--pcap", &capture, "--rules", &rules, "--eve", &eve, "--mode", "prevent",
        ];
        run(&Line::try_parse_from(words).unwrap().args).unwrap();
        let record: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&eve).unwrap()).unwrap();
        assert_eq!(record["event_type"], "drop", "{record}");
        assert_eq!(record["drop"]["len"], 60, "{record}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
