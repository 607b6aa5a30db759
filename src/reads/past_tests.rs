use super::*;

use ledger_domain::account::{Change, Grant, GrantView};
use ledger_domain::catalog::Catalog;
use ledger_domain::effective::Holdings;
use ledger_domain::id::{EventId, EventKey, Namespace, PlanSlug};

fn key(id: &str) -> EventKey {
    EventKey::new(Namespace::try_new("stripe").unwrap(), EventId::try_new(id).unwrap())
}

fn told(at: i64, subject: &str, ordinal: i32) -> ChangeView {
    ChangeView {
        subject: subject.into(),
        ordinal,
        trainer: None,
        change: Change::Renewed,
        from_prices: Vec::new(),
        to_prices: Vec::new(),
        tier: None,
        feature: None,
        at: Timestamp::from_unix(at),
        actor: "stripe".into(),
        event: key("evt_1"),
        position: 1,
    }
}

fn expired(id: &str, at: i64) -> GrantView {
    GrantView {
        event: key(id),
        trainer: TrainerId::try_new("t1").unwrap(),
        grant: Grant::Grandfathered { tier: PlanSlug::try_new("starter").unwrap() },
        granted_at: Timestamp::default(),
        expires_at: Some(Timestamp::from_unix(at)),
        revoked_at: None,
        actor: "ada".into(),
        position: 1,
    }
}

/// A page of what events tell, as the database gives it: the latest first.
fn page_of(all: &[ChangeView], after: Option<&Place>, limit: usize) -> HistoryPage {
    let place = |change: &ChangeView| PastStep::Told(change.clone()).place();
    let is_left =
        |change: &&ChangeView| after.is_none_or(|after| order(&place(change)) < order(after));
    let mut left: Vec<_> = all.iter().filter(is_left).cloned().collect();
    left.sort_by_cached_key(|change| Reverse(owned_order(place(change))));
    let has_more = left.len() > limit;
    left.truncate(limit);
    let next = left.last().filter(|_| has_more).map(place);
    HistoryPage { changes: left, next }
}

#[test]
fn pages_of_any_size_hold_every_step_once_and_in_order() {
    let text = include_str!("../../catalogs/trainers.toml");
    let catalog = Catalog::parse(text, &|_| None).unwrap().catalog;
    // Before, between, after and beside what events tell; several at one instant.
    let grants = [("evt_a", 5), ("evt_b", 20), ("evt_c", 20), ("evt_d", 25), ("zzz_e", 40)];
    let grants = grants.map(|(id, at)| expired(id, at)).to_vec();
    let holdings = Holdings { grants, ..Holdings::default() };
    let now = Timestamp::from_unix(100);
    let changes: Vec<_> = [(10, "sub_1", 0), (20, "sub_1", 0), (20, "sub_1", 1), (30, "sub_2", 0)]
        .map(|(at, subject, ordinal)| told(at, subject, ordinal))
        .to_vec();
    for changes in [&changes[..], &[]] {
        let whole = StepPage::new(
            page_of(changes, None, 100),
            lapses(&holdings, catalog.policies(), now),
            None,
            100,
        );
        assert_eq!(whole.steps.len(), changes.len() + 5);
        assert!(whole.next.is_none());
        let places: Vec<_> = whole.steps.iter().map(|step| owned_order(step.place())).collect();
        assert!(places.is_sorted_by(|a, b| a > b), "the latest first: {places:?}");
        for limit in 1..=10 {
            let (mut joined, mut after) = (Vec::new(), None);
            loop {
                let lapses = lapses(&holdings, catalog.policies(), now);
                let page = page_of(changes, after.as_ref(), limit);
                let page = StepPage::new(page, lapses, after.as_ref(), limit);
                assert!((1..=limit).contains(&page.steps.len()), "no page is empty");
                joined.extend(page.steps);
                match page.next {
                    Some(next) => after = Some(next),
                    None => break,
                }
            }
            assert_eq!(joined, whole.steps, "{limit} at a time");
        }
    }
}
