//! A ledger that runs.

use sqlx::postgres::PgPool;

use super::client::{Caller, http};
use super::database::Database;
use super::process::{LEDGER, Output, Service, address_logged, command};
use super::settings::{Settings, WEBHOOK_SECRET};
use super::stripe::Stripe;
use super::token::{Claims, token};
use super::wait::eventually;

/// A database and a service process, both for one test.
pub(crate) struct TestApp {
    pub(crate) database: Database,
    settings: Settings,
    http: reqwest::Client,
    service: Option<Service>,
}

impl TestApp {
    /// With the usual settings.
    pub(crate) async fn start() -> Self {
        Self::start_with(Settings::of_service()).await
    }

    /// With other settings; the database is added to them.
    pub(crate) async fn start_with(settings: Settings) -> Self {
        Self::start_on(Database::fresh().await, settings).await
    }

    /// On a cluster that the test may stop and kill.
    pub(crate) async fn start_on_own_cluster() -> Self {
        Self::start_on(Database::on_own_cluster().await, Settings::of_service()).await
    }

    /// On a database that exists; the settings may name another way to it.
    pub(crate) async fn start_on(database: Database, settings: Settings) -> Self {
        let url = settings.get("DATABASE_URL").map_or_else(|| database.url(), str::to_owned);
        let settings = settings.with("DATABASE_URL", url);
        let mut app = Self { database, settings, http: http(), service: None };
        app.start_service().await;
        app
    }

    /// A second service process on the same database.
    pub(crate) async fn another(&self) -> Self {
        Self::start_on(self.database.clone(), self.settings.clone()).await
    }

    /// A service with the same settings on another database.
    pub(crate) async fn restart_on(&self, database: Database) -> Self {
        let settings = self.settings.clone().with("DATABASE_URL", database.url());
        Self::start_on(database, settings).await
    }

    /// Starts the service again, after [`TestApp::kill`] or [`TestApp::stop`], and waits until it
    /// is ready.
    pub(crate) async fn start_service(&mut self) {
        self.spawn_service().await;
        self.wait_until_ready().await;
    }

    /// Starts the service again without waiting for more than its address.
    pub(crate) async fn spawn_service(&mut self) {
        let started = Service::start(&self.settings, &["serve"]).await;
        self.service = Some(started.unwrap_or_else(|error| panic!("ledger serve ended: {error}")));
    }

    /// Starts the service anew as a shell script does, whose `$0` is the program.
    pub(crate) async fn restart_by(&mut self, script: &str) {
        self.kill();
        let command = command("sh", &self.settings, &["-c", script, LEDGER]);
        let started = Service::spawn(command, address_logged).await;
        self.service = Some(started.unwrap_or_else(|error| panic!("ledger serve ended: {error}")));
        self.wait_until_ready().await;
    }

    /// Waits until `/readyz` says so.
    pub(crate) async fn wait_until_ready(&self) {
        let caller = self.anyone();
        eventually("/readyz answers 200", || async {
            caller.try_get("/readyz").await.ok().filter(|answer| answer.status == 200)
        })
        .await;
    }

    /// Kills the service, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.service.take().expect("the service runs").kill();
    }

    /// Asks the service to end, and waits for it.
    pub(crate) async fn stop(&mut self) {
        let status = self.service.take().expect("the service runs").stop().await;
        assert!(status.success(), "SIGTERM ends the service in order: {status}");
    }

    /// Sends the service process a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        self.running().signal(name);
    }

    /// The id of the service process.
    pub(crate) fn pid(&self) -> u32 {
        self.running().pid()
    }

    /// What the service process wrote so far.
    pub(crate) fn output(&self) -> &Output {
        self.running().output()
    }

    /// Where the service listens.
    pub(crate) fn url(&self) -> &str {
        self.running().url()
    }

    /// The owner's connections to the database.
    pub(crate) fn owner(&self) -> &PgPool {
        self.database.owner()
    }

    /// Stripe, at the endpoint of the tenant `default`.
    pub(crate) fn stripe(&self) -> Stripe {
        Stripe {
            http: self.http.clone(),
            url: format!("{}/api/v1/webhooks/stripe", self.url()),
            secret: WEBHOOK_SECRET.to_owned(),
        }
    }

    /// Stripe, at the endpoint of another tenant.
    pub(crate) fn stripe_of(&self, tenant: &str, secret: &str) -> Stripe {
        let url = format!("{}/api/v1/webhooks/stripe/{tenant}", self.url());
        Stripe { url, ..self.stripe() }.with_secret(secret)
    }

    /// One without a token.
    pub(crate) fn anyone(&self) -> Caller {
        Caller::new(self.http.clone(), self.url(), None)
    }

    /// One with these claims, properly signed.
    pub(crate) fn caller(&self, claims: &Claims) -> Caller {
        self.anyone().with_token(&token(claims))
    }

    /// A trainer of the tenant `default`.
    pub(crate) fn trainer(&self, trainer: &str) -> Caller {
        self.caller(&Claims::of("trainer", trainer))
    }

    /// An application's service.
    pub(crate) fn service(&self) -> Caller {
        self.caller(&Claims::of("service", "e2e-service"))
    }

    /// Who runs the ledger.
    pub(crate) fn operator(&self) -> Caller {
        self.caller(&Claims::of("operator", "e2e-operator"))
    }

    /// An administrator.
    pub(crate) fn admin(&self) -> Caller {
        self.caller(&Claims::of("admin", "e2e-admin"))
    }

    /// An auditor.
    pub(crate) fn auditor(&self) -> Caller {
        self.caller(&Claims::of("auditor", "e2e-auditor"))
    }

    fn running(&self) -> &Service {
        self.service.as_ref().expect("the service runs")
    }
}
