//! `weir replay`: captures through the same engine as live traffic, with the captures' own clock.
//!
//! Files are read in the order they are given, as one run: flows and thresholds reach from one into the
//! next. In prevent mode verdicts act within the engine: what a dropped packet carried reaches no later
//! state.

mod capture_file;
#[cfg(test)]
mod corpus_tests;
#[cfg(test)]
mod decode_event_tests;
mod link_type;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use weir_engine::event::Output;
use weir_engine::frame::{
    AttachmentId, ChecksumState, FrameMeta, LinkType, Mode, RuleSetId, Timestamp, WireDirection,
};
use weir_engine::pipeline::{
    Engine, EngineConfig, ExceptionPolicies, ExceptionPolicy, ImpossiblePolicy, RuleSets,
};
use weir_engine::verdict::Verdict;

use crate::settings::{EventType, Files, Hash};
use capture_file::{CaptureError, CaptureFile, Record};
use link_type::LinkNumber;

/// How often, by the captures' clock, flows and fragments are expired.
const TICK: Duration = Duration::from_secs(1);
/// A replay gives the same results each time; nobody can choose a capture's keys against this run.
const SEED: [u64; 2] = [0x7765_6972, 0x7265_706c_6179];

/// `weir replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Captures (pcap, pcapng), read in this order as one run.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub pcap: Vec<PathBuf>,
    /// Rule files.
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub rules: Vec<String>,
    /// Variables: YAML in the shape of `vars:`.
    #[arg(long, value_name = "FILE")]
    pub vars: Option<PathBuf>,
    /// A threshold.config: thresholds, suppressions and rate filters apart from the rules.
    #[arg(long, value_name = "FILE")]
    pub threshold_config: Option<PathBuf>,
    /// Categories of IP reputation; scores with --iprep.
    #[arg(long, value_name = "FILE", requires = "iprep")]
    pub iprep_categories: Option<PathBuf>,
    /// Scores of IP reputation.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "iprep_categories")]
    pub iprep: Vec<PathBuf>,
    /// Directory of data sets that rules keep (`state`, `save`). Without it they start empty and are not
    /// written.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Whether drop and reject signatures act.
    #[arg(long, value_enum, default_value_t = ReplayMode::Detect)]
    pub mode: ReplayMode,
    /// Whether checksums are judged. Captures taken on the sending host often lack them.
    #[arg(long, value_enum, default_value_t = Checksums::Verify)]
    pub checksums: Checksums,
    /// Follow TCP flows whose handshake is not in the capture.
    #[arg(long)]
    pub midstream: bool,
    /// Follow TCP flows of which the capture has one direction only.
    #[arg(long)]
    pub async_oneside: bool,
    /// What befalls traffic that cannot be followed: auto, ignore, drop-packet, drop-flow, reject, bypass,
    /// pass-packet or pass-flow. `auto`: prevent mode drops, detect mode ignores.
    #[arg(long, value_parser = policy, default_value = "auto", value_name = "POLICY")]
    pub exception_policy: ExceptionPolicy,
    /// The same for TCP flows whose beginning is not in the capture; left out: as --exception-policy.
    #[arg(long, value_parser = policy, value_name = "POLICY")]
    pub midstream_policy: Option<ExceptionPolicy>,
    /// The same for flows that a parser of the application layer gave up.
    #[arg(long, value_parser = policy, value_name = "POLICY")]
    pub app_layer_error_policy: Option<ExceptionPolicy>,
    /// Where EVE JSON goes: a file, or - for standard output.
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub eve: String,
    /// Which events are written.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "alert,drop,flow",
        value_name = "TYPE,..."
    )]
    pub events: Vec<EventType>,
    /// Store files that filestore rules ask for in this directory, each record beside its file.
    #[arg(long, value_name = "DIR")]
    pub file_store: Option<PathBuf>,
}

impl ReplayArgs {
    /// What is known of files, and whether they are stored.
    #[must_use]
    pub fn files(&self) -> Files {
        let told = self.events.contains(&EventType::Files);
        let hashes = [Hash::Md5, Hash::Sha1, Hash::Sha256];
        Files {
            store: self.file_store.is_some(),
            dir: self.file_store.clone().unwrap_or_default(),
            write_fileinfo: true,
            force_hash: if told { hashes.to_vec() } else { Vec::new() },
            force_magic: told,
            ..Files::default()
        }
    }
}

/// Whether verdicts act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReplayMode {
    /// Nothing is dropped; alerts say what would have been.
    Detect,
    /// Drop and reject signatures act.
    Prevent,
}

/// Whether checksums are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Checksums {
    /// A packet with a wrong checksum is not inspected, as its receiver ignores it.
    Verify,
    /// Every checksum counts as right.
    Ignore,
}

/// What a replay met.
#[derive(Debug, Default)]
pub struct ReplaySummary {
    /// Frames read.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Frames not delivered, in prevent mode.
    pub dropped: u64,
    /// Fragments held to the end of their datagram.
    pub held: u64,
    /// Frames of link types that weir does not read, by type.
    unread: BTreeMap<LinkNumber, u64>,
    /// What kept files from being read to their end.
    problems: Vec<CaptureError>,
}

impl ReplaySummary {
    /// True when a file could not be read at all.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.problems.iter().any(|problem| {
            matches!(
                problem,
                CaptureError::Io { .. } | CaptureError::NotACapture { .. }
            )
        })
    }

    /// What the user should know, one line each.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let unread = self.unread.iter().map(|(link, frames)| {
            format!(
                "{frames} frames of link type {link} were not inspected: weir reads Ethernet, raw IP, \
                 Linux cooked, loopback, PPP and Cisco HDLC"
            )
        });
        self.problems.iter().map(ToString::to_string).chain(unread)
    }
}

/// The exception policy of that name.
fn policy(name: &str) -> Result<ExceptionPolicy, String> {
    ExceptionPolicy::from_name(name).ok_or_else(|| {
        let known = ExceptionPolicy::ALL.map(|(name, _)| name);
        format!("not an exception policy; known are {}", known.join(", "))
    })
}

/// The engine's settings for a replay.
///
/// # Errors
///
/// When an exception policy is not possible where it is asked for.
pub fn engine_config(args: &ReplayArgs) -> Result<EngineConfig, ImpossiblePolicy> {
    let mut exceptions = ExceptionPolicies::all(args.exception_policy);
    if args.midstream && args.exception_policy != ExceptionPolicy::PassFlow {
        // Nothing is amiss with a flow that is picked up as asked.
        exceptions.midstream = ExceptionPolicy::Auto;
    }
    if let Some(policy) = args.midstream_policy {
        exceptions.midstream = policy;
    }
    if let Some(policy) = args.app_layer_error_policy {
        exceptions.app_layer_error = policy;
    }
    exceptions.check(args.midstream)?;
    Ok(EngineConfig {
        ignore_checksums: args.checksums == Checksums::Ignore,
        midstream: args.midstream,
        async_oneside: args.async_oneside,
        exceptions,
        files: args.files().needs(),
        ..EngineConfig::default()
    })
}

/// What hears of a replay.
pub trait Report: Output {
    /// A frame of this many bytes is judged next: what is reported until the next one is about it.
    fn judging(&mut self, length: usize);
}

/// Replays the captures that `args` names against `rules`. Reports go to `output`. A file that cannot be
/// read (further) does not keep the others from being read; the summary tells.
///
/// # Errors
///
/// When the settings contradict each other.
pub fn run(
    args: &ReplayArgs,
    rules: RuleSets,
    output: &mut dyn Report,
) -> Result<ReplaySummary, ImpossiblePolicy> {
    let mut replay = Replay {
        engine: Engine::new(engine_config(args)?, rules, SEED),
        mode: match args.mode {
            ReplayMode::Detect => Mode::Detect,
            ReplayMode::Prevent => Mode::Prevent,
        },
        now: Timestamp::default(),
        ticked: Timestamp::default(),
        summary: ReplaySummary::default(),
    };
    for path in &args.pcap {
        let result = CaptureFile::open(path).and_then(|file| replay.file(file, output));
        if let Err(problem) = result {
            replay.summary.problems.push(problem);
        }
    }
    replay.engine.finish(replay.now, output);
    Ok(replay.summary)
}

struct Replay {
    engine: Engine,
    mode: Mode,
    now: Timestamp,
    ticked: Timestamp,
    summary: ReplaySummary,
}

impl Replay {
    fn file(&mut self, mut file: CaptureFile, output: &mut dyn Report) -> Result<(), CaptureError> {
        let mut frame = Vec::new();
        while let Some(record) = file.next(&mut frame)? {
            self.frame(record, &mut frame, output);
        }
        Ok(())
    }

    fn frame(&mut self, record: Record, frame: &mut [u8], output: &mut dyn Report) {
        self.summary.frames += 1;
        self.summary.bytes += u64::try_from(frame.len()).unwrap_or_default();
        let link = match record.link {
            Ok(link) => link,
            Err(number) => {
                *self.summary.unread.entry(number).or_default() += 1;
                return;
            }
        };
        self.now = record.at;
        let meta = self.meta(record.at, link);
        output.judging(frame.len());
        match self.engine.process(frame, &meta, output) {
            Verdict::Pass => {}
            Verdict::Held => self.summary.held += 1,
            Verdict::Drop(_) | Verdict::Reject(_) => self.summary.dropped += 1,
        }
        // Also where the clock of the capture, or of the next file, steps back.
        if self.ticked > self.now || self.now.since(self.ticked) >= TICK {
            self.ticked = self.now;
            self.engine.advance(self.now, output);
        }
    }

    fn meta(&self, at: Timestamp, link: LinkType) -> FrameMeta {
        FrameMeta {
            at,
            link,
            checksum: ChecksumState::Final,
            gso_size: None,
            attachment: AttachmentId::default(),
            direction: WireDirection::ToPod,
            mode: self.mode,
            rules: RuleSetId::default(),
            number: self.summary.frames,
        }
    }
}
