//! Read models that another version of the program made.

use std::collections::BTreeSet;

use ledger_cluster::Cluster;
use ledger_domain::event::stripe::Before;
use ledger_log::EventLog;
use ledger_projections::{Halt, Installed, install};
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::given;
use crate::world::{LOGIN, World, config, start};

async fn installed(world: &World) -> Installed {
    // Rights on the database itself are the one thing that a copied database lacks.
    world.sql(&format!("GRANT CREATE ON DATABASE {} TO ledger_projector", world.database));
    let url = Cluster::shared().url(&world.database, LOGIN);
    let mut conn = PgConnection::connect(&url).await.unwrap();
    let installed = install(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    installed
}

#[tokio::test]
async fn they_are_left_alone_until_they_are_made_anew_from_the_log() {
    let world = World::new();
    let tenant = world.open("default").await;
    world.log.append(&tenant, given::month()).await.unwrap();
    world.project(&tenant).await;
    let before = world.rows(&tenant);
    assert_eq!(installed(&world).await, Installed::Before);
    assert_eq!(world.rows(&tenant), before);

    // Forms are compared, not counted: a newer one and an older one are other ones alike.
    world.sql(
        "ALTER TABLE rm_grants.trainer DROP COLUMN registered_at;
         COMMENT ON SCHEMA projection IS 'form of another version'",
    );
    world.log.append(&tenant, vec![given::registered("r9", 0, "t9")]).await.unwrap();
    let runner = world.runner(config("test"));
    let halt = start(&runner, &tenant).end().await.unwrap_err();
    assert!(matches!(halt, Halt::OtherForm), "{halt}");
    let position = "SELECT max(position) FROM projection.checkpoint";
    let reached = world.sql(position);
    assert_eq!(reached, (world.log.head(&tenant).await.unwrap().unwrap().position - 1).to_string());

    assert_eq!(installed(&world).await, Installed::Anew);
    assert_eq!(world.sql(position), "", "nothing is left of them");
    world.project(&tenant).await;
    let straight = world.open("straight").await;
    world.log.append(&straight, given::month()).await.unwrap();
    world.log.append(&straight, vec![given::registered("r9", 0, "t9")]).await.unwrap();
    world.project(&straight).await;
    assert_eq!(world.rows(&tenant), world.rows(&straight));
    assert_eq!(installed(&world).await, Installed::Before);
}

#[tokio::test]
async fn where_one_is_gone_all_are_made_anew() {
    let world = World::new();
    world.open("default").await;
    assert_eq!(installed(&world).await, Installed::Before);
    world.sql("DROP SCHEMA rm_usage CASCADE");
    assert_eq!(installed(&world).await, Installed::Anew);
    assert_eq!(installed(&world).await, Installed::Before);
}

/// The fields of a value, by their ways to it; empty ones too.
fn fields(way: &str, value: &Value, found: &mut BTreeSet<String>) {
    found.insert(way.to_owned());
    match value {
        Value::Object(object) => {
            object.iter().for_each(|(name, inner)| fields(&format!("{way}/{name}"), inner, found));
        }
        Value::Array(list) => {
            list.iter().for_each(|inner| fields(&format!("{way}/-"), inner, found));
        }
        _ => {}
    }
}

/// What stands in databases is read by the next version, too. Other fields than these need another
/// `STATE` in src/schema.rs: then write down here what the test says there are.
#[tokio::test]
async fn states_have_the_fields_that_this_form_stands_for() {
    let world = World::new();
    let tenant = world.open("default").await;
    let words = [
        given::customer("evt_90", given::DAY_0 + 9, "t1", Before::NoObject),
        given::linked("link_1", 0, "cus_1", "t1"),
    ];
    world.log.append(&tenant, given::month()).await.unwrap();
    world.log.append(&tenant, words.into()).await.unwrap();
    world.project(&tenant).await;
    let states = world.sql(
        "SELECT convert_from(state, 'UTF8') FROM rm_subscriptions.unit_part
         UNION ALL SELECT convert_from(state, 'UTF8') FROM rm_grants.trainer_part
         UNION ALL SELECT convert_from(state, 'UTF8') FROM rm_catalog.tenant_part",
    );
    let mut found = BTreeSet::new();
    for state in states.lines() {
        fields("", &serde_json::from_str(state).unwrap(), &mut found);
    }
    let text = found.iter().map(|way| format!("{way}\n")).collect::<String>();
    let hash = world.sql(&format!("SELECT md5($text${text}$text$)"));
    let known = (70, "6ed46cfbe407fc7e4fef78258d24572c");
    assert_eq!((found.len(), hash.as_str()), known, "{text}");
}
