//! Application protocols over a stream: the same alerts however a conversation is cut, what happens behind
//! a hole and in midstream, and no verdict on a byte that its parser has not decided.

use proptest::prelude::*;
use weir_engine::pipeline::EngineConfig;
use weir_engine::verdict::{DropReason, Verdict};

use super::world::{World, client, server};

const RULES: &str = "\
    alert dns any any -> any any (dns.query; content:\"example\"; sid:1;)\n\
    alert dns any any -> any any (dns.answers.rrname; content:\"cdn.example.com\"; bsize:15; sid:2;)\n\
    alert dns any any -> any any (app-layer-event:dns.z_flag_set; sid:3;)\n\
    alert tls any any -> any any (tls.sni; content:\"example.org\"; bsize:11; sid:11;)\n\
    alert tls any any -> any any (ja3.hash; content:\"a\"; nocase; sid:12;)\n\
    alert tls:client_hello_done any any -> any any (sid:13;)\n\
    alert tls any any -> any any (app-layer-event:tls.heartbeat_message; sid:14;)\n\
    alert ssh any any -> any any (ssh.software; content:\"OpenSSH\"; startswith; sid:21;)\n\
    alert ssh any any -> any any (ssh.hassh.server.string; content:\"kex\\;\"; startswith; sid:22;)\n\
    alert ssh any any -> any any (app-layer-event:ssh.long_banner; sid:23;)\n\
    alert ftp any any -> any any (flow:to_server; ftp.command; content:\"RETR\"; \
        ftp.command_data; content:\"a.txt\"; sid:31;)\n\
    alert ftp any any -> any any (flow:to_client; ftp.reply; content:\"Done\"; startswith; \
        ftp.completion_code; content:\"226\"; sid:32;)\n\
    alert ftp any any -> any any (flow:to_server; ftp.dynamic_port:2000; ftp.mode:passive; sid:33;)\n\
    alert ftp any any -> any any (app-layer-event:ftp.file_without_name; sid:34;)\n\
    alert smtp any any -> any any (smtp.helo; content:\"me\"; bsize:2; sid:41;)\n\
    alert smtp any any -> any any (smtp.rcpt_to; content:\"<e@f>\"; sid:42;)\n\
    alert smtp any any -> any any (email.subject; content:\"hi\"; bsize:2; \
        email.received; content:\"by y\"; sid:43;)\n\
    alert smtp any any -> any any (file.data; content:\"hello\"; sid:44;)\n\
    alert smtp any any -> any any (file.name; content:\"f.bin\"; filesize:5; sid:45;)\n\
    alert smtp any any -> any any (email.url; content:\"a.b/c\"; sid:46;)\n\
    alert smtp any any -> any any (file.data; content:\"xy|0d 0a|.dot\"; sid:47;)";

/// What the client and the server say, in turn.
type Said = Vec<(bool, Vec<u8>)>;

fn dns() -> Said {
    const QUERY: &[u8] =
        b"\x12\x34\x01\x40\0\x01\0\0\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01";
    const ANSWER: &[u8] =
        b"\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0\x03www\x07example\x03com\0\0\x01\0\x01\
        \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x10\
        \xc0\x2d\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01";
    let framed = |message: &[u8]| {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&length, message].concat()
    };
    vec![
        (true, [framed(QUERY), framed(QUERY)].concat()),
        (false, [framed(ANSWER), framed(ANSWER)].concat()),
    ]
}

fn tls() -> Said {
    let record = |kind: u8, body: &[u8]| {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, 3, 3][..], &length, body].concat()
    };
    let message = |kind: u8, body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind], &length[1..], body].concat()
    };
    let sni = [&b"\0\x0e\0\0\x0b"[..], b"example.org"].concat();
    let extensions = [&[0, 0, 0, 16][..], &sni, &[0, 10, 0, 4, 0, 2, 0, 23]].concat();
    let length = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    let hello = [
        &[3, 3][..],
        &[7; 32],
        &[0, 0, 4, 0x13, 1, 0xc0, 0x2f, 1, 0],
        &length,
        &extensions,
    ]
    .concat();
    let answer = [&[3, 3][..], &[8; 32], &[0, 0x13, 1, 0]].concat();
    let hello = message(1, &hello);
    // The hello in two records, as clients with small records send it.
    let (head, tail) = hello.split_at(50);
    vec![
        (true, [record(22, head), record(22, tail)].concat()),
        (false, record(22, &message(2, &answer))),
        (true, record(24, b"\x01\0\x03abc")),
        (false, record(20, b"\x01")),
    ]
}

fn ssh() -> Said {
    let mut kexinit = vec![20];
    kexinit.extend([7; 16]);
    for list in ["kex", "key", "ec", "es", "mc", "ms", "cc", "cs", "", ""] {
        kexinit.extend(u32::try_from(list.len()).unwrap().to_be_bytes());
        kexinit.extend(list.bytes());
    }
    let packet = |payload: &[u8]| {
        let length = u32::try_from(payload.len() + 5).unwrap().to_be_bytes();
        [&length[..], &[4], payload, &[0; 4]].concat()
    };
    let long = [b"SSH-2.0-OpenSSH_", &[b'x'; 300][..], b"\r\n"].concat();
    vec![
        (true, [long, packet(&kexinit)].concat()),
        (
            false,
            [&b"SSH-2.0-OpenSSH_9\r\n"[..], &packet(&kexinit)].concat(),
        ),
        (true, packet(&[21])),
        (false, packet(&[21])),
    ]
}

fn lines(from_client: bool, text: &str) -> (bool, Vec<u8>) {
    (from_client, text.as_bytes().to_vec())
}

fn ftp() -> Said {
    vec![
        lines(false, "220-Hello\r\n220 FTP ready\r\n"),
        lines(true, "USER me\r\nPASV\r\n"),
        lines(false, "230 in\r\n227 Passive (10,0,0,2,7,208)\r\n"),
        lines(true, "RETR a.txt\r\n"),
        lines(false, "150 go\r\n226 Done\r\n"),
        lines(true, "STOR\r\nQUIT\r\n"),
    ]
}

fn smtp() -> Said {
    vec![
        lines(false, "220 mx ESMTP\r\n"),
        lines(true, "EHLO me\r\n"),
        lines(false, "250-mx\r\n250 PIPELINING\r\n"),
        lines(
            true,
            "MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n",
        ),
        lines(false, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        lines(
            true,
            "Subject: hi\r\nReceived: from x\r\n\tby y\r\nContent-Type: multipart/x; boundary=b\r\n\
            \r\n--b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nhttp://a.b/=63 x=\r\ny\r\n\
            ..dot\r\n--b\r\nContent-Disposition: attachment; filename=f.bin\r\n\
            Content-Transfer-Encoding: base64\r\n\r\naGVs\r\nbG8=\r\n--b--\r\n.\r\n",
        ),
        lines(false, "250 queued\r\n"),
    ]
}

/// Sends all of it in pieces of the sizes given, over and over; returns the alerts, sorted.
fn alerts(said: &Said, sizes: &[usize], skip: Option<(usize, usize)>) -> Vec<u32> {
    let mut world = World::with(
        EngineConfig::inline(),
        RULES,
        weir_engine::frame::Mode::Detect,
    );
    world.handshake();
    let mut alerts = Vec::new();
    let mut sent = [0_i64; 2];
    let mut sizes = sizes.iter().cycle();
    for (turn, (from_client, bytes)) in said.iter().enumerate() {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1);
            let (now, behind) = rest.split_at(size.min(rest.len()));
            let at = bytes.len() - rest.len();
            let missing = skip.is_some_and(|(lost, from)| lost == turn && at >= from);
            let own = usize::from(!from_client);
            let segment = if *from_client { client() } else { server() };
            if !missing {
                let segment = segment.at(sent[own]).ack(sent[1 - own]).data(now);
                let result = world.send(segment);
                assert_eq!(result.verdict, Verdict::Pass);
                alerts.extend(result.world.output.alerts.iter().map(|(sid, _)| *sid));
            }
            sent[own] += i64::try_from(now.len()).unwrap();
            rest = behind;
        }
    }
    alerts.sort_unstable();
    alerts
}

#[test]
fn each_conversation_is_known_in_one_piece() {
    let whole = |said: Said| alerts(&said, &[4096], None);
    assert_eq!(whole(dns()), [1, 1, 2, 2, 3, 3]);
    assert_eq!(whole(tls()), [11, 12, 13, 14, 14]);
    assert_eq!(whole(ssh()), [21, 21, 22, 23, 23]);
    assert_eq!(whole(ftp()), [31, 32, 33, 34]);
    assert_eq!(whole(smtp()), [41, 42, 43, 44, 45, 46, 47]);
}

#[test]
fn byte_by_byte_is_the_same() {
    for said in [dns(), tls(), ssh(), ftp(), smtp()] {
        assert_eq!(alerts(&said, &[1], None), alerts(&said, &[4096], None));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cut_gives_the_same_alerts(
        which in 0_usize..5,
        sizes in prop::collection::vec(1_usize..90, 1..12),
    ) {
        let said = vec![dns(), tls(), ssh(), ftp(), smtp()].swap_remove(which);
        prop_assert_eq!(alerts(&said, &sizes, None), alerts(&said, &[4096], None));
    }
}

/// What a `config` rule matches has no record; what it does not match has.
#[test]
fn a_transaction_is_left_out_of_the_records_where_a_rule_says_so() {
    let rule = "config dns any any -> any any (dns.query; content:\"example\"; \
        config:logging disable, type tx, scope tx; sid:1;)";
    let mut world = World::detect(rule);
    world.handshake();
    let mut records = 0;
    let mut sent = [0_i64; 2];
    for (from_client, bytes) in dns() {
        let own = usize::from(!from_client);
        let segment = if from_client { client() } else { server() };
        let segment = segment.at(sent[own]).ack(sent[1 - own]).data(&bytes);
        let result = world.send(segment);
        assert_eq!(result.world.output.alerts, []);
        records += result.world.output.records;
        sent[own] += i64::try_from(bytes.len()).unwrap();
    }
    // Two questions and their two answers.
    assert_eq!(records, 2);
}

/// Bytes that never come: the receiver does not read beyond them, so that nothing behind is decided by them
/// and what came before has been seen.
#[test]
fn behind_a_hole_only_the_other_side_goes_on() {
    // The second query.
    assert_eq!(alerts(&dns(), &[36], Some((0, 36))), [1, 2, 2, 3]);
    // The second record of the hello: the client's side is taken to have come further, unread.
    assert_eq!(alerts(&tls(), &[40], Some((0, 40))), [13]);
    // The server's key exchange.
    assert_eq!(alerts(&ssh(), &[19], Some((1, 19))), [21, 21, 23, 23]);
}

/// A conversation that is followed from its middle.
fn midstream(said: &Said) -> Vec<u32> {
    let mut config = EngineConfig::inline();
    config.midstream = true;
    let mut world = World::with(config, RULES, weir_engine::frame::Mode::Detect);
    let mut alerts = Vec::new();
    let mut sent = [1000_i64; 2];
    for (from_client, bytes) in said {
        let own = usize::from(!from_client);
        let segment = if *from_client { client() } else { server() };
        let segment = segment.at(sent[own]).ack(sent[1 - own]).data(bytes);
        let result = world.send(segment);
        alerts.extend(result.world.output.alerts.iter().map(|(sid, _)| *sid));
        sent[own] += i64::try_from(bytes.len()).unwrap();
    }
    alerts.sort_unstable();
    alerts
}

#[test]
fn picked_up_where_a_message_begins_a_conversation_is_read() {
    assert_eq!(midstream(&dns()), [1, 1, 2, 2, 3, 3]);
    assert_eq!(midstream(&tls()), [11, 12, 13, 14, 14]);
    assert_eq!(midstream(&ssh()), [21, 21, 22, 23, 23]);
    assert_eq!(midstream(&ftp()), [31, 32, 33, 34]);
    assert_eq!(midstream(&smtp()), [41, 42, 43, 44, 45, 46, 47]);
    let (mut later_ftp, mut later_smtp) = (ftp(), smtp());
    later_ftp.drain(..1);
    later_smtp.drain(..3);
    assert_eq!(midstream(&later_ftp), [31, 32, 33, 34]);
    assert_eq!(midstream(&later_smtp), [42, 43, 44, 45, 46, 47]);
}

#[test]
fn picked_up_behind_the_hello_nothing_is_recognised() {
    for said in [tls(), ssh()] {
        let mut rest = said;
        rest.drain(..2);
        assert_eq!(midstream(&rest), Vec::<u32>::new());
    }
    let mut answers = dns();
    answers.drain(..1);
    assert_eq!(midstream(&answers), [2, 2]);
}

/// More requests in one segment than transactions are held at once, an attack behind all the others.
fn many_requests() -> Vec<u8> {
    let mut requests = b"GET /x HTTP/1.1\r\n\r\n".repeat(600);
    requests.extend_from_slice(b"GET /evil HTTP/1.1\r\n\r\n");
    requests
}

const EVIL_AND_SMALL_WINDOW: &str = "drop tcp any any -> any any (msg:\"w\"; window:77; sid:1;)\n\
    drop http any any -> any any (msg:\"e\"; http.uri; content:\"/evil\"; sid:2;)";

#[test]
fn what_drops_a_packet_does_not_end_the_reading_of_its_bytes() {
    let mut world = World::prevent(EVIL_AND_SMALL_WINDOW);
    world.handshake();
    let sent = world.send(client().data(&many_requests()).window(77));
    assert_eq!(sent.verdict, Verdict::Drop(DropReason::Rule));
    let sids = |world: &World| Vec::from_iter(world.output.alerts.iter().map(|(sid, _)| *sid));
    assert_eq!(sids(&world), [1, 2]);
    // Sent again, it brings nothing fresh.
    let again = world.send(client().data(&many_requests()));
    assert_eq!(again.verdict, Verdict::Drop(DropReason::FlowDropped));
}

#[test]
fn detect_mode_reads_on_behind_what_would_have_dropped_the_packet() {
    let mut world = World::detect(EVIL_AND_SMALL_WINDOW);
    world.handshake();
    let sent = world.send(client().data(&many_requests()).window(77));
    assert_eq!(sent.verdict, Verdict::Pass);
    let sids = Vec::from_iter(world.output.alerts.iter().map(|(sid, _)| *sid));
    assert_eq!(sids, [1, 2]);
}

#[test]
fn what_a_given_up_hole_uncovers_is_read_to_its_end() {
    let mut world = World::detect(
        "drop http any any -> any any (msg:\"x\"; http.uri; content:\"/x\"; sid:1;)\n\
         drop http any any -> any any (msg:\"e\"; http.uri; content:\"/evil\"; sid:2;)",
    );
    world.handshake();
    let first = b"GET /first HTTP/1.1\r\n\r\n";
    assert_eq!(world.send(client().data(first)).verdict, Verdict::Pass);
    let at = i64::try_from(first.len()).unwrap() + 10;
    let rest = [&b"\r\n\r\n"[..], &many_requests()].concat();
    assert_eq!(
        world.send(client().at(at).data(&rest)).verdict,
        Verdict::Pass
    );
    let end = at + i64::try_from(rest.len()).unwrap();
    let _ = world.send(server().ack(end)).verdict;
    let evil = world.output.alerts.iter().filter(|(sid, _)| *sid == 2);
    assert_eq!(evil.count(), 1);
}
