use ledger_simulator::shell::render::{CATALOGUE, Links, Renderer, Version};
use serde_json::{Value, json};

use crate::harness::{Answered, Api, Receiver, send};

impl Api {
    async fn get_as(&self, version: &str, path: &str) -> Answered {
        send(self.getting(path).header("stripe-version", version)).await
    }
}

#[tokio::test]
async fn answers_have_the_shape_of_the_version_asked_for() {
    let api = Api::usual().await;
    let made = api.subscribe().await;
    let subscription = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
    let invoice = format!("/v1/invoices/{}", made["latest_invoice"].as_str().unwrap());
    let item = &made["items"]["data"][0];
    for version in CATALOGUE {
        let told = api.get_as(version, &subscription).await;
        assert_eq!((told.status, told.header("stripe-version")), (200, version));
        let basil = version >= "2025-03-31.basil";
        let (period, plan) = (told.json.get("current_period_end"), told.json.get("plan"));
        assert_eq!((period.is_none(), plan.is_none()), (basil, basil), "{version}");
        if let Some(period) = period {
            assert_eq!(period, &item["current_period_end"], "{version}");
            assert_eq!(told.json["plan"]["id"], item["price"]["id"], "{version}");
        }
        let told = api.get_as(version, &invoice).await.json;
        let of = if basil {
            &told["parent"]["subscription_details"]["subscription"]
        } else {
            assert_eq!(
                (&told["paid"], told["charge"].is_string()),
                (&json!(true), true),
                "{version}"
            );
            &told["subscription"]
        };
        assert_eq!(of, &made["id"], "{version}");
        let line = &told["lines"]["data"][0];
        let price = match version {
            _ if basil => &line["pricing"]["price_details"]["price"],
            _ if version >= "2020-08-27" => &line["price"]["id"],
            _ => &line["plan"]["id"],
        };
        assert_eq!(price, &item["price"]["id"], "{version}");
    }
    let refused = api.get_as("2020-01-01.zinnia", &subscription).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn payments_name_their_invoice_in_old_versions() {
    let api = Api::usual().await;
    let made = api.subscribe().await;
    let invoice = &made["latest_invoice"];
    let intents = api.get_as("2020-08-27", "/v1/payment_intents").await.json;
    let intent = &intents["data"][0];
    assert_eq!(&intent["invoice"], invoice);
    let charge = &intent["charges"]["data"][0];
    assert_eq!((&charge["object"], &charge["invoice"]), (&json!("charge"), invoice));
    let path = format!("/v1/charges/{}", charge["id"].as_str().unwrap());
    assert_eq!(&api.get_as("2020-08-27", &path).await.json["invoice"], invoice);
    // What old versions name can be expanded in them.
    let path = format!("/v1/invoices/{}?expand[]=payment_intent", invoice.as_str().unwrap());
    let expanded = api.get_as("2020-08-27", &path).await.json;
    assert_eq!(expanded["payment_intent"]["charges"]["data"][0]["id"], charge["id"]);
    assert_eq!(api.get(&path).await.status, 400);
}

#[tokio::test]
async fn each_endpoint_gets_its_own_version() {
    let api = Api::usual().await;
    let receiver = Receiver::start().await;
    let versions = ["2017-08-15", "2020-08-27", "2024-06-20"];
    for version in versions {
        api.register(&receiver, &format!("&api_version={version}")).await;
    }
    api.subscribe().await;
    api.deliver().await;
    let received = receiver.take();
    for version in versions {
        let events: Vec<Value> = received
            .iter()
            .map(|received| received.event())
            .filter(|event| event["api_version"] == version)
            .collect();
        let of = |kind: &str| events.iter().find(|event| event["type"] == kind);
        let paid = &of("invoice.paid").unwrap()["data"]["object"];
        assert_eq!(paid["paid"], true, "{version}");
        assert!(
            paid["subscription"].is_string() && paid["charge"].is_string(),
            "{version}: {paid}"
        );
        assert_eq!(of("invoice_payment.paid"), None, "{version}");
        let is_young = of("price.created").is_some();
        assert_eq!(is_young, version >= "2020-08-27", "{version}");
    }
}

#[tokio::test]
async fn rendering_a_list_of_events_is_the_same_at_any_time() {
    let api = Api::usual().await;
    api.subscribe().await;
    let early = api.running.with_world(|world| world.events().to_vec());
    api.subscribe().await;
    let late = api.running.with_world(|world| world.events().to_vec());
    let (links_early, links_late) = (Links::of(&early), Links::of(&late));
    for name in CATALOGUE {
        let version = Version::parse(name).unwrap();
        for (at, event) in early.iter().enumerate() {
            let render = |links| Renderer { links }.event(at, event, &version, 0);
            assert_eq!(render(&links_early), render(&links_late), "{name} {}", event.kind);
        }
    }
}
