//! What is told of an answer: the chain behind it, and what would change it.

use crate::account::{Change, ChangeView, LinkView, PaymentKind, PaymentView};
use crate::catalog::{Catalog, Catalogs};
use crate::effective::explain::{Explanation, Grounds, Said, Use, explain};
use crate::effective::testing::{
    Subscribed, assigned, at, feature, grandfathered, key, nothing, overridden, setting, stripe_id,
    studio, studio_with, subscribed, with_free_tier,
};
use crate::effective::{Holdings, Outcome};
use crate::event::{Code, Enforcement, OverrideEffect};
use crate::id::TrainerId;
use crate::money::{Currency, Money};

/// What surrounds the holdings of a test.
struct Scene {
    catalog: Catalog,
    holdings: Holdings,
    mode: Option<Enforcement>,
    lives: Vec<ChangeView>,
    acts: Vec<ChangeView>,
    links: Vec<LinkView>,
    payments: Vec<PaymentView>,
    used: u64,
    uses: Vec<Use>,
}

fn scene(holdings: impl Into<Holdings>) -> Scene {
    Scene {
        catalog: studio(),
        holdings: holdings.into(),
        mode: None,
        lives: Vec::new(),
        acts: Vec::new(),
        links: Vec::new(),
        payments: Vec::new(),
        used: 0,
        uses: Vec::new(),
    }
}

fn said(event: &str, when: &str) -> Said {
    Said { at: at(when), actor: "admin".into(), event: key(event) }
}

fn step(subject: &str, change: Change, when: &str, event: &str) -> ChangeView {
    ChangeView {
        subject: subject.into(),
        ordinal: 0,
        trainer: None,
        change,
        from_prices: vec![stripe_id("price_starter_month")],
        to_prices: vec![stripe_id("price_professional_month")],
        tier: None,
        feature: None,
        at: at(when),
        actor: "admin".into(),
        event: key(event),
        position: 1,
    }
}

fn invoice(id: &str, status: &str, attempts: i64) -> PaymentView {
    PaymentView {
        object: stripe_id(id),
        kind: PaymentKind::Invoice,
        customer: Some(stripe_id("cus_1")),
        trainer: None,
        subscription: Some(stripe_id("sub_1")),
        invoice: None,
        payment: None,
        status: Code::new(status),
        amount_minor: 2_900,
        paid_minor: 400,
        refunded_minor: 0,
        currency: Currency::try_new("usd").expect("a currency"),
        created_at: at("2026-11-05"),
        updated_at: at("2026-11-06"),
        lost_at: None,
        attempt_count: attempts,
        next_attempt_at: Some(at("2026-11-12")),
        reason: None,
        event_ids: vec![key(&format!("evt_{id}_made")), key(&format!("evt_{id}_failed"))],
        position: 1,
    }
}

impl Scene {
    fn using(mut self, used: u64) -> Self {
        let used_at = at("2026-11-08");
        self.used = used;
        let quantity = i64::try_from(used).expect("few");
        self.uses = vec![Use { at: used_at, quantity, event: key("evt_used") }];
        self
    }

    fn explain(&self, slug: &str, now: &str) -> Explanation {
        let trainer = TrainerId::try_new("t1").expect("a trainer");
        let mut catalogs = Catalogs::new();
        catalogs.insert(0, 1, std::sync::Arc::new(self.catalog.clone()));
        let (published, changed) =
            (said("evt_catalog", "2026-10-01"), said("evt_mode", "2026-10-02"));
        let mode = self.mode.clone().unwrap_or_default();
        let grounds = Grounds {
            holdings: &self.holdings,
            setting: setting(&self.catalog, at(now)),
            catalogs: &catalogs,
            published: &published,
            enforced: self.mode.as_ref().map(|mode| (mode, &changed)),
            outcome: Outcome::of(&mode, &trainer),
            lives: &self.lives,
            acts: &self.acts,
            links: &self.links,
            payments: &self.payments,
            used: self.used,
            uses: &self.uses,
        };
        explain(&grounds, &feature(slug)).expect("a feature of the catalogue")
    }

    /// Steps, remedies and what time does, each in a word with its events or instant.
    fn gist(&self, slug: &str, now: &str) -> String {
        let told = self.explain(slug, now);
        let events = |events: &[crate::id::EventKey]| {
            let ids: Vec<_> = events.iter().map(|event| event.id.as_str().to_owned()).collect();
            if ids.is_empty() { String::new() } else { format!("({})", ids.join(" ")) }
        };
        let steps: Vec<_> = told
            .steps
            .iter()
            .map(|step| format!("{}{}", step.what, events(&step.events)))
            .collect();
        let remedies = told.remedies.iter().map(|remedy| {
            let plan = remedy.plan.as_ref().map(|plan| format!("={plan}")).unwrap_or_default();
            let quantity = remedy.quantity.map(|count| format!("={count}")).unwrap_or_default();
            format!("{}{plan}{quantity}{}", remedy.what, events(&remedy.events))
        });
        let ahead = told.ahead.iter().map(|ahead| {
            let day = ahead.at.to_string()[..10].to_owned();
            format!("{day}:{}", ahead.denial.map_or("granted", |denial| denial.code()))
        });
        let denial = told.check.denial.map_or("granted", |denial| denial.code());
        let ways: Vec<_> = remedies.chain(ahead).collect();
        format!("{denial}: {} -> {}", steps.join(" "), ways.join(" "))
    }
}

fn professional() -> Subscribed {
    subscribed("sub_1", "price_professional_month")
}

fn starter() -> Subscribed {
    subscribed("sub_1", "price_starter_month")
}

fn check(scene: &Scene, slug: &str, now: &str, expected: &str) {
    assert_eq!(scene.gist(slug, now), expected, "{slug} {now}");
}

#[test]
fn each_giver_is_told_with_its_event() {
    for (holdings, slug, expected) in [
        (
            professional().into(),
            "analytics",
            "granted: subscription(evt_sub_1) catalog(evt_catalog) -> ",
        ),
        (
            starter().cancel_at("2026-11-20").into(),
            "customers",
            "granted: subscription(evt_sub_1) catalog(evt_catalog) usage -> \
             2026-11-20:subscription_inactive",
        ),
        (
            assigned("evt_given", "enterprise").expires("2026-11-15").into(),
            "api_keys",
            "granted: assignment(evt_given) catalog(evt_catalog) -> \
             2026-11-15:feature_not_available",
        ),
        (
            grandfathered("evt_kept", "starter").into(),
            "customers",
            "granted: grandfathering(evt_kept) catalog(evt_catalog) usage -> ",
        ),
        (
            nothing().and(starter()).and(overridden("evt_o", "analytics", OverrideEffect::Grant)),
            "analytics",
            "granted: override(evt_o) subscription(evt_sub_1) catalog(evt_catalog) -> ",
        ),
        (
            subscribed("sub_ai", "price_ai_starter_month").into(),
            "ai_generations",
            "granted: subscription(evt_sub_ai) catalog(evt_catalog) window(evt_sub_ai) usage -> ",
        ),
    ] {
        let holdings: Holdings = holdings;
        check(&scene(holdings), slug, "2026-11-10", expected);
    }
    let free = Scene { catalog: with_free_tier(), ..scene(nothing()) };
    let expected = "granted: default_tier(evt_catalog) catalog(evt_catalog) usage -> ";
    check(&free, "customers", "2026-11-10", expected);
}

#[test]
fn each_denial_is_told_with_its_way_out() {
    let lacking = "feature_not_available: subscription(evt_sub_1) catalog(evt_catalog) -> \
                   tier=professional";
    check(&scene(starter()), "analytics", "2026-11-10", lacking);
    let nobody = "feature_not_available: nothing(evt_catalog) catalog(evt_catalog) -> \
                  tier=professional";
    check(&scene(nothing()), "analytics", "2026-11-10", nobody);
    let unknown = "feature_not_available: subscription(evt_sub_1) catalog(evt_catalog) -> \
                   tier=professional";
    let sold_elsewhere = subscribed("sub_1", "price_of_something_else");
    check(&scene(sold_elsewhere), "analytics", "2026-11-10", unknown);
    let quota = "feature_not_available: subscription(evt_sub_1) catalog(evt_catalog) \
                 window(evt_catalog) usage -> add_on=ai_starter";
    check(&scene(starter()), "ai_generations", "2026-11-10", quota);

    let full = "limit_reached: subscription(evt_sub_1) catalog(evt_catalog) usage(evt_used) -> \
                release=3 tier=professional";
    check(&scene(starter()).using(11), "customers", "2026-11-10", full);
    let exhausted = "quota_exhausted: subscription(evt_sub_ai) catalog(evt_catalog) \
                     window(evt_sub_ai) usage(evt_used) -> add_on=ai_professional \
                     2026-12-01:granted";
    let add_on = subscribed("sub_ai", "price_ai_starter_month");
    check(&scene(add_on).using(100), "ai_generations", "2026-11-10", exhausted);

    let tried = professional().on_trial_until("2026-11-15");
    let granted =
        "granted: subscription(evt_sub_1) catalog(evt_catalog) -> 2026-11-16:trial_expired";
    check(&scene(tried.clone()), "analytics", "2026-11-10", granted);
    let expired = "trial_expired: subscription(evt_sub_1) catalog(evt_catalog) -> buy=professional";
    check(&scene(tried), "analytics", "2026-11-20", expired);
    let paused = "subscription_inactive: subscription(evt_sub_1) catalog(evt_catalog) -> \
                  resume(evt_sub_1)";
    check(&scene(professional().status("paused")), "analytics", "2026-11-10", paused);
    let ended = "subscription_inactive: subscription(evt_sub_1) catalog(evt_catalog) -> \
                 buy=professional";
    check(&scene(professional().ended("2026-11-09")), "analytics", "2026-11-10", ended);
}

#[test]
fn what_is_not_paid_is_told_with_the_invoice() {
    let mut late = scene(professional().past_due_since("2026-11-06"));
    late.payments = vec![invoice("in_1", "open", 2), invoice("in_0", "paid", 1)];
    late.lives = vec![
        step("sub_1", Change::Created, "2026-11-01", "evt_begin"),
        step("sub_1", Change::PaymentFailed, "2026-11-02", "evt_fail_0"),
        step("sub_1", Change::Recovered, "2026-11-03", "evt_paid"),
        step("sub_1", Change::PaymentFailed, "2026-11-06", "evt_fail"),
        step("sub_2", Change::Created, "2026-11-01", "evt_other"),
    ];
    late.links = vec![LinkView {
        customer: stripe_id("cus_1"),
        trainer: TrainerId::try_new("t1").expect("a trainer"),
        since: at("2026-11-01"),
        event: key("evt_checkout"),
        conflicting: false,
        position: 1,
    }];
    late.holdings.subscriptions[0].customer = Some(stripe_id("cus_1"));
    let chain = "subscription(evt_sub_1) created(evt_begin) payment_failed(evt_fail) \
                 invoice(evt_in_1_failed evt_in_1_made) link(evt_checkout) catalog(evt_catalog)";
    let grace =
        format!("granted: {chain} -> pay(evt_in_1_failed) 2026-11-13:subscription_inactive");
    check(&late, "analytics", "2026-11-10", &grace);
    let locked = format!("subscription_inactive: {chain} -> pay(evt_in_1_failed)");
    check(&late, "analytics", "2026-11-13", &locked);
    let told = late.explain("analytics", "2026-11-13");
    let currency = Currency::try_new("usd").expect("a currency");
    assert_eq!(told.remedies[0].amount, Some(Money { amount_minor: 2_500, currency }));
}

#[test]
fn a_denial_tells_the_status_of_what_gives_the_feature() {
    let ai = |status| subscribed("sub_ai", "price_ai_starter_month").status(status);
    let both = |status| scene(nothing().and(starter()).and(ai(status)));
    let lost = Scene {
        catalog: studio_with("on_dispute_lost = \"lock\""),
        ..scene(Holdings::from(professional()).lost_dispute(Some("sub_1"), "2026-11-08"))
    };
    for (scene, slug, because) in [
        (both("unpaid"), "ai_generations", "what grants it is not paid for (status unpaid)"),
        (scene(ai("paused")), "ai_generations", "what grants it is paused (status paused)"),
        (
            scene(professional().ended("2026-11-09")),
            "analytics",
            "what grants it has ended (status canceled)",
        ),
        (
            lost,
            "analytics",
            "what grants it is locked, since a payment was disputed and lost (status active)",
        ),
        (scene(ai("odd")), "ai_generations", "what grants it is locked (status odd)"),
    ] {
        let says = scene.explain(slug, "2026-11-10").says;
        assert!(says.ends_with(&format!(" is denied: {because}.")), "{says}");
    }
}

#[test]
fn an_add_on_in_grace_is_kept_by_paying_its_invoice() {
    let add_on = subscribed("sub_ai", "price_ai_starter_month").past_due_since("2026-11-06");
    let mut late = scene(nothing().and(professional()).and(add_on));
    let subscription = Some(stripe_id("sub_ai"));
    late.payments = vec![PaymentView { subscription, ..invoice("in_1", "open", 2) }];
    let expected = "granted: subscription(evt_sub_ai) invoice(evt_in_1_failed evt_in_1_made) \
                    catalog(evt_catalog) window(evt_sub_ai) usage -> pay(evt_in_1_failed) \
                    2026-11-13:subscription_inactive";
    check(&late, "ai_generations", "2026-11-10", expected);
}

#[test]
fn a_lost_dispute_that_locks_is_told() {
    let mut lost = scene(Holdings::from(professional()).lost_dispute(Some("sub_1"), "2026-11-08"));
    lost.catalog = studio_with("on_dispute_lost = \"lock\"");
    let lost_at = Some(at("2026-11-06"));
    let dispute = PaymentView { kind: PaymentKind::Dispute, lost_at, ..invoice("dp_1", "lost", 0) };
    lost.payments = vec![dispute];
    let expected = "subscription_inactive: subscription(evt_sub_1) \
                    dispute(evt_dp_1_failed evt_dp_1_made) catalog(evt_catalog) -> buy=professional";
    check(&lost, "analytics", "2026-11-10", expected);
}

#[test]
fn acts_of_administrators_are_told_and_can_be_taken_back() {
    let mut locked = scene(Holdings::from(professional()).suspended("2026-11-05"));
    locked.acts = vec![step("trainer", Change::Suspended, "2026-11-05", "evt_out")];
    let expected = "account_suspended: suspension(evt_out) subscription(evt_sub_1) \
                    catalog(evt_catalog) -> reinstate(evt_out)";
    check(&locked, "analytics", "2026-11-10", expected);

    let cap = overridden("evt_cap", "customers", OverrideEffect::Cap(2)).expires("2026-11-12");
    let capped = scene(nothing().and(professional()).and(cap)).using(5);
    let expected = "limit_reached: override(evt_cap) subscription(evt_sub_1) catalog(evt_catalog) \
                    usage(evt_used) -> release=4 override(evt_cap) 2026-11-12:granted";
    check(&capped, "customers", "2026-11-10", expected);
}

#[test]
fn a_cap_is_a_way_out_only_where_there_is_room_without_it() {
    let cap = |event, count| overridden(event, "customers", OverrideEffect::Cap(count));
    let held = nothing().and(professional()).and(cap("evt_2", 2)).and(cap("evt_3", 3));
    let chain = |used: &str| {
        format!(
            "limit_reached: override(evt_2) override(evt_3) subscription(evt_sub_1) \
             catalog(evt_catalog) usage(evt_used) -> {used}"
        )
    };
    let both = scene(held.clone()).using(5);
    check(&both, "customers", "2026-11-10", &chain("release=4 override(evt_2 evt_3)"));
    let one = scene(held.clone()).using(2);
    check(&one, "customers", "2026-11-10", &chain("release=1 override(evt_2)"));
    let full = scene(held).using(20);
    check(&full, "customers", "2026-11-10", &chain("release=19"));
    let lacking =
        nothing().and(starter()).and(overridden("evt_0", "analytics", OverrideEffect::Cap(0)));
    let expected = "feature_not_available: override(evt_0) subscription(evt_sub_1) \
                    catalog(evt_catalog) -> ";
    check(&scene(lacking), "analytics", "2026-11-10", expected);
    let none = overridden("evt_0", "analytics", OverrideEffect::Cap(0));
    let told = scene(nothing().and(professional()).and(none)).explain("analytics", "2026-11-10");
    assert_eq!(told.says, "A is denied: an administrator has capped it at 0.");
}

#[test]
fn how_far_denials_are_enforced_is_told() {
    for (mode, allowed) in [
        (Enforcement::Off, true),
        (Enforcement::Shadow, true),
        (Enforcement::Internal(Vec::new()), true),
        (Enforcement::Percent(86), true),
        (Enforcement::Percent(87), false),
        (Enforcement::On, false),
    ] {
        let told =
            Scene { mode: Some(mode), ..scene(starter()) }.explain("analytics", "2026-11-10");
        assert_eq!((told.check.allowed, told.steps[0].what), (allowed, "enforcement"));
        assert_eq!(told.steps[0].events, [key("evt_mode")]);
        assert_eq!(told.says.contains("let pass"), allowed, "{}", told.says);
    }
}

#[test]
fn sentences_are_for_people() {
    let told = scene(starter().cancel_at("2026-11-20")).using(9).explain("customers", "2026-11-10");
    let says: Vec<_> = told.steps.iter().map(|step| step.says.as_str()).collect();
    assert_eq!(told.says, "C is denied: 9 of 9 are in use.");
    assert_eq!(
        says,
        [
            "Subscription sub_1 is to Starter, and its status is active; it is to end on \
             2026-11-20T00:00:00Z.",
            "By the catalogue published on 2026-10-01T00:00:00Z, Starter grants 9 of C.",
            "Of C, 9 are in use, 9 of them by the last event, the latest on 2026-11-08T00:00:00Z.",
        ]
    );
    let remedies: Vec<_> = told.remedies.iter().map(|remedy| remedy.says.as_str()).collect();
    assert_eq!(remedies, ["Releasing 1 of C makes room for one.", "Professional has C, 20 of it."]);
    let ahead: Vec<_> = told.ahead.iter().map(|ahead| ahead.says.as_str()).collect();
    assert_eq!(ahead, ["From 2026-11-20T00:00:00Z on C is denied (subscription_inactive)."]);
}

#[test]
fn a_window_is_told_with_whose_dates_it_follows() {
    let window = |scene: &Scene| {
        let told = scene.explain("ai_generations", "2026-11-10");
        let step = told.steps.iter().find(|step| step.what == "window").expect("a window");
        step.says.clone()
    };
    let add_on = window(&scene(subscribed("sub_ai", "price_ai_starter_month")));
    assert!(add_on.ends_with(", by the dates of subscription sub_ai."), "{add_on}");
    let months = "What is used counts from 2026-11-01T00:00:00Z until 2026-12-01T00:00:00Z, by \
                  calendar months.";
    assert_eq!(window(&scene(nothing())), months);
}
