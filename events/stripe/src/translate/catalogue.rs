//! Prices, products, and what a subscription's item is sold as.

use ledger_domain::event::stripe::{Discount, ItemPrice, Price, Product};
use ledger_domain::id::StripeId;

use super::read::{
    Missing, View, at, code, currency, decimal, first_int, flag, id_of, int, link, list, metadata,
    need, text, within,
};

/// `/api/prices/object`
pub(super) fn price(node: View<'_>, _cause: &str) -> Result<Price, Missing> {
    let sold = sold_as(node, need(id_of(node), "id")?)?;
    Ok(Price {
        active: flag(node, "active").unwrap_or_default(),
        billing_scheme: code(node, "billing_scheme"),
        created: int(node, "created")?,
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
        created: int(node, "created")?,
        default_price: link(node, "default_price"),
        id: need(id_of(node), "id")?,
        metadata: metadata(node, "metadata"),
        name: text(node, "name"),
    })
}

/// Where a price stands, the new name first.
const PRICES: [&str; 2] = ["price", "plan"];

/// The price of an item, of a line or of a schedule's item: `price`, before 2020-08-27 `plan`.
/// Either may be an id alone; then the other one tells about it, if it is the same.
pub(super) fn item_price(node: View<'_>) -> Result<Option<ItemPrice>, Missing> {
    let Some(id) = item_price_id(node) else { return Ok(None) };
    let tells = |price: View<'_>| price.is_object() && id_of(price).as_ref() == Some(&id);
    for key in PRICES {
        if let Some(price) = node.get(key).filter(|price| tells(*price)) {
            return sold_as(price, id).map(Some).map_err(|missing| missing.under(key));
        }
    }
    sold_as(View::NONE, id).map(Some)
}

/// That price's id alone.
pub(super) fn item_price_id(node: View<'_>) -> Option<StripeId> {
    PRICES.into_iter().find_map(|key| link(node, key))
}

/// A price, or a plan, which says the same in its own words (`/api/plans/object`).
fn sold_as(node: View<'_>, id: StripeId) -> Result<ItemPrice, Missing> {
    let recurring = node.get("recurring");
    let interval_count = match recurring {
        Some(_) => within(node, &["recurring"], |own| int(own, "interval_count"))?.flatten(),
        None => int(node, "interval_count")?,
    };
    let recurring = recurring.unwrap_or(node);
    let unit_amount = first_int(node, ["unit_amount", "amount"])?;
    Ok(ItemPrice {
        currency: currency(node, "currency"),
        id,
        interval: code(recurring, "interval"),
        interval_count,
        product: link(node, "product"),
        unit_amount,
        // The decimal came later than the amount; where only one is told, it is the same.
        unit_amount_decimal: decimal(node, "unit_amount_decimal")
            .or_else(|| decimal(node, "amount_decimal"))
            .or_else(|| unit_amount.map(|amount| amount.to_string().into())),
        usage_type: code(recurring, "usage_type"),
    })
}

/// The discounts on an object: `discounts`, and before 2024 a single `discount`, which may tell
/// what `discounts` only names.
pub(super) fn discounts(node: View<'_>) -> Result<Vec<Discount>, Missing> {
    let single = node.get("discount");
    let discounts = list(node, "discounts", |named| {
        let same = |single: &View<'_>| !named.is_object() && id_of(*single) == id_of(named);
        discount(single.filter(same).unwrap_or(named))
    })?;
    if !discounts.is_empty() {
        return Ok(discounts);
    }
    Ok(within(node, &["discount"], discount)?.into_iter().collect())
}

/// `/api/discounts/object`: the coupon stands under `source` since 2025-09-30.clover.
fn discount(node: View<'_>) -> Result<Discount, Missing> {
    let path: &[&str] =
        if at(node, &["source", "coupon"]).is_some() { &["source", "coupon"] } else { &["coupon"] };
    let coupon = at(node, path);
    let told = coupon.unwrap_or(View::NONE);
    let of_coupon = |key| within(node, path, |told| int(told, key)).map(Option::flatten);
    Ok(Discount {
        amount_off: of_coupon("amount_off")?,
        coupon: coupon.and_then(id_of),
        currency: currency(told, "currency"),
        duration: code(told, "duration"),
        duration_in_months: of_coupon("duration_in_months")?,
        end: int(node, "end")?,
        id: id_of(node),
        percent_off: decimal(told, "percent_off"),
        start: int(node, "start")?,
    })
}
