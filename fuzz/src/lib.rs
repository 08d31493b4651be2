//! What fuzz targets share.

pub mod peers;
