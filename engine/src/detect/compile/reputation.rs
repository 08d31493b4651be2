//! `iprep`.

use std::sync::Arc;

use super::env::CompileEnv;
use crate::detect::matcher::parse_number_test;
use crate::detect::program::{Hosts, PacketTest, ScoreTest};

/// `iprep:any|src|dst|both,category,operator,score`, or `isset` or `isnotset` behind the category.
pub(super) fn read(value: &str, env: &CompileEnv<'_>) -> Result<PacketTest, String> {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let (hosts, category, test) = match *parts {
        [hosts, category, "isset"] => (hosts, category, ScoreTest::Any),
        [hosts, category, "isnotset"] => (hosts, category, ScoreTest::None),
        [
            hosts,
            category,
            operator @ ("<" | "<=" | ">" | ">=" | "="),
            score,
        ] => {
            let test = parse_number_test(&format!("{operator}{score}"), 127)?;
            (hosts, category, ScoreTest::Number(test))
        }
        _ => {
            return Err(
                "it is not `any|src|dst|both, category, operator, score`, or `..., isset|isnotset`"
                    .to_owned(),
            );
        }
    };
    let hosts = match hosts {
        "any" => Hosts::Any,
        "src" => Hosts::Source,
        "dst" => Hosts::Destination,
        "both" => Hosts::Both,
        other => return Err(format!("`{other}` is not any, src, dst or both")),
    };
    let reputation = env.reputation;
    let reputation = reputation.ok_or("no reputation is loaded: see reputation in the settings")?;
    let scores = reputation
        .category(category)
        .ok_or_else(|| format!("no category `{category}` is among those loaded"))?;
    Ok(PacketTest::Reputation(hosts, Arc::clone(scores), test))
}
