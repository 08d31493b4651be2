//! Where events go, and which.

use std::path::PathBuf;

use serde::Deserialize;

/// The EVE output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Eve {
    /// Where lines go.
    pub to: EveTarget,
    /// The file, or the unix stream socket to connect to.
    pub path: Option<PathBuf>,
    /// Event types to write.
    pub types: Vec<EventType>,
    /// Write the payload that matched, base64, with alerts.
    pub payload: bool,
    /// Write the payload that matched, printable bytes only, with alerts.
    pub payload_printable: bool,
    /// Write the packets that signatures ask to record (`tag`), where alerts are written.
    pub tagged_packets: bool,
}

/// Kinds of EVE targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EveTarget {
    /// A file, appended to. SIGHUP and `weir reload` reopen it, and so does its disappearance.
    File,
    /// Standard output.
    Stdout,
    /// A unix stream socket that something listens on; connected again when it goes away.
    Unix,
    /// Nowhere.
    Off,
}

/// EVE event types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum EventType {
    /// Signatures that fired.
    Alert,
    /// Frames that were dropped.
    Drop,
    /// Flows that ended.
    Flow,
    /// Events of decoding, TCP tracking, recognition and parsers, whether or not a signature asks for them.
    Anomaly,
    /// Files that transactions carried, as `fileinfo` records.
    Files,
    /// Messages of DNS.
    Dns,
    /// Commands of FTP and their replies.
    Ftp,
    /// Data connections of FTP.
    #[serde(rename = "ftp_data")]
    #[value(name = "ftp_data")]
    FtpData,
    /// Requests of HTTP and their responses.
    Http,
    /// Messages of LLMNR.
    Llmnr,
    /// Messages of mDNS.
    Mdns,
    /// Mails of SMTP.
    Smtp,
    /// Sessions of SSH.
    Ssh,
    /// Sessions of TLS.
    Tls,
}

/// Types that are transactions of the application protocol of that name.
const TRANSACTIONS: &[(EventType, &str)] = &[
    (EventType::Dns, "dns"),
    (EventType::Ftp, "ftp"),
    (EventType::FtpData, "ftp-data"),
    (EventType::Http, "http"),
    (EventType::Llmnr, "llmnr"),
    (EventType::Mdns, "mdns"),
    (EventType::Smtp, "smtp"),
    (EventType::Ssh, "ssh"),
    (EventType::Tls, "tls"),
];

impl Default for Eve {
    fn default() -> Self {
        Self {
            to: EveTarget::Stdout,
            path: None,
            types: vec![EventType::Alert, EventType::Drop, EventType::Flow],
            payload: true,
            payload_printable: true,
            tagged_packets: true,
        }
    }
}

impl Eve {
    /// The output that `--eve FILE|-` asks for.
    #[must_use]
    pub fn from_flag(flag: &str) -> (EveTarget, Option<PathBuf>) {
        if flag == "-" {
            (EveTarget::Stdout, None)
        } else {
            (EveTarget::File, Some(PathBuf::from(flag)))
        }
    }

    /// True where events of that type are written.
    #[must_use]
    pub fn writes(&self, kind: EventType) -> bool {
        self.to != EveTarget::Off && self.types.contains(&kind)
    }

    /// The application protocols whose transactions are written.
    pub fn protocols(&self) -> impl Iterator<Item = &'static str> + '_ {
        TRANSACTIONS
            .iter()
            .filter(|(kind, _)| self.writes(*kind))
            .map(|(_, name)| *name)
    }

    /// What is wrong with the values, if anything.
    pub(super) fn problem(&self) -> Option<String> {
        let needs_path = matches!(self.to, EveTarget::File | EveTarget::Unix);
        match (needs_path, &self.path) {
            (true, None) => Some("outputs.eve.path is missing: file and unix need one".to_owned()),
            (false, Some(path)) => Some(format!(
                "outputs.eve.path is {}, but outputs.eve.to takes none: set it to file or unix",
                path.display()
            )),
            _ => None,
        }
    }
}
