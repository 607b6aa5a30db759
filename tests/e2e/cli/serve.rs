//! `ledger serve`, as those see it who start it.

use crate::harness::{Caller, Database, LEDGER, Service, Settings, address_said, command, http};

#[tokio::test(flavor = "multi_thread")]
async fn it_says_when_it_is_ready() {
    let database = Database::fresh().await;
    let settings = Settings::of_service().with("DATABASE_URL", database.url());
    let command = command(LEDGER, &settings, &["serve"]);
    let service =
        Service::spawn(command, address_said).await.unwrap_or_else(|error| panic!("{error}"));
    let anyone = Caller::new(http(), service.url(), None);
    assert_eq!(anyone.get("/readyz").await.status, 200, "ready means ready");
    assert!(service.stop().await.success());
}
