//! Lies in Redis: each is found out, and the answer is right.

use std::fs;

use serde_json::{Value, json};

use super::forger::{key_of, packed, unpacked};
use super::server::Redis;
use super::{Pair, count, is_in_use, question, refused, settings};
use crate::bodies::{DAY, PROFESSIONAL, Story, Version};
use crate::entitlement_cache::purchase;
use crate::harness::{Claims, Database, now, turns};

/// What somebody puts under the name of a trainer's entry, given that entry.
type Spoil<'a> = &'a dyn Fn(&str, &[u8]) -> Lie;

enum Lie {
    Text(Vec<u8>),
    /// Something that isn't a text.
    List,
}

impl Pair {
    /// Spoils what lies in Redis of a trainer, and asks the other node, until that has found it out
    /// for some reason: on a busy machine it may not have looked.
    async fn is_found_out(&mut self, what: &str, reason: &str, spoil: Spoil<'_>) {
        let mut turns = turns(what);
        loop {
            let (trainer, name, value) = self.left().await;
            let mut server = self.redis.connect();
            match spoil(&name, &value) {
                Lie::Text(text) => self.redis.put(&name, &text),
                Lie::List => {
                    redis::cmd("DEL").arg(&name).query::<()>(&mut server).unwrap();
                    redis::cmd("RPUSH").arg(&name).arg("x").query::<()>(&mut server).unwrap();
                }
            }
            is_in_use(&self.other).await;
            let (before, hits) =
                (refused(&self.other, reason).await, count(&self.other, "hits_total").await);
            let answer = self.other.service().get(&question(&trainer)).await.expect(200);
            assert_eq!(answer["tier"], "starter", "{what}: {answer}");
            assert_eq!(answer["features"]["analytics"]["granted"], false, "{what}: {answer}");
            assert_eq!(count(&self.other, "hits_total").await, hits, "{what} is believed");
            if refused(&self.other, reason).await > before {
                return;
            }
            turns.next().await;
        }
    }

    /// What lies in Redis of somebody with more rights.
    async fn of_a_professional(&self) -> (String, Vec<u8>) {
        let mut turns = turns("something is left in Redis of a professional");
        for nth in 1.. {
            let trainer = format!("professional{nth}");
            let (mut story, _) = purchase(&self.app, &trainer).await;
            story.pass(DAY).change_to(PROFESSIONAL);
            let position = self.app.stripe().deliver_all(&story.take()).await;
            let answer = self.app.service().read_at(&question(&trainer), position).await;
            assert_eq!(answer["tier"], "professional", "{answer}");
            if let Some(left) = self.leave(&trainer).await {
                return left;
            }
            turns.next().await;
        }
        unreachable!("turns end")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_not_as_a_node_left_it_is_found_out() {
    let mut pair = Pair::start().await;
    let (_, of_another) = pair.of_a_professional().await;
    for (what, byte) in [("its MAC", 20), ("its length", 33), ("its middle", 120)] {
        let flip = move |_: &str, value: &[u8]| {
            let mut value = value.to_vec();
            value[byte] ^= 1;
            Lie::Text(value)
        };
        pair.is_found_out(&format!("a flipped bit in {what}"), "forged", &flip).await;
    }
    let of_another = &of_another;
    let copy = |_: &str, _: &[u8]| Lie::Text(of_another.clone());
    pair.is_found_out("another trainer's entry", "forged", &copy).await;
    let cut = |_: &str, value: &[u8]| Lie::Text(value[..value.len() - 1].to_vec());
    pair.is_found_out("an entry without its end", "forged", &cut).await;
    let without = |name: &str, value: &[u8]| {
        let mut said = unpacked(of_another);
        said["tenant"] = unpacked(value)["tenant"].clone();
        said["trainer"] = unpacked(value)["trainer"].clone();
        Lie::Text(packed(&said, name, &[0; 32]))
    };
    pair.is_found_out("an entry by somebody without the key", "forged", &without).await;

    let short = |_: &str, value: &[u8]| Lie::Text(value[..20].to_vec());
    pair.is_found_out("a piece of an entry", "malformed", &short).await;
    let other_form = |_: &str, value: &[u8]| Lie::Text([&[2], &value[1..]].concat());
    pair.is_found_out("another program's form", "malformed", &other_form).await;
    let text = |_: &str, _: &[u8]| Lie::Text(b"{\"tier\":\"professional\"}".to_vec());
    pair.is_found_out("a text", "malformed", &text).await;
    pair.is_found_out("a list", "malformed", &|_: &str, _: &[u8]| Lie::List).await;
    let huge = |_: &str, value: &[u8]| Lie::Text([value, &vec![0; 8 << 20]].concat());
    pair.is_found_out("a value of 8 MiB", "too_long", &huge).await;
    pair.share().await;
}

/// Of another tenant that has the same trainers, and a Redis in common with this one.
#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_entry_is_found_out() {
    const SECRET: &str = "whsec_e2e_acme_first";
    let folder = tempfile::tempdir().unwrap();
    let acme = folder.path().join("acme");
    fs::create_dir(&acme).unwrap();
    for (name, value) in [
        ("STRIPE_WEBHOOK_SECRET", SECRET),
        ("STRIPE_LIVEMODE", "false"),
        ("STRIPE_PRICE_TIER_PROFESSIONAL", "price_professional_month"),
    ] {
        fs::write(acme.join(name), value).unwrap();
    }
    let redis = Redis::start().await;
    let settings = settings(redis.url())
        .with("LEDGER_TENANT_SECRETS_DIR", folder.path().to_str().expect("a path in UTF-8"));
    let mut pair = Pair::on(redis, Database::fresh().await, settings).await;
    let of_acme = pair.app.caller(&Claims::of("service", "e2e").with("tenant", "acme"));
    let mut turns = turns("something is left in Redis of another tenant's trainer");
    let mut nth = 0;
    let value = loop {
        nth += 1;
        let trainer = format!("t{nth}");
        let mut story = Story::new(&trainer, Version::Clover, now() - 5 * DAY);
        story.purchase(PROFESSIONAL);
        let position = pair.app.stripe_of("acme", SECRET).deliver_all(&story.take()).await;
        let answer = of_acme.read_at(&question(&trainer), position).await;
        assert_eq!(answer["tier"], "professional", "{answer}");
        if let Some((_, value)) = pair.leave_of("acme", &of_acme, &trainer).await {
            break value;
        }
        turns.next().await;
    };
    let copy = |_: &str, _: &[u8]| Lie::Text(value.clone());
    pair.is_found_out("another tenant's entry", "forged", &copy).await;
    pair.share().await;
}

/// Made with the key: what else keeps an entry from being believed.
#[tokio::test(flavor = "multi_thread")]
async fn even_with_the_key_nothing_is_believed_that_could_be_wrong() {
    let mut pair = Pair::start().await;
    let (_, of_another) = pair.of_a_professional().await;
    let key = &key_of(&pair.app.database).await;
    let changed = |name: &str, value: &[u8], change: &dyn Fn(&mut Value)| {
        let mut said = unpacked(value);
        change(&mut said);
        Lie::Text(packed(&said, name, key))
    };
    // Whoever makes one as it is makes one that is believed: the others aren't refused for nothing.
    let mut turns = turns("what is made with the key is believed");
    loop {
        let (trainer, name, value) = pair.left().await;
        let said = unpacked(&value);
        assert_eq!((&said["tenant"], &said["trainer"]), (&json!("default"), &json!(trainer)));
        pair.redis.put(&name, &packed(&said, &name, key));
        is_in_use(&pair.other).await;
        let before = count(&pair.other, "hits_total").await;
        let answer = pair.other.service().get(&question(&trainer)).await.expect(200);
        assert_eq!(answer["tier"], "starter", "{answer}");
        if count(&pair.other, "hits_total").await > before {
            break;
        }
        turns.next().await;
    }

    let until = |seconds: i64| {
        let at = chrono::DateTime::from_timestamp(now() + seconds, 0).expect("a time");
        json!(at.to_rfc3339())
    };
    let (far, over) = (until(3_600), until(-1));
    let far = |name: &str, value: &[u8]| changed(name, value, &|s| s["valid_until"] = far.clone());
    pair.is_found_out("an entry for an hour", "expired", &far).await;
    let over =
        |name: &str, value: &[u8]| changed(name, value, &|s| s["valid_until"] = over.clone());
    pair.is_found_out("an entry whose time is over", "expired", &over).await;
    let whole = |name: &str, _: &[u8]| changed(name, &of_another, &|_| {});
    pair.is_found_out("another trainer's entry, under the right name", "forged", &whole).await;

    let older = |by: i64| {
        move |said: &mut Value| {
            said["change"] = json!(said["change"].as_i64().expect("a number") + by);
        }
    };
    // The purchase made several changes, of which the entry is said to lack the last.
    let old = |name: &str, value: &[u8]| changed(name, value, &older(-1));
    pair.is_found_out("an entry that lacks a change", "old", &old).await;
    let unknown = |name: &str, value: &[u8]| changed(name, value, &older(-1_000_000));
    pair.is_found_out("an entry from before what is known", "old", &unknown).await;
    let ahead = |name: &str, value: &[u8]| changed(name, value, &older(1_000));
    pair.is_found_out("an entry from beyond what was heard", "ahead", &ahead).await;
    let far_on = |name: &str, value: &[u8]| {
        changed(name, value, &|said| said["position"] = json!(1_000_000))
    };
    pair.is_found_out("an entry beyond the read models", "ahead", &far_on).await;
    let other_mark =
        |name: &str, value: &[u8]| changed(name, value, &|said| said["mark"] = json!([null, 7]));
    pair.is_found_out("an entry under another catalogue", "other_catalog", &other_mark).await;
    let other_shape =
        |name: &str, value: &[u8]| changed(name, value, &|said| said["holdings"] = json!(null));
    pair.is_found_out("an entry of another shape", "malformed", &other_shape).await;
}
