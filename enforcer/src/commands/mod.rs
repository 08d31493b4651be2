//! One file per command of the command line.

pub mod check;
pub mod enforce;
pub mod reload;
pub mod replay;
pub mod status;
pub mod uninstall;
