//! Doubly linked lists over slot numbers: every operation O(1), no allocation after the slots' links
//! exist. A slot is in at most one list.

/// "No slot".
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug)]
struct Link {
    previous: u32,
    next: u32,
    list: u8,
}

/// Mark of a slot that is in no list.
const UNLINKED: u8 = u8::MAX;

#[derive(Clone, Copy, Debug)]
struct Ends {
    first: u32,
    last: u32,
}

/// `N` lists over one set of slots; front = touched longest ago.
#[derive(Debug)]
pub(crate) struct Lists<const N: usize> {
    links: Vec<Link>,
    ends: [Ends; N],
}

impl<const N: usize> Lists<N> {
    /// Lists over at most `slots` slots.
    pub(crate) fn new(slots: usize) -> Self {
        Self {
            links: Vec::with_capacity(slots),
            ends: [Ends {
                first: NONE,
                last: NONE,
            }; N],
        }
    }

    /// The slot at the front.
    pub(crate) fn front(&self, list: usize) -> Option<u32> {
        let first = self.ends.get(list)?.first;
        (first != NONE).then_some(first)
    }

    /// Puts `slot` at the back of `list`, out of whatever list it was in.
    pub(crate) fn move_to_back(&mut self, slot: u32, list: usize) {
        self.remove(slot);
        while self.links.len() <= slot as usize {
            self.links.push(Link {
                previous: NONE,
                next: NONE,
                list: UNLINKED,
            });
        }
        let Some(ends) = self.ends.get_mut(list) else {
            return;
        };
        let last = ends.last;
        ends.last = slot;
        if last == NONE {
            ends.first = slot;
        }
        self.set(slot, |link| {
            *link = Link {
                previous: last,
                next: NONE,
                list: u8::try_from(list).unwrap_or(UNLINKED),
            };
        });
        self.set(last, |link| link.next = slot);
    }

    /// Takes `slot` out of its list.
    pub(crate) fn remove(&mut self, slot: u32) {
        let Some(link) = self.links.get(slot as usize).copied() else {
            return;
        };
        let Some(ends) = self.ends.get_mut(usize::from(link.list)) else {
            return;
        };
        if link.previous == NONE {
            ends.first = link.next;
        }
        if link.next == NONE {
            ends.last = link.previous;
        }
        self.set(link.previous, |previous| previous.next = link.next);
        self.set(link.next, |next| next.previous = link.previous);
        self.set(slot, |link| link.list = UNLINKED);
    }

    fn set(&mut self, slot: u32, change: impl FnOnce(&mut Link)) {
        if let Some(link) = self.links.get_mut(slot as usize) {
            change(link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::VecDeque;

    fn contents(lists: &Lists<3>, list: usize) -> Vec<u32> {
        let mut slots = Vec::new();
        let mut at = lists.ends[list].first;
        while at != NONE {
            slots.push(at);
            at = lists.links[at as usize].next;
        }
        slots
    }

    proptest! {
        #[test]
        fn lists_behave_like_queues(ops in prop::collection::vec((0u32..16, 0usize..4), 0..200)) {
            let mut lists = Lists::<3>::new(16);
            let mut model = [VecDeque::new(), VecDeque::new(), VecDeque::new()];
            for (slot, list) in ops {
                for queue in &mut model {
                    queue.retain(|other| *other != slot);
                }
                match model.get_mut(list) {
                    Some(queue) => {
                        queue.push_back(slot);
                        lists.move_to_back(slot, list);
                    }
                    None => lists.remove(slot),
                }
                for (list, queue) in model.iter().enumerate() {
                    prop_assert_eq!(&contents(&lists, list), &queue.iter().copied().collect::<Vec<_>>());
                    prop_assert_eq!(lists.front(list), queue.front().copied());
                }
            }
        }
    }
}
