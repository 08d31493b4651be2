//! Anomalies of HTTP: the names that rules know, where this parser raises them.

use crate::app_layer::AppEvent;
use crate::app_layer::events::events;

events! {
    pub(in crate::app_layer),
    GzipDecompressionFailed => "gzip_decompression_failed",
    RequestFieldMissingColon => "request_field_missing_colon",
    ResponseFieldMissingColon => "response_field_missing_colon",
    InvalidRequestChunkLen => "invalid_request_chunk_len",
    InvalidResponseChunkLen => "invalid_response_chunk_len",
    InvalidTransferEncodingRequest => "invalid_transfer_encoding_value_in_request",
    InvalidTransferEncodingResponse => "invalid_transfer_encoding_value_in_response",
    InvalidContentLengthRequest => "invalid_content_length_field_in_request",
    InvalidContentLengthResponse => "invalid_content_length_field_in_response",
    DuplicateContentLengthRequest => "duplicate_content_length_field_in_request",
    DuplicateContentLengthResponse => "duplicate_content_length_field_in_response",
    ContinueAlreadySeen => "100_continue_already_seen",
    UnableToMatchResponse => "unable_to_match_response_to_request",
    InvalidAuthorityPort => "invalid_authority_port",
    InvalidServerPort => "invalid_server_port_in_request",
    RequestHeaderInvalid => "request_header_invalid",
    ResponseHeaderInvalid => "response_header_invalid",
    MissingHost => "missing_host_header",
    HostAmbiguous => "host_header_ambiguous",
    UriHostInvalid => "request_uri_host_invalid",
    HeaderHostInvalid => "request_header_host_invalid",
    InvalidRequestFolding => "invalid_request_field_folding",
    InvalidResponseFolding => "invalid_response_field_folding",
    RequestFieldTooLong => "request_field_too_long",
    ResponseFieldTooLong => "response_field_too_long",
    RequestTooManyHeaders => "request_too_many_headers",
    ResponseTooManyHeaders => "response_too_many_headers",
    RequestHeaderRepetition => "request_header_repetition",
    ResponseHeaderRepetition => "response_header_repetition",
    RequestLineLeadingWhitespace => "request_line_leading_whitespace",
    MethodDelimiter => "method_delim_non_compliant",
    UriDelimiter => "uri_delim_non_compliant",
    RequestLineInvalid => "request_line_invalid",
    RequestLineIncomplete => "request_line_incomplete",
    RequestMissingProtocol => "request_line_missing_protocol",
    RequestBodyUnexpected => "request_body_unexpected",
    ResponseInvalidProtocol => "response_invalid_protocol",
    ResponseInvalidStatus => "response_invalid_status",
    ResponseAbnormalTransferEncoding => "response_abnormal_transfer_encoding",
    ResponseChunkedOldProtocol => "response_chunked_old_proto",
    AuthUnrecognized => "request_auth_unrecognized",
    TooManyEncodingLayers => "too_many_encoding_layers",
    AbnormalContentEncoding => "abnormal_ce_header",
    CompressionBomb => "compression_bomb",
    MultipartError => "multipart_generic_error",
    MultipartNoFileData => "multipart_no_filedata",
    MultipartInvalidHeader => "multipart_invalid_header",
    FileNameTooLong => "file_name_too_long",
    ServerPortMismatch => "request_server_port_tcp_port_mismatch",
    DoubleEncodedUri => "double_encoded_uri",
    TooManyWarnings => "too_many_warnings",
    RangeInvalid => "range_invalid",
    FailedProtocolChange => "failed_protocol_change",
    RequestChunkExtension => "request_chunk_extension",
    ResponseChunkExtension => "response_chunk_extension",
    CompressionBombLimit => "compression_bomb_limit_reached",
    RequestSmuggling => "request_smuggling",
}

/// The anomalies of one transaction, each once.
#[derive(Debug, Default)]
pub(in crate::app_layer) struct Events {
    all: Vec<AppEvent>,
    /// Times that any was raised since it was asked last.
    raised: u32,
}

impl Events {
    /// Notes an anomaly.
    pub(in crate::app_layer) fn raise(&mut self, event: Event) {
        self.add(AppEvent(event as u8));
        self.raised = self.raised.saturating_add(1);
    }

    /// Notes those of another.
    pub(in crate::app_layer) fn raise_all(&mut self, others: &Self) {
        for event in &others.all {
            self.add(*event);
        }
        self.raised = self.raised.saturating_add(others.raised);
    }

    fn add(&mut self, event: AppEvent) {
        if !self.all.contains(&event) {
            self.all.push(event);
        }
    }

    /// Times that any was raised since this was asked last.
    pub(in crate::app_layer) fn take_raised(&mut self) -> u32 {
        std::mem::take(&mut self.raised)
    }

    pub(in crate::app_layer) fn all(&self) -> &[AppEvent] {
        &self.all
    }

    pub(in crate::app_layer) fn clear(&mut self) {
        self.all.clear();
        self.raised = 0;
    }
}
