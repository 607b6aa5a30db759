//! A simulator, a client for it, and a receiver of webhooks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use ledger_simulator::shell::{Clock, Config, Running, Sending, Simulator};
use ledger_simulator::world;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) const KEY: &str = "sk_test_of_the_simulator";

/// What the clock of signatures shows.
pub(crate) const SIGNED_AT: i64 = 1_795_000_000;

/// Nothing here takes nearly as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
}

impl Answered {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn id(&self) -> String {
        self.json["id"].as_str().unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }
}

/// A simulator and who calls it.
pub(crate) struct Api {
    pub(crate) running: Running,
    pub(crate) client: Client,
}

/// Settings under which nothing happens by itself.
pub(crate) fn config() -> Config {
    Config {
        clock: Clock::new(|| SIGNED_AT),
        sending: Sending { automatic: false, concurrency: 1, ..Sending::default() },
        ..Config::new(world::Config::default())
    }
}

impl Api {
    pub(crate) async fn start(config: Config) -> Self {
        let client = Client::builder().timeout(PATIENCE).no_proxy().build().unwrap();
        Self { running: Simulator::start(config).await.unwrap(), client }
    }

    pub(crate) async fn usual() -> Self {
        Self::start(config()).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.running.url)
    }

    pub(crate) fn getting(&self, path: &str) -> RequestBuilder {
        self.client.get(self.url(path)).bearer_auth(KEY)
    }

    pub(crate) fn posting(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.client.post(self.url(path)).bearer_auth(KEY).body(form.to_owned());
        request.header("content-type", "application/x-www-form-urlencoded")
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        send(self.getting(path)).await
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Answered {
        send(self.posting(path, form)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answered {
        send(self.client.delete(self.url(path)).bearer_auth(KEY)).await
    }

    /// Calls the simulator's own interface.
    pub(crate) async fn control(&self, path: &str, body: &Value) -> Answered {
        let answered = send(self.client.post(self.url(path)).json(body)).await;
        assert!((200..300).contains(&answered.status), "{answered:?}");
        answered
    }

    /// Delivers everything outstanding.
    pub(crate) async fn deliver(&self) -> Value {
        self.control("/simulator/deliver", &Value::Null).await.json
    }

    /// Registers a receiver for everything, and returns id and secret.
    pub(crate) async fn register(&self, receiver: &Receiver, more: &str) -> (String, String) {
        let form = format!("url={}&enabled_events[]=*{more}", receiver.url);
        let made = self.post("/v1/webhook_endpoints", &form).await;
        assert_eq!(made.status, 200, "{made:?}");
        (made.id(), made.json["secret"].as_str().unwrap().to_owned())
    }

    /// A customer that pays by a card that works, and a price.
    pub(crate) async fn customer_and_price(&self) -> (String, String) {
        let product = self.post("/v1/products", "name=Starter").await.id();
        let price = format!(
            "product={product}&currency=usd&unit_amount=2900\
            &recurring[interval]=month"
        );
        let price = self.post("/v1/prices", &price).await;
        let form = "payment_method=pm_card_visa\
            &invoice_settings[default_payment_method]=pm_card_visa";
        let customer = self.post("/v1/customers", form).await;
        (customer.id(), price.id())
    }

    /// A subscription that is paid.
    pub(crate) async fn subscribe(&self) -> Value {
        let (customer, price) = self.customer_and_price().await;
        let form = format!("customer={customer}&items[0][price]={price}");
        let made = self.post("/v1/subscriptions", &form).await;
        assert_eq!((made.status, &made.json["status"]), (200, &json!("active")), "{made:?}");
        made.json
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Answered {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Answered { status, headers, json }
}

/// A delivery as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) signature: String,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn event(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct Inbox {
    received: Vec<Received>,
    /// The statuses of the next answers; 200 after them.
    answers: VecDeque<u16>,
}

/// Takes webhooks.
pub(crate) struct Receiver {
    pub(crate) url: String,
    inbox: Arc<Mutex<Inbox>>,
    stop: CancellationToken,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (inbox, stop) = (Arc::new(Mutex::new(Inbox::default())), CancellationToken::new());
        let router = Router::new().fallback(take).with_state(Arc::clone(&inbox));
        let end = stop.clone().cancelled_owned();
        let serving = async { axum::serve(listener, router).with_graceful_shutdown(end).await };
        TaskTracker::new().spawn(serving);
        Self { url, inbox, stop }
    }

    pub(crate) fn answer_with(&self, statuses: &[u16]) {
        self.inbox.lock().unwrap().answers.extend(statuses);
    }

    /// What came in since the last time.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.inbox.lock().unwrap().received)
    }

    /// The types of what came in since the last time.
    pub(crate) fn take_types(&self) -> Vec<String> {
        let received = self.take();
        received.iter().map(|each| each.event()["type"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn take(
    State(inbox): State<Arc<Mutex<Inbox>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut inbox = inbox.lock().unwrap();
    inbox.received.push(Received {
        signature: headers["stripe-signature"].to_str().unwrap().to_owned(),
        body: String::from_utf8(body.to_vec()).unwrap(),
    });
    StatusCode::from_u16(inbox.answers.pop_front().unwrap_or(200)).unwrap()
}
