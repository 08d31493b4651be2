//! SSH in one flow: one transaction, two sides.

use crate::app_layer::session::{Events, Session, SessionParser};
use crate::app_layer::{AppEvent, BufferBytes, BufferId, Fields, Input, Progress, Transaction};
use crate::event::FlowDirection;

use super::side::Side;
use super::{Event, PARTS, Part};

/// SSH in one flow.
pub(super) type SshParser = SessionParser<SshSession>;

/// The flow's transaction.
#[derive(Debug, Default)]
pub(super) struct SshSession {
    sides: [Side; 2],
    events: Events,
}

impl Session for SshSession {
    fn take(&mut self, input: &Input<'_>) {
        let Self { sides, events } = self;
        let mut raise = |event: Event| events.raise(event as u8);
        sides[input.direction.index()].take(input.direction, input.bytes, &mut raise);
    }

    fn stop(&mut self, direction: FlowDirection) {
        self.sides[direction.index()].stop();
    }

    fn is_over(&self) -> bool {
        self.sides.iter().all(Side::is_encrypted)
    }

    fn clear(&mut self) {
        self.sides.iter_mut().for_each(Side::clear);
        self.events.clear();
    }
}

impl Transaction for SshSession {
    fn id(&self) -> u64 {
        0
    }

    fn progress(&self, direction: FlowDirection) -> Progress {
        self.sides[direction.index()].progress()
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let side = &self.sides[id.spec().direction.index()];
        let bytes = match PARTS.get(id.index())? {
            Part::Proto => &side.proto[..],
            Part::Software => &side.software,
            Part::Hassh => side.digest.as_ref()?,
            Part::HasshString => &side.algorithms,
        };
        (index == 0 && !bytes.is_empty()).then(|| BufferBytes::whole(bytes))
    }

    fn events(&self) -> &[AppEvent] {
        self.events.all()
    }

    fn describe(&self, fields: &mut dyn Fields) {
        for (name, side) in ["client", "server"].into_iter().zip(&self.sides) {
            if side.proto.is_empty() {
                continue;
            }
            fields.object(name, &mut |fields| {
                fields.text("proto_version", &side.proto);
                fields.text("software_version", &side.software);
                if let Some(digest) = &side.digest {
                    fields.object("hassh", &mut |fields| {
                        fields.text("hash", digest);
                        fields.text("string", &side.algorithms);
                    });
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_layer::digest::md5;
    use crate::app_layer::ssh::{BANNER_BEGUN, BANNER_DONE, ENCRYPTED, FINISHED};
    use crate::app_layer::{Parser, Status, buffers};
    use crate::frame::Timestamp;
    use FlowDirection::{ToClient, ToServer};
    use proptest::prelude::*;

    fn parser() -> SshParser {
        SshParser::default()
    }

    fn feed(parser: &mut SshParser, direction: FlowDirection, bytes: &[u8]) -> Status {
        parser.parse(&Input {
            direction,
            bytes,
            eof: false,
            datagram: false,
            at: Timestamp(0),
        })
    }

    /// Every buffer that has bytes, as text.
    fn shown(parser: &SshParser) -> Vec<(&'static str, String)> {
        let session = parser.transaction(0).unwrap();
        [
            "ssh.proto",
            "ssh.software",
            "ssh.hassh",
            "ssh.hassh.server.string",
        ]
        .into_iter()
        .flat_map(|keyword| buffers(keyword, None).map(move |id| (keyword, id)))
        .filter_map(|(keyword, id)| {
            let bytes = session.buffer(id, 0)?.bytes;
            Some((keyword, String::from_utf8_lossy(bytes).into_owned()))
        })
        .collect()
    }

    fn packet(payload: &[u8]) -> Vec<u8> {
        let padding = 4;
        let length = u32::try_from(1 + payload.len() + padding).unwrap();
        [&length.to_be_bytes()[..], &[4], payload, &[0; 4]].concat()
    }

    fn kexinit() -> Vec<u8> {
        let mut payload = vec![20];
        payload.extend([7; 16]);
        for list in ["kex", "key", "ec", "es", "mc", "ms", "cc", "cs", "", ""] {
            payload.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
            payload.extend(list.bytes());
        }
        packet(&payload)
    }

    #[test]
    fn banners_are_split_and_lines_in_front_skipped() {
        let mut parser = parser();
        let _ = feed(
            &mut parser,
            ToServer,
            b"SSH-2.0-Client_1.0 comment here\r\n",
        );
        let _ = feed(&mut parser, ToClient, b"Welcome!\r\nSSH-1.99-Server\n");
        assert_eq!(
            shown(&parser),
            [
                ("ssh.proto", "2.0".to_owned()),
                ("ssh.proto", "1.99".to_owned()),
                ("ssh.software", "Client_1.0".to_owned()),
                ("ssh.software", "Server".to_owned()),
            ]
        );
    }

    #[test]
    fn progress_follows_banner_key_exchange_and_encryption() {
        let mut parser = parser();
        let mut step = |bytes: &[u8]| {
            let status = feed(&mut parser, ToServer, bytes);
            (status, parser.transaction(0).unwrap().progress(ToServer))
        };
        assert_eq!(step(b"SSH-"), (Status::Continue, BANNER_BEGUN));
        assert_eq!(step(b"2.0-x\r\n"), (Status::Continue, BANNER_DONE));
        assert_eq!(step(&packet(&[30, 1])), (Status::Continue, BANNER_DONE));
        assert_eq!(step(&kexinit()), (Status::Continue, FINISHED));
        assert_eq!(step(&packet(&[21])), (Status::Continue, ENCRYPTED));
        let server = [&b"SSH-2.0-y\n"[..], &kexinit(), &packet(&[21]), b"\x99\x88"].concat();
        assert_eq!(feed(&mut parser, ToClient, &server), Status::Opaque);
        let hassh = md5(b"kex;ec;mc;cc");
        assert_eq!(
            shown(&parser)[4],
            ("ssh.hassh", String::from_utf8_lossy(&hassh).into_owned())
        );
        assert_eq!(
            shown(&parser)[5],
            ("ssh.hassh.server.string", "kex;es;ms;cs".to_owned())
        );
    }

    #[test]
    fn anomalies_are_told() {
        let case = |bytes: &[u8], event| {
            let mut parser = parser();
            let _ = feed(&mut parser, ToServer, bytes);
            assert_eq!(
                parser.transaction(0).unwrap().events(),
                [AppEvent(event as u8)],
                "{event:?}"
            );
        };
        case(b"SSH-2.0\r\n", Event::InvalidBanner);
        case(
            &[b"SSH-2.0-", &[b'x'; 300][..], b"\n"].concat(),
            Event::LongBanner,
        );
        case(b"SSH-2.0-x\n\0\0\0\x01\0", Event::InvalidRecord);
        case(b"SSH-2.0-x\n\0\x10\0\0\0", Event::LongKexRecord);
    }

    #[test]
    fn a_long_packet_is_skipped_and_the_next_read() {
        let mut parser = parser();
        let _ = feed(&mut parser, ToServer, b"SSH-2.0-x\n");
        let long = packet(&vec![1; 40_000]);
        let _ = feed(&mut parser, ToServer, &[long, kexinit()].concat());
        assert_eq!(parser.transaction(0).unwrap().progress(ToServer), FINISHED);
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_session(cuts in prop::collection::vec(1_usize..20, 1..40)) {
            let stream = [&b"hello\nSSH-2.0-x y\r\n"[..], &packet(&[2]), &kexinit(), &packet(&[21])].concat();
            let mut whole = parser();
            let _ = feed(&mut whole, ToClient, &stream);
            let mut cut_up = parser();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (now, then) = rest.split_at((*cut).min(rest.len()));
                let _ = feed(&mut cut_up, ToClient, now);
                rest = then;
            }
            prop_assert_eq!(shown(&cut_up), shown(&whole));
            let [cut_up, whole] = [&cut_up, &whole].map(|parser| parser.transaction(0).unwrap());
            prop_assert_eq!(cut_up.events(), whole.events());
            prop_assert_eq!(cut_up.progress(ToClient), ENCRYPTED);
        }

        #[test]
        fn no_bytes_panic(pieces in prop::collection::vec(prop::collection::vec(
            prop_oneof![any::<u8>(), Just(0), Just(b'\n'), Just(b'-')], 0..80), 0..8)) {
            let mut parser = parser();
            let _ = feed(&mut parser, ToServer, b"SSH-");
            for piece in &pieces {
                let _ = feed(&mut parser, ToServer, piece);
            }
        }
    }
}
