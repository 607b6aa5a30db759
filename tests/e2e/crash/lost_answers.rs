//! The commit went through and its answer got lost: the hardest moment to tell from a failure.

use super::proxy::Proxy;
use crate::bodies::{DAY, STARTER, Story, Version};
use crate::check::{expect_equal_to_a_fold, verify_log};
use crate::harness::{Database, Settings, TestApp, accepted, now, turns};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_after_the_commit_loses_and_doubles_nothing() {
    let database = Database::fresh().await;
    let socket = database.cluster().socket_dir().join(".s.PGSQL.5432");
    let proxy = Proxy::start(socket).await;
    let (name, login) = database.name_and_login();
    let url = format!("postgres://{login}@{}/{name}?sslmode=disable", proxy.address());
    let settings = Settings::of_service().with("DATABASE_URL", url);
    let mut app = TestApp::start_on(database, settings).await;

    let mut story = Story::new("t1", Version::Clover, now() - DAY);
    story.purchase(STARTER);
    let webhooks = story.take();
    app.stripe().deliver(&webhooks[0]).await;
    let mut committed_unanswered = 0;
    for (nth, webhook) in webhooks[1..].iter().enumerate() {
        proxy.lose_next_answer();
        let first = app.stripe().post(webhook).await;
        assert!([200, 503].contains(&first.status), "{first:?}");
        assert_eq!(proxy.lost(), nth + 1, "the answer was lost");
        let id = webhook["id"].as_str().expect("an id");
        let sql = "SELECT position FROM event WHERE event_id = $1";
        let stored: Vec<i64> =
            sqlx::query_scalar(sql).bind(id).fetch_all(app.owner()).await.unwrap();
        committed_unanswered += usize::from(!stored.is_empty());

        let mut turns = turns("the retry is accepted");
        let position = loop {
            let again = app.stripe().post(webhook).await;
            if again.status == 200 {
                break accepted(webhook, &again);
            }
            turns.next().await;
        };
        assert!(stored.is_empty() || stored == [position], "{id}: {stored:?}, then {position}");
        if first.status == 200 {
            assert_eq!(accepted(webhook, &first), position, "both answers agree");
        }
    }
    assert_eq!(committed_unanswered, webhooks.len() - 1, "each cut came after a commit");
    verify_log(app.owner(), "default").await;
    expect_equal_to_a_fold(&mut app).await;
}
