//! What the pure core's types look like in JSON.

use std::borrow::Cow;

use ledger_domain::effective::Denial as Why;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

use super::super::problem::{Denial, codes};

macro_rules! texts {
    ($($name:ident: $description:literal, $example:literal, $pattern:expr, $format:expr;)*) => {
        $(
            #[doc = $description]
            pub(crate) enum $name {}

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    text($description, $example, $pattern, $format)
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    Cow::Borrowed(stringify!($name))
                }
            }
        )*
    };
}

fn text(
    description: &str,
    example: &str,
    pattern: Option<&str>,
    format: Option<&str>,
) -> RefOr<Schema> {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .examples([example])
        .pattern(pattern)
        .format(format.map(|format| SchemaFormat::Custom(format.to_owned())));
    text.build().into()
}

texts! {
    Timestamp: "An instant: RFC 3339 in UTC, to the microsecond.", "2026-11-20T09:00:00Z",
        None, Some("date-time");
    TrainerId: "The business's customer, by an id of the business's own.", "t1",
        Some("^[A-Za-z0-9_.:-]{1,128}$"), None;
    PlanSlug: "A tier or an add-on of the catalogue.", "professional",
        Some("^[A-Za-z0-9_]{1,64}$"), None;
    FeatureSlug: "A feature of the catalogue.", "customers",
        Some("^[A-Za-z0-9_]{1,64}$"), None;
    EventId: "An event of the log.", "evt_1",
        Some("^[A-Za-z0-9_.:-]{1,255}$"), None;
    EventType: "The type of an event.", "SubscriptionReported",
        Some("^[A-Za-z0-9_]{1,64}$"), None;
    StripeId: "An object at Stripe.", "sub_1",
        Some("^[A-Za-z0-9_.:-]{1,255}$"), None;
    Tenant: "A business whose billing the ledger keeps.", "default",
        Some("^[A-Za-z0-9_-]{1,64}$"), None;
    Currency: "A currency, by its three letters.", "usd",
        Some("^[a-z]{3}$"), None;
    Uuid: "A hold.", "0193a4f2-7c5e-7c3a-9d55-0a1b2c3d4e5f",
        None, Some("uuid");
    IdempotencyKey: "Makes a retry safe: the same request under it counts once. HTTP strips the blanks \
        around it.", "order-17", Some("^[ \\t]*[!-~]([ -~]{0,253}[!-~])?[ \\t]*$"), None;
    Cursor: "Where a list goes on, as its last page said.", "MTc",
        Some("^[A-Za-z0-9_-]{1,2048}$"), None;
}

/// What is wrong, for programs.
pub(crate) enum ProblemCode {}

impl PartialSchema for ProblemCode {
    fn schema() -> RefOr<Schema> {
        let code = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("What is wrong, for programs."))
            .enum_values(Some(codes()));
        code.build().into()
    }
}

impl ToSchema for ProblemCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ProblemCode")
    }
}

/// Why a feature is denied, for programs.
pub(crate) enum DenialCode {}

impl PartialSchema for DenialCode {
    fn schema() -> RefOr<Schema> {
        let code = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Why full enforcement denies a feature, for programs."))
            .enum_values(Some(Why::ALL.map(Why::code)));
        code.build().into()
    }
}

impl ToSchema for DenialCode {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("DenialCode")
    }
}

/// The way out of a denial: all of it where a feature is denied, else nothing.
pub(crate) enum WayOut {}

impl PartialSchema for WayOut {
    fn schema() -> RefOr<Schema> {
        let mut schema = Denial::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.required.clear();
        }
        schema
    }
}

impl ToSchema for WayOut {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("WayOut")
    }
}
