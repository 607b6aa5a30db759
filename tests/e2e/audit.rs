//! What an auditor can prove with nothing but answers, and how a trainer's part of the log is read.

use serde_json::{Value, json};
use sqlx::query_scalar;
use uuid::Uuid;

use crate::bodies::{DAY, PROFESSIONAL, STARTER, Story, Version, customer, event};
use crate::check::{leaf_of, root_of, salted};
use crate::harness::{Caller, Claims, TestApp, now};

/// A ledger with two trainers, whose events lie among each other.
async fn app_with_two() -> (TestApp, i64) {
    let app = TestApp::start().await;
    let begin = now() - 40 * DAY;
    let mut stories = ["t1", "t2"].map(|trainer| {
        let mut story = Story::new(trainer, Version::Clover, begin).unnamed();
        story.purchase(STARTER).pass(DAY).change_to(PROFESSIONAL).renew().refund(900);
        story.take().into_iter()
    });
    let mut position = 0;
    while let Some(webhook) = stories[0].next() {
        position = app.stripe().deliver(&webhook).await;
        if let Some(webhook) = stories[1].next() {
            position = app.stripe().deliver(&webhook).await;
        }
    }
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    (app, position)
}

/// The leaf by docs/log-format.md, of an answer alone.
fn leaf(event: &Value) -> [u8; 32] {
    let text = |name: &str| Some(event[name].as_str().expect(name).as_bytes().to_vec());
    let integer = |value: i64| Some(value.to_be_bytes().to_vec());
    let number = |name: &str| integer(event[name].as_i64().expect(name));
    let at = |name: &str| {
        let at = chrono::DateTime::parse_from_rfc3339(event[name].as_str().expect(name));
        integer(at.expect("a time of RFC 3339").timestamp_micros())
    };
    let hash = |name: &str| event[name].as_str().map(|hash| hex::decode(hash).expect("hex"));
    let log_id: Uuid = event["log_id"].as_str().expect("log_id").parse().expect("a UUID");
    assert_eq!(event["format"], 1);
    leaf_of(&[
        Some(b"ledger-leaf-v1".to_vec()),
        Some(log_id.as_bytes().to_vec()),
        text("tenant"),
        number("position"),
        text("namespace"),
        text("event_id"),
        text("stream"),
        number("revision"),
        text("type"),
        number("schema_version"),
        at("occurred_at"),
        at("recorded_at"),
        text("metadata_raw"),
        text("data_raw"),
        hash("body_hash"),
        hash("text_hash"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_can_be_proved_from_its_answer_alone() {
    let (app, last) = app_with_two().await;
    let (auditor, admin) = (app.auditor(), app.caller(&Claims::of("admin", "ann")));
    let (mut leaves, mut bodies) = (Vec::new(), 0);
    for event in events(&auditor, "/api/v1/audit/events?limit=500").await {
        let path = format!("/api/v1/audit/events/{}", event["event_id"].as_str().unwrap());
        let told = auditor.get(&path).await.expect(200);
        let leaf = leaf(&told);
        assert_eq!(told["leaf"], hex::encode(leaf), "{told}");
        leaves.push(leaf);
        for name in ["data", "metadata"] {
            let raw = told[format!("{name}_raw")].as_str().unwrap();
            assert_eq!(serde_json::from_str::<Value>(raw).unwrap(), told[name], "{name}");
        }
        let is_webhook = told["namespace"] == "stripe";
        assert_eq!(told["body_hash"].is_string(), is_webhook, "{told}");
        if is_webhook {
            bodies += 1;
            let salt = hex::decode(told["body_salt"].as_str().unwrap()).unwrap();
            let hash = salted(b"ledger-body-v1", &salt, told["body"].as_str().unwrap().as_bytes());
            assert_eq!(told["body_hash"], hex::encode(hash), "{told}");
        }
        for caller in [app.trainer("t1"), app.service(), app.operator(), admin.clone()] {
            caller.get(&path).await.expect_problem(403, "forbidden");
        }
    }
    assert_eq!(i64::try_from(leaves.len()).unwrap(), last);
    assert!(bodies > 10, "{bodies} webhooks");
    let sql = "SELECT root FROM log_head WHERE tenant = 'default'";
    let root: Vec<u8> = query_scalar(sql).fetch_one(app.owner()).await.unwrap();
    assert_eq!(root_of(&leaves).to_vec(), root, "the leaves are the log's");

    // What lies beside an event may go; what is sealed stays.
    app.database.execute("DELETE FROM webhook_events");
    let path = "/api/v1/audit/events?source=stripe&limit=1";
    let listed = auditor.get(path).await.expect(200);
    let id = listed["events"][0]["event_id"].as_str().unwrap();
    let told = auditor.get(&format!("/api/v1/audit/events/{id}")).await.expect(200);
    assert!(told["body"].is_null() && told["body_salt"].is_null(), "{told}");
    assert!(told["body_hash"].is_string());
    let position = usize::try_from(told["position"].as_i64().unwrap()).unwrap();
    assert_eq!(leaf(&told), leaves[position - 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_a_trainers_events_make_up_the_whole() {
    let (app, _) = app_with_two().await;
    let auditor = app.auditor();
    let list = "/api/v1/audit/events?trainer=t1";
    let whole = events(&auditor, &format!("{list}&limit=500")).await;
    assert!(whole.len() > 10, "{}", whole.len());
    let positions = |events: &[Value]| -> Vec<i64> {
        events.iter().map(|event| event["position"].as_i64().unwrap()).collect()
    };
    assert!(positions(&whole).is_sorted_by(|a, b| a < b), "each once, in order");
    for limit in [1, 2, 3, 7] {
        let paged = events(&auditor, &format!("{list}&limit={limit}")).await;
        assert_eq!(paged, whole, "{limit} at a time");
    }
    let all = events(&auditor, "/api/v1/audit/events?limit=500").await;
    for filter in ["type=InvoiceReported", "source=stripe", "actor=stripe", "source=api"] {
        let of_both = events(&auditor, &format!("/api/v1/audit/events?{filter}&limit=500")).await;
        let expected: Vec<&Value> = whole
            .iter()
            .filter(|event| positions(&of_both).contains(&event["position"].as_i64().unwrap()))
            .collect();
        let found = events(&auditor, &format!("{list}&{filter}&limit=2")).await;
        assert_eq!(
            positions(&found),
            positions(&expected.into_iter().cloned().collect::<Vec<_>>())
        );
    }
    // Between two instants, and between two positions, as of the list without a trainer.
    let (from, to) = (&all[all.len() / 3], &all[2 * all.len() / 3]);
    let (from, to) = (from["recorded_at"].as_str().unwrap(), to["recorded_at"].as_str().unwrap());
    let between = events(&auditor, &format!("{list}&from={from}&to={to}&limit=2")).await;
    let is_between = |event: &&Value| {
        let at = event["recorded_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>();
        let bound = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        let at = at.unwrap();
        bound(from) <= at && at < bound(to)
    };
    let expected: Vec<Value> = whole.iter().filter(is_between).cloned().collect();
    assert_eq!(between, expected);
    let (from, to) = (positions(&whole)[2], positions(&whole)[6]);
    let path = format!("{list}&from_position={from}&to_position={to}&limit=3");
    assert_eq!(events(&auditor, &path).await, whole[2..6]);
}

/// An event may have a thousand times the usual size: then a page has fewer of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_large_events_is_no_larger_than_others() {
    const MANY: usize = 25;
    const BODY_BYTES: usize = 1_000_000;
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    let is_new = |webhook: &&Value| webhook["type"] == "customer.subscription.created";
    let created = webhooks.iter().find(is_new).expect("a subscription");
    let mut position = 0;
    for n in 0..MANY {
        let mut large = created.clone();
        large["id"] = json!(format!("evt_large_{n}"));
        let object = &mut large["data"]["object"];
        object["id"] = json!(format!("sub_large_{n}"));
        let item = object["items"]["data"][0].clone();
        let items = BODY_BYTES / item.to_string().len();
        let named = |i| {
            let mut item = item.clone();
            item["id"] = json!(format!("si_{n}_{i}"));
            item
        };
        object["items"]["data"] = (0..items).map(named).collect();
        position = app.stripe().deliver(&large).await;
    }
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    for list in ["/api/v1/audit/events?limit=500", "/api/v1/audit/events?limit=500&trainer=t1"] {
        let first = app.auditor().get(list).await.expect(200);
        let (bytes, count) = (first.to_string().len(), first["events"].as_array().unwrap().len());
        assert!(bytes < 5 << 20, "{bytes} bytes of {count} events");
        let whole = events(&app.auditor(), list).await;
        let is_large =
            |event: &&Value| event["event_id"].as_str().unwrap().starts_with("evt_large_");
        let large: Vec<&Value> = whole.iter().filter(is_large).collect();
        assert_eq!(large.len(), MANY);
        let bytes: usize = large.iter().map(|event| event.to_string().len()).sum();
        assert!(bytes > 6 << 20, "{bytes} bytes: more than a page");
        assert!(count < whole.len() && first["cursor"].is_string(), "{count}");
    }
}

/// Whatever comes later, a cursor leads to the same events.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_leads_to_the_same_whatever_happens_meanwhile() {
    let (app, _) = app_with_two().await;
    let auditor = app.auditor();
    let first = auditor.get("/api/v1/audit/events?trainer=t1&limit=4").await.expect(200);
    let cursor = first["cursor"].as_str().expect("there is more");
    let path = format!("/api/v1/audit/events?trainer=t1&limit=4&cursor={cursor}");
    let second = auditor.get(&path).await.expect(200);
    let mut later = Story::new("t1", Version::Clover, now() - DAY);
    later.purchase(STARTER);
    let position = app.stripe().deliver_all(&later.take()).await;
    app.trainer("t1").read_at("/api/v1/tiers/current", position).await;
    let again = auditor.get(&path).await.expect(200);
    assert_eq!((&again["events"], &again["cursor"]), (&second["events"], &second["cursor"]));
    assert!(again["position"].as_i64() >= Some(position), "{again}");
}

/// What carries a trainer's name is in the trainer's list, whatever became of it: facts of a
/// customer who is another's now, of another mode, that can't be read, or of nobody; and usage.
#[tokio::test(flavor = "multi_thread")]
async fn every_event_that_names_a_trainer_is_in_its_list() {
    let app = TestApp::start().await;
    let at = now() - DAY;
    let tell = |id: &str, kind: &str, second: i64, object: &Value| {
        event(Version::Clover, id, kind, at + second, object, None)
    };
    let of = |trainer: &str| json!({ "trainer_id": trainer });
    let (one, two) = (customer("cus_1", at, &of("t_one")), customer("cus_1", at, &of("t_two")));
    let unusable = json!({ "object": "subscription", "id": "sub_1", "metadata": of("t_one") });
    let mut intent = json!({ "object": "payment_intent", "id": "pi_1", "amount": 900 });
    intent["metadata"] = of("t_one");
    (intent["currency"], intent["status"]) = ("usd".into(), "processing".into());
    let mut foreign = tell("evt_foreign", "customer.created", 2, &one);
    foreign["livemode"] = true.into();
    let webhooks = [
        tell("evt_one", "customer.created", 0, &one),
        tell("evt_two", "customer.updated", 1, &two),
        foreign,
        tell("evt_unusable", "customer.subscription.updated", 3, &unusable),
        tell("evt_nobodys", "payment_intent.processing", 4, &intent),
        tell("evt_price", "price.created", 5, &STARTER.json()),
    ];
    app.stripe().deliver_all(&webhooks).await;
    let used = json!({ "trainer": "t_one", "quantity": 2 });
    let used = app.service().post("/api/v1/usage/customers/record", &used).await.expect(200);
    let position = used["position"].as_i64().expect("a position");
    app.trainer("t_one").read_at("/api/v1/tiers/current", position).await;

    let (auditor, list) = (app.auditor(), "/api/v1/audit/events");
    let all = events(&auditor, &format!("{list}?limit=500")).await;
    for (trainer, named) in [("t_one", 5), ("t_two", 1)] {
        let mine = events(&auditor, &format!("{list}?trainer={trainer}&limit=500")).await;
        let naming: Vec<_> = all.iter().filter(|event| event["trainer_id"] == trainer).collect();
        assert_eq!(naming.len(), named, "{trainer}: {naming:#?}");
        let missing: Vec<_> = naming.iter().filter(|event| !mine.contains(event)).collect();
        assert!(missing.is_empty(), "{trainer}: {missing:#?}");
        assert!(mine.iter().all(|event| event["event_id"] != "evt_price"), "{mine:#?}");
        let paged = events(&auditor, &format!("{list}?trainer={trainer}&limit=2")).await;
        assert_eq!(paged, mine, "{trainer}, two at a time");
    }
    let webhooks_of = async |trainer: &str| -> Vec<String> {
        let path = format!("{list}?trainer={trainer}&source=stripe&limit=500");
        let found = events(&auditor, &path).await;
        found.iter().filter_map(|event| event["event_id"].as_str().map(str::to_owned)).collect()
    };
    let of_one = ["evt_one", "evt_foreign", "evt_unusable", "evt_nobodys"];
    assert_eq!(webhooks_of("t_one").await, of_one);
    // The customer is the other's by its latest word, with all its facts.
    assert_eq!(webhooks_of("t_two").await, ["evt_one", "evt_two"]);
}

/// Whose an event is, only the read models know: while they lag, a trainer's list says how far it
/// goes, and can be asked to go further.
#[tokio::test(flavor = "multi_thread")]
async fn a_trainers_list_tells_up_to_where_it_is_complete() {
    let app = TestApp::start().await;
    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    let first = app.stripe().deliver(&webhooks[0]).await;
    let (auditor, list) = (app.auditor(), "/api/v1/audit/events?trainer=t1&limit=500");
    auditor.read_at(list, first).await;

    app.database.hold_up_runner();
    let last = app.stripe().deliver_all(&webhooks[1..]).await;
    let early = auditor.get(list).await.expect(200);
    assert_eq!(early["position"], first, "{early}");
    let late = auditor.get(&format!("{list}&min_position={last}")).await;
    late.expect_problem(503, "unavailable");
    // The log itself lags behind nothing.
    let all = auditor.get("/api/v1/audit/events?limit=500").await.expect(200);
    assert!(all["position"].is_null(), "{all}");
    assert_eq!(all["events"].as_array().and_then(|all| all.last()).unwrap()["position"], last);
    let misplaced = auditor.get("/api/v1/audit/events?min_position=1").await;
    misplaced.expect_problem(400, "invalid_request");

    app.database.release_runner();
    let whole = auditor.read_at(list, last).await;
    let end = |page: &Value| page["events"].as_array().and_then(|all| all.last()).cloned();
    assert_eq!(end(&whole).expect("events")["position"], last, "{whole}");
    assert!(end(&early).is_none_or(|event| event["position"] == first), "{early}");
}

/// However many events a page has, the database is asked as often. Each statement of the auditor's
/// asks once for each table whose rows it may see; here that leaves a lock behind, which can be
/// counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_trainers_events_takes_few_statements() {
    let (app, _) = app_with_two().await;
    app.database.execute(
        "CREATE OR REPLACE FUNCTION public.current_tenant() RETURNS text
         LANGUAGE plpgsql STABLE AS $$ BEGIN
             PERFORM pg_advisory_lock(731, (random() * 1000000000)::int);
             RETURN nullif(current_setting('ledger.tenant', true), '');
         END $$",
    );
    let asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 731";
    let mut counted = Vec::new();
    for (limit, events) in [(1, 1..2), (500, 11..100)] {
        let before = app.database.number(asked).await;
        let list = format!("/api/v1/audit/events?trainer=t1&limit={limit}");
        let page = app.auditor().get(&list).await.expect(200);
        assert!(events.contains(&page["events"].as_array().expect("events").len()), "{page}");
        counted.push(app.database.number(asked).await - before);
    }
    assert_eq!(counted[0], counted[1], "a long page asks as often as a short one");
    assert!((1..=10).contains(&counted[0]), "{counted:?} tables were asked");
}

/// All events of a list, page by page.
async fn events(caller: &Caller, path: &str) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), path.to_owned());
    for _ in 0..1_000 {
        let page = caller.get(&next).await.expect(200);
        found.extend(page["events"].as_array().expect("events").iter().cloned());
        let Some(cursor) = page["cursor"].as_str() else { return found };
        next = format!("{path}&cursor={cursor}");
    }
    panic!("the pages have an end");
}
