//! The whole engine, frame by frame: verdict and complete counter delta of each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed assumption of a test is a failed test"
)]

mod application;
mod closing;
mod evasion;
mod exceptions;
mod flows;
mod fragments;
mod ftp;
mod handshake;
mod legitimate;
mod modes;
mod receiver;
mod rest;
mod split;
mod wire;
mod world;
