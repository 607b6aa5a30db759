use super::*;

use std::fs;

use ledger_domain::time::Timestamp;
use ledger_log::MemoryLog;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Environment;

/// A log, and a folder with the tenant `acme`.
struct House {
    folder: TempDir,
    clock: Clock,
    log: MemoryLog,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("acme")).unwrap();
        let clock = Clock::at(Timestamp::from_unix(1_790_000_000));
        let log_clock = clock.clone();
        Self { folder, clock, log: MemoryLog::new(Arc::new(move || log_clock.now())) }
    }

    fn write(&self, setting: &str, value: &str) {
        fs::write(self.folder.path().join("acme").join(setting), value).unwrap();
    }

    /// A service that starts, with these settings besides.
    async fn start(&self, settings: &[(&str, &str)]) -> Result<(Tenants, Keeper), StartError> {
        let folder = self.folder.path().to_str().unwrap();
        let mut environment = Environment::default().with("LEDGER_TENANT_SECRETS_DIR", folder);
        for (name, value) in settings {
            environment = environment.with(name, value);
        }
        let config = TenantsConfig::read(&environment).unwrap();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let keyrings = Keyrings::new(self.clock.clone(), &tasks, &stop);
        open_all(config, keyrings, Publisher::Start, &self.log, &self.clock).await
    }

    async fn serves_acme(&self, keeper: &mut Keeper) -> bool {
        let served = keeper.look(&self.log, &self.clock).await.unwrap();
        served.iter().any(|config| config.tenant.as_str() == "acme")
    }

    async fn is_acme_open(&self) -> bool {
        self.log.head(&Tenant::try_new("acme").unwrap()).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn a_half_written_folder_opens_no_log() {
    let house = House::new();
    let (tenants, mut keeper) = house.start(&[]).await.unwrap();
    assert!(tenants.has("default") && !tenants.has("acme"));
    for (setting, value) in
        [("STRIPE_SECRET_KEY", "sk_other_1"), ("STRIPE_WEBHOOK_SECRET", "whsec_acme")]
    {
        house.write(setting, value);
        assert!(!house.serves_acme(&mut keeper).await && !house.is_acme_open().await);
        let told = &keeper.told["acme"];
        assert!(told.contains("lacks") && told.contains("STRIPE_LIVEMODE"), "{told}");
    }
    assert!(!keeper.told["acme"].contains("STRIPE_WEBHOOK_SECRET"));
    house.write("STRIPE_SECRET_KEY", "rk_live_1");
    assert!(house.serves_acme(&mut keeper).await && keeper.told.is_empty());
    assert!(keeper.opened["acme"].livemode);
}

#[tokio::test]
async fn a_tenant_with_a_development_secret_is_left_out_where_others_can_reach_it() {
    let house = House::new();
    let open = [("LEDGER_LISTEN", "0.0.0.0:8080")];
    house.write("STRIPE_LIVEMODE", "false");
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_dev_acme");
    let (tenants, mut keeper) = house.start(&open).await.unwrap();
    assert!(tenants.has("default") && !tenants.has("acme") && !house.is_acme_open().await);
    let told = &keeper.told["acme"];
    assert!(told.contains("STRIPE_WEBHOOK_SECRET") && told.contains("ledger dev"), "{told}");
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_acme");
    assert!(house.serves_acme(&mut keeper).await && keeper.told.is_empty());

    // What was read before stays in force.
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_dev_acme");
    let served = keeper.look(&house.log, &house.clock).await.unwrap();
    let acme = served.iter().find(|config| config.tenant.as_str() == "acme").unwrap();
    assert!(!acme.secrets.is_development() && keeper.told.contains_key("acme"));

    let (tenants, _) = house.start(&[]).await.unwrap();
    assert!(tenants.has("acme"), "on loopback");
}

#[tokio::test]
async fn a_tenant_that_contradicts_its_log_is_left_out() {
    let house = House::new();
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_acme");
    house.write("STRIPE_LIVEMODE", "true");
    let (tenants, mut keeper) = house.start(&[]).await.unwrap();
    assert!(tenants.has("acme"));
    house.write("STRIPE_LIVEMODE", "false");
    assert!(!house.serves_acme(&mut keeper).await, "while it runs");
    let (tenants, mut keeper) = house.start(&[]).await.unwrap();
    assert!(tenants.has("default") && !tenants.has("acme"), "at the start");
    house.write("STRIPE_LIVEMODE", "true");
    assert!(house.serves_acme(&mut keeper).await);
    house.write("STRIPE_ACCOUNT", "acct_1");
    assert!(!house.serves_acme(&mut keeper).await, "another account");
    let told = &keeper.told["acme"];
    assert!(told.contains("no STRIPE_ACCOUNT") && told.contains("STRIPE_ACCOUNT=acct_1"), "{told}");
}

#[tokio::test]
async fn a_start_that_contradicts_the_log_is_refused() {
    let house = House::new();
    house.start(&[]).await.unwrap();
    house.start(&[("STRIPE_LIVEMODE", "false")]).await.unwrap();
    for setting in [("STRIPE_LIVEMODE", "true"), ("STRIPE_ACCOUNT", "acct_1")] {
        let error = house.start(&[setting]).await.err().unwrap();
        let text = chain(&error);
        let (name, value) = setting;
        assert!(text.contains("STRIPE_LIVEMODE=false and no STRIPE_ACCOUNT, for good"), "{text}");
        assert!(text.contains(&format!("{name}={value}")), "{text}");
    }
}

#[tokio::test]
async fn a_folder_that_cant_be_read_keeps_its_tenant() {
    let house = House::new();
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_acme");
    house.write("STRIPE_LIVEMODE", "false");
    let (_, mut keeper) = house.start(&[]).await.unwrap();
    let (root, acme) = (house.folder.path(), house.folder.path().join("acme"));
    let aside = tempfile::tempdir().unwrap();
    let away = aside.path().join("away");

    // A link to itself can't be followed by anybody, as a folder without rights can't by most.
    fs::rename(&acme, &away).unwrap();
    std::os::unix::fs::symlink(&acme, &acme).unwrap();
    assert!(house.serves_acme(&mut keeper).await);
    assert!(keeper.told.contains_key("acme"));
    fs::remove_file(&acme).unwrap();
    fs::rename(&away, &acme).unwrap();
    assert!(house.serves_acme(&mut keeper).await && keeper.told.is_empty());

    // One setting that can't be read.
    let secret = acme.join("STRIPE_WEBHOOK_SECRET");
    fs::remove_file(&secret).unwrap();
    fs::create_dir(&secret).unwrap();
    let served = keeper.look(&house.log, &house.clock).await.unwrap();
    assert_eq!(served[1].secrets.signing.len(), 1, "as it was last read");
    fs::remove_dir(&secret).unwrap();
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_acme");

    // All of them.
    fs::rename(root, &away).unwrap();
    assert!(house.serves_acme(&mut keeper).await);
    assert_eq!(keeper.told.len(), 1);
    fs::rename(&away, root).unwrap();
    assert!(house.serves_acme(&mut keeper).await && keeper.told.is_empty());

    fs::remove_dir_all(&acme).unwrap();
    assert!(!house.serves_acme(&mut keeper).await, "a folder that goes takes its tenant along");
}

/// Looked at again, the keys are the same object, which remembers what it has verified.
#[tokio::test]
async fn keys_of_a_tenants_own_come_change_and_go_with_its_settings() {
    let house = House::new();
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_acme");
    house.write("STRIPE_LIVEMODE", "false");
    let (tenants, mut keeper) = house.start(&[]).await.unwrap();
    assert!(tenants.has("acme") && tenants.keyring("acme").is_none());
    let look = async |keeper: &mut Keeper| {
        let configured = keeper.look(&house.log, &house.clock).await.unwrap();
        tenants.replace(keeper.served(&configured));
        tenants.keyring("acme")
    };
    house.write("LEDGER_JWT_SECRET", &"a".repeat(32));
    let first = look(&mut keeper).await.expect("they are its own");
    assert!(tenants.keyring("default").is_none());
    assert!(Arc::ptr_eq(&first, &look(&mut keeper).await.unwrap()));

    // What can't be used changes nothing: above all it doesn't open the tenant to other keys.
    for unfit in ["", " \n", "short"] {
        house.write("LEDGER_JWT_SECRET", unfit);
        assert!(Arc::ptr_eq(&first, &look(&mut keeper).await.unwrap()), "{unfit:?}");
        assert!(keeper.told["acme"].contains("LEDGER_JWT_SECRET"), "{:?}", keeper.told);
    }
    house.write("LEDGER_JWT_SECRET", &"b".repeat(32));
    assert!(Arc::ptr_eq(&first, &look(&mut keeper).await.unwrap()) && keeper.told.is_empty());

    house.write("LEDGER_JWKS", "http://127.0.0.1:1/keys");
    house.write("LEDGER_JWT_AUDIENCE", "acme");
    let fetched = look(&mut keeper).await.unwrap();
    assert!(!Arc::ptr_eq(&first, &fetched), "other keys are fetched by another task");

    for setting in ["LEDGER_JWT_SECRET", "LEDGER_JWKS", "LEDGER_JWT_AUDIENCE"] {
        fs::remove_file(house.folder.path().join("acme").join(setting)).unwrap();
    }
    assert!(look(&mut keeper).await.is_none() && tenants.has("acme"));
}

#[tokio::test]
async fn a_new_tenant_whose_keys_cant_be_used_is_left_out() {
    let house = House::new();
    house.write("STRIPE_WEBHOOK_SECRET", "whsec_acme");
    house.write("STRIPE_LIVEMODE", "false");
    house.write("LEDGER_JWT_SECRET", "");
    let (tenants, _) = house.start(&[]).await.unwrap();
    assert!(!tenants.has("acme"), "the keys of the process are not those that were meant");
}
