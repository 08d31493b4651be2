//! Text, and what is none.

use memchr::memmem;

use super::say;

/// What stands in front of scripts, and what they are called.
const INTERPRETERS: [(&[u8], &str); 9] = [
    (b"bash", "Bourne-Again shell script"),
    (b"dash", "POSIX shell script"),
    (b"zsh", "Paul Falstad's zsh script"),
    (b"python", "Python script"),
    (b"perl", "Perl script"),
    (b"php", "PHP script"),
    (b"ruby", "Ruby script"),
    (b"node", "Node.js script"),
    (b"sh", "POSIX shell script"),
];

/// Describes anything.
pub(super) fn describe(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        0 => say(out, format_args!("empty")),
        1 => say(out, format_args!("very short file (no magic)")),
        _ => match encoding(bytes) {
            None => say(out, format_args!("data")),
            Some(encoding) => written(bytes, encoding, out),
        },
    };
}

/// How a text is encoded; `None`: it is no text.
fn encoding(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xff\xfe") {
        return Some("Unicode text, UTF-16, little-endian text");
    }
    if bytes.starts_with(b"\xfe\xff") {
        return Some("Unicode text, UTF-16, big-endian text");
    }
    let control = |byte: &u8| {
        *byte == 0x7f
            || (*byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x07 | 0x08 | 0x0c | 0x1b))
    };
    if bytes.iter().any(control) {
        return None;
    }
    if bytes.is_ascii() {
        return Some("ASCII text");
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Some("Unicode text, UTF-8 (with BOM) text");
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => Some("Unicode text, UTF-8 text"),
        // A character that was cut.
        Err(error) if error.error_len().is_none() => Some("Unicode text, UTF-8 text"),
        Err(_) if bytes.iter().any(|byte| (0x80..0xa0).contains(byte)) => {
            Some("Non-ISO extended-ASCII text")
        }
        Err(_) => Some("ISO-8859 text"),
    }
}

fn written(bytes: &[u8], encoding: &str, out: &mut Vec<u8>) -> bool {
    let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let plain = plain.trim_ascii_start();
    match kind(plain) {
        Some((kind, behind)) => say(out, format_args!("{kind}, {encoding}{behind}")),
        None => say(out, format_args!("{encoding}")),
    };
    line_ends(bytes, out)
}

/// What a text is, and what is said behind its encoding.
fn kind(text: &[u8]) -> Option<(&'static str, &'static str)> {
    if let Some(line) = text.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let script = INTERPRETERS
            .iter()
            .find(|(name, _)| memmem::find(line, name).is_some());
        return Some((script.map_or("a script", |(_, kind)| kind), " executable"));
    }
    let begins = |word: &[u8]| {
        let start = text.get(..word.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let any = |words: &[&[u8]]| words.iter().any(|word| begins(word));
    if begins(b"<?xml version=") {
        return Some(("XML 1.0 document", ""));
    }
    if begins(b"<?php") {
        return Some(("PHP script", ""));
    }
    if any(&[
        b"<!doctype html",
        b"<html",
        b"<head",
        b"<title",
        b"<body",
        b"<script",
        b"<style",
    ]) {
        return Some(("HTML document", ""));
    }
    if begins(b"<svg") {
        return Some(("SVG Scalable Vector Graphics image", ""));
    }
    if begins(b"@echo off") {
        return Some(("DOS batch file", ""));
    }
    if any(&[b"Return-Path:", b"Received:"]) {
        return Some(("SMTP mail", ""));
    }
    None
}

fn line_ends(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let feeds = memchr::memchr_iter(b'\n', bytes).count();
    let both = memmem::find_iter(bytes, b"\r\n").count();
    let returns = memchr::memchr_iter(b'\r', bytes).count();
    if feeds == 0 && returns == 0 {
        return say(out, format_args!(", with no line terminators"));
    }
    if both > 0 && both == feeds {
        return say(out, format_args!(", with CRLF line terminators"));
    }
    if feeds == 0 {
        return say(out, format_args!(", with CR line terminators"));
    }
    if both > 0 {
        return say(out, format_args!(", with CRLF, LF line terminators"));
    }
    true
}
