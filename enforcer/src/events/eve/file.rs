//! Records of files (`fileinfo`).

use weir_engine::app_layer::{Algorithm, Fields, File, FileState};
use weir_engine::event::{FileRecord, FlowDirection};

use super::super::eve_record::TransactionHead;
use super::super::pods::Pods;
use super::{EveFormatter, add_object, add_transaction, flow_header, write_line};

impl EveFormatter {
    /// Appends a file's record, where such records are written. True when a line was written.
    pub fn file(
        &self,
        record: &FileRecord<'_>,
        stored: bool,
        pods: &dyn Pods,
        into: &mut Vec<u8>,
    ) -> bool {
        self.files && self.fileinfo(record, stored, pods, into)
    }

    /// Appends a file's record: the ends are those of who sent and who received it.
    pub fn fileinfo(
        &self,
        record: &FileRecord<'_>,
        stored: bool,
        pods: &dyn Pods,
        into: &mut Vec<u8>,
    ) -> bool {
        let mut flow = record.of.flow;
        if record.direction == FlowDirection::ToClient {
            flow.ends = flow.ends.reversed();
        }
        let head = TransactionHead {
            header: flow_header(
                ("fileinfo", record.of.at),
                &flow,
                record.of.attachments,
                pods,
            ),
            tx_id: record.of.transaction.id(),
            app_proto: record.of.app_proto,
        };
        if !write_line(&head, into) {
            return false;
        }
        add_transaction(record.of.app_proto, record.of.transaction, into);
        add_object("fileinfo", into, &mut |fields| {
            describe(record.file, stored, fields);
            if stored {
                fields.list("sid", record.sids.len(), &mut |index, sids| {
                    let sid = record.sids.get(index).copied().unwrap_or_default();
                    sids.number("", sid.into());
                });
            }
            fields.number("tx_id", record.of.transaction.id());
        });
        true
    }
}

fn describe(file: &File, stored: bool, fields: &mut dyn Fields) {
    fields.text("filename", file.name());
    if let Some(magic) = file.magic() {
        fields.text("magic", magic);
    }
    fields.flag("gaps", file.has_gaps());
    let state = match file.state() {
        FileState::Open => "UNKNOWN",
        FileState::Closed => "CLOSED",
        FileState::Truncated => "TRUNCATED",
    };
    fields.text("state", state.as_bytes());
    for algorithm in [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256] {
        if let Some(digest) = file.digest(algorithm) {
            let text: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            fields.text(algorithm.name(), text.as_bytes());
        }
    }
    fields.flag("stored", stored);
    fields.number("size", file.size());
    if let Some(start) = file.part_of() {
        fields.number("start", start);
        fields.number("end", start.saturating_add(file.size()).saturating_sub(1));
    }
}
