use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use uuid::Uuid;

use super::super::{Frontier, Tree, body_hash};
use super::*;

/// A log as its tables have it.
#[derive(Clone)]
struct Log {
    events: Vec<RawEvent>,
    seals: Vec<RawSeal>,
    head: RawHead,
}

impl Log {
    /// A sound one, of batches of these sizes.
    fn of(batches: &[usize]) -> Self {
        let count: usize = batches.iter().sum();
        let events = (1..=i64::try_from(count).expect("few")).map(event).collect();
        let (position, root) = (0, Vec::new());
        let head = RawHead { position, root, frontier: Vec::new(), last: (0, 0) };
        let mut log = Self { events, seals: Vec::new(), head };
        log.seal_anew(batches);
        log
    }

    /// What somebody would do who can compute.
    fn seal_anew(&mut self, batches: &[usize]) {
        let (mut tree, mut events) = (Frontier::default(), self.events.iter());
        self.seals.clear();
        for size in batches {
            let leaves: Vec<Hash> = events.by_ref().take(*size).map(RawEvent::leaf).collect();
            leaves.iter().for_each(|leaf| tree.append(*leaf));
            let size = i64::try_from(tree.size()).expect("few");
            let (root, leaves) = (tree.root().to_vec(), Some(leaves.concat()));
            self.seals.push(RawSeal { size, root, leaves });
        }
        self.head.root = tree.root().to_vec();
        self.head.frontier = tree.to_bytes();
        self.head.position = i64::try_from(tree.size()).expect("few");
    }

    fn claim(&self, size: i64) -> Claim {
        let mut tree = Frontier::default();
        self.events.iter().take(at(size + 1)).for_each(|event| tree.append(event.leaf()));
        Claim { size, root: tree.root() }
    }

    fn verify(&self, claim: Option<Claim>) -> Verdict {
        let mut events = self.events.clone();
        events.sort_by_key(|event| event.position);
        let (mut verifier, mut seals) = (LogVerifier::new(claim), self.seals.iter().cloned());
        for event in events {
            while verifier.wants_seal(event.position) {
                verifier.seal(seals.next());
            }
            verifier.event(event);
        }
        while verifier.wants_seal(i64::MAX) {
            verifier.seal(seals.next());
        }
        let last = self.events.iter().map(|event| event.position).max().unwrap_or(0);
        let sealed = self.seals.last().map_or(0, |seal| seal.size);
        verifier.finish(&RawHead { last: (last, sealed), ..self.head.clone() })
    }

    fn cut(&mut self, end: i64) {
        self.events.retain(|event| event.position <= end);
    }

    fn leaf(&mut self, position: i64) -> &mut u8 {
        let sizes: Vec<i64> = self.seals.iter().map(|seal| seal.size).collect();
        let index = sizes.iter().position(|size| *size >= position).expect("sealed");
        let from = index.checked_sub(1).map_or(0, |before| sizes[before]);
        let leaves = self.seals[index].leaves.as_mut().expect("leaves");
        &mut leaves[at(position - from) * 32]
    }
}

/// The index of a position.
fn at(position: i64) -> usize {
    usize::try_from(position - 1).expect("a position")
}

fn event(position: i64) -> RawEvent {
    let (salt, content) = ([1; 16], b"{}".to_vec());
    RawEvent {
        log_id: Uuid::from_u128(1),
        format: 1,
        tenant: "default".to_owned(),
        position,
        namespace: "stripe".to_owned(),
        event_id: format!("evt_{position}"),
        stream: format!("stripe-evt_{position}"),
        revision: 0,
        event_type: "InvoiceReported".to_owned(),
        schema_version: 1,
        occurred_at: position,
        recorded_at: position,
        metadata: b"{}".to_vec(),
        data: format!("{{\"n\":{position}}}").into_bytes(),
        body_hash: Some(body_hash(&salt, &content).to_vec()),
        text_hash: None,
        body: Some(RawBeside { salt: salt.to_vec(), content: Some(content) }),
        text: None,
    }
}

const BATCHES: [usize; 4] = [3, 4, 1, 5];
const END: i64 = 13;

/// The first fault with a checkpoint over the whole log, and without one.
fn firsts(damage: impl FnOnce(&mut Log)) -> [Option<Fault>; 2] {
    let mut log = Log::of(&BATCHES);
    let claim = log.claim(END);
    damage(&mut log);
    [Some(claim), None].map(|claim| log.verify(claim).faults.first().copied())
}

/// That both see this first.
fn expect(position: i64, what: What, damage: impl FnOnce(&mut Log)) {
    let fault = Some(Fault::at(position, what));
    assert_eq!(firsts(damage), [fault; 2]);
}

#[test]
fn a_sound_log_is_sound_up_to_any_checkpoint() {
    let log = Log::of(&BATCHES);
    for size in 1..=END {
        let verdict = log.verify(Some(log.claim(size)));
        assert_eq!((verdict.faults, verdict.proved), (Vec::new(), Some(size)));
        assert_eq!(verdict.root, Some(log.claim(END).root));
    }
    let verdict = log.verify(None);
    assert_eq!((verdict.faults, verdict.proved, verdict.events), (Vec::new(), None, END));
}

#[test]
fn what_happened_to_an_event_is_told() {
    expect(5, What::Altered, |log| log.events[4].data[0] ^= 1);
    expect(5, What::Missing, |log| drop(log.events.remove(4)));
    expect(5, What::Removed { by: 6 }, |log| {
        log.events.remove(4);
        log.events[4..].iter_mut().for_each(|event| event.position -= 1);
    });
    expect(12, What::Removed { by: 13 }, |log| {
        log.events.remove(11);
        log.events[11].position -= 1;
    });
    expect(2, What::Swapped { with: 9 }, |log| {
        (log.events[1].position, log.events[8].position) = (9, 2);
    });
    expect(5, What::Displaced { to: 6 }, |log| {
        log.events[4..].iter_mut().for_each(|event| event.position += 1);
        log.events.push(RawEvent { position: 5, ..event(99) });
    });
    expect(0, What::Extra, |log| log.events.push(event(0)));
    expect(11, What::TailCut { end: 13 }, |log| log.cut(10));
    expect(4, What::Format(2), |log| log.events[3].format = 2);
}

#[test]
fn a_leaf_a_root_or_the_head_that_was_altered_is_told_from_an_event() {
    expect(6, What::Leaf, |log| *log.leaf(6) ^= 1);
    expect(7, What::Root, |log| log.seals[1].root[0] ^= 1);
    expect(13, What::HeadRoot, |log| log.head.root[0] ^= 1);
    expect(13, What::HeadFrontier, |log| log.head.frontier[0] ^= 1);
    expect(10, What::HeadBehind, |log| log.head.position = 10);
    expect(7, What::SealMissing, |log| drop(log.seals.remove(1)));
    expect(13, What::SealMissing, |log| drop(log.seals.pop()));
    expect(7, What::Leaves, |log| log.seals[1].leaves.as_mut().expect("leaves").push(0));
}

#[test]
fn what_lies_beside_an_event_is_compared_with_it() {
    let body = |log: &mut Log| log.events[6].body.take().expect("a body");
    expect(7, What::BodyMissing, |log| drop(body(log)));
    expect(7, What::BodyAltered, |log| {
        let RawBeside { salt, .. } = body(log);
        log.events[6].body = Some(RawBeside { salt, content: Some(b"{ }".to_vec()) });
    });
    expect(7, What::BodyAltered, |log| {
        let RawBeside { salt, .. } = body(log);
        log.events[6].body = Some(RawBeside { salt, content: None });
    });
    expect(7, What::TextUnbound, |log| {
        log.events[6].text = log.events[6].body.clone();
    });
}

#[test]
fn the_first_of_several_is_named() {
    expect(4, What::Altered, |log| {
        log.events[3].data[0] ^= 1;
        log.events[10].data[0] ^= 1;
        *log.leaf(9) ^= 1;
        log.seals[3].root[0] ^= 1;
    });
    expect(4, What::Leaf, |log| {
        *log.leaf(4) ^= 1;
        log.events.pop();
    });
}

#[test]
fn an_event_altered_with_its_leaf_is_named_with_its_batch() {
    let among = |position, through| Fault { position, through, what: What::AlteredAmong };
    for found in firsts(|log| {
        log.events[4].data[0] ^= 1;
        let leaf = log.events[4].leaf();
        let leaves = log.seals[1].leaves.as_mut().expect("leaves");
        leaves[32..64].copy_from_slice(&leaf);
    }) {
        assert_eq!(found, Some(among(4, 7)));
    }
    // So is one whose leaf was never stored.
    for found in firsts(|log| {
        log.events[4].data[0] ^= 1;
        log.seals[1].leaves = None;
    }) {
        assert_eq!(found, Some(among(4, 7)));
    }
}

#[test]
fn only_a_checkpoint_shows_that_all_seals_were_made_anew() {
    let [with, without] = firsts(|log| {
        log.events[4].data[0] ^= 1;
        log.seal_anew(&BATCHES);
    });
    assert_eq!(with, Some(Fault { position: 1, through: 13, what: What::NotSigned }));
    assert_eq!(without, None);
}

#[test]
fn a_log_from_a_backup_is_older_than_its_checkpoint() {
    let log = Log::of(&BATCHES);
    let restored = Log::of(&BATCHES[..2]);
    let verdict = restored.verify(Some(log.claim(END)));
    assert_eq!(verdict.faults, [Fault::at(8, What::Older { signed: 13 })]);
    assert!(restored.verify(None).faults.is_empty());
}

#[test]
fn a_hole_without_end_takes_no_time() {
    let mut log = Log::of(&BATCHES);
    log.events[12].position = i64::MAX - 1;
    log.seals[3].leaves = None;
    let first = log.verify(None).faults.first().copied();
    assert_eq!(first, Some(Fault::at(13, What::Missing)));
}

proptest! {
    #[test]
    fn any_one_change_is_seen_where_it_is(
        batches in proptest::collection::vec(1usize..9, 1..8),
        seed in any::<usize>(),
        kind in 0usize..4,
        signed in any::<bool>(),
    ) {
        let mut log = Log::of(&batches);
        let count = log.events.len();
        let position = i64::try_from(seed % count).expect("few") + 1;
        let claim = log.claim(i64::try_from(count).expect("few"));
        let what = match kind {
            0 => {
                log.events[at(position)].data.push(b' ');
                What::Altered
            }
            1 => {
                *log.leaf(position) ^= 1;
                What::Leaf
            }
            2 if at(position) + 1 < count => {
                log.events.remove(at(position));
                What::Missing
            }
            _ => {
                log.events[at(position)].body = None;
                What::BodyMissing
            }
        };
        let verdict = log.verify(signed.then_some(claim));
        prop_assert_eq!(&verdict.faults[..], &[Fault::at(position, what)]);
        let are_sound = matches!(what, What::Leaf | What::BodyMissing);
        prop_assert_eq!(verdict.proved.is_some(), signed && are_sound);
    }

    #[test]
    fn an_export_is_verified_with_leaves_or_proofs(
        count in 1i64..40,
        first in 1i64..40,
        altered in 1i64..40,
    ) {
        let mut log = Log::of(&[usize::try_from(count).expect("few")]);
        let (first, altered) = (first.min(count), altered.min(count));
        let (claim, mut tree) = (log.claim(count), Tree::default());
        let leaves: Vec<Hash> = log.events.iter().map(RawEvent::leaf).collect();
        leaves.iter().for_each(|leaf| tree.append(*leaf));
        for damage in [false, true] {
            if damage {
                log.events[at(altered)].data.push(b' ');
            }
            for reach in [Reach::Whole(count), Reach::Range(first, count), Reach::Some] {
                let from = if let Reach::Range(from, _) = reach { from } else { 1 };
                let mut verifier = BundleVerifier::new(reach, claim);
                for event in &log.events[at(from)..] {
                    let index = u64::try_from(event.position - 1).expect("a position");
                    let is_whole = matches!(reach, Reach::Whole(_));
                    let leaf = is_whole.then(|| leaves[at(event.position)]);
                    let proof = tree.inclusion(index, tree.size()).filter(|_| !is_whole);
                    verifier.event(ListedEvent { event: event.clone(), leaf, proof });
                }
                let verdict = verifier.finish();
                let found = verdict.faults.first().map(|fault| fault.position);
                let expected = (damage && altered >= from).then_some(altered);
                prop_assert_eq!(found, expected, "{:?}", reach);
                prop_assert!(verdict.proved.is_some() == expected.is_none());
            }
        }
    }
}

#[test]
fn a_line_taken_out_of_an_export_is_missed_where_every_event_is_due() {
    let log = Log::of(&BATCHES);
    let mut tree = Tree::default();
    log.events.iter().for_each(|event| tree.append(event.leaf()));
    for (reach, found) in [
        (Reach::Whole(END), Some((6, What::Missing))),
        (Reach::Range(1, END), Some((6, What::Missing))),
        (Reach::Some, None),
    ] {
        let mut verifier = BundleVerifier::new(reach, log.claim(END));
        for event in log.events.iter().filter(|event| event.position != 6) {
            let index = u64::try_from(event.position - 1).expect("a position");
            let proof = tree.inclusion(index, tree.size());
            let leaf = Some(event.leaf());
            verifier.event(ListedEvent { event: event.clone(), leaf, proof });
        }
        let first = verifier.finish().faults.first().copied();
        assert_eq!(first, found.map(|(position, what)| Fault::at(position, what)));
    }
}
