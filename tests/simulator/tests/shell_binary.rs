//! The program `ledger-simulator`.

#![cfg(test)]

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Nothing here takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledger-simulator"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts it and waits until it says where it is.
async fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = program(arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap();
    let line = line.expect("it ended before it was ready");
    let url = line.strip_prefix("ready ").unwrap_or_else(|| panic!("it said {line}"));
    (child, url.to_owned())
}

async fn end(mut child: Child, signal: &str) -> Option<i32> {
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
    tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap().code()
}

/// A form where there is one, else a question.
async fn call(url: &str, path: &str, form: Option<&str>) -> reqwest::Result<Value> {
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy().build()?;
    let url = format!("{url}{path}");
    let request = match form {
        Some(form) => {
            let is_json = path.starts_with("/simulator/");
            let kind = if is_json { "json" } else { "x-www-form-urlencoded" };
            let request = client.post(url).header("content-type", format!("application/{kind}"));
            request.body(form.to_owned())
        }
        None => client.get(url),
    };
    let answer = request.bearer_auth("sk_test_1").send().await?.error_for_status()?;
    Ok(serde_json::from_str(&answer.text().await?).unwrap())
}

async fn customer(url: &str) -> reqwest::Result<String> {
    let customer = call(url, "/v1/customers", Some("")).await?;
    Ok(customer["id"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn it_says_when_it_is_ready_and_ends_on_signals() {
    for signal in ["-TERM", "-INT"] {
        let (child, url) = start(&[]).await;
        customer(&url).await.unwrap();
        assert_eq!(end(child, signal).await, Some(0), "{signal}");
        assert!(customer(&url).await.is_err(), "{signal}");
    }
}

#[tokio::test]
async fn a_seed_decides_the_ids() {
    let mut ids = Vec::new();
    for seed in ["7", "7", "8"] {
        let (child, url) = start(&["--seed", seed, "--stepped"]).await;
        ids.push(customer(&url).await.unwrap());
        end(child, "-TERM").await;
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0], ids[2]);
}

#[tokio::test]
async fn what_becomes_of_what_is_not_paid_is_said() {
    let said = [
        ("cancel", "canceled"),
        ("unpaid", "unpaid"),
        ("past_due", "past_due"),
        ("pause", "paused"),
    ];
    for (word, status) in said {
        let (child, url) = start(&["--stepped", "--after-retries", word]).await;
        let act = async |path: &str, form: &str| call(&url, path, Some(form)).await.unwrap();
        act("/v1/products", "id=prod_1&name=Plan").await;
        let price = act(
            "/v1/prices",
            "product=prod_1&currency=usd&unit_amount=900&recurring[interval]=month&lookup_key=plan",
        )
        .await;
        let price = price["id"].as_str().unwrap().to_owned();
        let who =
            "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
        let customer = act("/v1/customers", who).await["id"].as_str().unwrap().to_owned();
        let form = format!("customer={customer}&items[0][price]={price}");
        let made = act("/v1/subscriptions", &form).await;
        let path = format!("/v1/subscriptions/{}", made["id"].as_str().unwrap());
        act(&path, "default_payment_method=pm_card_chargeCustomerFail").await;
        for _ in 0..4 {
            act("/simulator/advance", r#"{"seconds": 1209600}"#).await;
        }
        let ended = call(&url, &path, None).await.unwrap();
        assert_eq!(ended["status"], status, "{word}");
        end(child, "-TERM").await;
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    for (arguments, code) in [
        (&["--api-version", "1999-01-01"][..], 2),
        (&["--listen", "nowhere"], 2),
        // No machine has this address, which is kept for documentation.
        (&["--listen", "192.0.2.1:0"], 3),
        (&["--now", "5"], 2),
        (&["--after-retries", "forgive"], 2),
    ] {
        let ended = program(arguments).stderr(Stdio::null()).status();
        let ended = tokio::time::timeout(PATIENCE, ended).await.unwrap().unwrap();
        assert_eq!(ended.code(), Some(code), "{arguments:?}");
    }
}
