//! What fuzz targets share.

pub mod frames;
pub mod peers;
