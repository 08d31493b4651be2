//! How a transaction tells its record.

/// Receives the fields of a record, in order. Names are those of the published EVE format; how they are
/// written is the receiver's business.
pub trait Fields {
    /// A text; bytes that are not UTF-8 are the receiver's to escape.
    fn text(&mut self, name: &str, value: &[u8]);
    /// A number.
    fn number(&mut self, name: &str, value: u64);
    /// A truth.
    fn flag(&mut self, name: &str, value: bool);
    /// An object: its fields are told by `inner`.
    fn object(&mut self, name: &str, inner: &mut dyn FnMut(&mut dyn Fields));
    /// A list of `len` elements: `element` tells each, by a field of empty name for a bare value, or by
    /// several named ones for an object.
    fn list(&mut self, name: &str, len: usize, element: &mut dyn FnMut(usize, &mut dyn Fields));
}
