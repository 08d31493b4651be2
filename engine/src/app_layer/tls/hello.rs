//! Client and server hello (RFC 8446 section 4.1).

use crate::app_layer::digest::md5;

use super::Event;
use super::fingerprint::{self, Offer};
use super::wire::Reader;

/// Capacity for each text that is kept for the next flow.
const KEPT: usize = 1024;

/// What a hello says. Its memory is used again.
#[derive(Debug, Default)]
pub(super) struct Hello {
    /// `legacy_version`, or the one chosen by `supported_versions` (server).
    pub(super) version: u16,
    pub(super) random: [u8; 32],
    pub(super) sni: Vec<u8>,
    pub(super) alpn: Vec<Vec<u8>>,
    pub(super) ja3: Vec<u8>,
    pub(super) ja3_hash: Option<[u8; 32]>,
    pub(super) ja4: Vec<u8>,
}

/// Extensions that are looked into (the IANA registry's numbers).
mod extension {
    pub(super) const SERVER_NAME: u16 = 0;
    pub(super) const GROUPS: u16 = 10;
    pub(super) const POINT_FORMATS: u16 = 11;
    pub(super) const SIGNATURE_ALGORITHMS: u16 = 13;
    pub(super) const ALPN: u16 = 16;
    pub(super) const SUPPORTED_VERSIONS: u16 = 43;
}

impl Hello {
    pub(super) fn clear(&mut self) {
        self.version = 0;
        self.random = [0; 32];
        for bytes in [&mut self.sni, &mut self.ja3, &mut self.ja4] {
            bytes.clear();
            bytes.shrink_to(KEPT);
        }
        self.alpn = Vec::new();
        self.ja3_hash = None;
    }

    /// Reads a client hello. `None`: it ends too early; what came before that is kept.
    pub(super) fn read_client(&mut self, body: &[u8], raise: &mut impl FnMut(Event)) -> Option<()> {
        let mut offer = Offer::default();
        let read = self.read_client_into(body, &mut offer, raise);
        if read.is_some() {
            fingerprint::ja3(&offer, &mut self.ja3);
            self.ja3_hash = Some(md5(&self.ja3));
            fingerprint::ja4(&offer, &self.alpn, &mut self.ja4);
        }
        read
    }

    fn read_client_into(
        &mut self,
        body: &[u8],
        offer: &mut Offer,
        raise: &mut impl FnMut(Event),
    ) -> Option<()> {
        let mut reader = Reader::new(body);
        self.read_start(&mut reader)?;
        offer.version = self.version;
        // The session's id, then the ciphers, then compression methods.
        reader.vector8()?;
        offer.ciphers = reader.vector16()?.numbers().collect();
        reader.vector8()?;
        if reader.is_empty() {
            return Some(());
        }
        let mut extensions = reader.vector16()?;
        while !extensions.is_empty() {
            let kind = extensions.u16()?;
            let data = extensions.vector16()?;
            if kind == extension::SERVER_NAME && offer.extensions.contains(&kind) {
                raise(Event::MultipleSniExtensions);
            }
            offer.extensions.push(kind);
            self.read_client_extension(kind, data, (offer, raise));
        }
        Some(())
    }

    fn read_client_extension(
        &mut self,
        kind: u16,
        mut data: Reader<'_>,
        (offer, raise): (&mut Offer, &mut impl FnMut(Event)),
    ) {
        match kind {
            extension::SERVER_NAME if self.sni.is_empty() => self.read_sni(data, raise),
            extension::ALPN => self.read_alpn(data),
            extension::GROUPS => offer
                .groups
                .extend(data.vector16().into_iter().flat_map(Reader::numbers)),
            extension::POINT_FORMATS => {
                let formats = data.vector8().map_or(&[][..], Reader::rest);
                offer.point_formats.extend_from_slice(formats);
            }
            extension::SIGNATURE_ALGORITHMS => {
                let algorithms = data.vector16().into_iter().flat_map(Reader::numbers);
                offer.signature_algorithms.extend(algorithms);
            }
            extension::SUPPORTED_VERSIONS => {
                offer
                    .versions
                    .extend(data.vector8().into_iter().flat_map(Reader::numbers));
            }
            _ => {}
        }
    }

    /// Reads a server hello.
    pub(super) fn read_server(&mut self, body: &[u8]) -> Option<()> {
        let mut reader = Reader::new(body);
        let mut offer = Offer::default();
        self.read_start(&mut reader)?;
        offer.version = self.version;
        reader.vector8()?;
        offer.ciphers.push(reader.u16()?);
        reader.u8()?;
        if !reader.is_empty() {
            let mut extensions = reader.vector16()?;
            while !extensions.is_empty() {
                let kind = extensions.u16()?;
                let mut data = extensions.vector16()?;
                offer.extensions.push(kind);
                match kind {
                    extension::ALPN => self.read_alpn(data),
                    extension::SUPPORTED_VERSIONS => {
                        self.version = data.u16().unwrap_or(self.version);
                    }
                    _ => {}
                }
            }
        }
        fingerprint::ja3s(&offer, &mut self.ja3);
        self.ja3_hash = Some(md5(&self.ja3));
        Some(())
    }

    fn read_start(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        self.version = reader.u16()?;
        self.random = *reader.bytes(32)?.first_chunk()?;
        Some(())
    }

    /// The first host name (RFC 6066 section 3).
    fn read_sni(&mut self, mut data: Reader<'_>, raise: &mut impl FnMut(Event)) {
        let Some(mut names) = data.vector16() else {
            return raise(Event::InvalidSniLength);
        };
        let Some(kind) = names.u8() else {
            return raise(Event::InvalidSniLength);
        };
        if kind != 0 {
            raise(Event::InvalidSniType);
        }
        match names.vector16() {
            Some(name) if !name.is_empty() => self.sni.extend_from_slice(name.rest()),
            _ => raise(Event::InvalidSniLength),
        }
    }

    /// Protocol names (RFC 7301 section 3.1).
    fn read_alpn(&mut self, mut data: Reader<'_>) {
        let Some(mut names) = data.vector16() else {
            return;
        };
        while let Some(name) = names.vector8() {
            self.alpn.push(name.rest().to_vec());
        }
    }
}
