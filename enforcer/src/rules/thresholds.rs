//! `threshold.config`: thresholds, suppressions and rate filters apart from the rules.

use std::path::Path;

use weir_engine::detect::Adjustments;
use weir_policies::LineError;
use weir_policies::threshold_config::{self, Entry};

use super::texts::Texts;
use super::{Files, Report, RuleVars, RulesError};

/// Reads the file. Lines that cannot be applied are in the report; the others stand.
pub(super) fn read(
    path: &Path,
    (vars, texts): (&RuleVars, &Texts),
    files: &Files,
    report: &mut Report,
) -> Result<Adjustments, RulesError> {
    let text = texts
        .read_text(path)
        .map_err(|source| RulesError::Thresholds {
            path: path.to_owned(),
            source,
        })?;
    let (entries, mut errors) = threshold_config::parse(&text);
    let (adjustments, unresolved) = Adjustments::new(&entries, vars);
    errors.extend(unresolved);
    errors.extend(entries.iter().filter_map(|entry| unknown(entry, files)));
    errors.sort_by_key(|error| error.line);
    let name = path.display().to_string();
    for error in errors {
        report.add_config(&name, &error);
    }
    Ok(adjustments)
}

/// An entry for a signature that there is not does nothing: better said than wondered about.
fn unknown(entry: &Entry, files: &Files) -> Option<LineError> {
    let (gid, sid) = (entry.target.gid?, entry.target.sid?);
    (!files.has(gid, sid)).then(|| LineError {
        line: entry.line,
        message: format!("no enabled rule has gen_id {gid} and sig_id {sid}"),
    })
}
