use serde_json::{Value, json};

use crate::harness::{Api, PATIENCE};

impl Api {
    /// Waits until so many requests are held by faults.
    pub(crate) async fn wait_until_held(&self, count: u64) {
        let held = async { while self.get("/simulator/faults").await.json["held"] != count {} };
        tokio::time::timeout(PATIENCE, held).await.expect("as many held requests");
    }

    async fn fault(&self, fault: &Value) {
        self.control("/simulator/faults", fault).await;
    }

    async fn customers(&self) -> usize {
        self.get("/v1/customers").await.json["data"].as_array().unwrap().len()
    }
}

async fn post(api: &Api) -> reqwest::Result<u16> {
    let request = api.posting("/v1/customers", "name=Ada").header("idempotency-key", "one");
    request.send().await.map(|answer| answer.status().as_u16())
}

#[tokio::test]
async fn an_error_before_execution_leaves_nothing() {
    let api = Api::usual().await;
    api.fault(&json!({"path": "/v1/customers", "method": "POST", "kind": "error", "count": 2}))
        .await;
    assert_eq!(api.get("/v1/customers").await.status, 200);
    assert_eq!((post(&api).await.unwrap(), post(&api).await.unwrap()), (500, 500));
    assert_eq!(api.customers().await, 0);
    assert_eq!(post(&api).await.unwrap(), 200);
    assert_eq!(api.get("/simulator/faults").await.json["data"], json!([]));
}

#[tokio::test]
async fn an_error_instead_of_execution_is_kept() {
    let api = Api::usual().await;
    api.fault(&json!({"path": "/v1/*", "kind": "error", "when": "instead", "status": 503})).await;
    assert_eq!((post(&api).await.unwrap(), post(&api).await.unwrap()), (503, 503));
    assert_eq!(api.customers().await, 0);
}

#[tokio::test]
async fn an_error_after_execution_hides_the_true_answer() {
    let api = Api::usual().await;
    api.fault(&json!({"path": "/v1/customers", "kind": "error", "when": "after"})).await;
    assert_eq!(post(&api).await.unwrap(), 500);
    assert_eq!(api.customers().await, 1);
    assert_eq!(post(&api).await.unwrap(), 200);
    assert_eq!(api.customers().await, 1);
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_execution() {
    let api = Api::usual().await;
    for (when, customers) in [("before", 0), ("after", 1)] {
        api.fault(&json!({"path": "/v1/customers", "kind": "cut", "when": when})).await;
        assert!(post(&api).await.is_err(), "{when}");
        assert_eq!(api.customers().await, customers, "{when}");
    }
    assert_eq!(post(&api).await.unwrap(), 200);
    assert_eq!(api.customers().await, 1);
}

#[tokio::test]
async fn a_timeout_lasts_until_it_is_released() {
    let api = Api::usual().await;
    api.fault(&json!({"path": "/v1/customers", "kind": "timeout", "when": "after"})).await;
    let release = async {
        api.wait_until_held(1).await;
        api.control("/simulator/faults/release", &json!(null)).await;
    };
    let (timed_out, ()) = tokio::join!(post(&api), release);
    assert!(timed_out.is_err());
    assert_eq!(api.customers().await, 1);
}

#[tokio::test]
async fn a_caller_who_goes_away_frees_the_key() {
    let api = Api::usual().await;
    api.fault(&json!({"path": "/v1/customers", "kind": "hold"})).await;
    tokio::select! {
        _ = post(&api) => panic!("it was held"),
        () = api.wait_until_held(1) => {}
    }
    api.wait_until_held(0).await;
    assert_eq!(api.customers().await, 0);
    assert_eq!(post(&api).await.unwrap(), 200);
}

#[tokio::test]
async fn faults_can_be_taken_back() {
    let api = Api::usual().await;
    api.fault(&json!({"path": "/v1/customers", "kind": "error", "status": 429})).await;
    assert_eq!(post(&api).await.unwrap(), 429);
    api.fault(&json!({"path": "/v1/customers", "kind": "error"})).await;
    api.delete("/simulator/faults").await;
    assert_eq!(post(&api).await.unwrap(), 200);
}
