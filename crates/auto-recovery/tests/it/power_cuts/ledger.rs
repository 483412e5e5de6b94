//! What callers of a store were told, and what may therefore be found after a power cut.

use std::collections::{BTreeMap, BTreeSet};

use auto_recovery::RecoveryAuditEntry;

use auto_recovery::testing::{Found, Wrong};

/// What callers were told.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    pub(super) sessions: BTreeMap<String, Session>,
    /// Ids of journal records that were acknowledged.
    pub(super) journaled: BTreeSet<String>,
}

/// What callers were told of one session.
#[derive(Clone, Default)]
pub(super) struct Session {
    /// What stood between clearings that nobody acknowledged. Any of those may have happened, and
    /// then all before it is gone; the last group has none after it.
    groups: Vec<Group>,
    /// What must never be shown again.
    gone: BTreeSet<String>,
}

#[derive(Clone, Default)]
struct Group {
    /// Must be there, in this order.
    acknowledged: Vec<RecoveryAuditEntry>,
    /// Must be there, in any order.
    in_any_order: Vec<RecoveryAuditEntry>,
    /// May be there: the call failed, or its time had not come.
    perhaps: Vec<RecoveryAuditEntry>,
}

impl Session {
    fn last(&mut self) -> &mut Group {
        if self.groups.is_empty() {
            self.groups.push(Group::default());
        }
        self.groups.last_mut().expect("just made sure of")
    }

    /// A call to append `entry` returned.
    pub(super) fn appended(&mut self, entry: RecoveryAuditEntry, acknowledged: bool) {
        let group = self.last();
        match acknowledged {
            true => group.acknowledged.push(entry),
            false => group.perhaps.push(entry),
        }
    }

    /// As [`Session::appended`], while others appended too.
    pub(super) fn appended_among_others(&mut self, entry: RecoveryAuditEntry, acknowledged: bool) {
        let group = self.last();
        match acknowledged {
            true => group.in_any_order.push(entry),
            false => group.perhaps.push(entry),
        }
    }

    /// A call to clear it returned.
    pub(super) fn cleared(&mut self, acknowledged: bool) {
        if !acknowledged {
            self.groups.push(Group::default());
            return;
        }
        for group in self.groups.drain(..) {
            let all = group.must_be().chain(&group.perhaps);
            self.gone.extend(all.map(|entry| entry.entry_id.clone()));
        }
    }

    /// Holds `shown` against what callers were told.
    pub(super) fn check(&self, id: &str, shown: &[RecoveryAuditEntry], found: &mut Found) {
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, entry) in shown.iter().enumerate() {
            if places.insert(&entry.entry_id, place).is_some() {
                found.wrong(Wrong::Doubled, || entry.entry_id.clone());
            }
            if self.gone.contains(&entry.entry_id) {
                found.wrong(Wrong::Other, || {
                    format!("{id}: {} was cleared and is back", entry.entry_id)
                });
            } else if !self.groups.iter().any(|group| group.has(entry)) {
                found.wrong(Wrong::Torn, || format!("{id}: {entry:?}"));
            }
        }
        let is_missing =
            |entry: &&RecoveryAuditEntry| !places.contains_key(entry.entry_id.as_str());
        let missing = |group: &Group| group.must_be().filter(is_missing).count();
        let mut groups = self.groups.iter().rev();
        if let Some(last) = groups.next() {
            for entry in last.must_be().filter(is_missing) {
                found.wrong(Wrong::Lost, || format!("{id}: {}", entry.entry_id));
            }
            let mut cleared = false;
            for group in groups.filter(|group| group.must_be().next().is_some()) {
                let whole = !cleared && missing(group) == 0;
                let none = missing(group) == group.must_be().count();
                if !whole && !none {
                    found.wrong(Wrong::Other, || format!("{id}: cleared in part"));
                }
                cleared |= !whole;
            }
        }
        for group in &self.groups {
            let at = |entry: &RecoveryAuditEntry| places.get(entry.entry_id.as_str());
            if !group.acknowledged.iter().filter_map(at).is_sorted() {
                found.wrong(Wrong::Other, || format!("{id}: another order"));
            }
        }
    }

    /// `shown` is what is there after a power cut, and everything else is gone for good.
    fn settle(&mut self, shown: &[RecoveryAuditEntry]) {
        self.cleared(true);
        for entry in shown {
            self.gone.remove(&entry.entry_id);
            self.appended(entry.clone(), true);
        }
    }
}

impl Group {
    fn must_be(&self) -> impl Iterator<Item = &RecoveryAuditEntry> {
        self.acknowledged.iter().chain(&self.in_any_order)
    }

    fn has(&self, shown: &RecoveryAuditEntry) -> bool {
        let mut all = self.must_be().chain(&self.perhaps);
        all.any(|entry| is_it(entry, shown))
    }
}

/// Whether `shown` is `given`, which may have left its number to the store.
fn is_it(given: &RecoveryAuditEntry, shown: &RecoveryAuditEntry) -> bool {
    if given.attempt_number != 0 {
        return given == shown;
    }
    shown.entry_id == given.entry_id
        && *given
            == RecoveryAuditEntry {
                attempt_number: 0,
                ..shown.clone()
            }
}

impl Ledger {
    pub(super) fn session(&mut self, id: &str) -> &mut Session {
        self.sessions.entry(id.to_owned()).or_default()
    }

    /// Takes what is there after a power cut as what must be there from now on.
    pub(super) fn settle(&mut self, shown: &BTreeMap<String, Vec<RecoveryAuditEntry>>) {
        for (id, session) in &mut self.sessions {
            session.settle(&shown[id]);
        }
    }
}
