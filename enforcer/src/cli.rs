//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use weir_datapath::policy::Mode;

use crate::replay::ReplayArgs;
use crate::settings::{Eve, Settings};

/// weir: inline intrusion prevention for the traffic between containers.
#[derive(Debug, Parser)]
#[command(name = "weir", version, about, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Inspect the traffic of this node's attached pods until SIGTERM.
    Enforce(EnforceArgs),
    /// Inspect captures instead of live traffic, with the captures' own clock.
    Replay(ReplayArgs),
    /// Load rules and report what was refused, with file, line and column.
    Check(CheckArgs),
    /// Show attachments, fail state and counters of this node.
    Status(StatusArgs),
    /// Have the running enforcer read its settings and rules again.
    Reload(ControlArgs),
    /// Remove what weir added to this node's kernel: table and devices.
    Uninstall(UninstallArgs),
}

/// `weir enforce`.
#[derive(Debug, Default, Args)]
pub struct EnforceArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Rule files instead of the configured and shipped ones.
    #[arg(long, num_args = 1.., value_name = "FILE")]
    pub rules: Option<Vec<String>>,
    /// Variables on top of the configured ones: YAML in the shape of `vars:`.
    #[arg(long, value_name = "FILE")]
    pub vars: Option<PathBuf>,
    /// A threshold.config: thresholds, suppressions and rate filters apart from the rules.
    #[arg(long, value_name = "FILE")]
    pub threshold_config: Option<PathBuf>,
    /// Where EVE JSON goes: a file, or - for standard output.
    #[arg(long, value_name = "FILE|-")]
    pub eve: Option<String>,
    /// Worker threads.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub workers: Option<u16>,
    /// Mode of every attachment, whatever its own policy says.
    #[arg(long)]
    pub mode: Option<ModeArg>,
}

/// Where settings and run directory are.
#[derive(Clone, Debug, Default, Args)]
pub struct SettingsArgs {
    /// Settings file [default: /etc/weir/weir.yaml where it exists].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Run directory: attachment records, control socket, lock.
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
}

/// `weir check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Rule files.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<String>,
    /// Variables: YAML in the shape of `vars:`.
    #[arg(long, value_name = "FILE")]
    pub vars: Option<PathBuf>,
    /// A classification.config instead of the shipped one.
    #[arg(long, value_name = "FILE")]
    pub classification: Option<PathBuf>,
    /// A threshold.config: thresholds, suppressions and rate filters apart from the rules.
    #[arg(long, value_name = "FILE")]
    pub threshold_config: Option<PathBuf>,
    /// Categories of IP reputation; scores with --iprep.
    #[arg(long, value_name = "FILE", requires = "iprep")]
    pub iprep_categories: Option<PathBuf>,
    /// Scores of IP reputation.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "iprep_categories")]
    pub iprep: Vec<PathBuf>,
    /// Report as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `weir status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Report as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// `weir reload`.
#[derive(Debug, Args)]
pub struct ControlArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// `weir uninstall`.
#[derive(Debug, Args)]
pub struct UninstallArgs {
    /// Settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Also while pods are attached: their traffic then passes uninspected.
    #[arg(long)]
    pub force: bool,
}

/// Modes that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModeArg {
    /// Deliver everything; alerts say what would have been dropped.
    Detect,
    /// Drop and reject signatures act.
    Prevent,
}

impl From<ModeArg> for Mode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Detect => Self::Detect,
            ModeArg::Prevent => Self::Prevent,
        }
    }
}

impl SettingsArgs {
    /// The settings, flags applied.
    ///
    /// # Errors
    ///
    /// When the settings file cannot be used.
    pub fn load(&self) -> Result<Settings, crate::settings::SettingsError> {
        let mut settings = Settings::load(self.config.as_deref())?;
        if let Some(run_dir) = &self.run_dir {
            settings.run_dir.clone_from(run_dir);
        }
        Ok(settings)
    }
}

impl EnforceArgs {
    /// The settings, flags applied.
    ///
    /// # Errors
    ///
    /// When the settings file or the variables cannot be used.
    pub fn load(&self) -> Result<Settings, crate::settings::SettingsError> {
        let mut settings = self.settings.load()?;
        if let Some(rules) = &self.rules {
            settings.rule_files.clone_from(rules);
            settings.shipped_rules = false;
        }
        if let Some(vars) = &self.vars {
            settings.vars = crate::rules::vars_from(settings.vars, vars)?;
        }
        if let Some(file) = &self.threshold_config {
            settings.threshold_file = Some(file.clone());
        }
        if let Some(eve) = &self.eve {
            (settings.outputs.eve.to, settings.outputs.eve.path) = Eve::from_flag(eve);
        }
        settings.workers = self.workers.or(settings.workers);
        settings.mode = self.mode.map(Mode::from).or(settings.mode);
        Ok(settings)
    }
}
