//! What a person should look at: listed with what was expected and seen, and gone when it is
//! explained.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::bodies::{
    AI_STARTER, DAY, ENTERPRISE, PROFESSIONAL, Price, STARTER, Story, Version, customer, event,
};
use crate::check::expect_equal_to_a_fold;
use crate::harness::{Settings, TestApp, now, run};

const ANOMALIES: &str = "/api/v1/admin/anomalies";

/// A trainer who bought, upgraded and cancelled, and the webhook of the upgrade.
fn upgraded(trainer: &str) -> (Vec<Value>, Value) {
    let mut story = Story::new(trainer, Version::Clover, now() - 5 * DAY);
    story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL);
    story.pass(DAY).cancel_at_period_end(true);
    let mut webhooks = story.take();
    let tells_of_items =
        |webhook: &Value| !webhook["data"]["previous_attributes"]["items"].is_null();
    let place = webhooks.iter().position(tells_of_items).expect("the upgrade");
    let upgrade = webhooks.remove(place);
    (webhooks, upgrade)
}

/// Each purchase of a story makes its customer anew, which Stripe does once.
fn one_creation(mut webhooks: Vec<Value>) -> Vec<Value> {
    let mut is_made = false;
    webhooks.retain(|webhook| {
        let makes = webhook["type"] == "customer.created";
        !(makes && std::mem::replace(&mut is_made, true))
    });
    webhooks
}

async fn listed(app: &TestApp, query: &str, position: i64) -> Vec<Value> {
    let page = app.operator().read_at(&format!("{ANOMALIES}?{query}"), position).await;
    assert!(page["cursor"].is_null(), "it fits on a page: {page}");
    let entries = page["anomalies"].as_array().expect("a list").clone();
    for entry in &entries {
        for text in ["message", "what_to_do", "since", "event_id"] {
            assert!(entry[text].as_str().is_some_and(|text| !text.is_empty()), "{text}: {entry}");
        }
    }
    entries
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().filter_map(|entry| entry["kind"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_event_is_told_and_clears_when_it_is_sent_again() {
    let mut app = TestApp::start().await;
    let (webhooks, dropped) = upgraded("t1");
    let position = app.stripe().deliver_all(&webhooks).await;
    let [gap] = &listed(&app, "", position).await[..] else { panic!("one gap") };
    let upgrade = &dropped["data"]["object"]["id"];
    assert_eq!(gap["kind"], "gap_suspected");
    assert_eq!(gap["subject"], json!({"kind": "subscription", "id": upgrade}));
    assert_eq!((&gap["customer_id"], &gap["trainer_id"]), (&json!("cus_t1"), &json!("t1")));
    let cancelled = webhooks.last().expect("the cancellation");
    assert_eq!(gap["event_id"], cancelled["id"]);
    assert_eq!(gap["previous_event_id"], webhooks[1]["id"], "the creation: {webhooks:#?}");
    let since = gap["since"].as_str().expect("an instant");
    let at: Result<chrono::DateTime<chrono::Utc>, _> = since.parse();
    assert_eq!(at.unwrap().timestamp(), cancelled["created"].as_i64().unwrap());
    let expected = json!([{
        "field": "items[0].price",
        "expected": "price_starter_month", "seen": "price_professional_month",
    }]);
    assert_eq!(gap["differences"], expected);
    assert!(gap["message"].as_str().unwrap().contains("items[0].price"), "{gap}");

    let position = app.stripe().deliver(&dropped).await;
    assert_eq!(listed(&app, "", position).await, Vec::<Value>::new());
    expect_equal_to_a_fold(&mut app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_odd_about_an_ordinary_life_in_any_version() {
    let app = TestApp::start().await;
    let mut position = 0;
    for version in Version::ALL {
        let trainer = format!("t_{version:?}");
        let mut story = Story::new(&trainer, version, now() - 100 * DAY);
        story.try_out(STARTER, 14).trial_ends().pass(DAY).change_to(PROFESSIONAL).add(AI_STARTER);
        story.renew().refund(900).pass(DAY).renewal_fails().pass(DAY).recover();
        story.dispute().decide_dispute("won").drop_add_on().cancel_at_period_end(false);
        story.pass(DAY).cancel_now();
        position = app.stripe().deliver_all(&story.take()).await;
    }
    assert_eq!(listed(&app, "", position).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trainer_holds_twice_is_listed_while_it_lasts() {
    let app = TestApp::start().await;
    let begin = now() - 5 * DAY;
    let mut twice = Story::new("t1", Version::Clover, begin);
    twice.purchase(STARTER).pass(DAY).add(ENTERPRISE);
    let mut tried = Story::new("t2", Version::Clover, begin);
    tried.try_out(STARTER, 14).pass(DAY).cancel_now().pass(DAY).try_out(PROFESSIONAL, 14);
    let mut fine = Story::new("t3", Version::Clover, begin);
    fine.purchase(STARTER).add(AI_STARTER);
    let webhooks = [twice.take(), one_creation(tried.take()), fine.take()].concat();
    let position = app.stripe().deliver_all(&webhooks).await;

    let found = listed(&app, "", position).await;
    assert_eq!(kinds(&found), ["several_tiers", "second_trial"], "{found:#?}");
    assert_eq!(found[0]["subject"], json!({"kind": "trainer", "id": "t1"}));
    assert_eq!(found[0]["related"].as_array().map(Vec::len), Some(2), "{}", found[0]);
    assert_eq!(
        (&found[1]["trainer_id"], &found[1]["subject"]["id"]),
        (&json!("t2"), &json!(tried.tier().id))
    );
    for (query, kinds_found) in [
        ("trainer=t1", vec!["several_tiers"]),
        ("trainer=t2", vec!["second_trial"]),
        ("trainer=t3", vec![]),
        ("kind=second_trial", vec!["second_trial"]),
        ("kind=gap_suspected", vec![]),
        ("subject=t1", vec!["several_tiers"]),
        ("customer=cus_t1", vec![]),
    ] {
        assert_eq!(kinds(&listed(&app, query, position).await), kinds_found, "{query}");
    }

    // The other tier ends: nothing is odd any more, as soon as the ledger knows.
    twice.pass(DAY).drop_add_on();
    let position = app.stripe().deliver_all(&twice.take()).await;
    assert_eq!(kinds(&listed(&app, "", position).await), ["second_trial"]);
}

/// A price that somebody made at Stripe's dashboard.
const NEW_PRICE: Price = Price { id: "price_made_by_hand", amount: 4900 };

/// Who pays and gets nothing, since the ledger doesn't know what for.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_trainer_pays_for_in_vain_is_listed_until_it_is_mended() {
    let app = TestApp::start().await;
    let (begin, version) = (now() - 5 * DAY, Version::Clover);
    let bought = |trainer: &str, price: Price| {
        let mut story = Story::new(trainer, version, begin);
        story.purchase(price);
        story.tier().json(version)
    };
    let of_new_price = bought("t1", NEW_PRICE);
    let (fine_status, fine_items) = (bought("t2", STARTER), bought("t3", STARTER));
    let mut of_new_status = fine_status.clone();
    of_new_status["status"] = "weird_status".into();
    let mut of_some_items = bought("t3", AI_STARTER);
    of_some_items["id"] = fine_items["id"].clone();
    of_some_items["items"]["has_more"] = true.into();
    let mut webhooks = Vec::new();
    for (n, object) in [&of_new_price, &of_new_status, &of_some_items].into_iter().enumerate() {
        let (id, kind) = (format!("evt_{n}"), "customer.subscription.created");
        webhooks.push(event(version, &id, kind, begin, object, None));
    }
    let position = app.stripe().deliver_all(&webhooks).await;

    let found = listed(&app, "", position).await;
    let told = ["unknown_price", "unknown_status", "items_incomplete"];
    assert_eq!(kinds(&found), told, "{found:#?}");
    let known = ["incomplete", "trialing", "active", "past_due", "unpaid", "paused", "canceled"]
        .map(Value::from);
    for (n, (object, entry)) in
        [&of_new_price, &of_new_status, &of_some_items].into_iter().zip(&found).enumerate()
    {
        assert_eq!(entry["subject"], json!({"kind": "subscription", "id": object["id"]}));
        assert_eq!(entry["trainer_id"], format!("t{}", n + 1));
        assert_eq!((&entry["event_id"], &entry["related"]), (&webhooks[n]["id"], &json!([])));
        for query in [format!("kind={}", told[n]), format!("trainer=t{}", n + 1)] {
            assert_eq!(kinds(&listed(&app, &query, position).await), [told[n]], "{query}");
        }
    }
    let price = json!({"field": "items[0].price", "expected": null, "seen": "price_made_by_hand"});
    assert_eq!(found[0]["differences"], json!([price]));
    assert!(found[0]["what_to_do"].as_str().unwrap().contains("`ledger catalog publish`"));
    let status = &found[1]["differences"][0];
    assert_eq!(status["seen"], "weird_status");
    let expected = status["expected"].as_array().expect("statuses");
    assert!(known.iter().all(|known| expected.contains(known)), "{status}");
    let items = json!({"field": "items.has_more", "expected": false, "seen": true});
    assert_eq!(found[2]["differences"], json!([items]));

    // Stripe tells better of two; the third's price gets a plan.
    let updated = "customer.subscription.updated";
    let (old, new) = (json!({"status": "weird_status"}), begin + 10);
    let mut mended = vec![event(version, "evt_m1", updated, new, &fine_status, Some(&old))];
    let old = json!({"items": of_some_items["items"]});
    mended.push(event(version, "evt_m2", updated, new, &fine_items, Some(&old)));
    let position = app.stripe().deliver_all(&mended).await;
    assert_eq!(kinds(&listed(&app, "", position).await), ["unknown_price"]);
    let settings = Settings::of_service()
        .with("DATABASE_URL", app.database.url())
        .with("STRIPE_PRICE_TIER_ENTERPRISE_YEAR", NEW_PRICE.id);
    let published = run(&settings, &["catalog", "publish"]).await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    let position = app.database.number("SELECT max(position) FROM event").await;
    assert_eq!(listed(&app, "", position).await, Vec::<Value>::new());
    let tier = app.service().read_at("/api/v1/tiers/current?trainer=t1", position).await;
    assert_eq!(tier["access"], "granted", "{tier}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_kind_says_what_is_odd() {
    let app = TestApp::start().await;
    let (begin, version) = (now() - 5 * DAY, Version::Clover);
    let mut story = Story::new("t1", version, begin).unnamed();
    story.purchase(STARTER);
    let mut webhooks = story.take();
    let tell =
        |id: &str, kind: &str, at: i64, object: &Value| event(version, id, kind, at, object, None);
    let tier = story.tier().json(version);
    let with_status = |status: &str| {
        let mut tier = tier.clone();
        tier["status"] = status.into();
        tier
    };
    let updated = "customer.subscription.updated";
    // A step that nothing explains, and two events of one second.
    webhooks.push(tell("evt_u1", updated, begin + 10, &with_status("unpaid")));
    webhooks.push(tell("evt_u2", updated, begin + 20, &with_status("active")));
    webhooks.push(tell("evt_u3", updated, begin + 20, &with_status("canceled")));
    let named = customer("cus_t1", begin, &json!({"trainer_id": "t2"}));
    webhooks.push(tell("evt_c1", "customer.updated", begin + 30, &named));
    let mut foreign = tell("evt_f1", updated, begin + 40, &tier);
    foreign["livemode"] = true.into();
    let mut reused = webhooks[0].clone();
    reused["created"] = (begin + 1).into();
    let price = |id: &str, amount: i64| {
        let mut price = STARTER.json();
        price["unit_amount"] = amount.into();
        tell(id, "price.updated", begin + 50, &price)
    };
    webhooks.extend([foreign, reused.clone(), price("evt_p1", 2900), price("evt_p2", 3900)]);
    app.stripe().deliver_all(&webhooks).await;
    // The note of the reuse is appended behind the answer's position.
    let position = app.database.number("SELECT max(position) FROM event").await;
    let found = listed(&app, "", position).await;
    let of = |kind: &str| {
        let entry = found.iter().find(|entry| entry["kind"] == kind);
        entry.unwrap_or_else(|| panic!("{kind} in {found:#?}")).clone()
    };
    let step = of("unexpected_transition");
    assert_eq!(step["event_id"], "evt_u1");
    assert_eq!(step["differences"][0]["seen"], "unpaid");
    let expected = json!(["active", "trialing", "past_due", "canceled", "paused"]);
    assert_eq!(step["differences"][0]["expected"], expected);
    let conflict = found.iter().find(|entry| entry["event_id"] == "evt_u3").expect("a conflict");
    assert_eq!(
        (&conflict["kind"], &conflict["previous_event_id"]),
        (&json!("order_conflict"), &json!("evt_u2"))
    );
    assert_eq!(
        conflict["differences"][0],
        json!({"field": "status", "expected": "active", "seen": "canceled"})
    );
    let link = of("conflicting_link");
    assert_eq!((&link["event_id"], &link["customer_id"]), (&json!("evt_c1"), &json!("cus_t1")));
    assert_eq!(
        link["differences"],
        json!([{"field": "trainer_id", "expected": "t1", "seen": "t2"}])
    );
    let foreign = of("foreign");
    assert_eq!(foreign["event_id"], "evt_f1");
    assert_eq!(
        foreign["differences"],
        json!([{"field": "livemode", "expected": false, "seen": true}])
    );
    let reuse = of("id_reused");
    assert_eq!(reuse["previous_event_id"], reused["id"]);
    assert_ne!(reuse["differences"][0]["expected"], reuse["differences"][0]["seen"]);
    let sold = found.iter().find(|entry| entry["event_id"] == "evt_p2").expect("a price");
    assert_eq!(sold["subject"], json!({"kind": "price", "id": STARTER.id}));
    assert_eq!(
        sold["differences"],
        json!([{"field": "unit_amount", "expected": 2900, "seen": 3900}])
    );
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_make_up_the_whole() {
    let app = TestApp::start().await;
    let mut position = 0;
    for trainer in ["t1", "t2", "t3"] {
        let (webhooks, _) = upgraded(trainer);
        app.stripe().deliver_all(&webhooks).await;
        let mut twice = Story::new(&format!("{trainer}_twice"), Version::Clover, now() - 5 * DAY);
        twice.try_out(STARTER, 14).add(ENTERPRISE).try_out(PROFESSIONAL, 14);
        position = app.stripe().deliver_all(&one_creation(twice.take())).await;
    }
    let whole = listed(&app, "", position).await;
    assert_eq!(whole.len(), 9, "a gap, several tiers and a second trial of each: {whole:#?}");
    for limit in [1, 2, 4] {
        let (mut joined, mut cursor) = (Vec::new(), String::new());
        for _ in 0..50 {
            let path = format!("{ANOMALIES}?limit={limit}{cursor}");
            let page = app.operator().get(&path).await.expect(200);
            let entries = page["anomalies"].as_array().expect("a list");
            assert!(entries.len() <= limit, "{page}");
            joined.extend(entries.iter().cloned());
            match page["cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(joined, whole, "{limit} at a time");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_meant_is_refused() {
    let app = TestApp::start().await;
    let operator = app.operator();
    let forged = |json: &str| format!("cursor={}", URL_SAFE_NO_PAD.encode(json));
    let mut queries = [
        "limit=0",
        "limit=501",
        "limit=x",
        "cursor=x",
        "cursor=",
        "cursor=%00",
        "kind=nonsense",
        "kind=",
        "customer=",
        "customer=%00",
        "customer=a%27b",
        "trainer=%00",
        "trainer=jenny%40example.test",
        "subject=%27%20OR%20true--",
        "subject=a%2Fb",
    ]
    .map(str::to_owned)
    .to_vec();
    queries.push(format!("customer={}", "x".repeat(256)));
    queries.extend(
        [
            "null",
            "{}",
            "[]",
            "7",
            r#"{"facts":["a","b","c"]}"#,
            r#"{"facts":["\u0000","s","k","e"]}"#,
            r#"{"sold":["'","s","k","e"]}"#,
            r#"{"holdings":[["\u0000",true],0]}"#,
            r#"{"holdings":[["t1",true],-1]}"#,
            r#"{"elsewhere":null}"#,
        ]
        .map(forged),
    );
    for query in queries {
        operator.get(&format!("{ANOMALIES}?{query}")).await.expect_problem(400, "invalid_request");
    }
    for query in ["limit=0", "limit=501", "cursor=x", &forged("{}"), &forged("\"1\"")] {
        let path = format!("/api/v1/admin/dead-letters?{query}");
        operator.get(&path).await.expect_problem(400, "invalid_request");
    }
    // A place that no list has is a place all the same.
    for json in [
        r#"{"facts":["","","",""]}"#,
        r#"{"holdings":[["t9",false],9000000000]}"#,
        r#"{"holdings":[null,18446744073709551615]}"#,
    ] {
        let page = operator.get(&format!("{ANOMALIES}?{}", forged(json))).await.expect(200);
        assert_eq!(page["anomalies"], json!([]), "{json}");
    }
    let last = format!("/api/v1/admin/dead-letters?{}", forged("9223372036854775807"));
    assert_eq!(operator.get(&last).await.expect(200)["dead_letters"], json!([]));
    let before = format!("/api/v1/admin/dead-letters?{}", forged("-1"));
    operator.get(&before).await.expect_problem(400, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_in_the_order_of_the_log() {
    let app = TestApp::start().await;
    let at = now() - DAY;
    let object = json!({"id": "sub_1", "object": "subscription", "customer": "cus_1"});
    let letter =
        |id: &str| event(Version::Clover, id, "customer.subscription.updated", at, &object, None);
    let mut positions = Vec::new();
    for id in ["evt_3", "evt_1", "evt_2"] {
        positions.push(app.stripe().deliver(&letter(id)).await);
    }
    let path = "/api/v1/admin/dead-letters?limit=2";
    let page = app.operator().read_at(path, positions[2]).await;
    let ids = |page: &Value| -> Vec<String> {
        let letters = page["dead_letters"].as_array().expect("a list").iter();
        letters.filter_map(|letter| letter["event_id"].as_str().map(str::to_owned)).collect()
    };
    assert_eq!(ids(&page), ["evt_3", "evt_1"]);
    let first = &page["dead_letters"][0];
    assert_eq!((&first["position"], &first["object_id"]), (&json!(positions[0]), &json!("sub_1")));
    assert_eq!(first["type"], "customer.subscription.updated");
    assert!(first["lacks"].as_str().is_some_and(|path| path.starts_with("data.object")), "{first}");
    let instant: Result<chrono::DateTime<chrono::Utc>, _> =
        first["occurred_at"].as_str().unwrap_or_default().parse();
    assert_eq!(instant.unwrap().timestamp(), at);
    let next = page["cursor"].as_str().expect("there is one more");
    let page = app.operator().get(&format!("{path}&cursor={next}")).await.expect(200);
    assert_eq!((ids(&page), page["cursor"].is_null()), (vec!["evt_2".to_owned()], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_read_models_are_told_with_their_lag() {
    let app = TestApp::start().await;
    let (webhooks, _) = upgraded("t1");
    let position = app.stripe().deliver_all(&webhooks).await;
    let told = app.operator().read_at("/api/v1/admin/projections", position).await;
    let models = told["projections"].as_array().expect("a list");
    let names: Vec<&str> = models.iter().filter_map(|model| model["name"].as_str()).collect();
    assert_eq!(names, ["subscriptions", "grants", "catalog", "usage"]);
    for model in models {
        assert_eq!((&model["position"], &model["state"]), (&json!(position), &json!("current")));
        assert_eq!(
            (model["lag_events"].as_i64(), model["lag_seconds"].as_f64()),
            (Some(0), Some(0.0))
        );
        assert_eq!(model["version"], "live");
    }
    assert_eq!((&told["parked"], &told["more_parked"]), (&json!([]), &json!(false)));
    assert_eq!(told["log"]["position"], position);
}
