//! `app-layer-protocol`.

use crate::detect::application::protocols_named;
use crate::detect::program::{AppProtocolTest, PacketTest, ProtocolMode};

/// `app-layer-protocol:[!]name[|name...][,mode][,exact]`
pub(super) fn read(value: &str) -> Result<PacketTest, String> {
    let mut parts = value.split(',').map(str::trim);
    let names = parts.next().unwrap_or_default();
    let (negated, names) = match names.strip_prefix('!') {
        Some(names) => (true, names.trim()),
        None => (false, names),
    };
    let mut test = AppProtocolTest {
        any_of: Box::default(),
        failed: false,
        unknown: false,
        negated,
        exact: parts.clone().any(|word| word == "exact"),
        mode: mode(parts)?,
    };
    let mut ids = Vec::new();
    for name in names.split('|').map(str::trim) {
        match name {
            "failed" => test.failed = true,
            "unknown" if negated => return Err("`unknown` cannot be negated".to_owned()),
            "unknown" => test.unknown = true,
            name => {
                let known = protocols_named(name);
                if known.is_empty() {
                    return Err(format!(
                        "the application-layer protocol `{name}` is not evaluated"
                    ));
                }
                ids.extend(known);
            }
        }
    }
    test.any_of = ids.into();
    Ok(PacketTest::AppProtocol(test))
}

/// Whose recognition counts. `exact` asks that a name stands for itself alone, not for kinds of it;
/// `http` stands for both versions all the same.
fn mode<'v>(words: impl Iterator<Item = &'v str>) -> Result<ProtocolMode, String> {
    let mut mode = None;
    for word in words.filter(|word| *word != "exact") {
        let named = match word {
            "direction" => ProtocolMode::Direction,
            "to_server" | "toserver" => ProtocolMode::ToServer,
            "to_client" | "toclient" => ProtocolMode::ToClient,
            "either" => ProtocolMode::Either,
            "final" => ProtocolMode::Final,
            "original" => ProtocolMode::Original,
            other => {
                return Err(format!(
                    "`{other}` is not a mode: use direction, to_server, to_client, either, final or original"
                ));
            }
        };
        if mode.replace(named).is_some() {
            return Err("it has two modes".to_owned());
        }
    }
    Ok(mode.unwrap_or(ProtocolMode::Direction))
}
