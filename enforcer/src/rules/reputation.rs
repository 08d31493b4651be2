//! Files of IP reputation.

use std::path::Path;

use weir_engine::detect::Reputation;
use weir_policies::LineError;
use weir_policies::ip_reputation::{self, Score};

use super::texts::Texts;
use super::{Report, RulesError};
use crate::settings::ReputationFiles;

/// Reads the files. Lines that cannot be used are in the report; the others stand.
pub(super) fn read(
    files: &ReputationFiles,
    texts: &Texts,
    report: &mut Report,
) -> Result<Reputation, RulesError> {
    let text = |path| text(path, texts);
    let (categories, errors) = ip_reputation::categories(&text(&files.categories)?);
    tell(report, &files.categories, errors);
    let mut scores: Vec<Score> = Vec::new();
    for file in &files.files {
        let (more, errors) = ip_reputation::scores(&text(file)?);
        scores.extend(more);
        tell(report, file, errors);
    }
    let (reputation, lost) = Reputation::new(&categories, &scores);
    if lost > 0 {
        log::warn!(
            "{lost} scores are of categories that {} lacks",
            files.categories.display()
        );
    }
    Ok(reputation)
}

fn text(path: &Path, texts: &Texts) -> Result<String, RulesError> {
    texts
        .read_text(path)
        .map_err(|source| RulesError::Reputation {
            path: path.to_owned(),
            source,
        })
}

fn tell(report: &mut Report, path: &Path, errors: Vec<LineError>) {
    let name = path.display().to_string();
    errors
        .iter()
        .for_each(|error| report.add_config(&name, error));
}
