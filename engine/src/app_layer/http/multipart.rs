//! Forms with files (`multipart/form-data`, RFC 7578): cuts them out of a request's body as it comes.

use memchr::memmem;

use super::event::{Event, Events};
use super::fields;
use super::text::{contains, split_while, trim};
use crate::app_layer::parameters::parameter;
use crate::app_layer::{FileService, Files, MAX_FILE_NAME};

/// Longest boundary (RFC 2046 section 5.1.1).
const BOUNDARY: usize = 70;

/// Longest line of a part's head, its line feed not counted. Of a longer one so much is looked at, whatever
/// the cut.
const LINE: usize = 4096;

/// A form being cut.
#[derive(Debug, Default)]
pub(in crate::app_layer) struct Multipart {
    /// `--` and the boundary; empty where the body is no form.
    delimiter: Vec<u8>,
    place: Place,
    /// What cannot be told yet.
    held: Vec<u8>,
    name: Vec<u8>,
    named: bool,
    begun: bool,
    /// The rest of an overlong line goes nowhere.
    long: bool,
    /// What is held starts a line.
    at_line: bool,
    service: FileService,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// In front of the first delimiter.
    #[default]
    Preamble,
    /// Behind a delimiter, in its line.
    Delimiter,
    Head,
    Data,
    Epilogue,
}

impl Multipart {
    /// Starts a body of this `Content-Type`.
    pub(in crate::app_layer) fn start(
        &mut self,
        content_type: Option<&[u8]>,
        service: &FileService,
    ) {
        self.service.clone_from(service);
        self.delimiter.clear();
        self.held.clear();
        self.place = Place::Preamble;
        self.at_line = true;
        self.named = false;
        self.long = false;
        let content_type = content_type.unwrap_or_default();
        let (kind, _) = split_while(content_type, |byte| byte != b';' && byte != b',');
        if !contains(kind, b"multipart/form-data") {
            return;
        }
        let boundary = parameter(content_type, b"boundary=").unwrap_or_default();
        if !boundary.is_empty() && boundary.len() <= BOUNDARY {
            self.delimiter.extend_from_slice(b"--");
            self.delimiter.extend_from_slice(boundary);
        }
    }

    /// Forgets the body at hand.
    pub(in crate::app_layer) fn clear(&mut self) {
        self.delimiter.clear();
        self.held.clear();
    }

    /// The body is a form.
    pub(in crate::app_layer) fn is_form(&self) -> bool {
        !self.delimiter.is_empty()
    }

    /// Bytes of the body are missing: what was held goes nowhere, and the file at hand has a hole. Where in
    /// the form what follows is cannot be told; it is taken for more of the same.
    pub(in crate::app_layer) fn skip(&mut self, missing: u64, files: &mut Files) {
        self.held.clear();
        self.at_line = false;
        if let Some(file) = files
            .last()
            .filter(|_| self.named && self.place == Place::Data)
        {
            file.skip(missing);
        }
    }

    /// Takes bytes of the body.
    pub(in crate::app_layer) fn take(
        &mut self,
        bytes: &[u8],
        files: &mut Files,
        events: &mut Events,
    ) {
        if self.delimiter.is_empty() || self.place == Place::Epilogue {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(taken) = self.step(held.get(at..).unwrap_or_default(), files, events) {
            at += taken;
        }
        held.drain(..at);
        self.held = held;
    }

    /// The body is over; `whole`: all of it has come.
    pub(in crate::app_layer) fn finish(
        &mut self,
        files: &mut Files,
        whole: bool,
        events: &mut Events,
    ) {
        if self.delimiter.is_empty() {
            return;
        }
        if self.place == Place::Data && self.named {
            let held = std::mem::take(&mut self.held);
            self.data(&held, files);
        }
        let ended = self.place == Place::Epilogue;
        if !ended {
            events.raise(Event::MultipartError);
        }
        files.finish(whole && ended);
        self.held.clear();
        self.delimiter.clear();
    }

    /// Takes a step; `None` when more bytes are needed.
    fn step(&mut self, bytes: &[u8], files: &mut Files, events: &mut Events) -> Option<usize> {
        match self.place {
            Place::Preamble | Place::Data => self.up_to_delimiter(bytes, files, events),
            Place::Delimiter => self.delimiter_line(bytes),
            Place::Head => self.head_line(bytes, files, events),
            Place::Epilogue => None,
        }
    }

    /// What follows a delimiter in its line.
    fn delimiter_line(&mut self, bytes: &[u8]) -> Option<usize> {
        if !self.long && bytes.starts_with(b"--") {
            self.place = Place::Epilogue;
            return Some(bytes.len());
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        if end.is_some() {
            self.place = Place::Head;
            self.named = false;
            self.name.clear();
        } else if !self.long && bytes.len() <= LINE {
            return None;
        }
        self.let_go(bytes, end)
    }

    /// Lets go of what has come of an overlong line, which ends at `end` or has not ended.
    fn let_go(&mut self, bytes: &[u8], end: Option<usize>) -> Option<usize> {
        self.long = end.is_none();
        let taken = end.map_or(bytes.len(), |end| end + 1);
        (taken > 0).then_some(taken)
    }

    /// Data up to the next delimiter at the start of a line.
    fn up_to_delimiter(
        &mut self,
        bytes: &[u8],
        files: &mut Files,
        events: &mut Events,
    ) -> Option<usize> {
        let at_start = |index: usize| {
            let behind = index.checked_sub(1).and_then(|before| bytes.get(before));
            behind == Some(&b'\n') || (index == 0 && self.at_line)
        };
        let found = memmem::find_iter(bytes, &self.delimiter).find(|index| at_start(*index));
        let Some(index) = found else {
            // The last bytes may be the start of a delimiter and the line end in front of it.
            let keep = self.delimiter.len() + 2;
            let data = bytes.len().checked_sub(keep).filter(|data| *data > 0)?;
            self.data(&bytes[..data], files);
            self.at_line = false;
            return Some(data);
        };
        let line_feed = usize::from(index > 0);
        let carriage = usize::from(index > 1 && bytes.get(index - 2) == Some(&b'\r'));
        let data = bytes
            .get(..index - line_feed - carriage)
            .unwrap_or_default();
        self.data(data, files);
        if self.place == Place::Data && self.named {
            if !self.begun {
                events.raise(Event::MultipartNoFileData);
            }
            if let Some(file) = files.last() {
                file.finish(true);
            }
        }
        self.place = Place::Delimiter;
        Some(index + self.delimiter.len())
    }

    fn data(&mut self, data: &[u8], files: &mut Files) {
        if self.place == Place::Data && self.named && !data.is_empty() {
            self.begun = true;
            if let Some(file) = files.last() {
                file.push(data);
            }
        }
    }

    /// A line of a part's head.
    fn head_line(&mut self, bytes: &[u8], files: &mut Files, events: &mut Events) -> Option<usize> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        if self.long {
            return self.let_go(bytes, end);
        }
        if let Some(line) = bytes.get(..LINE)
            && end.unwrap_or(bytes.len()) > LINE
        {
            events.raise(Event::MultipartInvalidHeader);
            self.field(line, events);
            // Whether a reader finds a file's name further on cannot be told: it is taken for a file.
            self.named = true;
            return self.let_go(bytes, end);
        }
        let end = end?;
        let line = trim(&bytes[..end]);
        if line.is_empty() {
            self.place = Place::Data;
            self.at_line = true;
            self.begun = false;
            if self.named {
                files.open(&self.name, &self.service);
            }
            return Some(end + 1);
        }
        self.field(line, events);
        Some(end + 1)
    }

    fn field(&mut self, line: &[u8], events: &mut Events) {
        match line.iter().position(|byte| *byte == b':') {
            None => events.raise(Event::MultipartInvalidHeader),
            Some(colon) => {
                let (name, _) = fields::name(&line[..colon]);
                if name.eq_ignore_ascii_case(b"content-disposition") {
                    self.disposition(&line[colon..], events);
                }
            }
        }
    }

    fn disposition(&mut self, value: &[u8], events: &mut Events) {
        let name = parameter(value, b"filename=").filter(|name| !name.is_empty());
        if let Some(name) = name {
            if name.len() > MAX_FILE_NAME {
                events.raise(Event::FileNameTooLong);
            }
            self.named = true;
            self.name.clear();
            self.name
                .extend_from_slice(name.get(..MAX_FILE_NAME).unwrap_or(name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_layer::FilePart;
    use proptest::prelude::*;

    const TYPE: &[u8] = b"multipart/form-data; boundary=XyZ";
    const FORM: &[u8] = b"--XyZ\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue\r\n\
        --XyZ\r\ncontent-disposition : form-data; name=\"f\"; filename=\"one.txt\"\r\n\
        Content-Type: text/plain\r\n\r\nfirst\r\n--XyX\r\n\r\n--XyZ\r\n\
        Content-Disposition: form-data; filename=two\n\nsecond--XyZ\n--XyZ--\r\nepilogue";

    fn cut(pieces: &[&[u8]]) -> (Vec<(String, String)>, Vec<u8>) {
        let mut form = Multipart::default();
        let (mut files, mut events) = (Files::default(), Events::default());
        form.start(Some(TYPE), &FileService::default());
        for piece in pieces {
            form.take(piece, &mut files, &mut events);
        }
        form.finish(&mut files, true, &mut events);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let found = (0..)
            .map_while(|index| files.get(index))
            .map(|file| {
                let content = file.buffer(FilePart::Data);
                let content = content.map_or(&[][..], |content| content.bytes);
                (text(file.name()), text(content))
            })
            .collect();
        (found, events.all().iter().map(|event| event.0).collect())
    }

    #[test]
    fn files_are_cut_out_of_a_form() {
        let (files, events) = cut(&[FORM]);
        let expected = [("one.txt", "first\r\n--XyX\r\n"), ("two", "second--XyZ")];
        let expected = expected.map(|(name, data)| (name.to_owned(), data.to_owned()));
        assert_eq!((files, events), (expected.to_vec(), Vec::new()));
    }

    #[test]
    fn a_form_that_breaks_off_shows_what_has_come() {
        let (files, events) = cut(&[&FORM[..FORM.len() - 25]]);
        assert_eq!(files.len(), 2);
        assert_eq!(events, [Event::MultipartError as u8]);
    }

    #[test]
    fn an_overlong_line_of_a_head_is_the_same_whatever_the_cut() {
        let long = "a".repeat(LINE + 100);
        for (field, name) in [
            (
                format!("Content-Disposition: form-data; name=\"{long}\"; filename=\"evil.php\""),
                "",
            ),
            (
                format!("Content-Disposition: form-data; filename=b.php; name=\"{long}\""),
                "b.php",
            ),
            (format!("{long}: b"), ""),
        ] {
            let form = format!("--XyZ{long}\r\n{field}\r\nX: y\r\n\r\nevil\r\n--XyZ--\r\n");
            let form = form.as_bytes();
            let whole = cut(&[form]);
            assert_eq!(whole.0, [(name.to_owned(), "evil".to_owned())]);
            assert_eq!(whole.1, [Event::MultipartInvalidHeader as u8]);
            for at in (1..form.len()).step_by(97) {
                let (one, other) = form.split_at(at);
                assert_eq!(cut(&[one, other]), whole, "cut at {at}");
            }
            let pieces: Vec<&[u8]> = form.chunks(500).collect();
            assert_eq!(cut(&pieces), whole);
        }
    }

    proptest! {
        #[test]
        fn the_cut_does_not_matter(cuts in prop::collection::vec(1_usize..50, 1..30)) {
            let mut pieces = Vec::new();
            let mut rest = FORM;
            for size in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at((*size).min(rest.len()));
                pieces.push(piece);
                rest = after;
            }
            prop_assert_eq!(cut(&pieces), cut(&[FORM]));
        }
    }
}
