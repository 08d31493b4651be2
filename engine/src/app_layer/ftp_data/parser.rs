//! A data connection: one file, or a listing.

use crate::app_layer::{
    AppEvent, BufferBytes, BufferId, Fields, File, FileService, Input, Limits, Parser, Progress,
    Purpose, Status, Surroundings, Transaction,
};
use crate::event::FlowDirection;

use super::{BEGUN, COMPLETE, PARTS, command, is_of_file};

/// A data connection in one flow.
#[derive(Debug)]
pub(super) struct FtpDataParser {
    transfer: Transfer,
    stage: Stage,
    tail: usize,
    service: FileService,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Before,
    Live,
    Over,
}

/// The flow's transaction.
#[derive(Debug, Default)]
struct Transfer {
    /// The command that asked for it; 0: it is not known.
    kind: u8,
    name: Vec<u8>,
    /// The direction that brings bytes.
    direction: Option<FlowDirection>,
    file: File,
    complete: bool,
    /// The directions that have been inspected since it was complete.
    looked: [bool; 2],
}

impl FtpDataParser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            transfer: Transfer::default(),
            stage: Stage::Before,
            tail: limits.tail,
            service: FileService::default(),
        }
    }
}

impl Parser for FtpDataParser {
    fn surround(&mut self, surroundings: &Surroundings<'_>) {
        if self.service.needs != surroundings.files.needs {
            self.service.clone_from(surroundings.files);
        }
    }

    fn expected(&mut self, purpose: &Purpose) {
        self.transfer.kind = purpose.kind;
        self.transfer.name.clone_from(&purpose.name);
    }

    fn parse(&mut self, input: &Input<'_>) -> Status {
        if self.stage == Stage::Over {
            return Status::Opaque;
        }
        self.stage = Stage::Live;
        self.transfer.take(input, &self.service);
        Status::Continue
    }

    fn gap(&mut self, direction: FlowDirection, missing: u64) -> Status {
        let transfer = &mut self.transfer;
        let carries = *transfer.direction.get_or_insert(direction) == direction;
        if carries && transfer.is_file() {
            transfer.file.skip(missing);
        }
        Status::Continue
    }

    fn len(&self) -> usize {
        usize::from(self.stage == Stage::Live)
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        (self.stage == Stage::Live && index == 0).then_some(&self.transfer as &dyn Transaction)
    }

    fn inspected(&mut self, direction: FlowDirection) {
        if self.transfer.carries(direction) {
            self.transfer.file.inspected(self.tail);
        }
        if self.transfer.complete {
            self.transfer.looked[direction.index()] = true;
        }
    }

    fn retire(&mut self) {
        self.stage = Stage::Over;
    }

    fn reset(&mut self) {
        self.transfer.clear();
        self.stage = Stage::Before;
    }
}

impl Transfer {
    fn is_file(&self) -> bool {
        is_of_file(self.kind)
    }

    fn take(&mut self, input: &Input<'_>, service: &FileService) {
        if !input.bytes.is_empty() && self.direction.is_none() {
            self.direction = Some(input.direction);
        }
        if self.direction != Some(input.direction) {
            return;
        }
        if self.is_file() && !input.bytes.is_empty() {
            if !self.file.has_begun() {
                self.file.open(&self.name, service);
            }
            self.file.push(input.bytes);
        }
        if input.eof {
            self.file.finish(true);
            self.complete = true;
        }
    }

    fn carries(&self, direction: FlowDirection) -> bool {
        self.direction == Some(direction) && self.is_file()
    }

    fn clear(&mut self) {
        self.kind = 0;
        self.name.clear();
        self.direction = None;
        self.file.clear();
        self.complete = false;
        self.looked = [false; 2];
    }
}

impl Transaction for Transfer {
    fn id(&self) -> u64 {
        0
    }

    fn progress(&self, _: FlowDirection) -> Progress {
        match (self.complete, self.direction) {
            (true, _) => COMPLETE,
            (false, Some(_)) => BEGUN,
            (false, None) => 0,
        }
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let carries = index == 0 && self.carries(id.spec().direction);
        let part = PARTS.get(id.index()).filter(|_| carries)?;
        self.file.buffer(*part)
    }

    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        (keyword == "ftpdata_command" && index == 0).then_some(u64::from(self.kind))
    }

    fn file(&self, direction: FlowDirection, index: usize) -> Option<&File> {
        let carries = index == 0 && self.carries(direction) && self.file.has_begun();
        carries.then_some(&self.file)
    }

    fn lingers(&self) -> bool {
        self.looked != [true; 2]
    }

    fn events(&self) -> &[AppEvent] {
        &[]
    }

    fn describe(&self, fields: &mut dyn Fields) {
        if !self.name.is_empty() {
            fields.text("filename", &self.name);
        }
        if let Some(command) = command(self.kind) {
            fields.text("command", command.to_ascii_uppercase().as_bytes());
        }
    }
}
