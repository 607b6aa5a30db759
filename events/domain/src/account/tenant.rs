//! The state of a tenant: what its Stripe account sells. Catalogues and enforcement need no fold,
//! each event says everything; prices and products are facts of Stripe's like any other.

use std::collections::{BTreeMap, BTreeSet};

use super::anomaly::FactAnomaly;
use super::chunks::group;
use super::facts::Facts;
use crate::event::stripe::{Price, Product};
use crate::event::{Entry, Event, of_customer, of_nobody, of_trainer, of_usage};

/// What the names of parts begin with.
const PRICE: &str = "price/";
const PRODUCT: &str = "product/";

/// One price or product as all facts about it make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sold {
    /// A price; true = deleted.
    Price(Price, bool),
    /// A product; true = deleted.
    Product(Product, bool),
}

/// What became of what a tenant sells since the last look.
#[derive(Debug, Default)]
pub struct SoldChanges {
    /// Parts of the state to be stored: their names and bytes.
    pub parts: Vec<(String, Vec<u8>)>,
    /// What a person should look at, for each price or product where something was or is; an empty
    /// list clears it.
    pub anomalies: Vec<(String, Vec<FactAnomaly>)>,
}

/// The facts about one price or product.
#[derive(Debug, Clone)]
enum SoldFacts {
    Price(Facts<Price>),
    Product(Facts<Product>),
}

/// The state of what a tenant sells: a part for each price and product, so that a fact touches (and
/// a store rewrites) its own alone.
#[derive(Debug, Clone, Default)]
pub struct TenantUnit {
    sold: BTreeMap<String, SoldFacts>,
    touched: BTreeSet<String>,
}

impl TenantUnit {
    /// The state from its stored parts.
    ///
    /// # Errors
    /// If a part wasn't stored by this version of the program.
    pub fn restore(parts: impl IntoIterator<Item = (String, Vec<u8>)>) -> serde_json::Result<Self> {
        let mut unit = Self::default();
        for (name, (head, earlier)) in group(parts) {
            let facts = if name.starts_with(PRICE) {
                SoldFacts::Price(Facts::from_parts(&head, &earlier)?)
            } else {
                SoldFacts::Product(Facts::from_parts(&head, &earlier)?)
            };
            unit.sold.insert(name, facts);
        }
        Ok(unit)
    }

    /// What is to be stored and shown since the last call.
    ///
    /// # Panics
    /// Never: what is touched is there.
    #[must_use]
    pub fn take_changes(&mut self) -> SoldChanges {
        let mut changes = SoldChanges::default();
        for name in std::mem::take(&mut self.touched) {
            let facts = self.sold.get_mut(&name).expect("what is touched is there");
            let (parts, news) = match facts {
                SoldFacts::Price(facts) => (facts.take_parts(&name), facts.take_news()),
                SoldFacts::Product(facts) => (facts.take_parts(&name), facts.take_news()),
            };
            changes.parts.extend(parts);
            changes.anomalies.extend(news.anomalies.map(|anomalies| (name, anomalies)));
        }
        changes
    }

    /// Adds a fact and tells the price or product that it concerns, with the position of the
    /// latest event that counted for it. Facts of another kind change nothing.
    pub fn evolve(&mut self, entry: &Entry) -> Option<(Sold, i64)> {
        let at = entry.occurred_at.unix();
        match &entry.event {
            Event::PriceReported(e) => {
                let name = format!("{PRICE}{}", e.snapshot.id);
                let new = || SoldFacts::Price(Facts::default());
                let facts = self.sold.entry(name.clone()).or_insert_with(new);
                let SoldFacts::Price(facts) = facts else { return None };
                if facts.insert(None, (at, &entry.key, entry.position), e) {
                    self.touched.insert(name);
                }
                let (fact, price) = facts.current()?;
                Some((Sold::Price(price.clone(), fact.is_final), facts.position()))
            }
            Event::ProductReported(e) => {
                let name = format!("{PRODUCT}{}", e.snapshot.id);
                let new = || SoldFacts::Product(Facts::default());
                let facts = self.sold.entry(name.clone()).or_insert_with(new);
                let SoldFacts::Product(facts) = facts else { return None };
                if facts.insert(None, (at, &entry.key, entry.position), e) {
                    self.touched.insert(name);
                }
                let (fact, product) = facts.current()?;
                Some((Sold::Product(product.clone(), fact.is_final), facts.position()))
            }
            Event::LogOpened(_) | Event::CatalogPublished(_) | Event::EnforcementChanged(_) => None,
            of_customer!() | of_trainer!() | of_usage!() | of_nobody!() => None,
        }
    }
}
