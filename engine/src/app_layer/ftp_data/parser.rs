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
#[derive(Debug)]
struct Transfer {
    /// The command that asked for it; 0: it is not known.
    kind: u8,
    /// The direction of what the control connection's client sends.
    uploads: FlowDirection,
    name: Vec<u8>,
    sides: [Side; 2],
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    file: File,
    spoke: bool,
    ended: bool,
    /// It has been inspected since both were complete.
    looked: bool,
}

impl FtpDataParser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            transfer: Transfer {
                kind: 0,
                uploads: FlowDirection::ToServer,
                name: Vec::new(),
                sides: Default::default(),
            },
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
        self.transfer.uploads = purpose.uploads;
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
        let carries = self.transfer.carries(direction);
        let side = &mut self.transfer.sides[direction.index()];
        side.spoke = true;
        if carries {
            side.file.skip(missing);
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
        let complete = self.transfer.is_complete();
        let side = &mut self.transfer.sides[direction.index()];
        side.file.inspected(self.tail);
        side.looked |= complete;
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
    /// Whether what comes in a direction is a file. What the client sends always is: which command it belongs to
    /// may be told only behind it.
    fn carries(&self, direction: FlowDirection) -> bool {
        is_of_file(self.kind) || direction == self.uploads
    }

    fn is_complete(&self) -> bool {
        self.sides.iter().all(|side| side.ended)
    }

    fn take(&mut self, input: &Input<'_>, service: &FileService) {
        let carries = self.carries(input.direction);
        let side = &mut self.sides[input.direction.index()];
        if !input.bytes.is_empty() {
            side.spoke = true;
            if carries && !side.file.has_begun() {
                side.file.open(&self.name, service);
            }
            if carries {
                side.file.push(input.bytes);
            }
        }
        if input.eof {
            side.file.finish(true);
            side.ended = true;
        }
    }

    fn clear(&mut self) {
        self.kind = 0;
        self.name.clear();
        for side in &mut self.sides {
            side.file.clear();
            (side.spoke, side.ended, side.looked) = (false, false, false);
        }
    }
}

impl Transaction for Transfer {
    fn id(&self) -> u64 {
        0
    }

    fn progress(&self, _: FlowDirection) -> Progress {
        if self.is_complete() {
            COMPLETE
        } else if self.sides.iter().any(|side| side.spoke) {
            BEGUN
        } else {
            0
        }
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let side = &self.sides[id.spec().direction.index()];
        let carries = index == 0 && side.file.has_begun();
        let part = PARTS.get(id.index()).filter(|_| carries)?;
        side.file.buffer(*part)
    }

    fn number(&self, keyword: &str, index: usize) -> Option<u64> {
        (keyword == "ftpdata_command" && index == 0).then_some(u64::from(self.kind))
    }

    fn file(&self, direction: FlowDirection, index: usize) -> Option<&File> {
        let file = &self.sides[direction.index()].file;
        (index == 0 && file.has_begun()).then_some(file)
    }

    fn lingers(&self) -> bool {
        !self.sides.iter().all(|side| side.looked)
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
