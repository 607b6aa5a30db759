use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures::{StreamExt, future, stream};
use jsonwebtoken::Algorithm;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::testing::{Pair, set_of};
use super::*;
use crate::config::{Environment, JwksConfig};

/// Far longer than anything takes.
const LONG: Duration = Duration::from_secs(3_600);

/// What the server answers.
#[derive(Clone)]
enum Said {
    Keys(String),
    Status(StatusCode),
    Elsewhere(String),
    /// As much as anybody reads.
    Endless,
    /// The head, and then nothing.
    Stuck,
}

/// A server on this machine, and a follower of the keys that it tells.
struct Scene {
    url: String,
    said: Arc<Mutex<Said>>,
    hits: Arc<AtomicUsize>,
    fetched: Arc<Fetched>,
    sets: watch::Receiver<Vec<KeySet>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Scene {
    async fn start(said: Said, pace: Pace) -> Self {
        let (said, hits) = (Arc::new(Mutex::new(said)), Arc::new(AtomicUsize::new(0)));
        let (says, counts) = (Arc::clone(&said), Arc::clone(&hits));
        let keys = get(move || {
            counts.fetch_add(1, Ordering::SeqCst);
            future::ready(answer(&says.lock().unwrap()))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let environment = Environment::default().with("LEDGER_JWKS", &url);
        let config = JwksConfig::read(&environment);
        let Ok(Some(JwksConfig::Url(place))) = config else { panic!("not a URL: {config:?}") };

        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let router = Router::new().route("/keys", keys);
        let serving = axum::serve(listener, router).into_future();
        let ending = stop.clone();
        tasks.spawn(async move { ending.run_until_cancelled(serving).await.is_some() });
        let fetched = Arc::new(Fetched::try_new(&place, None, pace).unwrap());
        let (tell, sets) = watch::channel(Vec::new());
        let (follower, ending) = (Arc::clone(&fetched), stop.clone());
        tasks.spawn(async move {
            let hand_on = |set| tell.send_modify(|sets: &mut Vec<KeySet>| sets.push(set));
            follower.follow(hand_on, ending).await;
        });
        Self { url, said, hits, fetched, sets, tasks, stop }
    }

    fn say(&self, said: Said) {
        *self.said.lock().unwrap() = said;
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// Waits until this many sets were handed on.
    async fn sets(&mut self, count: usize) -> Vec<KeySet> {
        let sets = self.sets.wait_for(|sets| sets.len() >= count);
        timeout(Duration::from_secs(60), sets).await.expect("in time").unwrap().clone()
    }

    /// Waits until no fetch is under way.
    async fn idle(&self) {
        let mut state = self.fetched.state.subscribe();
        let idle = state.wait_for(|state| matches!(state, State::Idle(_)));
        timeout(Duration::from_secs(60), idle).await.expect("in time").unwrap();
    }

    async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        timeout(Duration::from_secs(60), self.tasks.wait()).await.expect("all tasks end");
    }
}

fn answer(said: &Said) -> Response {
    match said {
        Said::Keys(text) => text.clone().into_response(),
        Said::Status(status) => status.into_response(),
        Said::Elsewhere(url) => Redirect::temporary(url).into_response(),
        Said::Endless => {
            let piece = Bytes::from(vec![b' '; 16 * 1024]);
            let pieces = stream::repeat_with(move || Ok::<_, std::io::Error>(piece.clone()));
            Body::from_stream(pieces).into_response()
        }
        Said::Stuck => {
            let piece = Ok::<_, std::io::Error>(Bytes::from_static(b"{"));
            Body::from_stream(stream::iter([piece]).chain(stream::pending())).into_response()
        }
    }
}

fn keys(id: &str) -> (Pair, Said) {
    let pair = Pair::new(Algorithm::EdDSA, id);
    let said = Said::Keys(set_of(&[&pair]));
    (pair, said)
}

fn has(set: &KeySet, id: &str) -> bool {
    !set.find(Algorithm::EdDSA, Some(id)).is_empty()
}

fn pace(interval: Duration, gap: Duration) -> Pace {
    Pace { interval, retry: LONG, gap, wait: LONG }
}

#[tokio::test]
async fn keys_are_fetched_at_the_start_and_again_where_a_token_names_another() {
    let mut scene = Scene::start(keys("one").1, pace(LONG, Duration::ZERO)).await;
    // Also who comes before there is any.
    scene.fetched.again().await;
    assert!(has(&scene.sets(1).await[0], "one"));
    scene.say(keys("two").1);
    scene.fetched.again().await;
    let sets = scene.sets.borrow().clone();
    assert!(sets.len() == 2 && has(&sets[1], "two") && !has(&sets[1], "one"));
    scene.end().await;
}

#[tokio::test]
async fn tokens_make_nobody_fetch_often() {
    let scene = Scene::start(keys("one").1, pace(LONG, LONG)).await;
    scene.idle().await;
    for _ in 0..1_000 {
        scene.fetched.again().await;
    }
    assert_eq!(scene.hits(), 1);
    scene.end().await;

    // Those who come at the same time share one.
    let scene = Scene::start(keys("one").1, pace(LONG, Duration::ZERO)).await;
    future::join_all((0..1_000).map(|_| scene.fetched.again())).await;
    assert!(scene.hits() <= 2, "{}", scene.hits());
    scene.end().await;
}

#[tokio::test]
async fn keys_are_fetched_by_themselves_at_intervals() {
    let mut scene = Scene::start(keys("one").1, pace(Duration::from_millis(5), LONG)).await;
    scene.sets(1).await;
    scene.say(keys("two").1);
    assert!(has(&scene.sets(2).await[1], "two"));
    // What is the same again is no news.
    let before = scene.hits();
    while scene.hits() < before + 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.sets.borrow().len(), 2);
    scene.end().await;
}

#[tokio::test]
async fn whatever_goes_wrong_nothing_is_handed_on() {
    let (_, good) = keys("one");
    let mut scene = Scene::start(good, pace(LONG, Duration::ZERO)).await;
    scene.sets(1).await;
    let (_, moved) = keys("moved");
    let other = Scene::start(moved, pace(LONG, LONG)).await;
    let elsewhere = other.url.clone();
    for wrong in [
        Said::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Said::Status(StatusCode::NO_CONTENT),
        Said::Keys("<html>Sign in</html>".to_owned()),
        Said::Keys(r#"{"keys":[]}"#.to_owned()),
        Said::Elsewhere(elsewhere),
        Said::Endless,
    ] {
        scene.say(wrong);
        let before = scene.hits();
        scene.fetched.again().await;
        assert_eq!(scene.hits(), before + 1);
        assert_eq!(scene.sets.borrow().len(), 1);
    }
    scene.say(keys("two").1);
    scene.fetched.again().await;
    assert_eq!(scene.sets.borrow().len(), 2, "it goes on after all that");
    other.end().await;
    scene.end().await;
}

#[tokio::test]
async fn nobody_waits_long_for_a_server_that_is_stuck() {
    let wait = Duration::from_millis(20);
    let scene = Scene::start(Said::Stuck, Pace { wait, ..Pace::default() }).await;
    let asked = scene.fetched.again();
    timeout(Duration::from_secs(9), asked).await.expect("before the fetch gives up");
    assert!(scene.sets.borrow().is_empty());
    scene.end().await;
}
