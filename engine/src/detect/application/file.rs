//! What signatures ask of the files of a transaction, and which of them they want stored.
//!
//! Size, digests and the wish to store speak of one file: all of them must hold of the same. Buffers of
//! files (`file.data`, `file.name`, `file.magic`) are each looked at on their own, as other buffers of
//! several instances are.

use std::sync::Arc;

use weir_policies::rule::ast::NumberTest;

use super::Application;
use super::test::Answer;
use crate::app_layer::{
    Algorithm, DigestList, Digests, File, FileNeeds, FileState, MAX_FILES, ProtocolId, Transaction,
};
use crate::detect::evaluate::Work;
use crate::detect::matcher::{number_matches, parse_number_test};
use crate::event::FlowDirection::{self, ToClient, ToServer};

/// How the keywords of buffers of files begin.
const BUFFERS: &str = "file.";

/// Buffers that show properties of files.
const PROPERTIES: [&str; 2] = ["file.name", MAGIC];

/// The keyword of what files are.
const MAGIC: &str = "file.magic";

/// Keywords that lists of digests stand behind.
const DIGESTS: [(&str, Algorithm); 3] = [
    ("filemd5", Algorithm::Md5),
    ("filesha1", Algorithm::Sha1),
    ("filesha256", Algorithm::Sha256),
];

/// Names of keywords that are read here.
pub(in crate::detect) const KEYWORDS: &[&str] =
    &["filemd5", "filesha1", "filesha256", "filesize", "filestore"];

/// Lists that rules name, by algorithm and name.
pub(in crate::detect) trait DigestLists {
    /// Reads one.
    fn list(&mut self, algorithm: Algorithm, name: &str) -> Result<Arc<DigestList>, String>;
}

/// What is asked of a file.
#[derive(Debug)]
pub(super) enum FileTest {
    /// That there is one.
    Any,
    Size(NumberTest),
    Digest {
        algorithm: Algorithm,
        list: Arc<DigestList>,
        negated: bool,
    },
}

/// What is asked of files: all of it of one.
#[derive(Debug, Default)]
pub(in crate::detect) struct FileCondition {
    tests: Vec<FileTest>,
    /// The direction that it is carried in, where the rule says.
    direction: Option<FlowDirection>,
    store: Option<Store>,
}

/// Which files a signature wants stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Store {
    /// `None`: those of the direction at hand.
    directions: Option<[bool; 2]>,
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Those that matched.
    File,
    Transaction,
    Flow,
}

/// Files to be stored: bits by index, of each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::detect) struct Stored {
    /// Of the transaction at hand.
    pub(in crate::detect) files: [u64; 2],
    /// Of the flow, from this transaction on.
    pub(in crate::detect) flow: [bool; 2],
}

impl FileCondition {
    pub(super) fn is_empty(&self) -> bool {
        self.tests.is_empty()
    }

    /// Reads a keyword; `None` where it is none of them.
    pub(super) fn read(
        &mut self,
        keyword: &str,
        value: &str,
        lists: &mut dyn DigestLists,
    ) -> Option<Result<(), String>> {
        if keyword == "filesize" {
            return Some(self.size(value));
        }
        let (_, algorithm) = DIGESTS.iter().find(|(name, _)| *name == keyword)?;
        let (negated, name) = match value.strip_prefix('!') {
            Some(name) => (true, name.trim()),
            None => (false, value),
        };
        let name = name.trim_matches('"');
        if name.is_empty() {
            return Some(Err("it lacks the name of a list".to_owned()));
        }
        let list = lists.list(*algorithm, name);
        Some(list.map(|list| {
            self.tests.push(FileTest::Digest {
                algorithm: *algorithm,
                list,
                negated,
            });
        }))
    }

    /// `[direction,]comparison`.
    fn size(&mut self, value: &str) -> Result<(), String> {
        let (direction, value) = match value.split_once(',') {
            Some((direction, rest)) => (Some(direction.trim()), rest),
            None => (None, value),
        };
        match direction {
            None => {}
            Some("to_server") => self.bind(ToServer)?,
            Some("to_client") => self.bind(ToClient)?,
            Some(other) => return Err(format!("`{other}` is not a direction")),
        }
        self.tests
            .push(FileTest::Size(parse_number_test(value, u64::MAX)?));
        Ok(())
    }

    fn bind(&mut self, direction: FlowDirection) -> Result<(), String> {
        let known = *self.direction.get_or_insert(direction);
        if known != direction {
            return Err("it speaks of files of both directions: no file is both".to_owned());
        }
        Ok(())
    }

    /// `filestore[:direction[,scope]]`.
    pub(in crate::detect) fn store(&mut self, value: Option<&str>) -> Result<(), String> {
        let (direction, scope) = match value {
            None => ("", ""),
            Some(value) => match value.split_once(',') {
                Some((direction, scope)) => (direction.trim(), scope.trim()),
                None => (value.trim(), ""),
            },
        };
        let directions = match direction {
            "" => None,
            "request" | "to_server" => Some([true, false]),
            "response" | "to_client" => Some([false, true]),
            "both" => Some([true; 2]),
            other => return Err(format!("`{other}` is not a direction")),
        };
        let scope = match scope {
            "" | "file" => Scope::File,
            "tx" => Scope::Transaction,
            "ssn" | "flow" => Scope::Flow,
            other => return Err(format!("`{other}` is none of file, tx, ssn and flow")),
        };
        self.tests.push(FileTest::Any);
        self.store = Some(Store { directions, scope });
        Ok(())
    }

    /// The only direction that it may match in, where it has one.
    pub(super) fn direction(&self) -> Option<FlowDirection> {
        self.direction
    }

    /// What the files of a transaction say to it, of those directions that it may match in.
    pub(super) fn test(
        &self,
        (protocol, transaction): (ProtocolId, &dyn Transaction),
        directions: [bool; 2],
    ) -> Answer {
        let mut best = Answer::Never;
        for direction in self.places(directions) {
            let over = transaction.progress(direction) >= protocol.protocol().complete(direction);
            if !over {
                best = Answer::Later;
            }
            for file in files(transaction, direction) {
                best = best.max(self.ask(file));
            }
            if best == Answer::Now {
                break;
            }
        }
        best
    }

    fn places(&self, directions: [bool; 2]) -> impl Iterator<Item = FlowDirection> + '_ {
        [ToServer, ToClient].into_iter().filter(move |direction| {
            directions[direction.index()] && self.direction.is_none_or(|only| only == *direction)
        })
    }

    fn ask(&self, file: &File) -> Answer {
        let answers = self.tests.iter().map(|test| test.ask(file));
        answers.min().unwrap_or(Answer::Now)
    }

    /// The files of a direction that match: of those that have come, or all where nothing tells them apart.
    fn matching(&self, transaction: &dyn Transaction, direction: FlowDirection) -> u64 {
        if self.tests.iter().all(|test| matches!(test, FileTest::Any)) {
            return u64::MAX;
        }
        let matching = files(transaction, direction).map(|file| self.ask(file) == Answer::Now);
        bits(matching)
    }

    /// What must be known of files for it.
    fn needs(&self) -> FileNeeds {
        let hashes = self
            .tests
            .iter()
            .fold(Digests::default(), |all, test| match test {
                FileTest::Digest { algorithm, .. } => all.union(Digests::of(*algorithm)),
                FileTest::Any | FileTest::Size(_) => all,
            });
        FileNeeds {
            hashes,
            magic: false,
            keep: self.store.is_some(),
        }
    }
}

impl Application {
    /// Asks something of files as such, not only of their content: each further file is asked anew.
    pub(in crate::detect) fn speaks_of_files(&self) -> bool {
        let mut buffers = self
            .buffers
            .iter()
            .flat_map(|condition| condition.ids.iter());
        !self.files.is_empty() || buffers.any(|id| PROPERTIES.contains(&id.spec().keyword))
    }

    /// Whether one of the files matches that it is not through with yet.
    pub(in crate::detect) fn matches_further(
        &self,
        (protocol, transaction): (ProtocolId, &dyn Transaction),
        fired_for: [u64; 2],
        work: &mut Work,
    ) -> bool {
        FlowDirection::BOTH.into_iter().any(|direction| {
            let half = direction.index();
            let matching = self.matching((protocol, transaction), direction, work);
            let there = bits(files(transaction, direction).map(|_| true));
            self.directions[half] && matching & there & !fired_for[half] != 0
        })
    }

    /// The files of a direction that it is through with, now that it has fired: all but those that may still come to
    /// match. And whether there are such.
    pub(in crate::detect) fn through_with(
        &self,
        (protocol, transaction): (ProtocolId, &dyn Transaction),
        direction: FlowDirection,
        work: &mut Work,
    ) -> (u64, bool) {
        let matching = self.matching((protocol, transaction), direction, work);
        let open = bits(files(transaction, direction).map(|file| file.state() == FileState::Open));
        let there = bits(files(transaction, direction).map(|_| true));
        let undecided = there & open & !matching;
        (there & !undecided, undecided != 0)
    }

    /// What must be known of files for it.
    pub(in crate::detect) fn file_needs(&self) -> FileNeeds {
        let mut needs = self.files.needs();
        needs.magic = self.buffers.iter().any(|condition| {
            let mut ids = condition.ids.iter();
            ids.any(|id| id.spec().keyword == MAGIC)
        });
        needs
    }

    /// The files to be stored, now that the signature has matched on a transaction in a direction.
    pub(in crate::detect) fn stored(
        &self,
        (protocol, transaction): (ProtocolId, &dyn Transaction),
        direction: FlowDirection,
        work: &mut Work,
    ) -> Stored {
        let mut stored = Stored::default();
        let Some(store) = self.files.store else {
            return stored;
        };
        let here = match (self.transactional, direction) {
            (true, _) => self.directions,
            (false, ToServer) => [true, false],
            (false, ToClient) => [false, true],
        };
        let wanted = store.directions.unwrap_or(here);
        for direction in [ToServer, ToClient]
            .into_iter()
            .filter(|to| wanted[to.index()])
        {
            let half = direction.index();
            stored.flow[half] = store.scope == Scope::Flow;
            stored.files[half] = match store.scope {
                Scope::File => self.matching((protocol, transaction), direction, work),
                Scope::Transaction | Scope::Flow => u64::MAX,
            };
        }
        stored
    }

    /// The files of a direction that match, by tests on files and on their buffers; any that matches some
    /// of them where none matches all, since buffers may match in different files.
    fn matching(
        &self,
        (protocol, transaction): (ProtocolId, &dyn Transaction),
        direction: FlowDirection,
        work: &mut Work,
    ) -> u64 {
        let mut all = self.files.matching(transaction, direction);
        let mut any = 0;
        for condition in &self.buffers {
            let ids = condition.ids.iter().filter(|id| {
                let spec = id.spec();
                id.protocol() == protocol
                    && spec.direction == direction
                    && spec.keyword.starts_with(BUFFERS)
            });
            for id in ids {
                let buffers = (0..).map_while(|index| transaction.buffer(*id, index));
                let matching = buffers.enumerate().map(|(index, bytes)| {
                    let behind = transaction.file_behind(*id, index);
                    let file = behind.filter(|file| *file < MAX_FILES);
                    file.filter(|_| condition.matches(&bytes, work))
                });
                let found = matching.flatten().fold(0, |all, file| all | 1 << file);
                all &= found;
                any |= found;
            }
        }
        if all == 0 { any } else { all }
    }
}

/// How many files a direction carries so far.
pub(in crate::detect) fn count_files(
    transaction: &dyn Transaction,
    direction: FlowDirection,
) -> u8 {
    u8::try_from(files(transaction, direction).take(MAX_FILES).count()).unwrap_or(u8::MAX)
}

/// What holds of which index, as bits.
fn bits(holds: impl Iterator<Item = bool>) -> u64 {
    let set = |(index, holds): (usize, bool)| if holds { 1 << index } else { 0 };
    holds
        .take(MAX_FILES)
        .enumerate()
        .map(set)
        .fold(0, |all, bit| all | bit)
}

impl FileTest {
    fn ask(&self, file: &File) -> Answer {
        match self {
            Self::Any => Answer::Now,
            Self::Size(test) => size(*test, file),
            Self::Digest {
                algorithm,
                list,
                negated,
            } => match file.digest(*algorithm).filter(|_| file.is_whole()) {
                Some(digest) if list.contains(digest) != *negated => Answer::Now,
                Some(_) => Answer::Never,
                None if file.state() == FileState::Open => Answer::Later,
                None => Answer::Never,
            },
        }
    }
}

/// Of a file that has not come as a whole it is known only that it is at least as large as what has.
fn size(test: NumberTest, file: &File) -> Answer {
    let large = match test {
        NumberTest::Greater(least) => file.size() > least,
        NumberTest::GreaterOrEqual(least) => file.size() >= least,
        _ => false,
    };
    match file.state() {
        _ if large => Answer::Now,
        FileState::Closed if file.is_whole() && number_matches(test, file.size()) => Answer::Now,
        FileState::Open => Answer::Later,
        FileState::Closed | FileState::Truncated => Answer::Never,
    }
}

fn files(transaction: &dyn Transaction, direction: FlowDirection) -> impl Iterator<Item = &File> {
    (0..).map_while(move |index| transaction.file(direction, index))
}
