//! FTP: a data connection is known by what its control connection agreed on, also in another worker's engine.

use std::sync::Arc;

use weir_engine::app_layer::Expectations;
use weir_engine::frame::Mode;
use weir_engine::pipeline::{Engine, EngineConfig, RuleSets};

use super::world::{Side, World, client, compile, server};

const RULES: &str = "\
    alert ftp any any -> any any (ftp.command; content:\"RETR\"; sid:1;)\n\
    alert ftp-data any any -> any any (file.name; content:\"a.txt\"; sid:2;)\n\
    alert ftp-data any any -> any any (flow:to_client; file.data; content:\"GET / HTTP\"; sid:3;)\n\
    alert ftp-data any any -> any any (ftpdata_command:retr; sid:4;)\n\
    alert http any any -> any any (sid:5;)\n\
    alert ftp any any -> any any (ftp.mode:passive; sid:6;)\n\
    alert ftp any any -> any any (flow:to_server; ftp.dynamic_port:2000; sid:7;)\n\
    alert ftp any any -> any any (ftpbounce; sid:8;)\n\
    alert tls:client_hello_done any any -> any any (sid:9;)\n\
    alert ftp any any -> any any (flow:to_client; ftp.reply; content:\"ready\"; sid:10;)";

/// A worker: its engine shares what is expected.
fn worker(table: &Arc<Expectations>) -> World {
    let mut world = World::with(EngineConfig::inline(), RULES, Mode::Detect);
    let rules = RuleSets::new(compile(RULES), Vec::new());
    world.engine =
        Engine::new(EngineConfig::inline(), rules, [3, 4]).with_expectations(Arc::clone(table));
    world
}

/// A connection, and how far each side has come.
struct Talk {
    world: World,
    said: [i64; 2],
    alerts: Vec<u32>,
}

impl Talk {
    fn new(mut world: World) -> Self {
        world.handshake();
        Self {
            world,
            said: [0; 2],
            alerts: Vec::new(),
        }
    }

    fn says(&mut self, side: Side, bytes: &[u8]) {
        let (segment, own) = match side {
            Side::Client => (client(), 0),
            Side::Server => (server(), 1),
        };
        let segment = segment.at(self.said[own]).ack(self.said[1 - own]);
        let sent = self.world.send(segment.data(bytes));
        let alerts: Vec<u32> = sent
            .world
            .output
            .alerts
            .iter()
            .map(|(sid, _)| *sid)
            .collect();
        self.alerts.extend(alerts);
        self.said[own] += i64::try_from(bytes.len()).unwrap();
    }

    fn control(&mut self, lines: &[(Side, &str)]) {
        for (side, line) in lines {
            self.says(*side, line.as_bytes());
        }
    }

    fn sorted(mut self) -> Vec<u32> {
        self.alerts.sort_unstable();
        self.alerts
    }
}

const PASSIVE: [(Side, &str); 4] = [
    (Side::Server, "220 ready\r\n"),
    (Side::Client, "PASV\r\n"),
    (
        Side::Server,
        "227 Entering Passive Mode (10,0,0,2,7,208).\r\n",
    ),
    (Side::Client, "RETR a.txt\r\n"),
];

#[test]
fn a_data_connection_is_known_to_another_worker() {
    let table = Arc::new(Expectations::default());
    let mut control = Talk::new(worker(&table));
    control.world.ports = (4000, 2121);
    control = Talk::new(control.world);
    control.control(&PASSIVE);
    let mut other = worker(&table);
    other.ports = (4001, 2000);
    let mut data = Talk::new(other);
    // What the file looks like does not matter.
    data.says(Side::Server, b"GET / HTTP/1.1\r\n\r\n");
    data.says(Side::Client, b"");
    assert_eq!(data.sorted(), [2, 3, 4, 4]);
    control.says(Side::Server, b"150 go\r\n226 done\r\n");
    assert_eq!(control.sorted(), [1, 6, 6, 7, 10]);
}

#[test]
fn connections_of_others_are_not_taken_for_data() {
    let table = Arc::new(Expectations::default());
    let mut control = Talk::new(worker(&table));
    control.control(&PASSIVE);
    let mut other = worker(&table);
    other.ports = (4001, 2000);
    other.client = [10, 0, 0, 9].into();
    let mut data = Talk::new(other);
    data.says(Side::Client, b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(data.sorted(), [5]);
}

/// What a data connection to port 2000 raises behind a control connection.
fn data(control: &[(Side, &str)], lines: &[(Side, &str)]) -> Vec<u32> {
    let table = Arc::new(Expectations::default());
    Talk::new(worker(&table)).control(control);
    let mut other = worker(&table);
    other.ports = (4001, 2000);
    let mut data = Talk::new(other);
    data.control(lines);
    data.sorted()
}

#[test]
fn what_comes_the_other_way_first_hides_no_file() {
    let found = data(
        &PASSIVE,
        &[(Side::Client, "x"), (Side::Server, "GET / HTTP/1.1")],
    );
    assert!(found.contains(&3), "{found:?}");
}

#[test]
fn a_client_alone_has_nothing_taken_for_a_data_connection() {
    let control = [
        (Side::Client, "PASV\r\n"),
        (Side::Server, "-ERR unknown command\r\n"),
        (Side::Client, "ECHO\r\n"),
        (
            Side::Server,
            "227 Entering Passive Mode (10,0,0,2,7,208).\r\n",
        ),
    ];
    let request = [(Side::Client, "GET / HTTP/1.1\r\n\r\n")];
    assert_eq!(data(&control, &request), [5]);
}

#[test]
fn a_bounce_is_told_and_expects_nothing() {
    let table = Arc::new(Expectations::default());
    let mut control = Talk::new(worker(&table));
    control.control(&[
        (Side::Server, "220 ready\r\n"),
        (Side::Client, "PORT 10,0,0,9,7,208\r\n"),
        (Side::Client, "RETR a.txt\r\n"),
        (Side::Server, "500 no\r\n500 no\r\n"),
    ]);
    assert_eq!(control.sorted(), [1, 7, 8, 10]);
}

#[test]
fn behind_auth_tls_the_flow_is_tls() {
    let table = Arc::new(Expectations::default());
    let mut control = Talk::new(worker(&table));
    control.control(&[
        (Side::Server, "220 ready\r\n"),
        (Side::Client, "AUTH TLS\r\n"),
        (Side::Server, "234 go\r\n"),
    ]);
    let hello = [
        &[22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3][..],
        &[7; 32],
        &[0, 0, 4, 0x13, 1, 0xc0, 0x2f, 1, 0],
    ]
    .concat();
    control.says(Side::Client, &hello);
    assert_eq!(control.sorted(), [9, 10]);
}
