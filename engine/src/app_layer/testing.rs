//! A protocol made for tests: lines, the first of which starts with `CHAT`, until one says `UPGRADE`.

use crate::event::FlowDirection;

use super::{
    AppEvent, AppView, BufferBytes, BufferId, BufferShape, BufferSpec, Fields, Input, Limits,
    Parser, Probe, Progress, Protocol, Start, Status, Transaction, Transactions, Transports,
};

/// Its name.
pub(super) const CHAT: &str = "chat";

/// Progress of a line that has ended.
const ENDED: Progress = 1;

#[derive(Debug)]
pub(super) struct Chat;

/// The lines at hand, `>` for the client's and `<` for the server's.
pub(super) fn lines(view: AppView<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for transaction in view.transactions() {
        for (sign, direction) in [
            (">", FlowDirection::ToServer),
            ("<", FlowDirection::ToClient),
        ] {
            let id = super::buffers("chat.line", Some(direction)).next().unwrap();
            if let Some(line) = transaction.buffer(id, 0) {
                lines.push(format!("{sign} {}", String::from_utf8_lossy(line.bytes)));
            }
        }
    }
    lines
}

impl Protocol for Chat {
    fn name(&self) -> &'static str {
        CHAT
    }

    fn aliases(&self) -> &'static [&'static str] {
        &["gossip"]
    }

    fn transports(&self) -> Transports {
        Transports::Tcp
    }

    fn buffers(&self) -> &'static [BufferSpec] {
        const fn line(direction: FlowDirection) -> BufferSpec {
            BufferSpec {
                keyword: "chat.line",
                direction,
                progress: ENDED,
                shape: BufferShape::Single,
            }
        }
        const LINES: &[BufferSpec] =
            &[line(FlowDirection::ToServer), line(FlowDirection::ToClient)];
        LINES
    }

    fn events(&self) -> &'static [&'static str] {
        &["too_long"]
    }

    fn probe(&self, start: &Start<'_>) -> Probe {
        let bytes = start.bytes;
        let seen = bytes.len().min(CHAT.len());
        match (bytes[..seen] == b"CHAT"[..seen], seen == CHAT.len()) {
            (true, true) => Probe::Yes,
            (true, false) => Probe::More,
            (false, _) => Probe::No,
        }
    }

    fn complete(&self, _: FlowDirection) -> Progress {
        ENDED
    }

    fn open(&self, limits: &Limits) -> Box<dyn Parser> {
        Box::new(ChatParser {
            partial: [Vec::new(), Vec::new()],
            lines: Transactions::new(limits.transactions),
        })
    }
}

#[derive(Debug)]
struct ChatParser {
    partial: [Vec<u8>; 2],
    lines: Transactions<Line>,
}

#[derive(Debug)]
struct Line {
    id: u64,
    direction: FlowDirection,
    bytes: Vec<u8>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            id: 0,
            direction: FlowDirection::ToServer,
            bytes: Vec::new(),
        }
    }
}

impl Parser for ChatParser {
    fn parse(&mut self, input: &Input<'_>) -> Status {
        let side = input.direction.index();
        for (at, &byte) in input.bytes.iter().enumerate() {
            if byte != b'\n' {
                self.partial[side].push(byte);
                continue;
            }
            let bytes = std::mem::take(&mut self.partial[side]);
            if bytes == b"UPGRADE" {
                return Status::Upgraded {
                    unread: input.bytes.len() - at - 1,
                };
            }
            self.lines.open(|line, id| {
                *line = Line {
                    id,
                    direction: input.direction,
                    bytes,
                };
            });
        }
        Status::Continue
    }

    fn gap(&mut self, _: FlowDirection, _: u64) -> Status {
        Status::Failed
    }

    fn len(&self) -> usize {
        self.lines.len()
    }

    fn transaction(&self, index: usize) -> Option<&dyn Transaction> {
        self.lines.get(index).map(|line| line as &dyn Transaction)
    }

    fn inspected(&mut self, _: FlowDirection) {}

    fn retire(&mut self) {
        self.lines.retire();
    }

    fn reset(&mut self) {
        self.partial = [Vec::new(), Vec::new()];
        self.lines.reset(|_| ());
    }
}

impl Transaction for Line {
    fn id(&self) -> u64 {
        self.id
    }

    fn progress(&self, _: FlowDirection) -> Progress {
        ENDED
    }

    fn buffer(&self, id: BufferId, index: usize) -> Option<BufferBytes<'_>> {
        let own = id.spec().direction == self.direction && index == 0;
        own.then(|| BufferBytes::whole(&self.bytes))
    }

    fn events(&self) -> &[AppEvent] {
        &[]
    }

    fn describe(&self, fields: &mut dyn Fields) {
        fields.text("line", &self.bytes);
    }
}
