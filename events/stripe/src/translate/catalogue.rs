//! Prices, products, and what a subscription's item is sold as.

use ledger_domain::event::stripe::{Discount, ItemPrice, Price, Product};
use ledger_domain::id::StripeId;

use super::read::{
    Missing, View, at, code, currency, decimal, flag, id_of, int, link, metadata, need, text,
};

/// `/api/prices/object`
pub(super) fn price(node: View<'_>, _cause: &str) -> Result<Price, Missing> {
    let sold = sold_as(node, need(id_of(node), "id")?);
    Ok(Price {
        active: flag(node, "active").unwrap_or_default(),
        billing_scheme: code(node, "billing_scheme"),
        created: int(node, "created"),
        currency: need(sold.currency, "currency")?,
        id: sold.id,
        interval: sold.interval,
        interval_count: sold.interval_count,
        lookup_key: text(node, "lookup_key"),
        metadata: metadata(node, "metadata"),
        nickname: text(node, "nickname"),
        product: sold.product,
        unit_amount: sold.unit_amount,
        unit_amount_decimal: sold.unit_amount_decimal,
        usage_type: sold.usage_type,
    })
}

/// `/api/products/object`
pub(super) fn product(node: View<'_>, _cause: &str) -> Result<Product, Missing> {
    Ok(Product {
        active: flag(node, "active").unwrap_or_default(),
        created: int(node, "created"),
        default_price: link(node, "default_price"),
        id: need(id_of(node), "id")?,
        metadata: metadata(node, "metadata"),
        name: text(node, "name"),
    })
}

/// The price of an item, of a line or of a schedule's item: `price`, before 2020-08-27 `plan`.
/// Either may be an id alone; then the other one tells about it, if it is the same.
pub(super) fn item_price(node: View<'_>) -> Option<ItemPrice> {
    let named = || ["price", "plan"].into_iter().filter_map(|key| node.get(key));
    let id = named().find_map(id_of)?;
    let told = named().find(|price| price.is_object() && id_of(*price).as_ref() == Some(&id));
    Some(sold_as(told.unwrap_or(View::NONE), id))
}

/// A price, or a plan, which says the same in its own words (`/api/plans/object`).
fn sold_as(node: View<'_>, id: StripeId) -> ItemPrice {
    let recurring = node.get("recurring").unwrap_or(node);
    let unit_amount = int(node, "unit_amount").or_else(|| int(node, "amount"));
    ItemPrice {
        currency: currency(node, "currency"),
        id,
        interval: code(recurring, "interval"),
        interval_count: int(recurring, "interval_count"),
        product: link(node, "product"),
        unit_amount,
        // The decimal came later than the amount; where only one is told, it is the same.
        unit_amount_decimal: decimal(node, "unit_amount_decimal")
            .or_else(|| decimal(node, "amount_decimal"))
            .or_else(|| unit_amount.map(|amount| amount.to_string().into())),
        usage_type: code(recurring, "usage_type"),
    }
}

/// The discounts on an object: `discounts`, and before 2024 a single `discount`, which may tell
/// what `discounts` only names.
pub(super) fn discounts(node: View<'_>) -> Vec<Discount> {
    let single = node.get("discount");
    let named = node.get("discounts").unwrap_or(View::NONE).elements();
    if named.len() == 0 {
        return single.map(discount).into_iter().collect();
    }
    named
        .map(|named| {
            let same = |single: &View<'_>| !named.is_object() && id_of(*single) == id_of(named);
            discount(single.filter(same).unwrap_or(named))
        })
        .collect()
}

/// `/api/discounts/object`: the coupon stands under `source` since 2025-09-30.clover.
fn discount(node: View<'_>) -> Discount {
    let coupon = at(node, &["source", "coupon"]).or_else(|| node.get("coupon"));
    let told = coupon.unwrap_or(View::NONE);
    Discount {
        amount_off: int(told, "amount_off"),
        coupon: coupon.and_then(id_of),
        currency: currency(told, "currency"),
        duration: code(told, "duration"),
        duration_in_months: int(told, "duration_in_months"),
        end: int(node, "end"),
        id: id_of(node),
        percent_off: decimal(told, "percent_off"),
        start: int(node, "start"),
    }
}
