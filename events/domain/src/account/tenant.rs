//! The state of a tenant: what its Stripe account sells. Catalogues and enforcement need no fold,
//! each event says everything; prices and products are facts of Stripe's like any other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::event::stripe::{Price, Product};
use crate::event::{Entry, Event, of_customer, of_nobody, of_trainer, of_usage};
use crate::id::StripeId;

/// One price or product as all facts about it make it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sold {
    /// A price; true = deleted.
    Price(Price, bool),
    /// A product; true = deleted.
    Product(Product, bool),
}

/// The facts about one price or product.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SoldFacts {
    Price(Facts<Price>),
    Product(Facts<Product>),
}

/// The state of what a tenant sells.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct TenantUnit {
    sold: BTreeMap<StripeId, SoldFacts>,
}

impl TenantUnit {
    /// The state from its stored bytes.
    ///
    /// # Errors
    /// If it wasn't stored by this version of the program.
    pub fn restore(bytes: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(bytes)
    }

    /// The state to be stored.
    ///
    /// # Panics
    /// Never: the state has text keys.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("the state has text keys")
    }

    /// Adds a fact and tells the price or product that it concerns, with the position of the
    /// latest event that counted for it. Facts of another kind change nothing.
    pub fn evolve(&mut self, entry: &Entry) -> Option<(Sold, i64)> {
        let at = entry.occurred_at.unix();
        match &entry.event {
            Event::PriceReported(e) => {
                let new = || SoldFacts::Price(Facts::default());
                let facts = self.sold.entry(e.snapshot.id.clone()).or_insert_with(new);
                let SoldFacts::Price(facts) = facts else { return None };
                facts.insert(at, &entry.key, entry.position, e);
                let (fact, price) = facts.current()?;
                Some((Sold::Price(price.clone(), fact.is_final()), facts.position()))
            }
            Event::ProductReported(e) => {
                let new = || SoldFacts::Product(Facts::default());
                let facts = self.sold.entry(e.snapshot.id.clone()).or_insert_with(new);
                let SoldFacts::Product(facts) = facts else { return None };
                facts.insert(at, &entry.key, entry.position, e);
                let (fact, product) = facts.current()?;
                Some((Sold::Product(product.clone(), fact.is_final()), facts.position()))
            }
            Event::LogOpened(_) | Event::CatalogPublished(_) | Event::EnforcementChanged(_) => None,
            of_customer!() | of_trainer!() | of_usage!() | of_nobody!() => None,
        }
    }
}
