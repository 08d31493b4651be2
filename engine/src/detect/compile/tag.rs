//! `tag:scope[,count,metric[,direction]]`.

use super::packet::integer;
use crate::detect::program::{Tag, TagExtent, TagScope};

/// Packets that a tag without a count records, as documented.
const PACKETS: u32 = 256;

/// Reads the value of a `tag`.
pub(super) fn read(value: &str) -> Result<Tag, String> {
    let parts: Vec<&str> = value.split(',').map(str::trim).collect();
    let (scope, extent, side) = match *parts {
        [scope] => (scope, TagExtent::Packets(PACKETS), None),
        [scope, count, metric] => (scope, extent(count, metric)?, None),
        [scope, count, metric, side] => (scope, extent(count, metric)?, Some(side)),
        _ => return Err("it is not `scope[, count, metric[, direction]]`".to_owned()),
    };
    let scope = match (scope, side) {
        ("session", None) => TagScope::Session,
        ("session", Some(_)) => return Err("a direction is for `host` only".to_owned()),
        ("host", Some("src")) => TagScope::Source,
        ("host", None | Some("dst")) => TagScope::Destination,
        ("host", Some(other)) => return Err(format!("`{other}` is neither src nor dst")),
        (other, _) => return Err(format!("`{other}` is neither session nor host")),
    };
    Ok(Tag { scope, extent })
}

fn extent(count: &str, metric: &str) -> Result<TagExtent, String> {
    let count = integer(count)?;
    if count == 0 {
        return Err("a count of 0 tags nothing".to_owned());
    }
    Ok(match metric {
        "packets" => TagExtent::Packets(count),
        "bytes" => TagExtent::Bytes(count),
        "seconds" => TagExtent::Seconds(count),
        other => return Err(format!("`{other}` is not packets, bytes or seconds")),
    })
}
