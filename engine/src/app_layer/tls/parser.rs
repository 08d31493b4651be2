//! TLS in one flow: one transaction, two sides.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app_layer::session::{Events, Session, SessionParser};
use crate::app_layer::{AppEvent, BufferBytes, BufferId, Fields, Input, Progress, Transaction};
use crate::event::FlowDirection;

use super::certificate::{Certificates, date};
use super::side::{Reading, Side};
use super::{ENCRYPTED, Event, PARTS, Part};

/// TLS in one flow.
pub(super) type TlsParser = SessionParser<TlsSession>;

/// The flow's transaction.
#[derive(Debug, Default)]
pub(super) struct TlsSession {
    sides: [Side; 2],
    events: Events,
}

impl TlsSession {
    fn side(&self, direction: FlowDirection) -> &Side {
        &self.sides[direction.index()]
    }

    /// The `index`th of the messages that have been there, as `ssl_state` numbers them; 0 when there was
    /// none.
    fn state(&self, index: usize) -> Option<u64> {
        let [client, server] = &self.sides;
        let reached = [
            client.hello.version != 0,
            server.hello.version != 0,
            client.key_exchange,
            server.key_exchange,
        ];
        let mut states = (1..)
            .zip(reached)
            .filter_map(|(state, is)| is.then_some(state));
        match states.nth(index) {
            None if index == 0 => Some(0),
            state => state,
        }
    }

    /// The version agreed on: the server's choice, or what the client offers while there is none.
    fn version(&self) -> u16 {
        let [client, server] = &self.sides;
        if server.hello.version == 0 {
            client.hello.version
        } else {
            server.hello.version
        }
    }
}

impl Session for TlsSession {
    fn take(&mut self, input: &Input<'_>) {
        let Self { sides, events } = self;
        let mut raise = |event: Event| events.raise(event as u8);
        let from = input.direction.index();
        let reading = Reading {
            direction: input.direction,
            at: input.at,
            asked: sides[1 - from].heartbeat,
            raise: &mut raise,
        };
        sides[from].take(input.bytes, reading);
    }

    fn stop(&mut self, direction: FlowDirection) {
        self.sides[direction.index()].stop();
    }

    /// What one side sends does not stop the other side's from being read.
    fn is_over(&self) -> bool {
        self.sides.iter().all(|side| side.progress() >= ENCRYPTED)
    }

    fn clear(&mut self) {
        self.sides.iter_mut().for_each(Side::clear);
        self.events.clear();
    }
}

impl Transaction for TlsSession {
    fn id(&self) -> u64 {
        0
    }

    fn progress(&self, direction: FlowDirection) -> Progress {
        self.side(direction).progress()
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let (spec, part) = PARTS.get(id.index())?;
        let side = self.side(spec.direction);
        let (hello, certificates) = (&side.hello, &side.certificates);
        let has_hello = hello.ja3_hash.is_some();
        let bytes: &[u8] = match part {
            Part::Sni => &hello.sni,
            Part::Alpn => return hello.alpn.get(index).map(|name| BufferBytes::whole(name)),
            Part::Random if has_hello => &hello.random,
            Part::RandomTime if has_hello => &hello.random[..4],
            Part::RandomBytes if has_hello => &hello.random[4..],
            Part::Random | Part::RandomTime | Part::RandomBytes => return None,
            Part::Ja3Hash => hello.ja3_hash.as_ref()?,
            Part::Ja3String => &hello.ja3,
            Part::Ja4 => &hello.ja4,
            Part::Subject => &certificates.subject,
            Part::Issuer => &certificates.issuer,
            Part::Serial => &certificates.serial,
            Part::Fingerprint => &certificates.fingerprint,
            Part::Certificates => {
                return certificates
                    .chain
                    .get(index)
                    .map(|der| BufferBytes::whole(der));
            }
            Part::AlternativeNames => {
                return certificates
                    .alternative_names
                    .get(index)
                    .map(|name| BufferBytes::whole(name));
            }
        };
        (index == 0 && !bytes.is_empty()).then(|| BufferBytes::whole(bytes))
    }

    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        let certificates = &self.sides[1].certificates;
        let seconds = |seconds: i64| u64::try_from(seconds).unwrap_or(0);
        match (keyword, index) {
            ("tls.version", 0) => Some(self.version())
                .filter(|version| *version != 0)
                .map(u64::from),
            ("ssl_version", 0) => self.number("tls.version", 0),
            ("ssl_state", _) => self.state(index),
            ("tls_cert_expired", 0) => certificates.expired.map(u64::from),
            ("tls_cert_valid", 0) => certificates.expired.map(|expired| u64::from(!expired)),
            ("tls.cert_notbefore", 0) => certificates.validity.map(|(from, _)| seconds(from)),
            ("tls.cert_notafter", 0) => certificates.validity.map(|(_, until)| seconds(until)),
            ("tls.cert_chain_len", 0) => u64::try_from(certificates.chain.len()).ok(),
            _ => None,
        }
    }

    fn events(&self) -> &[AppEvent] {
        self.events.all()
    }

    fn describe(&self, fields: &mut dyn Fields) {
        let [client, server] = &self.sides;
        let certificates = &server.certificates;
        for (name, value) in [
            ("subject", &certificates.subject),
            ("issuerdn", &certificates.issuer),
            ("serial", &certificates.serial),
            ("fingerprint", &certificates.fingerprint),
            ("sni", &client.hello.sni),
        ] {
            if !value.is_empty() {
                fields.text(name, value);
            }
        }
        fields.text("version", version_name(self.version()).as_bytes());
        if let Some((from, until)) = certificates.validity {
            for (name, seconds) in [("notbefore", from), ("notafter", until)] {
                if let Some(date) = date(seconds) {
                    fields.text(name, date.as_bytes());
                }
            }
        }
        for (name, hello) in [("ja3", &client.hello), ("ja3s", &server.hello)] {
            if let Some(hash) = &hello.ja3_hash {
                fields.object(name, &mut |fields| {
                    fields.text("hash", hash);
                    fields.text("string", &hello.ja3);
                });
            }
        }
        if !client.hello.ja4.is_empty() {
            fields.text("ja4", &client.hello.ja4);
        }
        for (name, hello) in [
            ("client_alpns", &client.hello),
            ("server_alpns", &server.hello),
        ] {
            if !hello.alpn.is_empty() {
                fields.list(name, hello.alpn.len(), &mut |index, fields| {
                    fields.text("", hello.alpn.get(index).map_or(&[], Vec::as_slice));
                });
            }
        }
    }

    fn describe_kept(&self, fields: &mut dyn Fields) {
        let [client, server] = &self.sides;
        if !server.certificates.chain.is_empty() {
            describe_chain(&server.certificates, fields);
        }
        if !client.certificates.chain.is_empty() {
            fields.object("client", &mut |fields| {
                describe_chain(&client.certificates, fields);
            });
        }
    }
}

/// Certificates, base64 of their DER.
fn describe_chain(certificates: &Certificates, fields: &mut dyn Fields) {
    let chain = &certificates.chain;
    fields.list("chain", chain.len(), &mut |index, fields| {
        let der = chain.get(index).map_or(&[][..], Vec::as_slice);
        fields.text("", STANDARD.encode(der).as_bytes());
    });
}

fn version_name(version: u16) -> String {
    match version {
        0 => "UNDETERMINED".to_owned(),
        0x0002 => "SSLv2".to_owned(),
        0x0300 => "SSLv3".to_owned(),
        0x0301 => "TLSv1".to_owned(),
        0x0302 => "TLS 1.1".to_owned(),
        0x0303 => "TLS 1.2".to_owned(),
        0x0304 => "TLS 1.3".to_owned(),
        other => format!("0x{other:04x}"),
    }
}

#[cfg(test)]
mod tests;
