//! `weir check`.

use std::process::ExitCode;

use serde_json::json;

use crate::cli::CheckArgs;
use crate::rules::{self, Report};
use crate::settings::{Datasets, ReputationFiles, Settings};

/// Loads the rules and reports. The exit code is 1 when an enabled rule was refused, or a line of the
/// threshold file not applied.
///
/// # Errors
///
/// When a file cannot be read or the report not be written.
pub fn run(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let mut settings = Settings {
        shipped_rules: false,
        rule_files: args.files,
        classification: args.classification,
        threshold_file: args.threshold_config,
        reputation: ReputationFiles::of(args.iprep_categories, args.iprep),
        datasets: Datasets {
            data_dir: None,
            ..Datasets::default()
        },
        ..Settings::default()
    };
    if let Some(vars) = &args.vars {
        settings.vars = rules::vars_from(settings.vars, vars)?;
    }
    let report = rules::check(&settings)?;
    let out = std::io::stdout().lock();
    if args.json {
        write_json(out, &report)?;
    } else {
        write_text(out, &report)?;
    }
    Ok(if report.refused == 0 && report.thresholds.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn write_json(mut out: impl std::io::Write, report: &Report) -> std::io::Result<()> {
    serde_json::to_writer_pretty(&mut out, &json!(report))?;
    out.write_all(b"\n")
}

fn write_text(mut out: impl std::io::Write, report: &Report) -> std::io::Result<()> {
    for finding in &report.diagnostics {
        let note = if finding.enabled {
            ""
        } else {
            " (commented out)"
        };
        writeln!(out, "{finding}{note}")?;
    }
    for finding in &report.thresholds {
        writeln!(out, "{finding}")?;
    }
    write!(
        out,
        "{} rules loaded, {} refused",
        report.loaded, report.refused
    )?;
    if report.skipped > 0 {
        write!(out, ", {} skipped by their `requires`", report.skipped)?;
    }
    writeln!(out, ", {} commented out", report.disabled)?;
    for (keyword, protocols) in &report.refused_by {
        let rules: usize = protocols.values().sum();
        let by = protocols
            .iter()
            .map(|(name, rules)| format!("{name} {rules}"));
        let by: Vec<String> = by.collect();
        writeln!(out, "refused for {keyword}: {rules} ({})", by.join(", "))?;
    }
    if report.never > 0 {
        writeln!(
            out,
            "{} of the refused rules name no address or no port at all, as the variables are set",
            report.never
        )?;
    }
    if let Some(silent) = report.silent_at_home.filter(|silent| *silent > 0) {
        writeln!(
            out,
            "{silent} of the loaded rules cannot fire between two hosts of HOME_NET: they ask for an end \
             outside. For traffic between pods set EXTERNAL_NET to any, or leave both variables out."
        )?;
    }
    out.flush()
}
