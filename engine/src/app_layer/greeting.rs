//! What a server that speaks first says: FTP and SMTP both greet with 220.

/// What a greeting stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// Nothing has come, or not all of it.
    More,
    /// It is none.
    No,
    /// It names FTP, and not SMTP.
    Ftp,
    /// It names SMTP (or LMTP), and not FTP.
    Smtp,
    /// It may be either's.
    Either,
}

/// What a server that greets with this speaks.
pub(super) fn greeting(bytes: &[u8]) -> Greeting {
    const CODE: &[u8] = b"220";
    let seen = bytes.len().min(CODE.len());
    if bytes.get(..seen) != CODE.get(..seen) {
        return Greeting::No;
    }
    match bytes.get(CODE.len()) {
        None => return Greeting::More,
        Some(b' ' | b'-' | b'\r' | b'\n') => {}
        Some(_) => return Greeting::No,
    }
    let Some(reply) = whole(bytes) else {
        return Greeting::More;
    };
    let says = |word: &[u8]| {
        let mut places = reply.windows(word.len());
        places.any(|place| place.eq_ignore_ascii_case(word))
    };
    match (says(b"ftp"), says(b"smtp") || says(b"lmtp")) {
        (true, false) => Greeting::Ftp,
        (false, true) => Greeting::Smtp,
        _ => Greeting::Either,
    }
}

/// The reply, once its last line has ended.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    loop {
        let line = bytes.get(at..)?;
        let end = memchr::memchr(b'\n', line)?;
        at += end + 1;
        let goes_on = line.get(3) == Some(&b'-') || !line.starts_with(b"220");
        if !goes_on {
            return bytes.get(..at);
        }
    }
}

/// The first word of a line, and what follows it.
pub(super) fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t'));
    let (word, rest) = line.split_at(end.unwrap_or(line.len()));
    (word, rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_told_apart_by_what_they_name() {
        for (text, expected) in [
            ("", Greeting::More),
            ("22", Greeting::More),
            ("220 (vsFTPd 3.0.3)", Greeting::More),
            ("220 (vsFTPd 3.0.3)\r\n", Greeting::Ftp),
            ("220-####\r\n220-ftp\r\n", Greeting::More),
            ("220-####\r\n welcome\r\n220 ftp\r\n", Greeting::Ftp),
            ("220 mx ESMTP\n", Greeting::Smtp),
            ("220 mx LMTP\n", Greeting::Smtp),
            ("220 ftp.example.com ESMTP\r\n", Greeting::Either),
            ("220 ready\r\n", Greeting::Either),
            ("2200 ready\r\n", Greeting::No),
            ("+OK POP3\r\n", Greeting::No),
        ] {
            assert_eq!(greeting(text.as_bytes()), expected, "{text}");
        }
    }
}
