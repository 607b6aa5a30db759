use super::*;

fn settings() -> Environment {
    Environment::default()
        .with("DATABASE_URL", "postgres://ledger@localhost/ledger")
        .with("LEDGER_JWT_SECRET", "0123456789abcdef0123456789abcdef")
        .with("STRIPE_WEBHOOK_SECRET", "whsec_one,whsec_two")
}

fn problems(environment: &Environment) -> String {
    Config::read(environment).expect_err("settings that can't be used").to_string()
}

#[test]
fn little_has_to_be_said() {
    let config = Config::read(&settings()).unwrap();
    assert_eq!(config.http.listen.to_string(), LISTEN_DEFAULT);
    assert_eq!(config.tenants.default.secrets.signing.len(), 2);
    assert!(!config.tenants.default.livemode);
}

#[test]
fn every_mistake_is_told_by_name_and_no_value_is_shown() {
    let text = problems(
        &Environment::default()
            .with("DATABASE_URL", "mysql://u:hunter2@h/d")
            .with("LEDGER_LISTEN", "everywhere"),
    );
    assert_eq!(text.lines().count(), 3, "{text}");
    for name in ["DATABASE_URL", "LEDGER_LISTEN", "LEDGER_JWT_SECRET"] {
        assert!(text.contains(name), "{name} in {text}");
    }
    assert!(!text.contains("hunter2"));
    assert!(problems(&settings().with("STRIPE_LIVEMODE", "maybe")).contains("true or false"));
}

#[test]
fn nothing_prints_a_secret() {
    let config = Config::read(&settings().with("DATABASE_URL", "postgres://u:hunter2@h/d"));
    let printed = format!("{:?}", config.unwrap());
    for secret in ["hunter2", "whsec_one", "0123456789abcdef"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[test]
fn development_secrets_stay_on_this_machine() {
    let open = settings().with("LEDGER_LISTEN", "0.0.0.0:8080");
    assert!(Config::read(&open).is_ok());
    let (own, made) = ("11".repeat(32), format!("dev_{}", "22".repeat(32)));
    assert!(Config::read(&open.clone().with("LEDGER_TOKEN_KEY", &own)).is_ok());
    for (name, value) in [
        ("LEDGER_JWT_SECRET", "dev_0123456789abcdef0123456789abcdef"),
        ("LEDGER_TOKEN_KEY", &made),
        ("LEDGER_TOKEN_KEY", &format!("{own}\n{made}")),
        ("STRIPE_WEBHOOK_SECRET", "whsec_dev_1"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_one,whsec_dev_1"),
    ] {
        let text = problems(&open.clone().with(name, value));
        assert!(text.contains(name) && text.contains("127.0.0.1"), "{text}");
        assert!(!text.contains(value), "{text}");
        assert!(Config::read(&settings().with(name, value)).is_ok(), "{name} on loopback");
    }
}

#[test]
fn a_short_key_is_told_with_the_other_mistakes_wherever_it_listens() {
    let (short, enough) = ("x".repeat(31), "x".repeat(32));
    let with = |key: &str| settings().with("LEDGER_JWT_SECRET", key);
    assert!(Config::read(&with(&enough)).is_ok());
    for keys in [short.clone(), format!("{enough}\n{short}")] {
        let text = problems(&with(&keys).with("LEDGER_BILLING", "maybe"));
        for part in ["LEDGER_JWT_SECRET", "32 bytes", "LEDGER_BILLING"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains(&short), "{text}");
    }
}

/// Whoever has the keys makes tokens for others as well.
#[test]
fn public_keys_come_with_an_audience() {
    for listen in ["127.0.0.1:8080", "0.0.0.0:8080"] {
        let with = settings().with("LEDGER_JWKS", "https://id.example.test/keys");
        let with = with.with("LEDGER_LISTEN", listen);
        for without in [with.clone(), with.clone().with("LEDGER_JWT_SECRET", "")] {
            let text = problems(&without);
            assert!(text.starts_with("LEDGER_JWT_AUDIENCE is not set"), "{text}");
            assert!(text.contains("LEDGER_JWKS") && text.lines().count() == 1, "{text}");
        }
        assert!(Config::read(&with.with("LEDGER_JWT_AUDIENCE", "billing")).is_ok());
    }
}

#[test]
fn the_key_tells_the_mode_and_nothing_may_contradict_it() {
    let mode =
        |environment: &Environment| Config::read(environment).unwrap().tenants.default.livemode;
    let live = settings().with("STRIPE_SECRET_KEY", "sk_live_1");
    assert!(mode(&live));
    assert!(mode(&live.clone().with("STRIPE_LIVEMODE", "true")));
    assert!(mode(&settings().with("STRIPE_LIVEMODE", "true")));
    let test = settings().with("STRIPE_SECRET_KEY", "sk_test_1");
    assert!(!mode(&test));
    for contradicted in
        [live.with("STRIPE_LIVEMODE", "false"), test.with("STRIPE_LIVEMODE", "true")]
    {
        let text = problems(&contradicted);
        assert!(text.starts_with("STRIPE_LIVEMODE") && text.lines().count() == 1, "{text}");
    }
}

#[test]
fn a_secret_may_be_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    let write = |text: &str| std::fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    let (first, second) = ("a".repeat(32), "b".repeat(32));

    write(&format!("{first}\r\n\n {second} \n"));
    let named = Environment::default().with("LEDGER_JWT_SECRET_FILE", file);
    let auth = AuthConfig::read(&named).unwrap();
    let keys: Vec<&str> = auth.keys().iter().map(Secret::reveal).collect();
    assert_eq!(keys, [&first, &second]);
    assert!(auth.reread().unwrap().is_none(), "nothing has changed");
    write(&second);
    assert_eq!(auth.reread().unwrap().unwrap().keys().len(), 1);
    for unfit in ["", "short", "dev_0123456789abcdef0123456789abcdef", &"x\n".repeat(9)] {
        write(unfit);
        assert!(auth.reread().is_err(), "{unfit:?}");
    }
    std::fs::remove_file(&path).unwrap();
    assert!(auth.reread().is_err() && AuthConfig::read(&named).is_err());

    write("postgres://u:hunter2@h/d\n");
    let named = settings().with("DATABASE_URL", "").with("DATABASE_URL_FILE", file);
    let config = Config::read(&named).unwrap();
    assert_eq!(config.database.url.reveal(), "postgres://u:hunter2@h/d");
    let both = problems(&settings().with("DATABASE_URL_FILE", file));
    assert!(both.contains("DATABASE_URL_FILE") && !both.contains("hunter2"), "{both}");
    write("sk_live_1");
    let live = settings().with("STRIPE_SECRET_KEY_FILE", file);
    assert!(Config::read(&live).unwrap().tenants.default.livemode);
}

#[test]
fn a_folder_makes_a_tenant() {
    let dir = tempfile::tempdir().unwrap();
    let acme = dir.path().join("acme");
    std::fs::create_dir_all(&acme).unwrap();
    std::fs::create_dir_all(dir.path().join("not a tenant")).unwrap();
    std::fs::write(acme.join("STRIPE_WEBHOOK_SECRET"), "whsec_acme\n").unwrap();
    std::fs::write(acme.join("STRIPE_LIVEMODE"), "true\n").unwrap();
    std::fs::write(acme.join("STRIPE_METADATA_KEYS"), "plan_hint\n").unwrap();
    let folder = dir.path().to_str().unwrap();
    let config = Config::read(&settings().with("LEDGER_TENANT_SECRETS_DIR", folder)).unwrap();
    let (tenants, errors) = config.tenants.all();
    let names: Vec<_> = tenants.iter().map(|t| t.tenant.as_str()).collect();
    assert_eq!(names, ["default", "acme"]);
    assert!(tenants[1].livemode && tenants[1].secrets.signing.len() == 1);
    assert_eq!(tenants[1].catalog, tenants[0].catalog);
    assert_ne!(tenants[1].metadata_keys, tenants[0].metadata_keys);
    assert!(errors[0].to_string().contains("not a tenant"));
}

#[test]
fn a_folder_with_a_development_secret_is_no_tenant_beyond_this_machine() {
    let dir = tempfile::tempdir().unwrap();
    let acme = dir.path().join("acme");
    std::fs::create_dir_all(&acme).unwrap();
    let write = |text: &str| std::fs::write(acme.join("STRIPE_WEBHOOK_SECRET"), text).unwrap();
    let near = settings().with("LEDGER_TENANT_SECRETS_DIR", dir.path().to_str().unwrap());
    let far = near.clone().with("LEDGER_LISTEN", "0.0.0.0:8080");
    for (secrets, is_fit) in
        [("whsec_acme", true), ("whsec_dev_acme", false), ("whsec_acme\nwhsec_dev_acme", false)]
    {
        write(secrets);
        let (tenants, errors) = Config::read(&near).unwrap().tenants.all();
        assert!(tenants.len() == 2 && errors.is_empty(), "{secrets} on loopback: {errors:?}");
        let (tenants, errors) = Config::read(&far).unwrap().tenants.all();
        assert_eq!((tenants.len() == 2, errors.is_empty()), (is_fit, is_fit), "{secrets}");
        for text in errors.iter().map(ToString::to_string) {
            for part in ["STRIPE_WEBHOOK_SECRET", "ledger dev", "127.0.0.1"] {
                assert!(text.contains(part), "{part} in {text}");
            }
            assert!(!text.contains("whsec"), "{text}");
        }
    }
}
