//! What clients say of subscriptions and their items, in the forms in which they say it.

use serde_json::{Value, json};

use crate::harness::{Api, Receiver};

#[tokio::test]
async fn a_subscription_begins_with_all_that_clients_say() {
    let api = Api::usual().await;
    let (customer, price) = api.customer_and_price().await;
    let form = format!(
        "customer={customer}&items[0][price]={price}&cancel_at_period_end=true&off_session=true\
         &payment_settings[save_default_payment_method]=on_subscription\
         &payment_settings[payment_method_types][]=card\
         &payment_settings[payment_method_types][]=link\
         &proration_behavior=create_prorations&description=With+a+coach"
    );
    let made = api.post("/v1/subscriptions", &form).await;
    assert_eq!(made.status, 200, "{made:?}");
    let settings = &made.json["payment_settings"];
    assert_eq!(settings["save_default_payment_method"], "on_subscription");
    assert_eq!(settings["payment_method_types"], json!(["card", "link"]));
    assert_eq!(made.json["description"], "With a coach");
    let end = made.json["items"]["data"][0]["current_period_end"].as_i64().unwrap();
    assert_eq!(made.json["cancel_at"], end);
    assert!(made.json["default_payment_method"].is_string());

    api.control("/simulator/advance", &json!({ "now": end })).await;
    let path = format!("/v1/subscriptions/{}", made.id());
    assert_eq!(api.get(&path).await.json["ended_at"], end);
    let truth = api.running.with_world(ledger_simulator::world::World::truth);
    assert_eq!((truth[0].status.as_str(), truth[0].ended_at), ("canceled", Some(end)));
}

#[tokio::test]
async fn an_anchor_is_told_of_in_old_versions_too() {
    let api = Api::usual().await;
    let (customer, price) = api.customer_and_price().await;
    let now = api.control("/simulator/advance", &json!({ "seconds": 0 })).await.json["now"].clone();
    let anchor = now.as_i64().unwrap() + 10 * 86_400;
    let form = format!("customer={customer}&items[0][price]={price}&billing_cycle_anchor={anchor}");
    let request = api.posting("/v1/subscriptions?expand[]=latest_invoice", &form);
    let made = crate::harness::send(request.header("stripe-version", "2020-08-27")).await;
    assert_eq!((made.status, &made.json["current_period_end"]), (200, &json!(anchor)), "{made:?}");
    let line = &made.json["latest_invoice"]["lines"]["data"][0];
    assert_eq!((&line["type"], &line["proration"]), (&json!("subscription"), &json!(true)));
    assert!(line["amount"].as_i64().is_some_and(|amount| (1..2_900).contains(&amount)));
}

#[tokio::test]
async fn items_are_called_by_themselves() {
    let api = Api::usual().await;
    let receiver = Receiver::start().await;
    let made = api.subscribe().await;
    let (_, other) = api.customer_and_price().await;
    api.register(&receiver, "").await;
    let subscription = made["id"].as_str().unwrap();
    let first = made["items"]["data"][0]["id"].as_str().unwrap().to_owned();

    let form = format!("subscription={subscription}&price={other}&quantity=2");
    let added = api.post("/v1/subscription_items", &form).await;
    assert_eq!((added.status, &added.json["object"]), (200, &json!("subscription_item")));
    let listed = format!("/v1/subscription_items?subscription={subscription}");
    let ids = |list: &Value| -> Vec<Value> {
        list["data"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
    };
    let list = api.get(&listed).await.json;
    assert_eq!(ids(&list), [json!(added.id()), json!(first)]);
    let page = api.get(&format!("{listed}&limit=1")).await.json;
    assert_eq!((ids(&page), &page["has_more"]), (vec![json!(added.id())], &json!(true)));

    let path = format!("/v1/subscription_items/{}", added.id());
    let changed = api.post(&path, "quantity=5&proration_behavior=none").await;
    assert_eq!((changed.status, &changed.json["quantity"]), (200, &json!(5)));
    assert_eq!(api.get(&path).await.json, changed.json);
    let expanded = api.get(&format!("{path}?expand[]=subscription")).await;
    assert_eq!(expanded.json["subscription"]["id"], subscription);
    let gone = api.delete(&path).await;
    assert_eq!((gone.status, &gone.json["deleted"]), (200, &json!(true)));
    assert_eq!(ids(&api.get(&listed).await.json), [json!(first)]);

    api.deliver().await;
    let received = receiver.take();
    let events: Vec<Value> = received.iter().map(|each| each.event()).collect();
    let updates = events.iter().filter(|event| event["type"] == "customer.subscription.updated");
    let before = updates.map(|event| ids(&event["data"]["previous_attributes"]["items"]));
    let both = vec![json!(first), json!(added.id())];
    assert_eq!(before.collect::<Vec<_>>(), [vec![json!(first)], both.clone(), both]);
}

#[tokio::test]
async fn what_is_not_known_is_refused() {
    let api = Api::usual().await;
    let made = api.subscribe().await;
    let subscription = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    let item = made["items"]["data"][0]["id"].as_str().unwrap();
    let item = format!("/v1/subscription_items/{item}");
    for (path, form, param) in [
        ("/v1/subscriptions", "backdate_start_date=1", "backdate_start_date"),
        ("/v1/subscriptions", "payment_settings[x]=1", "payment_settings[x]"),
        (&subscription, "payment_settings[x]=1", "payment_settings[x]"),
        (&subscription, "colour=red", "colour"),
        ("/v1/subscription_items", "colour=red", "colour"),
        (&item, "subscription=sub_1", "subscription"),
    ] {
        // What is missing beside it isn't what is told of.
        let customer = made["customer"].as_str().unwrap();
        let form = match path {
            "/v1/subscriptions" => {
                format!("customer={customer}&items[0][price]=price_x&{form}")
            }
            _ => form.to_owned(),
        };
        let refused = api.post(path, &form).await;
        let error = &refused.json["error"];
        let code = json!("parameter_unknown");
        assert_eq!((refused.status, &error["code"], &error["param"]), (400, &code, &json!(param)));
    }
    let last = api.delete(&item).await;
    assert_eq!((last.status, &last.json["error"]["type"]), (400, &json!("invalid_request_error")));
    let missing = api.get("/v1/subscription_items/si_x").await;
    assert_eq!((missing.status, &missing.json["error"]["code"]), (404, &json!("resource_missing")));
}
