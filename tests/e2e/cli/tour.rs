//! What `ledger dev --sample` shows at a terminal: how far it is, and at the end what to try.

use std::collections::BTreeSet;

use super::dev::{has_ended, postmaster};
use super::simulator::says;
use crate::harness::{Caller, LEDGER, Service, Settings, address_said, command, eventually, http};

/// How a bar is taken away: back to the line's begin, and the line cleared.
const CLEARED: &str = "\r\u{1b}[2K";

/// The last line of the tour.
pub(super) const LAST_LINE: &str = "End with Ctrl-C.";

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_is_shown_how_far_it_is_and_then_what_to_try() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // `script` gives the program a terminal, and us all that is drawn there. The program ends with
    // it, however it ends.
    let line = format!(
        "stty rows 40 cols 120 && exec setpriv --pdeathsig TERM {LEDGER} dev \
         --listen 127.0.0.1:0 --data-dir {} --sample",
        data.display()
    );
    let settings = Settings::none().with("TERM", "xterm");
    let script = command("script", &settings, &["--quiet", "--command", &line, "/dev/null"]);
    let mut service = Service::spawn(script, address_said).await.unwrap();
    says(&service, LAST_LINE).await;
    let text = service.output().text();
    let (before, tour) = text.split_once("ready http").expect("it is ready before the tour");

    for (what, unit) in [("living months of a small product", "day "), ("delivering webhooks", "")]
    {
        let places = drawn(before, what, unit);
        assert!(places.len() > 1, "{what}: a bar that moves, at {places:?}");
    }
    let last = before.rfind("delivering webhooks").expect("a bar");
    let after = before[last..].find(CLEARED).expect("the bar is taken away");
    let told = before[last + after..].contains("delivered ");
    assert!(told, "and what was done is told: {:?}", &before[last..]);
    assert!(!tour.contains('\u{1b}'), "nothing is drawn into the tour: {tour}");
    try_everything(service.url(), tour).await;
    assert!(tour.contains(&format!(". {}/dev.env", data.display())), "{tour}");
    let another = tour.lines().find(|line| line.contains(" token --role trainer"));
    let made = command("sh", &Settings::none(), &["-c", another.expect("how to make a token")]);
    let made = tokio::process::Command::from(made).output().await.unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    let ada = Caller::new(http(), service.url(), Some(token.trim().to_owned()));
    ada.get("/api/v1/tiers/current").await.expect(200);

    let postmaster = postmaster(&data);
    service.signal("TERM");
    service.ended().await;
    eventually("all ends with it", || async { has_ended(postmaster).then_some(()) }).await;
}

/// Where a bar stood when it was drawn, from 0 to its end.
fn drawn(text: &str, what: &str, unit: &str) -> BTreeSet<String> {
    let lines = text.split(['\r', '\n']).filter(|line| line.contains(['█', '░']));
    let bars = lines.filter_map(|line| line.split_once(what));
    let places = bars.map(|(_, rest)| {
        let rest = rest.trim_start().trim_start_matches(['█', '░', ' ']);
        let place = rest.strip_prefix(unit).unwrap_or(rest).split([' ', '/']).next();
        place.unwrap_or_default().to_owned()
    });
    let places: BTreeSet<String> = places.collect();
    let is_number = |place: &String| place.replace(',', "").parse::<u64>().is_ok();
    assert!(places.iter().all(is_number), "{what}: {places:?}");
    places
}

/// Every question of the tour has an answer, asked as it says.
async fn try_everything(url: &str, tour: &str) {
    let anyone = Caller::new(http(), url, None);
    let token = |who: &str| {
        let line = tour.lines().find_map(|line| line.strip_prefix(&format!("{who}=")));
        line.unwrap_or_else(|| panic!("a token of {who} in {tour}")).trim().to_owned()
    };
    let (service, auditor) = (token("SERVICE"), token("AUDITOR"));
    let mut asked = BTreeSet::new();
    let questions = tour.lines().map(str::trim).filter(|line| line.starts_with("curl -s "));
    for question in questions.filter(|line| line.ends_with('\'')) {
        let (_, quoted) = question.trim_end_matches('\'').rsplit_once('\'').expect("a URL");
        let path = quoted.strip_prefix(url).expect("this ledger's URL");
        let caller = match question {
            by if by.contains("Bearer $SERVICE\"") => anyone.with_token(&service),
            by if by.contains("Bearer $AUDITOR\"") => anyone.with_token(&auditor),
            _ => anyone.clone(),
        };
        let answer = caller.get(path).await;
        // A decision may be that something isn't granted.
        let is_denied = path.starts_with("/api/v1/entitlements/") && answer.status == 403;
        assert!(answer.status == 200 || is_denied, "{question}: {answer:?}");
        if path.contains("/tiers/current") {
            assert_ne!(answer.json()["status"], "none", "{question}: {answer:?}");
        }
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        asked.insert(path.to_owned());
    }
    for path in [
        "/api/v1/tiers",
        "/api/v1/tiers/current",
        "/api/v1/tiers/history",
        "/api/v1/entitlements",
        "/api/v1/audit/events",
        "/metrics",
    ] {
        assert!(asked.contains(path), "{path} in the tour: {asked:?}");
    }
    let people = tour.lines().filter(|line| line.starts_with("# A trainer who is "));
    assert!(people.count() > 3, "people to look at: {tour}");
}
