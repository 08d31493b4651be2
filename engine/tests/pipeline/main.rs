//! The whole engine, frame by frame: verdict and complete counter delta of each.

mod evasion;
mod flows;
mod fragments;
mod handshake;
mod legitimate;
mod modes;
mod split;
mod wire;
mod world;
