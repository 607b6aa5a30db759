use serde_json::{Value, json};

use crate::harness::{Answered, Api, Receiver};

fn ids(list: &Answered) -> Vec<String> {
    let data = list.json["data"].as_array().unwrap_or_else(|| panic!("no list: {list:?}"));
    data.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_in_both_directions() {
    let api = Api::usual().await;
    let mut made = Vec::new();
    for _ in 0..12 {
        made.insert(0, api.post("/v1/customers", "").await.id());
    }
    let first = api.get("/v1/customers").await;
    assert_eq!(
        (&first.json["object"], &first.json["url"]),
        (&json!("list"), &json!("/v1/customers"))
    );
    assert_eq!((ids(&first), &first.json["has_more"]), (made[..10].to_vec(), &json!(true)));
    let next = api.get(&format!("/v1/customers?starting_after={}", made[9])).await;
    assert_eq!((ids(&next), &next.json["has_more"]), (made[10..].to_vec(), &json!(false)));
    let back = api.get(&format!("/v1/customers?limit=3&ending_before={}", made[5])).await;
    assert_eq!((ids(&back), &back.json["has_more"]), (made[2..5].to_vec(), &json!(true)));

    for query in ["limit=0", "limit=101", "starting_after=cus_nobody", "limit[]=1"] {
        let refused = api.get(&format!("/v1/customers?{query}")).await;
        assert_eq!(refused.status, 400, "{query}");
    }
    let single = api.get(&format!("/v1/customers/{}?limit=1", made[0])).await;
    assert_eq!(single.json["error"]["code"], "parameter_unknown");
}

#[tokio::test]
async fn references_are_expanded() {
    let api = Api::usual().await;
    let subscription = api.subscribe().await;
    let path = format!("/v1/subscriptions/{}", subscription["id"].as_str().unwrap());
    let one = api.get(&format!("{path}?expand[]=customer&expand[]=latest_invoice")).await;
    assert_eq!(one.json["customer"]["object"], "customer");
    assert_eq!(one.json["customer"]["id"], subscription["customer"]);
    assert_eq!(one.json["latest_invoice"]["object"], "invoice");

    let all = api.get("/v1/subscriptions?expand[]=data.latest_invoice.customer").await;
    assert_eq!(all.json["data"][0]["latest_invoice"]["customer"]["object"], "customer");
    let product = api.get(&format!("{path}?expand[]=items.data.price.product")).await;
    assert_eq!(product.json["items"]["data"][0]["price"]["product"]["object"], "product");

    // An invoice shows its payments to who asks.
    assert_eq!(one.json["latest_invoice"].get("payments"), None);
    let asked = "latest_invoice.payments.data.payment";
    let paid = api.get(&format!("{path}?expand[]={asked}")).await;
    let payment = &paid.json["latest_invoice"]["payments"]["data"][0];
    assert_eq!(
        (&payment["object"], &payment["status"]),
        (&json!("invoice_payment"), &json!("paid"))
    );

    for expand in ["status", "nothing", "a.b.c.d.e"] {
        assert_eq!(api.get(&format!("{path}?expand[]={expand}")).await.status, 400, "{expand}");
    }
}

#[tokio::test]
async fn a_refused_expansion_changes_nothing() {
    let api = Api::usual().await;
    let refused = api.post("/v1/customers", "name=Ada&expand[]=nothing").await;
    assert_eq!(refused.status, 400);
    assert_eq!(ids(&api.get("/v1/customers").await), [""; 0]);
    let made = api.post("/v1/customers", "expand[]=default_source").await;
    assert_eq!((made.status, &made.json["default_source"]), (200, &Value::Null));
}

#[tokio::test]
async fn events_are_listed_by_type_and_age() {
    let api = Api::usual().await;
    let customer = api.post("/v1/customers", "name=Ada").await.id();
    api.post(&format!("/v1/customers/{customer}"), "name=Grace").await;
    api.post("/v1/products", "name=Starter").await;
    let all = api.get("/v1/events").await;
    let types: Vec<&str> =
        all.json["data"].as_array().unwrap().iter().map(|e| e["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["product.created", "customer.updated", "customer.created"]);
    let updated = &all.json["data"][1];
    assert_eq!(updated["data"]["previous_attributes"]["name"], "Ada");
    assert_eq!(updated["pending_webhooks"], 0);

    let some = api.get("/v1/events?types[]=customer.created&types[]=product.created").await;
    assert_eq!(ids(&some).len(), 2);
    let one = api.get(&format!("/v1/events/{}", updated["id"].as_str().unwrap())).await;
    assert_eq!(&one.json, updated);
    let page = api.get(&format!("/v1/events?limit=1&starting_after={}", ids(&all)[0])).await;
    assert_eq!((ids(&page), &page.json["has_more"]), (vec![ids(&all)[1].clone()], &json!(true)));

    api.control("/simulator/advance", &json!({"seconds": 30 * 24 * 3_600})).await;
    assert_eq!(ids(&api.get("/v1/events").await), [""; 0]);
    let old = api.get(&format!("/v1/events/{}", updated["id"].as_str().unwrap())).await;
    assert_eq!(old.status, 404);
}

#[tokio::test]
async fn events_tell_who_lacks_them() {
    let api = Api::usual().await;
    let (one, two) = (Receiver::start().await, Receiver::start().await);
    api.register(&one, "").await;
    api.register(&two, "").await;
    let mut events = Vec::new();
    for name in ["a", "b", "c"] {
        api.post("/v1/customers", &format!("name={name}")).await;
        events.push(ids(&api.get("/v1/events").await)[0].clone());
    }
    // One of the receivers fails on the second event.
    two.answer_with(&[200, 500, 200]);
    let passed = api.deliver().await;
    assert_eq!(passed, json!({"attempted": 6, "succeeded": 5, "failed": 1, "outstanding": 1}));
    let missing = api.get("/v1/events?delivery_success=false").await;
    assert_eq!(ids(&missing), [events[1].clone()]);
    assert_eq!(missing.json["data"][0]["pending_webhooks"], 1);
    assert_eq!(ids(&api.get("/v1/events?delivery_success=true").await).len(), 2);
    // As one recovers: from the last that was good.
    let path = format!("/v1/events?delivery_success=false&ending_before={}", events[0]);
    assert_eq!(ids(&api.get(&path).await), [events[1].clone()]);
    let path = format!("/v1/events?delivery_success=false&ending_before={}", events[2]);
    assert_eq!(ids(&api.get(&path).await), [""; 0]);
    assert_eq!(api.get("/v1/events?delivery_success=maybe").await.status, 400);
}
