//! Anomalies of HTTP/2: the names that rules know, where this parser raises them.

use crate::app_layer::events::events;

events! {
    pub(super),
    /// A frame where its type must not be: on that stream, or between the frames of a block.
    InvalidFrameHeader => "invalid_frame_header",
    /// The client does not begin with the preface.
    InvalidClientMagic => "invalid_client_magic",
    /// Padding, or what is in front of a payload, is longer than the frame.
    InvalidFrameData => "invalid_frame_data",
    /// Fields that cannot be decoded, or have line breaks.
    InvalidHeader => "invalid_header",
    /// A length that frames of the type do not have.
    InvalidFrameLength => "invalid_frame_length",
    /// A block that ends within a field.
    ExtraHeaderData => "extra_header_data",
    /// A frame longer than the receiver allows.
    LongFrameData => "long_frame_data",
    /// A request on a stream that had one.
    StreamIdReuse => "stream_id_reuse",
    /// `HTTP2-Settings` that are none.
    InvalidHttp1Settings => "invalid_http1_settings",
    /// A body that is not in its content coding, or one too many that is in any.
    FailedDecompression => "failed_decompression",
    /// A `Content-Range` that cannot be.
    InvalidRange => "invalid_range",
    /// A number in a block that is too large.
    HeaderIntegerOverflow => "header_integer_overflow",
    /// No room for another stream: the oldest was let go.
    TooManyStreams => "too_many_streams",
    /// `:authority` and `host` differ.
    AuthorityHostMismatch => "authority_host_mismatch",
    /// `:authority` has a user.
    UserinfoInUri => "userinfo_in_uri",
    /// Fields of a message beyond the limit.
    ReassemblyLimit => "reassembly_limit_reached",
    /// A DNS message longer than any.
    DnsRequestTooLong => "dns_request_too_long",
    DnsResponseTooLong => "dns_response_too_long",
    /// Content on the connection.
    DataStreamZero => "data_stream_zero",
    /// More values in a stream's frames than are remembered.
    TooManyFrames => "too_many_frames",
    /// A body that grows too much.
    CompressionBomb => "compression_bomb",
}
